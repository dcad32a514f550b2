"""The command line says in one line what is wrong, and never lets a submission talk to the terminal."""

import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from command_line import Typed, is_one_line
from rich.console import Console
from tiny_course import CONFIG, TINY, filled, submit

from chainrule import __version__, cli
from chainrule.doctor import examine
from chainrule.grading import classroom
from chainrule.grading.classroom import ClassReport, Graded
from chainrule.terminal import class_table

WRONG = {
    "no such assignment": (
        ["grade", "small"],
        "there is no assignment 'small' in source/. Known: plain, tiny.",
    ),
    "a path as assignment": (["release", "../tiny"], "there is no assignment"),
    "nothing submitted": (
        ["grade", TINY],
        "nothing submitted for tiny: put the notebooks in a folder and run",
    ),
    "nothing graded": (["feedback", TINY], "nothing is graded yet: run `chainrule grade tiny` first"),
    "no marks yet": (["marks", TINY], "nothing is graded yet: run `chainrule grade tiny` first"),
    "no inbox": (["intake", TINY, "inbox"], "inbox is no folder"),
    "no such data": (["data", "imagenet"], "unknown data set imagenet. Known: fashion-mnist, cifar-10."),
    "an unknown option": (["grade", TINY, "--jbos", "2"], "--jbos"),
    "a word for a number": (["grade", TINY, "--jobs", "many"], "--jobs"),
    "no jobs": (["grade", TINY, "--jobs", "0"], "--jobs"),
    "an unknown profile": (["grade", TINY, "--profile", "slow"], "'slow' is not one of 'quick', 'full'"),
    "no assignment": (["grade"], "Missing argument"),
    "an unknown command": (["garde", TINY], "No such command 'garde'"),
    "an option without its value": (["marks", TINY, "-o"], "-o"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_command_is_told_in_one_line(
    chainrule: Callable[..., Typed], course: Path, words: list[str], said: str
) -> None:
    courses = [] if words[0] == "garde" or words == ["grade"] or words[-1] == "-o" else ["--course", course]
    result = chainrule(*words, *courses)
    assert is_one_line(result), result
    assert said in result[2]


@pytest.mark.parametrize("command", ["release", "grade", "feedback", "marks"])
def test_outside_a_course_the_way_there_is_told(chainrule: Callable[..., Typed], command: str) -> None:
    result = chainrule(command, TINY)
    assert is_one_line(result)
    assert (
        "no nbgrader_config.py here or above: go to a course folder, or name it with --course." in result[2]
    )
    result = chainrule(command, TINY, "--course", "elsewhere")
    assert is_one_line(result)
    assert "is not a course folder" in result[2]


def test_files_that_cannot_be_used_are_told(
    chainrule: Callable[..., Typed], course: Path, tmp_path: Path
) -> None:
    config = (course / CONFIG).read_text()
    (course / CONFIG).write_text("c = (")
    result = chainrule("release", TINY, "--course", course)
    assert is_one_line(result)
    assert "has an error: SyntaxError" in result[2]
    (course / CONFIG).write_text(config)
    (tmp_path / "no.ipynb").write_text("no notebook")
    assert is_one_line(chainrule("pdf", tmp_path / "no.ipynb"))
    assert is_one_line(chainrule("pdf", tmp_path / "none.ipynb"))
    submit(course, "ann", filled(course, {}))
    (course / "gradebook.db").write_bytes(b"SQLite format 3\0 not really" * 100)
    for command in ("marks", "release", "grade"):
        result = chainrule(command, TINY, "--course", course)
        assert is_one_line(result), result
        assert "database" in result[2]
    shutil.rmtree(course / "source")
    result = chainrule("release", TINY, "--course", course)
    assert is_one_line(result)
    assert "Known: none." in result[2]


def test_marks_that_cannot_be_written(chainrule: Callable[..., Typed], graded_course: Path) -> None:
    result = chainrule("marks", TINY, "--course", graded_course, "-o", graded_course)
    assert is_one_line(result)
    assert "Is a directory" in result[2]


def test_help_is_help(chainrule: Callable[..., Typed]) -> None:
    code, out, err = chainrule("--help")
    assert (code, err) == (0, "")
    for command in ("check", "release", "intake", "grade", "feedback", "marks", "pdf", "doctor", "data"):
        assert command in out
        assert chainrule(command, "--help")[0] == 0
    _, out, err = chainrule()
    assert "Usage" in out + err


def test_the_version(chainrule: Callable[..., Typed]) -> None:
    assert chainrule("--version") == (0, f"chainrule {__version__}\n", "")


@pytest.mark.parametrize(
    "words",
    [
        ["release", TINY, "--variants", "--students", "ann"],
        ["feedback", TINY, "--zip", "moodle"],
        ["marks", TINY, "--lms", "moodle", "--columns", "export.csv"],
        ["marks", TINY, "--lms", "moodle", "--item", "A2"],
        ["handin", "--anyway"],
    ],
)
def test_earlier_spellings_of_options_are_gone(chainrule: Callable[..., Typed], words: list[str]) -> None:
    result = chainrule(*words)
    assert is_one_line(result)
    assert "No such option" in result[2]


def test_an_interrupt_says_how_to_go_on(
    chainrule: Callable[..., Typed], course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(classroom, "grade", interrupted)
    code, _, err = chainrule("grade", TINY, "--course", course)
    assert (code, err) == (130, "chainrule: interrupted; run the same command again to go on.\n")


def test_what_grading_is_told_and_what_it_tells(
    chainrule: Callable[..., Typed], course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}
    students = [Graded("ann", {"a": 1.0}), Graded("bo", {"a": None})]
    report = ClassReport(TINY, "quick", {"a": 1.0}, students, {}, {"bubblewrap"})

    def grade(*args: object, **options: Any) -> ClassReport:
        told.update(options)
        return report

    monkeypatch.setattr(classroom, "grade", grade)
    code, out, _ = chainrule("grade", TINY, "--course", course)
    assert code == 0
    assert not any(told[name] for name in ("gpu", "cluster", "require_sandbox", "diff"))
    assert "sandbox" not in out
    assert "no score" not in out
    report.sandbox.add("none: no user namespaces")
    words = ["--gpu", "--require-sandbox", "--cluster", "tcp://there:8786", "--diff"]
    code, out, _ = chainrule("grade", TINY, "--course", course, *words)
    assert code == 0
    assert told["gpu"] is told["require_sandbox"] is told["diff"] is True
    assert told["cluster"] == "tcp://there:8786"
    assert "sandbox: bubblewrap, none: no user namespaces" in " ".join(out.split())
    assert out.endswith("no score has changed\n")
    report.changes.append("ann a 0 → 1: \x1b[2J")
    students[1].internal_error = "not graded: tiny could not be run (no kernel)"
    code, out, err = chainrule("grade", TINY, "--course", course, "--diff")
    assert out.endswith("ann a 0 → 1: \ufffd[2J\n")
    assert (code, err) == (1, "")


def test_submissions_cannot_talk_to_the_terminal(
    chainrule: Callable[..., Typed], course: Path, tmp_path: Path
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name in ("\x1b[2J\x1b[31mred", "two\n99 taken", "right\u202eleft", "[bold]rich", "bell\a"):
        (inbox / f"{name}.ipynb").write_text("{")
    (inbox / "ann.ipynb").write_text('{"cells": [{"cell_type": "\x1b[31m"}], "nbformat": 4, "metadata": {}}')
    code, out, err = chainrule("intake", TINY, inbox, "--course", course)
    assert code == 0
    assert out.startswith("0 taken, 0 already there, 6 refused\n")
    assert all(character.isprintable() or character == "\n" for character in out + err)
    assert out.count("\n") == 7
    assert "refused [bold]rich.ipynb" in out


def test_an_empty_inbox_says_what_belongs_there(
    chainrule: Callable[..., Typed], course: Path, tmp_path: Path
) -> None:
    (inbox := tmp_path / "inbox").mkdir()
    code, out, _ = chainrule("intake", TINY, inbox, "--course", course)
    assert code == 0
    assert out.endswith(f"{inbox} has no hand-in: put STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb there\n")


def test_the_course_is_found_from_below(
    chainrule: Callable[..., Typed], course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(course / "source" / TINY)
    code, out, _ = chainrule("release", TINY, "--unchecked")
    assert code == 0
    kit = course / "kits" / f"{TINY}.zip"
    assert out == f"released to {course / 'release' / TINY}\nto hand out: {kit}\n"


def test_feedback_and_marks(chainrule: Callable[..., Typed], graded_course: Path) -> None:
    code, out, _ = chainrule("feedback", TINY, "--course", graded_course)
    one_line = "without a graded notebook, so that their page is one line: di"
    assert (code, out) == (0, f"6 pages in {graded_course / 'feedback'}\n{one_line}\n")
    pages = {path.parts[-3]: path.read_text() for path in graded_course.glob("feedback/*/tiny/tiny.html")}
    assert sorted(pages) == ["ann", "bo", "cy", "di", "ed", "fay"]
    assert "What was handed in could not be graded: not a readable notebook" in pages["di"]
    result = chainrule("feedback", TINY, "--course", graded_course, "--student", "zoe")
    assert is_one_line(result)
    assert "nobody in this course has the id zoe" in result[2]
    code, out, _ = chainrule("marks", TINY, "--course", graded_course)
    assert (code, out) == (0, f"marks written to {graded_course / 'marks' / 'tiny.csv'}\n")
    assert chainrule("marks", TINY, "--course", graded_course, "-o", graded_course / "a" / "b.csv")[0] == 0
    assert (graded_course / "a" / "b.csv").read_text() == (graded_course / "marks" / "tiny.csv").read_text()


def test_one_page_that_cannot_be_made_does_not_keep_the_others(
    chainrule: Callable[..., Typed], graded_course: Path
) -> None:
    broken = graded_course / "autograded" / "bo" / TINY / f"{TINY}.ipynb"
    broken.chmod(0o644)
    broken.write_text("no notebook")
    code, out, err = chainrule("feedback", TINY, "--course", graded_course)
    assert code == 2
    assert out.startswith("5 pages in ")
    assert err.startswith("chainrule: feedback for bo failed:")


def test_doctor_runs_anywhere(chainrule: Callable[..., Typed], course: Path) -> None:
    code, out, err = chainrule("doctor")
    assert (code, err) == (0, "")
    for name in ("python", "torch", "course", "sandbox", "pdf", "--course"):
        assert name in out
    with (course / CONFIG).open("a") as config:
        config.write("c.Course.data = {'tiny': ['cifar-10', 'fashion-mnist']}\n")
    for name in ("cifar-10", "fashion-mnist"):
        assert any(f"not there: run `chainrule data {name}" in finding.text for finding in examine(course))
    (course / CONFIG).write_text("c = (")
    assert any("has an error" in finding.text for finding in examine(course))


# ---- the table -----------------------------------------------------------------------------------------


def drawn(items: list[str], **students: dict[str, float | None]) -> str:
    """The table of a class whose items are worth a point each."""
    graded = [Graded(name, scores) for name, scores in students.items()]
    report = ClassReport("hw", "quick", dict.fromkeys(items, 1.0), graded, {})
    with StringIO() as written:
        Console(file=written, width=140).print(class_table(report))
        return written.getvalue()


def row(text: str, student: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.strip().startswith(student)]
    return line.split()[1:-2]  # without time


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("named", [True, False])
def test_any_ids_in_seven_notebooks_fit_the_terminal(width: int, named: bool) -> None:
    items = [f"cell-{number:02}3f2a9c8b7d6e5f4a{letter}" for number in range(7) for letter in "abc"]
    notebooks = {item: f"problem-set-{item[5:7]}-optimisation" for item in items}
    scores: dict[str, float | None] = {**dict.fromkeys(items, 1.0), items[0]: None}
    report = ClassReport("hw", "quick", dict.fromkeys(items, 1.0), [Graded("20815123", scores)], {})
    report.notebooks = notebooks
    report.names = {"20815123": "Ada Augusta King of Lovelace"} if named else {}
    with StringIO() as written:
        Console(file=written, width=width).print(class_table(report, width))
        text = written.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    line = next(line for line in text.splitlines() if "20815123" in line)
    assert line.split()[-10:] == ["2+", "3", "3", "3", "3", "3", "3", "20", "0", "s"]


def test_few_items_have_a_column_each() -> None:
    text = drawn(["q1-a", "q1-b", "q2-a"], ann={"q1-a": 1.0, "q1-b": None, "q2-a": 0.5}, bo={})
    assert row(text, "ann") == ["1", "wait", "0.5", "1.5"]
    assert row(text, "bo") == ["–", "–", "–", "0"]
    assert "wait: a person marks" in text


def test_many_items_are_summed_by_question() -> None:
    items = [f"q{question}_{part}-{name}" for question in (1, 2) for part in (1, 2, 3) for name in "abcd"]
    scores: dict[str, float | None] = dict.fromkeys(items, 1.0)
    scores["q2_3-d"] = None
    text = drawn(items, ann=scores, bo=dict.fromkeys(items))
    assert row(text, "ann") == ["4", "4", "4", "4", "4", "3+", "23"]
    assert row(text, "bo") == ["wait"] * 6 + ["0"]
    assert "q2_3" in text
    assert "+, wait: a person marks items of this column" in text


def test_very_many_items_are_summed_by_problem() -> None:
    items = [f"p{problem}_{part}-x" for problem in (1, 2, 3) for part in range(1, 8)]
    text = drawn(items, ann=dict.fromkeys(items, 1.0))
    assert row(text, "ann") == ["7", "7", "7", "21"]
    assert "a person marks" not in text  # nothing waits


@pytest.mark.parametrize(("module", "extra"), [("distributed", "cluster"), ("typst", "pdf")])
def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    module: str, extra: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(**_: object) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr(cli, "app", missing)
    with pytest.raises(SystemExit):
        cli.main()
    assert f"pip install 'chainrule[{extra}]'" in capsys.readouterr().err
