"""Puts what students handed in into nbgrader's submitted/ folder."""

from chainrule.intake.exporter import HandInExporter
from chainrule.intake.late import LatePenalties, LatePolicy
from chainrule.intake.zip_collect import DownloadCollector, SafeExtractor

__all__ = ["DownloadCollector", "HandInExporter", "LatePenalties", "LatePolicy", "SafeExtractor"]
