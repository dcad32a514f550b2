"""What is imported before a command does anything: what it doesn't need must not make people wait."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_course import TINY

SLOW = ("torch", "nbgrader", "nbformat", "nbconvert", "sqlalchemy", "numpy", "matplotlib", "jupyter_server")
READ = tuple(name for name in SLOW if name != "sqlalchemy")  # for who needs the gradebook's tables alone


def imported(*words: str, cwd: Path | None = None) -> dict[str, list[str]]:
    """All modules that Python brings for these words, with the chain of those that brought them, nearest first."""
    command = [sys.executable, "-X", "importtime", *words]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=cwd)
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
    assert "lark" not in imported("-c", "import nbgrader.apps")


@pytest.mark.parametrize(
    ("module", "spared"),
    [
        ("chainrule.cli", (*SLOW, "rich", "urllib.request", "importlib.metadata")),
        ("chainrule.config", SLOW),
        ("chainrule.grading.classroom", ("torch", "matplotlib")),
        ("chainrule.feedback.page", ("torch", "matplotlib")),
        ("chainrule.marks.fill", READ),
        ("chainrule.marks.table", READ),
        ("chainrule.students.decide", READ),
        ("chainrule.term.status", READ),
        ("chainrule.marking.server", ("torch", "matplotlib")),
    ],
)
def test_nobody_waits_for_what_is_not_needed(module: str, spared: tuple[str, ...]) -> None:
    found = imported("-c", f"import {module}")
    assert {name: found[name] for name in spared if name in found} == {}


@pytest.mark.parametrize(
    ("words", "spared"),
    [
        (["--version"], SLOW),
        (["--help"], SLOW),
        (["status"], READ),
        (["status", "--json"], READ),
        (["marks", TINY], tuple(name for name in READ if name != "nbformat")),  # which answers wait, and why
        (["marks", TINY, "--lms", "brightspace", "--allow-waiting"], READ),
        (["extend", TINY, "ann", "1d", "--why", "ill"], READ),  # extend, excuse and penalty are one function
        (["override", TINY, "ann", "square-check", "3", "--why", "see mail"], READ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_needs_the_gradebooks_tables_alone_waits_for_no_grading(
    graded_course: Path, words: list[str], spared: tuple[str, ...]
) -> None:
    """Also what a command imports while it runs."""
    found = imported("-m", "chainrule", *words, cwd=graded_course)
    assert {name: found[name] for name in spared if name in found} == {}
