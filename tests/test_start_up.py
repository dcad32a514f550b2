"""What is imported before a command does anything: what it doesn't need must not make people wait."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

SLOW = ("torch", "nbgrader", "nbformat", "nbconvert", "sqlalchemy", "numpy", "matplotlib", "jupyter_server")


def imported(module: str) -> dict[str, list[str]]:
    """All modules that importing one brings, with the chain of those that brought them, nearest first."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {module}"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = re.findall(r"^import time:\s+\d+ \|\s+\d+ \| ( *)(\S+)$", run.stderr, re.MULTILINE)
    found: dict[str, list[str]] = {}
    chain: list[str] = []  # Python writes a module after those that it imports: read from the end
    for spaces, name in reversed(lines):
        del chain[len(spaces) // 2 :]
        found[name] = [*reversed(chain)]
        chain.append(name)
    return found


def test_nbgrader_compiles_no_grammar_of_urls() -> None:
    """jsonschema from 4.25 on does, for a second, if `rfc3987_syntax` is there, in every process and every kernel."""
    assert "lark" not in imported("nbgrader.apps")


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("chainrule.cli", SLOW),
        ("chainrule.config", SLOW),
        ("chainrule.grading.classroom", ("torch", "matplotlib")),
        ("chainrule.feedback.page", ("torch", "matplotlib")),
        ("chainrule.marks.fill", ("torch", "matplotlib")),
        ("chainrule.marking.server", ("torch", "matplotlib")),
    ],
)
def test_nobody_waits_for_what_is_not_needed(module: str, spared: tuple[str, ...]) -> None:
    found = imported(module)
    assert {name: found[name] for name in spared if name in found} == {}
