"""Makes students' feedback pages from the gradebook."""

from chainrule.feedback.formgrader import RefuseAboveMaximum
from chainrule.feedback.page import FeedbackExporter
from chainrule.feedback.points import GetPoints
from chainrule.feedback.preprocessors import Disarm, Redact

__all__ = ["Disarm", "FeedbackExporter", "GetPoints", "Redact", "RefuseAboveMaximum"]
