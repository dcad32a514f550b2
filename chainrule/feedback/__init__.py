"""From the gradebook to a page a student learns from."""

from chainrule.feedback.preprocessors import Disarm, Redact

__all__ = ["Disarm", "Redact"]
