"""From the gradebook to what an LMS imports."""

from chainrule.marks.csv_file import MarksCsv
from chainrule.marks.fill import Filled, Missing, fill_for_lms
from chainrule.marks.lms import LmsName
from chainrule.marks.sheet import write_whole

__all__ = ["Filled", "LmsName", "MarksCsv", "Missing", "fill_for_lms", "write_whole"]
