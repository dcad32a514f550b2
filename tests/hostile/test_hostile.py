"""No attack earns a point, learns a secret or disturbs the rest of the class."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import arena
import attacks
import pytest
from attacks import FAMILIES, Attack
from bs4 import BeautifulSoup, Tag
from conftest import once
from nbconvert.exporters import HTMLExporter
from nbgrader.server_extensions.formgrader.handlers import template_path
from target import HONEST, INSTRUCTORS_ONLY, ITEM

from chainrule.course import CourseFolder
from chainrule.grading.classroom import scores

ATTACKS = attacks.every()
REFUSAL = 'no sandbox here'
Played = Callable[[str], Path]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The course folder of a family's class after grading."""
    confined = arena.can_confine()

    def play(family: str) -> Path:
        handed_in = [a for a in ATTACKS if a.family == family and (confined or not a.needs_sandbox)]
        if not handed_in:
            pytest.skip(REFUSAL)
        return once(
            tmp_path_factory, family, lambda root: arena.play(root, handed_in, confined=confined)
        )

    return play


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.family}-{attack.name}")
def test_attack_gains_nothing(attack: Attack, played: Played) -> None:
    if attack.needs_sandbox and not arena.can_confine():
        pytest.skip(REFUSAL)
    root = played(attack.family)
    printed = arena.printed(root, attack.name, attack.assignment)
    assert attack.says in printed, f"it has not been tried:\n{printed[-3000:]}"
    earned = scores(CourseFolder(root), attack.assignment, attack.name)
    assert earned or attack.alter is not None, "a notebook that can be read has a score"
    assert earned.get(attack.item, 0.0) is not None, "nobody makes a person's work by an attack"
    assert sum(score or 0.0 for score in earned.values()) <= attack.most
    page = feedback(root, attack)
    for name, canary in secrets(root).items():
        assert canary not in printed, f"{name} in an output"
        assert canary not in page, f"{name} in the feedback"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rest_of_the_class_does_not_notice(family: str, played: Played) -> None:
    root = played(family)
    for assignment in {attack.assignment for attack in ATTACKS if attack.family == family}:
        for student, (_, score) in HONEST.items():
            assert scores(CourseFolder(root), assignment, student) == {ITEM[assignment]: score, "why": 0.0}
            assert "hostile" not in arena.outputs(root, student, assignment)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_got_out_and_nothing_stayed(family: str, played: Played) -> None:
    root = played(family)
    seen = json.loads((root / "seen.json").read_text())
    assert seen == {"heard": [], "changed": [], "left": []}
    said = (root / "said.txt").read_text(errors="surrogateescape")
    assert said.count("exit code 0") == said.count("exit code "), said
    assert "Traceback" not in said
    assert all(c.isprintable() or c == "\n" for c in said), "control characters in a terminal"
    for name, canary in secrets(root).items():
        assert canary not in said, name


def secrets(root: Path) -> dict[str, str]:
    """What no attacker may get hold of."""
    canaries = json.loads((root / "canaries.json").read_text())
    return canaries | {text: text for text in INSTRUCTORS_ONLY}


def feedback(root: Path, attack: Attack) -> str:
    """The attacker's feedback page, empty if there is none."""
    path = root / "feedback" / attack.name / attack.assignment / f"{attack.assignment}.html"
    return path.read_text(encoding="utf-8") if path.exists() else ""


# ---- what people open --------------------------------------------------------------------------------------

ESCAPING = [attack for attack in ATTACKS if attack.family == "escaping"]


@pytest.mark.parametrize("attack", ESCAPING, ids=lambda attack: attack.name)
def test_pages_are_harmless(attack: Attack, played: Played) -> None:
    root = played(attack.family)
    for page in (feedback(root, attack), formgrader(root, attack)):
        assert active_content(page) == []


def formgrader(root: Path, attack: Attack) -> str:
    """The page on which a person marks the attacker's answers, as formgrader makes it."""
    config = CourseFolder(root).config.copy()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [template_path]
    about = dict.fromkeys(
        ("assignment_id", "notebook_id", "submission_id", "base_url", "student", "notebook_path"), "x"
    )
    path = root / "autograded" / attack.name / attack.assignment / f"{attack.assignment}.ipynb"
    resources = {**about, "index": 0, "total": 1, "last_name": "x", "first_name": "x"}
    return HTMLExporter(config=config).from_filename(str(path), resources=resources)[0]


def active_content(page: str) -> list[str]:
    """Tags among a page's cells that act, load something from elsewhere, or change what is around them."""
    soup = BeautifulSoup(page, "html.parser")
    cells = soup.find(id="notebook-container")
    assert isinstance(cells, Tag)
    plain = BeautifulSoup(page.split("<body", 1)[1], "html.parser")  # has anything left the container?
    found = [str(tag) for tag in soup.find_all("body")[1:]]
    found += [str(tag) for tag in plain.find_all("script") if "alert(1)" in tag.get_text()]
    acting = ["script", "iframe", "svg", "object", "embed", "form", "meta", "link", "base", "style", "video", "math"]
    found += [str(tag) for tag in cells.find_all(acting)]
    for tag in cells.find_all(True):
        for name, value in tag.attrs.items():
            target = "".join(str(value).split()).lower()
            if name.lower().startswith("on") or (
                name.lower() in ("href", "src", "xlink:href", "action", "formaction", "background", "style", "srcset")
                and (
                    target.startswith(("javascript:", "vbscript:", "data:text", "data:image/svg"))
                    or ("example.org" in target and name.lower() != "href")
                    or "url(" in target
                    or "position:" in target
                )
            ):
                found.append(str(tag))
    return [tag[:200] for tag in found]
