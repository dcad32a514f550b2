"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import (
    AddHandIn,
    AddLesson,
    CheckMetadata,
    InstantiateTests,
    SaveDueDate,
    Tidy,
)

__all__ = ["AddHandIn", "AddLesson", "CheckMetadata", "InstantiateTests", "SaveDueDate", "Tidy"]
