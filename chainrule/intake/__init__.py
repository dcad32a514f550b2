"""Puts what students handed in into nbgrader's submitted/ folder."""

from chainrule.intake.late import LatePenalties, LatePolicy
from chainrule.intake.zip_collect import DownloadCollector, SafeExtractor

__all__ = ["DownloadCollector", "LatePenalties", "LatePolicy", "SafeExtractor"]
