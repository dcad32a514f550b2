"""What students import: the checks, the data, the plots. Ships with every release; holds no solution."""

from chainrule.lesson import plots
from chainrule.lesson.checks import Item, expect
from chainrule.lesson.fashion_mnist import FashionMNIST, whole_batch
from chainrule.lesson.student import CheckFailed
from chainrule.lesson.todo import todo

__all__ = ["CheckFailed", "FashionMNIST", "Item", "expect", "plots", "todo", "whole_batch"]
