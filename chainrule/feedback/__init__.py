"""Makes students' feedback pages from the gradebook."""

from typing import TYPE_CHECKING

from chainrule.on_demand import on_demand

if TYPE_CHECKING:
    from chainrule.feedback.formgrader import RefuseAboveMaximum
    from chainrule.feedback.page import FeedbackExporter
    from chainrule.feedback.points import GetPoints
    from chainrule.feedback.preprocessors import Disarm, Redact

__getattr__ = on_demand(
    __name__,
    {
        "Disarm": "preprocessors",
        "FeedbackExporter": "page",
        "GetPoints": "points",
        "Redact": "preprocessors",
        "RefuseAboveMaximum": "formgrader",
    },
)

__all__ = ["Disarm", "FeedbackExporter", "GetPoints", "Redact", "RefuseAboveMaximum"]
