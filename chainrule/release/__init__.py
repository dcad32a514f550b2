"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import (
    AddHandIn,
    AddLesson,
    CheckMetadata,
    InstantiateTests,
    SaveDueDate,
    SaveRoster,
    Tidy,
)
from chainrule.release.versions import KeepVersion

__all__ = [
    "AddHandIn",
    "AddLesson",
    "CheckMetadata",
    "InstantiateTests",
    "KeepVersion",
    "SaveDueDate",
    "SaveRoster",
    "Tidy",
]
