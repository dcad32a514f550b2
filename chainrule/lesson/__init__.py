"""What check cells and notebooks need. Ships with every release; holds no solution."""

from chainrule.lesson.checks import Item, expect
from chainrule.lesson.student import CheckFailed
from chainrule.lesson.todo import todo

__all__ = ["CheckFailed", "Item", "expect", "todo"]
