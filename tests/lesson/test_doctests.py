"""Every public function and class of what check cells use has an example in its docstring, and it runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chainrule import lesson

FOLDER = Path(lesson.__file__).parent
FILES = sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*/*.py")])
NAMES = [".".join(file.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__") for file in FILES]
# Figures are shown in notebooks, not as text; what needs TensorFlow is in tests/tensorflow.
MODULES = [name for name in NAMES if name not in ("__init__", "figures") and not name.endswith("tensorflow")]


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"chainrule.lesson.{name}")


def public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The functions and classes that a module defines for others."""
    for name, value in vars(module).items():
        made_here = getattr(value, "__module__", None) == module.__name__
        if made_here and not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
            yield name, value


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    module = module_of(name)
    outcome = doctest.testmod(module, report=True)
    assert outcome.attempted > 0, f"chainrule.lesson.{name} has no examples"
    assert outcome.failed == 0, f"{outcome.failed} examples fail; see the output above"


@pytest.mark.parametrize("name", MODULES)
def test_every_public_name_has_an_example(name: str) -> None:
    without = [key for key, value in public(module_of(name)) if ">>>" not in (inspect.getdoc(value) or "")]
    assert without == []
