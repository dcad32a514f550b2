"""From the gradebook to what an LMS imports."""

from chainrule.marks.csv_file import MarksCsv

__all__ = ["MarksCsv"]
