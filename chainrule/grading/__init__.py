"""Submitted notebooks become scores: sanitise, run, judge, record, each a module of its own."""

from chainrule.grading.judge import Judge
from chainrule.grading.record import FlagGraderErrors, TellRepairs
from chainrule.grading.run import Run
from chainrule.grading.sanitise import Graft

__all__ = ["FlagGraderErrors", "Graft", "Judge", "Run", "TellRepairs"]
