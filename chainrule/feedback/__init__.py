"""From the gradebook to a page a student learns from."""

from chainrule.feedback.preprocessors import Redact

__all__ = ["Redact"]
