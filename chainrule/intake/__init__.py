"""Puts what students handed in into nbgrader's submitted/ folder."""

from chainrule.on_demand import on_demand

__getattr__ = on_demand(
    __name__,
    {
        "DownloadCollector": "zip_collect",
        "HandInExporter": "exporter",
        "LatePenalties": "late",
        "LatePolicy": "late",
        "SafeExtractor": "zip_collect",
    },
)
