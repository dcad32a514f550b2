"""Each student's own numbers: the same from release to feedback, and everybody else's left alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from conftest import once
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.api import Gradebook
from tiny_course import (
    CONFIG,
    TINY,
    VARYING,
    add_varying,
    filled,
    marked,
    submit,
    type_command,
    varying,
    varying_notebook,
)

from chainrule import cli
from chainrule.course import CourseError, CourseFolder
from chainrule.grading.classroom import scores
from chainrule.grading.repairs import ANOTHERS, HANDOUTS, sentences
from chainrule.grading.sanitise import Graft
from chainrule.release.generate import generate
from chainrule.release.numbers import (
    Manifest,
    check_handout,
    draw_numbers,
    draw_texts,
    find_draw,
    with_numbers,
)
from chainrule.release.variants import release_notebook, release_variants

SEED = 7
EVERYONE = ["ann", "bo", "cy", "di", "fay"]


def release(root: Path, students: list[str] | None = None, seed: int | None = SEED) -> Manifest:
    """Release `varying` and variants of it."""
    folder = CourseFolder(root)
    generate(folder, VARYING)
    return release_variants(folder, VARYING, seed=seed, students=students, say=lambda line: None)


@pytest.fixture(scope="session")
def variants(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with `varying` released to ann, bo, cy, di and fay."""

    def make(root: Path) -> None:
        shutil.copytree(released, root)
        release(add_varying(root), EVERYONE)

    return once(tmp_path_factory, "variants", make)


@pytest.fixture
def own(variants: Path, tmp_path: Path) -> Path:
    """Such a course of the test's own."""
    return Path(shutil.copytree(variants, tmp_path / "own"))


@pytest.fixture
def fresh(course: Path) -> Path:
    """A course with `varying`, of which nothing has been released."""
    return add_varying(course)


def given(root: Path, student: str = "", answers: dict[str, str] | None = None) -> NotebookNode:
    """The notebook that a student was given, or everybody by default, with these sources by grade_id."""
    folder = root / "variants" / VARYING / student if student else root / "release" / VARYING
    nb = nbformat.read(folder / f"{VARYING}.ipynb", as_version=4)
    for name, source in (answers or {}).items():
        by_id(nb)[name].source = source
    return nb


def by_id(nb: NotebookNode) -> dict[str, NotebookNode]:
    return {cell.id: cell for cell in nb.cells}


def numbers(root: Path, student: str) -> dict[str, str]:
    manifest = Manifest.read(root, VARYING)
    assert manifest is not None
    return dict(manifest.students[student])


def function(a: object, b: object) -> str:
    """An answer with numbers in it."""
    return f"def f(x):\n    return {a} * x**2 + {b} * x"


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def sanitised(root: Path, student: str, nb: NotebookNode) -> NotebookNode:
    where = {"student": student, "assignment": VARYING, "notebook": VARYING}
    return Graft(config=CourseFolder(root).config).preprocess(nb, {"nbgrader": where})[0]


def repairs(nb: NotebookNode) -> list[str]:
    return sentences(nb.metadata.chainrule.repaired)


# ---- released ------------------------------------------------------------------------------------------------


def test_students_have_numbers_of_their_own_wherever_they_stand(variants: Path) -> None:
    seen = set()
    for student in EVERYONE:
        mine, cells = numbers(variants, student), by_id(given(variants, student))
        assert cells["given"].source == f'GIVEN = {{"a": {mine["a"]}, "b": {mine["b"]}}}'
        assert f"# {mine['f']}\n" in cells["f"].source
        assert f"A, B = {mine['a']}, {mine['b']}\n" in cells["f-check"].source
        assert cells["words-intro"].source == f"Let $f(x) = {mine['f']}$. What is $f(2)$?"
        assert cells["words"].source == f"For ${mine['f']}$:\n*Write your answer here.*"
        assert "10x^2" not in nbformat.writes(given(variants, student))
        seen.add((mine["a"], mine["b"]))
    assert len(seen) == len(EVERYONE)


def test_a_variant_is_a_release_with_another_notebook(variants: Path) -> None:
    default = files(variants / "release" / VARYING)
    for student in EVERYONE:
        theirs = files(variants / "variants" / VARYING / student)
        assert theirs.keys() == default.keys()
        assert [name for name in default if theirs[name] != default[name]] == [f"{VARYING}.ipynb"]


def test_with_the_handouts_numbers_a_variant_is_the_release(variants: Path) -> None:
    folder = CourseFolder(variants)
    path = folder.folder("source", ".", VARYING) / f"{VARYING}.ipynb"
    want = (variants / "release" / VARYING / path.name).read_text(encoding="utf-8")
    assert release_notebook(folder, VARYING, path, check_handout(folder, VARYING)) == want
    assert release_notebook(folder, VARYING, path, None) == want
    assert "10x^2 + x" in want


def test_the_release_and_the_gradebook_are_the_same_with_variants(fresh: Path) -> None:
    folder = CourseFolder(fresh)
    generate(folder, VARYING)
    before = files(fresh / "release")
    release(fresh, ["ann"])
    assert files(fresh / "release") == before
    with Gradebook(folder.directory.db_url) as gradebook:
        sources = {cell.name: cell.source for cell in gradebook.find_notebook(VARYING, VARYING).source_cells}
        assert "10, 1" in sources["f-check"]
        assert gradebook.students == []


@pytest.mark.parametrize(
    "secret", ["varies", "@answer@", "THE_ANSWER", "THE-MARK-SCHEME", "THE-MODEL-ANSWER"]
)
def test_students_get_no_template_and_no_answer(variants: Path, secret: str) -> None:
    assert secret in (variants / "source" / VARYING / f"{VARYING}.ipynb").read_text()
    for folder in [variants / "release" / VARYING, variants / "variants" / VARYING]:
        for name, content in files(folder).items():
            assert secret.encode() not in content, name


def test_nothing_but_the_templates_of_a_cell_is_taken_away(fresh: Path) -> None:
    nb = varying_notebook()
    nb.cells[1].metadata.chainrule["kept"] = True
    add_varying(fresh, nb)
    release(fresh, ["ann"])
    for cells in (by_id(given(fresh)), by_id(given(fresh, "ann"))):
        assert cells["given"].metadata.chainrule == {"kept": True}
        assert "chainrule" not in cells["f"].metadata


def test_released_twice_is_the_same_byte_for_byte(own: Path) -> None:
    before = files(own / "variants")
    assert len(before) > len(EVERYONE) * 10
    for seed in (None, SEED):
        release(own, EVERYONE, seed)
        assert files(own / "variants") == before
    shutil.rmtree(own / "variants")
    release(own, EVERYONE[::-1])
    assert files(own / "variants") == before


def test_who_comes_late_changes_nobody_elses_numbers(own: Path) -> None:
    before = files(own / "variants" / VARYING)
    release(own, ["zoe"], seed=None)
    after = files(own / "variants" / VARYING)
    assert {name for name in before if after[name] != before[name]} == {"manifest.json"}
    assert {Path(name).parts[0] for name in after.keys() - before.keys()} == {"zoe"}
    shutil.rmtree(own / "variants")
    release(own, ["zoe"])
    assert (
        files(own / "variants" / VARYING / "zoe").items()
        <= {name.removeprefix("zoe/"): content for name, content in after.items()}.items()
    )


def test_numbers_depend_on_seed_assignment_and_student_alone(variants: Path) -> None:
    draw = find_draw(CourseFolder(variants), VARYING)
    mine = draw_numbers(draw, SEED, VARYING, "ann")
    assert mine == numbers(variants, "ann")
    assert mine["a"] == "815207"  # on every machine, under every hash seed
    others = [(SEED + 1, VARYING, "ann"), (SEED, "hw2", "ann"), (SEED, VARYING, "bo")]
    assert all(draw_numbers(draw, *other)["a"] != mine["a"] for other in others)


def test_a_corrected_notebook_reaches_everybody_with_the_numbers_they_have(own: Path) -> None:
    before = {student: numbers(own, student) for student in EVERYONE}
    nb = varying_notebook()
    nb.cells[0].source = "# Corrected"
    add_varying(own, nb)
    release(own, seed=None)
    for student in EVERYONE:
        assert numbers(own, student) == before[student]
        assert given(own, student).cells[0].source == "# Corrected"
        assert before[student]["f"] in nbformat.writes(given(own, student))


# ---- graded --------------------------------------------------------------------------------------------------


def hand_in(root: Path) -> None:
    """Everybody answers; what it is worth is in SCORES."""
    ann, di, fay = (numbers(root, student) for student in ("ann", "di", "fay"))
    right, words = function(ann["a"], ann["b"]), {"words": "It is clear."}
    by_given = "def f(x):\n    return GIVEN['a'] * x**2 + GIVEN['b'] * x"
    submit(root, "ann", given(root, "ann", {"f": right, **words}), VARYING)
    submit(root, "bo", given(root, "bo", {"f": right, **words}), VARYING)  # ann's answer
    submit(root, "cy", given(root, "cy"), VARYING)  # blank
    submit(root, "di", given(root, "ann", {"f": right, **words}), VARYING)  # ann's notebook
    submit(root, "fay", given(root, "fay", {"f": by_given, "given": "GIVEN = {'a': 1, 'b': 1}"}), VARYING)
    submit(root, "zoe", given(root, "", {"f": function(10, 1), **words}), VARYING)  # no variant of her own
    assert len({ann["a"], di["a"], fay["a"], "10"}) == 4


SCORES = {
    "ann": {"f-check": 3.0, "words": None},
    "bo": {"f-check": 0.0, "words": None},
    "cy": {"f-check": 0.0, "words": 0.0},
    "di": {"f-check": 0.0, "words": None},
    "fay": {"f-check": 3.0, "words": 0.0},
    "zoe": {"f-check": 3.0, "words": None},
}


@pytest.fixture(scope="session")
def marked_class(variants: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class graded by `chainrule grade`, with what it said in said.txt."""

    def make(root: Path) -> None:
        shutil.copytree(variants, root)
        hand_in(root)
        (root / "said.txt").write_text(type_command(root, "chainrule", "grade", VARYING, "--jobs", "2"))

    return once(tmp_path_factory, "marked class", make)


def test_everybody_is_graded_by_their_own_numbers(marked_class: Path) -> None:
    folder = CourseFolder(marked_class)
    assert {student: scores(folder, VARYING, student) for student in SCORES} == SCORES


def test_only_what_was_not_the_students_own_is_told(marked_class: Path) -> None:
    said = (marked_class / "said.txt").read_text()
    assert set(re.findall(r"^\w+: .*$", said, re.MULTILINE)) == {
        f"di: {ANOTHERS}",
        "fay: cell given had been changed: restored",
    }


def test_graded_again_nothing_runs_but_whose_numbers_are_others(marked_class: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(marked_class, tmp_path / "again"))
    said = type_command(root, "chainrule", "grade", VARYING, "--jobs", "2")
    assert "6 of 6 notebooks were finished before" in said
    path = root / "variants" / VARYING / "manifest.json"
    content = json.loads(path.read_text())
    ann = content["students"]["ann"]
    content["students"]["bo"] = ann | {"f": f"{ann['f']} + 0"}  # otherwise bo's run would be ann's
    path.write_text(json.dumps(content))
    said = type_command(root, "chainrule", "grade", VARYING, "--jobs", "2", "--diff")
    assert "5 of 6 notebooks were finished before" in said
    assert 'bo f-check 0 → 3: "f(1)" passes now, "f(2)" passes now, because the checks changed' in said
    assert scores(CourseFolder(root), VARYING, "bo")["f-check"] == 3.0


def test_stock_nbgrader_gives_the_same_scores(marked_class: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(marked_class, tmp_path / "stock"))
    for name in ("autograded", "runs", "gradebook.db"):
        path = root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    type_command(root, "nbgrader", "generate_assignment", VARYING)
    type_command(root, "nbgrader", "autograde", VARYING)
    folder = CourseFolder(root)
    assert {student: scores(folder, VARYING, student) for student in SCORES} == SCORES


def test_who_marks_sees_the_students_own_mark_scheme(marked_class: Path) -> None:
    for student in ("ann", "bo", "di"):
        nb = nbformat.read(marked_class / "autograded" / student / VARYING / f"{VARYING}.ipynb", as_version=4)
        mine = numbers(marked_class, student)
        assert f"THE-MARK-SCHEME: f(2) is {mine['answer']}.\n" in by_id(nb)["words-intro"].source
        assert f"THE_ANSWER = {mine['answer']}\n" in by_id(nb)["f-check"].source
        assert "varies" not in nbformat.writes(nb)


def test_feedback_shows_own_numbers_and_no_mark_scheme(marked_class: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(marked_class, tmp_path / "feedback"))
    folder = CourseFolder(root)
    for student in ("ann", "di"):
        folder.succeed(folder.api.generate_feedback(VARYING, student, force=True), "feedback")
        page = (root / "feedback" / student / VARYING / f"{VARYING}.html").read_text(encoding="utf-8")
        mine, shown = numbers(root, student), BeautifulSoup(page, "html.parser")
        text = shown.get_text()
        formulas = [str(formula["aria-label"]) for formula in shown.find_all(attrs={"role": "img"})]
        assert any(f"f(x) = {mine['f']}" in formula for formula in formulas)
        assert (ANOTHERS in text) == (student == "di")
        for secret in ("THE-MARK-SCHEME", "THE_ANSWER", f"f(2) is {mine['answer']}", "@answer@"):
            assert secret not in page


# ---- sanitised -----------------------------------------------------------------------------------------------


def test_an_honest_notebook_needs_no_repair(variants: Path) -> None:
    for student in EVERYONE:
        nb = sanitised(variants, student, given(variants, student))
        assert repairs(nb) == []
        theirs, cells = by_id(given(variants, student)), by_id(nb)
        for name in ("f", "words"):  # untouched: nbgrader knows it by this checksum
            assert cells[name].source == theirs[name].source
            assert cells[name].metadata.nbgrader.checksum == theirs[name].metadata.nbgrader.checksum


@pytest.mark.parametrize(("whose", "said"), [("ann", ANOTHERS), ("", HANDOUTS)])
@pytest.mark.parametrize("labels", [True, False])
def test_other_numbers_are_replaced_and_told(variants: Path, whose: str, said: str, labels: bool) -> None:
    nb = given(variants, whose, {"words": "It is clear."})
    for cell in nb.cells:
        if not labels:
            cell.metadata, cell.id = NotebookNode(), f"x{cell.id}"
    done = sanitised(variants, "bo", nb)
    assert repairs(done)[0] == said
    assert not any("changed" in repair for repair in repairs(done))
    cells, want = by_id(done), by_id(sanitised(variants, "bo", given(variants, "bo")))
    assert cells.keys() == want.keys()
    assert all(cells[name].source == want[name].source for name in want if name != "words")
    assert cells["words"].source == "It is clear."


def test_who_has_no_variant_has_the_handouts_numbers(variants: Path) -> None:
    assert repairs(sanitised(variants, "zoe", given(variants))) == []
    done = sanitised(variants, "zoe", given(variants, "ann"))
    assert repairs(done) == [ANOTHERS]
    assert by_id(done)["given"].source == 'GIVEN = {"a": 10, "b": 1}'


def test_without_a_manifest_everything_is_the_handouts(own: Path) -> None:
    ann = given(own, "ann")
    shutil.rmtree(own / "variants")
    for student in EVERYONE:
        nb = sanitised(own, student, given(own))
        assert repairs(nb) == []
        assert "THE_ANSWER = 42" in by_id(nb)["f-check"].source
        assert "varies" not in nbformat.writes(nb)
    assert any("changed" in repair for repair in repairs(sanitised(own, "ann", ann)))


def test_cells_that_look_alike_are_told_apart(fresh: Path) -> None:
    """Two cells with the same text that varies, which the handout's notebook holds twice, too."""
    nb = varying_notebook()
    twin = deepcopy(nb.cells[1])
    twin.id = twin.metadata.nbgrader.grade_id = "twin"
    nb.cells.insert(2, twin)
    add_varying(fresh, nb)
    release(fresh, ["ann"])
    done = by_id(sanitised(fresh, "ann", given(fresh)))
    assert done["given"].source == done["twin"].source == by_id(given(fresh, "ann"))["twin"].source


BROKEN: dict[str, Callable[[str], str | None]] = {
    "torn": lambda text: text[:100],
    "empty": lambda text: "",
    "a list": lambda text: "[]",
    "of another assignment": lambda text: text.replace(f'"{VARYING}"', '"hw2"'),
    "a seed that is a word": lambda text: text.replace(f'"seed": {SEED}', '"seed": "seven"'),
    "without students": lambda text: text.replace('"students"', '"pupils"'),
    "a number that is none": lambda text: re.sub(r'"a": "\d+"', '"a": 5', text, count=1),
    "gone": lambda text: None,
}


@pytest.mark.parametrize("damage", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_manifest_stops_grading_and_release(own: Path, damage: Callable[[str], str | None]) -> None:
    path = own / "variants" / VARYING / "manifest.json"
    damaged = damage(path.read_text())
    assert damaged != path.read_text()
    path.unlink() if damaged is None else path.write_text(damaged)
    nb = given(own, "ann")
    for use in (lambda: sanitised(own, "ann", nb), lambda: release(own, ["zoe"])):
        with pytest.raises(
            CourseError, match=r"manifest\.json cannot be used.*Restore it from a backup\. Or delete"
        ):
            use()
    shutil.rmtree(own / "variants")  # as the message says
    release(own, EVERYONE)
    assert repairs(sanitised(own, "ann", nb)) == []


# ---- refused -------------------------------------------------------------------------------------------------


def test_another_seed_is_refused(own: Path) -> None:
    before = files(own / "variants")
    with pytest.raises(CourseError, match=r"has the seed 7: .* To start again, delete .*varying\."):
        release(own, ["zoe"], seed=8)
    assert files(own / "variants") == before
    shutil.rmtree(own / "variants" / VARYING)
    assert release(own, ["ann"], seed=8).seed == 8


def test_a_fresh_seed_is_nobodys_guess(fresh: Path) -> None:
    seeds = set()
    for _ in range(2):
        seeds.add(release(fresh, ["ann"], seed=None).seed)
        shutil.rmtree(fresh / "variants")
    assert len(seeds) == 2
    assert max(seeds) > 2**40


BAD_IDS = ["../x", "..", ".", "a/b", "/tmp/x", "manifest.json", "Manifest.JSON", "-rf", "a\nb", "ä", "x" * 65]


@pytest.mark.parametrize("student", BAD_IDS)
def test_a_student_id_that_is_no_folder_name_is_refused(fresh: Path, student: str) -> None:
    with pytest.raises(CourseError, match="cannot be a student id: use letters, digits"):
        release(fresh, ["ann", student])
    assert not (fresh / "variants").exists()


def test_students_are_those_of_the_gradebook(fresh: Path) -> None:
    with pytest.raises(CourseError, match="no students to release to: name some by --student"):
        release(fresh)
    with pytest.raises(CourseError, match="no students to release to"):
        release(fresh, [])
    with Gradebook(CourseFolder(fresh).directory.db_url) as gradebook:
        for student in ("ann", "bo"):
            gradebook.add_student(student)
    assert sorted(release(fresh).students) == ["ann", "bo"]
    release(fresh, ["zoe"])
    assert sorted(release(fresh).students) == ["ann", "bo", "zoe"]
    with Gradebook(CourseFolder(fresh).directory.db_url) as gradebook:
        gradebook.add_student("../x")
    with pytest.raises(CourseError, match=r"'\.\./x' cannot be a student id"):
        release(fresh)


def one_cell(source: str, templates: Any) -> NotebookNode:
    return new_notebook(cells=[varying(marked(new_code_cell(source), "the-cell"), templates)])


TEMPLATES: dict[str, tuple[str, Any, str]] = {
    "a snippet that is not there": ("a = 10", {"a = 11": "a = @a@"}, "cell the-cell: 'a = 11' varies"),
    "a snippet inside another": ("a = 10", {"a = 10": "a = @a@", "10": "@a@"}, "cell the-cell: '10' varies"),
    "a number that is not drawn": (
        "a = 10",
        {"a = 10": "a = @q@"},
        "cell the-cell: .* uses @q@, but only a, .* drawn",
    ),
    "another text": (
        "a = 10",
        {"a = 10": "a=@a@"},
        "cell the-cell: with the handout's .* gives 'a=10', where",
    ),
    "no mapping": ("a = 10", ["a = 10"], "varying.ipynb, cell the-cell: .*: varies: .* valid dictionary"),
    "no template": (
        "a = 10",
        {"a = 10": 5},
        "varying.ipynb, cell the-cell: .*: varies.a = 10: .* valid string, not 5",
    ),
    "an empty snippet": (
        "a = 10",
        {"": "@a@"},
        "varying.ipynb, cell the-cell: .*: varies.* at least 1 character",
    ),
    "nothing": ("a = 10", {}, "no cell of varying varies"),
}


@pytest.mark.parametrize(("source", "templates", "said"), TEMPLATES.values(), ids=TEMPLATES.keys())
def test_slips_in_templates_are_told(fresh: Path, source: str, templates: Any, said: str) -> None:
    add_varying(fresh, one_cell(source, templates))
    with pytest.raises(CourseError, match=said):
        release(fresh, ["ann"])
    assert not (fresh / "variants").exists()


def test_templates_are_filled_in_one_pass() -> None:
    nb = one_cell("x, y, xy, z = 1, 2", {"x": "y", "y": "x", "xy": "@a@", "z": "@b@ \\1 @a@"})
    assert with_numbers(nb, {"a": "@b@", "b": "z"}).cells[0].source == "y, x, @b@, z \\1 @b@ = 1, 2"
    assert nb.cells[0].metadata.chainrule.varies  # a copy
    untouched = with_numbers(nb, None).cells[0]
    assert (untouched.source, untouched.metadata.get("chainrule")) == (nb.cells[0].source, None)


def test_numbers_are_written_as_python_writes_them_and_strings_as_they_are() -> None:
    values = {
        "i": 3,
        "f": 0.1,
        "s": r"\tfrac12",
        "t": (1, 2.0),
        "l": [(1,), "x"],
        "d": {"k": None},
        "b": True,
    }
    assert draw_texts(lambda random: values, None) == {
        "i": "3",
        "f": "0.1",
        "s": r"\tfrac12",
        "t": "(1, 2.0)",
        "l": "[(1,), 'x']",
        "d": "{'k': None}",
        "b": "True",
    }


class Odd(float):
    pass


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Odd(1), object(), {1, 2}, [Odd(1)], {"k": (Odd(1),)}, b"x", 1j]
)
def test_numbers_that_cannot_be_written_down_are_told(value: object) -> None:
    with pytest.raises(CourseError, match="for a: give int, finite float"):
        draw_texts(lambda random: {"a": value}, None)


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda random: 5, "gave int: it must return a dict"),
        (lambda random: {"a b": 5}, "the name 'a b': use letters"),
        (lambda random: {5: 5}, "the name 5: use letters"),
        (lambda random: {}["a"], "cannot draw the numbers of a student: KeyError"),
    ],
)
def test_slips_in_drawing_are_told(draw: Any, said: str) -> None:
    with pytest.raises(CourseError, match=said):
        draw_texts(draw, Random(1))


@pytest.mark.parametrize(
    "where", ["no_such_module:draw", "tiny_draw", "tiny_draw:raw", "tiny_draw:__name__", ""]
)
def test_a_function_that_cannot_be_imported_is_told(fresh: Path, where: str) -> None:
    with (fresh / CONFIG).open("a") as config:
        config.write(f"c.Course.variants = {{{VARYING!r}: {where!r}}}\n")
    with pytest.raises(
        CourseError, match=r"c\.Course\.variants\['varying'\].*cannot be imported.*write 'module:func"
    ):
        release(fresh, ["ann"])


def test_always_the_same_names_are_drawn(own: Path) -> None:
    path = own / "variants" / VARYING / "manifest.json"
    content = json.loads(path.read_text())
    del content["students"]["bo"]["pair"]
    path.write_text(json.dumps(content))
    before = files(own / "variants")
    with pytest.raises(
        CourseError, match=r"bo has the numbers a, answer, b, f, and the handout .*pair.*delete"
    ):
        release(own)
    assert files(own / "variants") == before


# ---- the command ---------------------------------------------------------------------------------------------


@pytest.fixture
def typed(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """What `chainrule release varying` with these options says, here in this process."""
    monkeypatch.setenv("PATH", os.environ["PATH"])  # `main` changes it

    def run(*options: str, assignment: str = VARYING, code: int = 0) -> str:
        words = ["chainrule", "release", assignment, "--unchecked", "--course", str(fresh), *options]
        monkeypatch.setattr(sys, "argv", words)
        ended = 0
        try:
            cli.main()
        except SystemExit as end:
            ended = int(end.code or 0)
        said = capsys.readouterr()
        assert ended == code, said
        return said.out + said.err

    return run


def test_the_command(fresh: Path, typed: Callable[..., str]) -> None:
    released_to = [
        f"released to {fresh / 'release' / VARYING}",
        f"to hand out: {fresh / 'kits' / f'{VARYING}.zip'}",
    ]
    assert typed().splitlines() == released_to
    assert not (fresh / "variants").exists()
    assert "no students to release to" in typed("--variants", code=2)
    assert "'' cannot be a student id" in typed("--variants", "--student", "", code=2)
    there = fresh / "variants" / VARYING
    want = [*released_to, "1/2 ann", "2/2 bo", f"variants of 2 students in {there}, drawn with seed {SEED}"]
    said = typed("--variants", "--student", "bo", "--student", "ann", "--seed", str(SEED))
    assert said.splitlines() == want
    assert "has the seed 7" in typed("--variants", "--seed", "8", code=2)
    assert typed("--variants").splitlines() == want
    for option in ("--seed", "--student"):
        assert "--seed and --student are about --variants" in typed(option, "1", code=2)


def test_the_module_that_draws_may_lie_in_the_course_folder(fresh: Path) -> None:
    """In a process of its own, which has imported no module of that name."""
    words = [
        "chainrule",
        "release",
        VARYING,
        "--unchecked",
        "--variants",
        "--student",
        "ann",
        "--seed",
        str(SEED),
    ]
    assert f"drawn with seed {SEED}" in type_command(fresh, *words)
    assert numbers(fresh, "ann")["a"] == "815207"


def test_an_assignment_without_numbers_has_no_variants(fresh: Path, typed: Callable[..., str]) -> None:
    said = typed("--variants", "--student", "ann", assignment=TINY, code=2)
    assert "tiny has no numbers that vary: name the function that draws them in nbgrader_config.py" in said
    assert (fresh / "release" / TINY / f"{TINY}.ipynb").exists()
    assert not (fresh / "variants").exists()


def test_grading_with_a_broken_manifest_says_so_in_one_line(own: Path) -> None:
    submit(own, "ann", given(own, "ann"), VARYING)
    (own / "variants" / VARYING / "manifest.json").write_text("{")
    said = type_command(own, "chainrule", "grade", VARYING, code=2)
    assert "manifest.json cannot be used" in said
    assert "Traceback" not in said
    type_command(own, "nbgrader", "autograde", VARYING, code=1)


def test_a_class_without_manifest_is_graded_as_ever(own: Path) -> None:
    shutil.rmtree(own / "variants")
    nb = filled(own, {"f": function(10, 1)}, VARYING)
    submit(own, "ann", nb, VARYING)
    type_command(own, "chainrule", "grade", VARYING, "--jobs", "1")
    assert scores(CourseFolder(own), VARYING, "ann") == {"f-check": 3.0, "words": 0.0}
