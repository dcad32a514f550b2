"""From submitted notebooks to scores, in four steps with a module each: sanitise, run, judge, record."""

from importlib import import_module
from typing import Any

_MODULES = {
    "FinalOutputs": "outputs",
    "WaitForPeople": "record",
    "Graft": "sanitise",
    "Judge": "judge",
    "KeepMarks": "given_marks",
    "Run": "run",
    "TellRepairs": "record",
}


def __getattr__(name: str) -> Any:
    """A preprocessor for nbgrader_config.py. Its module is imported on demand, because some import torch (seconds)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
