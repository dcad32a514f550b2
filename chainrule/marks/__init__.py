"""Writes marks from the gradebook, as CSV or for an LMS."""

from chainrule.intake.lms import LmsName
from chainrule.marks.csv_file import MarksCsv
from chainrule.marks.fill import FilledTable, MissingMark, fill_for_lms
from chainrule.marks.sheet import write_atomically

__all__ = ["FilledTable", "LmsName", "MarksCsv", "MissingMark", "fill_for_lms", "write_atomically"]
