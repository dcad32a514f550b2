"""From the instructor's notebooks to what students get."""

from chainrule.release.preprocessors import (
    AddHandIn,
    AddLesson,
    CheckMetadata,
    FoldChecks,
    InstantiateTests,
    SaveDueDate,
    SaveRoster,
    Tidy,
)
from chainrule.release.stubs import ClearSolutions
from chainrule.release.versions import KeepVersion

__all__ = [
    "AddHandIn",
    "AddLesson",
    "CheckMetadata",
    "ClearSolutions",
    "FoldChecks",
    "InstantiateTests",
    "KeepVersion",
    "SaveDueDate",
    "SaveRoster",
    "Tidy",
]
