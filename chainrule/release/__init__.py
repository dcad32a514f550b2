"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import AddHandIn, AddLesson, CheckMetadata, SaveDueDate, SaveRoster, Tidy
from chainrule.release.versions import KeepVersion

__all__ = ["AddHandIn", "AddLesson", "CheckMetadata", "KeepVersion", "SaveDueDate", "SaveRoster", "Tidy"]
