"""From the instructor's notebooks to what students get."""

from typing import TYPE_CHECKING

from chainrule.on_demand import on_demand

if TYPE_CHECKING:
    from chainrule.release.after_due import ClearAfterDue
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
    from chainrule.release.stubs import ClearSolutions
    from chainrule.release.versions import KeepVersion

__getattr__ = on_demand(
    __name__,
    {
        "AddHandIn": "preprocessors",
        "AddLesson": "preprocessors",
        "CheckMetadata": "preprocessors",
        "ClearAfterDue": "after_due",
        "ClearSolutions": "stubs",
        "FillFacts": "facts",
        "FoldChecks": "preprocessors",
        "InstantiateTests": "preprocessors",
        "KeepVersion": "versions",
        "SaveDueDate": "preprocessors",
        "SaveRoster": "preprocessors",
        "Tidy": "preprocessors",
    },
)

__all__ = [
    "AddHandIn",
    "AddLesson",
    "CheckMetadata",
    "ClearAfterDue",
    "ClearSolutions",
    "FillFacts",
    "FoldChecks",
    "InstantiateTests",
    "KeepVersion",
    "SaveDueDate",
    "SaveRoster",
    "Tidy",
]
