"""Chainrule: a graded deep-learning course in Jupyter."""

__version__ = "0.1.0"
