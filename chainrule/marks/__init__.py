"""Writes marks from the gradebook, as CSV or for an LMS."""

from typing import TYPE_CHECKING

from chainrule.on_demand import on_demand

if TYPE_CHECKING:
    from chainrule.marks.csv_file import MarksCsv
    from chainrule.marks.fill import FilledTable, fill_for_lms
    from chainrule.marks.missing import MissingMark
    from chainrule.marks.sheet import write_atomically

__getattr__ = on_demand(
    __name__,
    {
        "FilledTable": "fill",
        "MarksCsv": "csv_file",
        "MissingMark": "missing",
        "fill_for_lms": "fill",
        "write_atomically": "sheet",
    },
)

__all__ = ["FilledTable", "MarksCsv", "MissingMark", "fill_for_lms", "write_atomically"]
