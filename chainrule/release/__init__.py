"""From the instructor's notebooks to what students get."""

from chainrule.release.facts import FillFacts
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
from chainrule.release.versions import KeepVersion

__all__ = [
    "AddHandIn",
    "AddLesson",
    "CheckMetadata",
    "FillFacts",
    "FoldChecks",
    "InstantiateTests",
    "KeepVersion",
    "SaveDueDate",
    "SaveRoster",
    "Tidy",
]
