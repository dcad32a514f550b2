"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import AddHandIn, AddLesson, CheckMetadata, SaveDueDate, SaveRoster, Tidy

__all__ = ["AddHandIn", "AddLesson", "CheckMetadata", "SaveDueDate", "SaveRoster", "Tidy"]
