"""Who is alike: copies rank above independent work, nothing is lost, and the page can be opened by anybody."""

from __future__ import annotations

import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
import similar_class
from conftest import once
from nbformat.v4 import new_code_cell
from similar_class import ALIKE, COPIES, STUBS, hand_in, write_assignment2, write_class, write_course
from tiny_course import type_command

from chainrule.course import CourseError, CourseFolder
from chainrule.similar.compare import Comparison, Pair, compare
from chainrule.similar.handins import MAX_ANSWER, collect
from chainrule.similar.report import page


@pytest.fixture(scope="session")
def blank_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "alike", write_course)


@pytest.fixture
def course(blank_course: Path, tmp_path: Path) -> Path:
    """A course folder of the test's own, released, nothing submitted."""
    return Path(shutil.copytree(blank_course, tmp_path / "course"))


def compared(root: Path, assignment: str = ALIKE, *past: Path) -> Comparison:
    return compare(collect(CourseFolder(root), assignment, past), 100_000)


def who(pair: Pair) -> frozenset[str]:
    return frozenset((pair.first.student, pair.second.student))


def are_first(copied: dict[str, str], pairs: list[Pair]) -> bool:
    """Whether the copies, each with its model, rank above all pairs that have copied nothing from one another."""
    planted = {frozenset(pair) for pair in copied.items()}
    return {who(pair) for pair in pairs[: len(planted)]} == planted


# ---- who ranks high --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_six_kinds_of_copies_among_forty_rank_above_every_honest_pair(course: Path, seed: int) -> None:
    copied = write_class(course, seed)
    found = compared(course)
    assert len(copied) == len(COPIES) == 6
    assert are_first(copied, found.pairs)
    assert [pair.stands_out for pair in found.pairs[:7]].count(True) >= 5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_in_an_honest_class_nobody_stands_out(course: Path, seed: int) -> None:
    write_class(course, seed, copies=())
    found = compared(course)
    assert found.standing_out == 0
    assert len(found.evidence) == 40 * 39 / 2
    assert "No pair stands out" in page(collect(CourseFolder(course), ALIKE), found, ALIKE)


def test_copies_among_the_many_right_answers_to_assignment_2(tmp_path: Path) -> None:
    copied = write_assignment2(tmp_path, 0)
    assert are_first(copied, compared(tmp_path, similar_class.ASSIGNMENT2).pairs)


def test_forty_students_of_assignment_2_take_less_than_thirty_seconds(tmp_path: Path) -> None:
    write_assignment2(tmp_path, 0, students=37)
    start = time.process_time()
    found = collect(CourseFolder(tmp_path), similar_class.ASSIGNMENT2)
    page(found, compare(found, 50), similar_class.ASSIGNMENT2)
    assert len(found.handins) == 40
    assert time.process_time() - start < 30


def test_what_everybody_writes_is_no_evidence(course: Path) -> None:
    answers = {"losses": "def softmax(a):\n    return np.exp(a) / np.exp(a).sum(1, keepdims=True)"}
    for number in range(12):
        hand_in(course, f"s{number}", answers)
    found = compared(course)
    assert not found.pairs
    assert not found.evidence.any()


def test_blank_releases_are_not_alike(course: Path) -> None:
    for student in ("ann", "bo", "cy"):
        hand_in(course, student, {})
    hand_in(course, "di", {"losses": "# my comment\n" + similar_class.stub("losses")})
    hand_in(course, "ed", {"losses": "# my comment\n" + similar_class.stub("losses")})
    assert not compared(course).evidence.any()


def test_only_what_is_marked_is_shared_by_few(course: Path) -> None:
    """A pair's page marks the copied sentence, not what stands around it."""
    write_class(course, 3, students=12, copies=())
    sentence = (
        "Seventeen green penguins standardise their igloos before the gradient melts them away, and then "
    )
    sentence += (
        "each one slides down its own narrow valley until nobody remembers which learning rate was used."
    )
    for student, own in (("ann", "I think it helps a lot."), ("bo", "Nobody told us about units.")):
        hand_in(course, student, {"why-scale": f"{own} {sentence}"})
    collection = collect(CourseFolder(course), ALIKE)
    found = compare(collection, 1)
    assert who(found.pairs[0]) == {"ann", "bo"}
    text = page(collection, found, ALIKE)
    assert text.count(f"<mark>{sentence.rstrip('.')}</mark>") == 2
    assert "told us" in text
    assert "told us" not in "".join(re.findall(r"<mark[^>]*>(.*?)</mark>", text, re.DOTALL))


# ---- where answers come from -------------------------------------------------------------------------------------


def test_answers_are_found_when_labels_are_lost_or_code_was_moved_to_another_cell(course: Path) -> None:
    copied = write_class(course, 4, students=15, copies=["renamed"])
    path = course / "submitted" / "copy-renamed" / ALIKE / f"{ALIKE}.ipynb"
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        cell.metadata = nbformat.NotebookNode()
    cell = next(cell for cell in nb.cells if "def descend" in cell.source)
    nb.cells.insert(nb.cells.index(cell) + 1, new_code_cell(cell.source))
    cell.source = "# see below"
    nbformat.write(nb, path)
    found = compared(course)
    assert who(found.pairs[0]) == frozenset(*copied.items())
    assert {match.question.name for match in found.pairs[0].questions if match.share > 0.8} == set(STUBS)


def test_unreadable_notebooks_are_told_and_the_others_compared(course: Path) -> None:
    write_class(course, 0, students=3, copies=())
    broken = course / "submitted" / "zoe" / ALIKE / f"{ALIKE}.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("{ this is none")
    said = type_command(course, "chainrule", "similar", ALIKE)
    assert f"not compared: zoe/{ALIKE}/{ALIKE}.ipynb: not a readable notebook" in said
    assert "3 hand-ins, 3 pairs" in said
    assert "zoe" in (course / "similar.html").read_text(encoding="utf-8")


def test_a_huge_answer_takes_bounded_work_and_is_told(course: Path) -> None:
    write_class(course, 0, students=3, copies=())
    for student in ("big", "huge"):
        hand_in(course, student, {"losses": "x = 1 + (2)\n" * 200_000, "why-scale": "word " * 400_000})
    start = time.process_time()
    collection = collect(CourseFolder(course), ALIKE)
    text = page(collection, compare(collection, 50), ALIKE)
    assert time.process_time() - start < 20
    assert {len(text) for h in collection.handins if h.cut for text in h.answers.values()} == {MAX_ANSWER}
    assert "big, losses: only the beginning" in text
    assert len(text) < 1_000_000


def test_python_that_is_none_is_compared(course: Path) -> None:
    write_class(course, 0, students=10, copies=())
    broken = "def softmax(a:\n    $ raw ??? = 'unclosed\n  penguin(igloo[7] ** 13) if @ else \\\n  ((("
    for student in ("ann", "bo"):
        hand_in(course, student, {"losses": broken})
    (pair,) = [pair for pair in compared(course).pairs if who(pair) == {"ann", "bo"}]
    assert pair.questions[0].share > 0.9


# ---- past terms --------------------------------------------------------------------------------------------------


def test_past_terms_are_compared_with_the_class_but_not_among_themselves(
    course: Path, tmp_path: Path
) -> None:
    term, flat = tmp_path / "spring" / "submitted", tmp_path / "autumn"
    write_class(course, 5, students=14, copies=["renamed"])
    term.parent.mkdir()
    shutil.move(course / "submitted", term)
    flat.mkdir()
    shutil.copy(term / "s03" / ALIKE / f"{ALIKE}.ipynb", flat / "mia.ipynb")
    (flat / "notes.ipynb").write_text(nbformat.writes(nbformat.v4.new_notebook(cells=[new_code_cell("1")])))
    write_class(course, 6, students=14, copies=())
    (course / "submitted" / "s07").rename(course / "submitted" / "bo")
    shutil.copy(term / "s05" / ALIKE / f"{ALIKE}.ipynb", course / "submitted" / "bo" / ALIKE)
    past = ["--past", str(term), "--past", str(flat)]
    said = type_command(course, "chainrule", "similar", ALIKE, *past, "-o", "out.html")
    assert f"{14 + 15 + 1} hand-ins, {14 * 13 // 2 + 14 * 16} pairs" in said
    assert "not compared: autumn: notes.ipynb: none of the assignment's notebooks" in said
    first = re.search(r"stand out\n  (.*):", said)
    assert first
    assert first[1] == "bo · s05 (spring)"
    assert "mia (autumn)" not in said
    text = (course / "out.html").read_text(encoding="utf-8")
    assert "past term" in text
    assert "the same name" in text  # s00 to s13 are in both


def test_a_past_assignment_may_have_had_another_name(course: Path, tmp_path: Path) -> None:
    write_class(course, 0, students=10, copies=())
    old = tmp_path / "old" / "kim" / "homework-one" / "final (2).ipynb"
    old.parent.mkdir(parents=True)
    shutil.copy(course / "submitted" / "s04" / ALIKE / f"{ALIKE}.ipynb", old)
    assert who(compared(course, ALIKE, tmp_path / "old").pairs[0]) == {"s04", "kim"}


@pytest.mark.parametrize(
    ("past", "says"), [("nowhere", "is no folder"), ("submitted", "this class's own folder")]
)
def test_wrong_past_folders_are_refused(course: Path, past: str, says: str) -> None:
    hand_in(course, "ann", {})
    with pytest.raises(CourseError, match=says):
        collect(CourseFolder(course), ALIKE, [course / past])


def test_without_a_release_there_is_no_template(course: Path) -> None:
    shutil.rmtree(course / "release")
    assert "run `chainrule release alike` first" in type_command(
        course, "chainrule", "similar", ALIKE, code=2
    )


def test_two_students_or_none(course: Path) -> None:
    assert "0 hand-ins, 0 pairs, 0 stand out" in type_command(course, "chainrule", "similar", ALIKE)
    write_class(course, 0, students=2, copies=())
    assert "2 hand-ins, 1 pairs, 0 stand out" in type_command(course, "chainrule", "similar", ALIKE)
    assert "too few pairs to say what is usual" in (course / "similar.html").read_text(encoding="utf-8")


# ---- the page ----------------------------------------------------------------------------------------------------


class Seen(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_file_that_runs_nothing(course: Path) -> None:
    write_class(course, 0, students=10, copies=())
    nasty = "</pre><script>alert('CODE')</script><img src=https://example.org/x onerror=alert(1)> \u202e"
    for student in ("ann", "<img src=x onerror=alert('NAME')>"):
        hand_in(
            course,
            student,
            {"losses": f"x = {nasty!r}\n{nasty}", "why-scale": nasty * 3, "collaborators": nasty},
        )
    collection = collect(CourseFolder(course), ALIKE)
    collection.unreadable["<script>alert('FILE')</script>"] = "gone"
    text = page(collection, compare(collection, 50), ALIKE)
    seen = Seen(text)
    assert seen.open == []
    assert not {"script", "img", "iframe", "link", "a href", "object"} & set(seen.tags)
    assert not {name for name in seen.attributes if name.startswith("on")}
    assert "src" not in seen.attributes
    assert "&lt;script&gt;alert(&#39;CODE&#39;)" in text
    assert "\u202e" not in text
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text


def test_the_page_cautions_and_shows_both_sides(course: Path) -> None:
    copied = write_class(course, 0, students=12, copies=["commented"])
    model = copied["copy-commented"]
    collection = collect(CourseFolder(course), ALIKE)
    text = page(collection, compare(collection, 5), ALIKE)
    assert "Evidence to read, not a verdict" in text
    assert f"copy-commented · {model}" in text
    assert text.count("<details") == 5
    assert text.count("<section>") % 2 == 0


def test_what_is_said_about_collaborators_stands_beside_the_answers(course: Path) -> None:
    copied = write_class(course, 0, students=12, copies=["renamed"])
    for student, other in copied.items():
        path = course / "submitted" / student / ALIKE / f"{ALIKE}.ipynb"
        nb = nbformat.read(path, as_version=4)
        next(c for c in nb.cells if c.id == "collaborators").source = f"{other} and I worked together"
        nbformat.write(nb, path)
    collection = collect(CourseFolder(course), ALIKE)
    assert "and I worked together" in page(collection, compare(collection, 1), ALIKE)


def test_nothing_of_a_submission_is_executed(course: Path) -> None:
    for student in ("ann", "bo", "cy"):
        hand_in(course, student, {"losses": "import pathlib\npathlib.Path('EXECUTED').touch()\n" * 3})
    type_command(course, "chainrule", "similar", ALIKE)
    assert not list(course.rglob("EXECUTED"))


def test_the_same_class_gives_the_same_page(course: Path) -> None:
    write_class(course, 0, students=12)
    for name in ("one.html", "two.html"):
        type_command(course, "chainrule", "similar", ALIKE, "-o", name)
    assert (course / "one.html").read_bytes() == (course / "two.html").read_bytes()
