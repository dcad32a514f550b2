"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import AddLesson, SaveDueDate, Tidy

__all__ = ["AddLesson", "SaveDueDate", "Tidy"]
