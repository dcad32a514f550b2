"""No attack earns a point, learns a secret or disturbs the rest of the class."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import arena
import attacks
import nbformat
import pytest
from attacks import FAMILIES, Attack
from bs4 import BeautifulSoup, Tag
from conftest import once
from nbconvert.exporters import HTMLExporter
from nbgrader import utils
from nbgrader.server_extensions.formgrader.handlers import template_path
from target import HONEST, INSTRUCTORS_ONLY, ITEM
from tiny_course import TINY, type_command

from chainrule.course import CourseFolder
from chainrule.feedback.formgrader import SCRIPT
from chainrule.feedback.page import INVISIBLE
from chainrule.feedback.preprocessors import STYLES
from chainrule.grading.classroom import scores

ATTACKS = attacks.every()
CONFINED = arena.can_confine()
Played = Callable[[str], Path]


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The course folder of a family's class after grading."""

    def play(family: str) -> Path:
        handed_in = [a for a in ATTACKS if a.family == family and (CONFINED or not a.needs_sandbox)]
        return once(
            tmp_path_factory, f"h-{family}", lambda root: arena.play(root, handed_in, confined=CONFINED)
        )

    return play


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.family}-{attack.name}")
def test_attack_gains_nothing(attack: Attack, played: Played, request: pytest.FixtureRequest) -> None:
    if attack.needs_sandbox and not CONFINED:
        pytest.skip(refused(request.getfixturevalue("unconfined")))
    root = played(attack.family)
    printed = arena.printed(root, attack.student, attack.assignment)
    assert attack.says in printed, f"it has not been tried:\n{printed[-3000:]}"
    earned = scores(CourseFolder(root), attack.assignment, attack.student)
    assert earned or attack.alter is not None, "a notebook that can be read has a score"
    assert earned.get(attack.item, 0.0) is not None, "nobody makes a person's work by an attack"
    assert attack.least <= sum(score or 0.0 for score in earned.values()) <= attack.most
    page = feedback(root, attack)
    assert "canary-" not in printed  # also what an attack prints when it got somewhere it should not
    for text in INSTRUCTORS_ONLY:
        assert text not in printed
    for text in (*json.loads((root / "canaries.json").read_text()).values(), *INSTRUCTORS_ONLY):
        assert text not in page


@pytest.fixture(scope="session")
def unconfined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course that requires a sandbox, graded where there is no bubblewrap."""
    return once(tmp_path_factory, "h-unconfined", arena.play_unconfined)


def refused(root: Path) -> str:
    """What the engine said when it refused; nothing has been run and nothing written."""
    said = (root / "said.txt").read_text()
    (line,) = [
        line for line in said.splitlines() if "Nothing was run, because a sandbox is required." in line
    ]
    assert "Traceback" not in said
    assert not Path(arena.TRACE).exists()
    assert scores(CourseFolder(root), TINY, "careless").get(ITEM[TINY]) is None
    assert not list(root.glob("runs/tiny/*.ipynb"))
    return line


def test_without_bubblewrap_a_required_sandbox_is_a_refusal(unconfined: Path) -> None:
    assert "bubblewrap does not work here" in refused(unconfined)


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
    assert set(re.findall(r"exit code (\S+)", said)) <= {"0", "1"}, said  # 1: somebody could not be graded
    assert "Traceback" not in said
    assert all(c.isprintable() or c == "\n" for c in said), "control characters in a terminal"
    assert not [text for text in ("canary-", *INSTRUCTORS_ONLY) if text in said]
    kept = [nbformat.read(path, as_version=4) for path in root.glob("runs/*/*.ipynb")]  # not cut yet
    shown = [str(cell.get("outputs")) for nb in kept for cell in nb.cells if not utils.is_grade(cell)]
    assert shown
    assert not [text for text in shown if "canary-" in text or any(hint in text for hint in INSTRUCTORS_ONLY)]


def feedback(root: Path, attack: Attack) -> str:
    """The attacker's feedback page, empty if there is none."""
    path = root / "feedback" / attack.student / attack.assignment / f"{attack.assignment}.html"
    return path.read_text(encoding="utf-8") if path.exists() else ""


# ---- what people open --------------------------------------------------------------------------------------

ESCAPING = [attack for attack in ATTACKS if attack.family == "escaping"]


@pytest.mark.parametrize("attack", ESCAPING, ids=lambda attack: attack.name)
def test_pages_are_harmless(attack: Attack, played: Played) -> None:
    root = played(attack.family)
    pages = [page for page in (feedback(root, attack), formgrader(root, attack)) if page]
    assert len(pages) == 2 or attack.alter is not None
    for page in pages:
        assert active_content(page) == []
    assert not INVISIBLE.search(feedback(root, attack))


def formgrader(root: Path, attack: Attack) -> str:
    """The page on which a person marks the attacker's answers, as formgrader makes it."""
    config = CourseFolder(root).config.copy()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [template_path]
    about = dict.fromkeys(
        ("assignment_id", "notebook_id", "submission_id", "base_url", "student", "notebook_path"), "x"
    )
    path = root / "autograded" / attack.student / attack.assignment / f"{attack.assignment}.ipynb"
    if not path.exists():
        return ""
    resources = {**about, "index": 0, "total": 1, "last_name": "x", "first_name": "x"}
    return HTMLExporter(config=config).from_filename(str(path), resources=resources)[0]


def active_content(page: str) -> list[str]:
    """Tags among a page's cells that act, load something from elsewhere, or change what is around them."""
    soup = BeautifulSoup(page, "html.parser")
    cells = soup.find(id="notebook-container")
    assert isinstance(cells, Tag)
    for script in cells.find_all("script"):  # ours, which refuses a score above the maximum
        if str(script) == SCRIPT:
            script.decompose()
    for style in cells.find_all("style"):  # ours, for the shapes of formulas
        if str(style) == STYLES:
            style.decompose()
    found = [str(tag) for tag in soup.find_all("script") if "alert(1)" in tag.get_text()]
    acting = [
        "script",
        "iframe",
        "svg",
        "object",
        "embed",
        "form",
        "meta",
        "link",
        "base",
        "style",
        "video",
        "math",
    ]
    for formula in cells.select("svg.formula, svg.glyphs"):  # ours, whose shapes run nothing and lead nowhere
        shapes = formula.find_all(True)
        if {tag.name for tag in shapes} <= {"g", "defs", "use", "path", "rect", "line", "text"} and all(
            str(tag.get("href", "#")).startswith("#") for tag in shapes
        ):
            formula.name = "span"
    found += [str(tag) for tag in cells.find_all(acting)]
    for tag in cells.find_all(True):
        for name, value in tag.attrs.items():
            target = "".join(str(value).split()).lower()
            if name.lower().startswith("on") or (
                name.lower()
                in ("href", "src", "xlink:href", "action", "formaction", "background", "style", "srcset")
                and (
                    target.startswith(("javascript:", "vbscript:", "data:text", "data:image/svg"))
                    or ("example.org" in target and name.lower() != "href")
                    or "url(" in target
                    or "position:" in target
                )
            ):
                found.append(str(tag))
    return [tag[:200] for tag in found]


def test_marks_hold_no_formula(played: Played, tmp_path: Path) -> None:
    root = Path(shutil.copytree(played("escaping"), tmp_path / "course", symlinks=True))
    type_command(root, "chainrule", "marks", TINY)
    (path,) = root.glob("marks*/**/*.csv") if list(root.glob("marks*/**/*.csv")) else root.glob("*.csv")
    rows = list(csv.reader(path.open(encoding="utf-8", newline="")))
    assert len(rows) > 15
    assert any("HYPERLINK" in entry for row in rows for entry in row)
    assert not [entry for row in rows for entry in row if entry[:1] in tuple("=+@\t\r") or "\x1b" in entry]


NAMES = [
    "=1+1",
    "-rf",
    "@SUM(A1)",
    "\x1b[2Jx",
    "a\nb",
    "\u202eevil",
    ".hidden",
    "..",
    "a b",
    "$(touch x)",
    "x;id",
    "é\udcff",
]


def test_intake_takes_no_name_that_does_harm(course: Path, tmp_path: Path) -> None:
    handed_in = tmp_path / "in"
    handed_in.mkdir()
    notebook = (course / "release" / TINY / f"{TINY}.ipynb").read_bytes()
    for name in [*NAMES, "newcomer"]:
        (handed_in / f"{name}.ipynb").write_bytes(notebook)
    (handed_in / "link.ipynb").symlink_to(course / "source" / TINY / f"{TINY}.ipynb")
    (handed_in / "linked").symlink_to(course / "submitted" / "z-honest" / TINY)
    said = type_command(course, "chainrule", "intake", TINY, str(handed_in))
    assert {path.name for path in (course / "submitted").iterdir()} == {"newcomer"}
    assert all(c.isprintable() or c == "\n" for c in said)
