"""Every command of the pages can be typed: it parses, and it is run here or in a test that is named here."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from mailbox import mbox
from pathlib import Path
from typing import Any

import nbformat
import pytest
import typer
from jupytext.cli import jupytext
from nbgrader.apps import NbGraderApp
from test_docs import prose
from tiny_course import FUTURE, PLAIN, RIGHT, ROOT, SQUARE, TINY, VARYING, add_varying, filled, run_here

from chainrule import cli
from chainrule.course import CONFIG
from chainrule.requests.line import request_line

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
APP: Any = typer.main.get_command(cli.app)
PROGRAMS = (
    "chainrule",
    "nbgrader",
    "make",
    "pytest",
    "python",
    "jupyter",
    "jupytext",
    "conda",
    "dask",
    "source",
)
PLACEHOLDERS = {
    "ASSIGNMENT": "hw1",
    "LMS": "moodle",
    "ASSIGNMENT=DATE": "hw1=2099-01-01",
}  # others are themselves

# Typed by another test: programs, sub-commands, and options of sub-commands. What is below a folder is run by hand.
ELSEWHERE = {
    "chainrule data": "tests/datasets/test_cifar_10.py::test_by_command",  # data sets of 200 MB
    "chainrule handin": "tests/handin/test_handin.py::test_the_commands_say_the_same",  # runs notebooks again
    "chainrule handin --force": "tests/handin/test_handin.py::test_a_hand_in_with_problems_is_packed_if_asked_for",
    "python -m chainrule.handin": "tests/handin/test_handin.py::test_the_commands_say_the_same",
    "chainrule mark": "tests/marking/test_server.py::test_a_token_opens_the_room_and_nothing_else",  # a server
    "chainrule grade --require-sandbox": "tests/hostile/test_tiers.py",  # needs bubblewrap
    "chainrule grade --cluster": "tests/grading/test_cluster.py::test_a_cluster_grades_a_class_and_a_lost_worker",
    "chainrule grade --gpu": "tests/grading/test_cluster.py::test_a_cluster_without_gpus_or_workers_is_refused",
    "chainrule audit": "tests/intake/test_files.py::test_an_audit_of_a_sample_by_command",  # needs trained weights
    "dask worker": "tests/grading/test_cluster.py::test_a_cluster_grades_a_class_and_a_lost_worker",
    "nbgrader generate_assignment": "tests/test_nbgrader_users.py::test_autotests_are_made_at_release",
    "nbgrader autograde": "tests/test_stock_nbgrader.py::test_stock_nbgrader_gives_the_same_scores_pages_and_marks",
    "nbgrader generate_feedback": "tests/test_stock_nbgrader.py::test_stock_nbgrader_gives_the_same_scores",
    "nbgrader export": "tests/test_stock_nbgrader.py::test_stock_nbgrader_gives_the_same_scores_pages_and_marks",
    "nbgrader zip_collect": "tests/test_nbgrader_users.py::test_zip_collect_follows_named_regexp",
    "conda env create": "tests/test_repository.py::test_environment_yml_is_a_valid_conda_environment",  # no conda
    "jupyter lab": "tests/marking/test_jupyter.py",
    "python bench/early.py": "tests/authoring/test_early.py",  # minutes
    "python bench/mutate.py": "tests/authoring/test_mutants.py",  # hours
}
SHELL = ("source .venv/bin/activate", "cd ~/course", "$EDITOR /tmp/a2.py")
OTHERS_OPTIONS = {"--resources"}  # of dask


@dataclass(frozen=True)
class Command:
    """A command of a page: as it is typed if `whole`, else named in a sentence, perhaps without its arguments."""

    page: str
    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands() -> Iterator[Command]:
    """The commands of all pages, in their order: the lines of blocks, and what is in backticks."""
    for page in PAGES:
        for line in lines(page):
            for part in line.partition(" #")[0].split("&&"):
                if part.strip():
                    yield Command(page.name, tuple(shlex.split(part)), True)
        for span in spans(page):
            words = span.split()
            if words and words[0] in PROGRAMS and len(words) > 1:
                yield Command(page.name, tuple(shlex.split(span.partition("&&")[0])), False)


def lines(page: Path) -> list[str]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()]


def spans(page: Path) -> list[str]:
    return re.findall(r"`([^`]+)`", prose(page))


def named_options() -> set[str]:
    """Options that sentences, tables and comments name without their command."""
    texts = [span for page in PAGES for span in spans(page) if span.startswith("--")]
    texts += [line.partition(" #")[2] for page in PAGES for line in lines(page)]
    return {
        option for text in texts for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", text)
    } - OTHERS_OPTIONS


COMMANDS = list(commands())
OURS = [command for command in COMMANDS if command.words[0] == "chainrule"]


def sub_command(words: tuple[str, ...]) -> tuple[str, Any, list[str]]:
    """The path of the command, the command itself, and its arguments."""
    path, found, rest = ["chainrule"], APP, list(words[1:])
    while getattr(found, "commands", None) and rest and not rest[0].startswith("-"):
        assert rest[0] in found.commands, f"there is no `{shlex.join(words)}`"
        found = found.commands[rest[0]]
        path.append(rest.pop(0))
    return " ".join(path), found, rest


def options_of(words: tuple[str, ...]) -> set[str]:
    return {word for word in words if re.fullmatch(r"-[a-z]|--[a-z-]+", word)}


def parsed(command: Command) -> None:
    """Parse a command as `chainrule` does; what a sentence leaves out is filled in."""
    path, found, given = sub_command(command.words)
    given = [PLACEHOLDERS.get(word, word) for word in given]
    if "--help" in given or (getattr(found, "commands", None) and not command.whole):
        return
    for _ in range(2 if not command.whole else 0):
        try:
            found.make_context(path, list(given))
        except Exception as error:
            if "Missing argument" not in str(getattr(error, "format_message", str)()):
                raise
            given.append("hw1")
    found.make_context(path, list(given))


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_of_ours_parses(command: Command) -> None:
    parsed(command)


# -- a course in which they are run ------------------------------------------------------------------------


# In the order of the pages. Words in capitals are folders beside the course; from `new` on the course is EMPTY. A line
# with $ ends with exit code 1.
STEPS = """
chainrule --help
chainrule doctor
chainrule check plain
chainrule check --write --no-run
chainrule release plain
chainrule release plain --unchecked
chainrule intake plain inbox
chainrule intake plain "Plain Download.zip"
chainrule intake plain "Plain Download.zip" --lms brightspace
chainrule intake plain "Team Download.zip" --lms brightspace --teams teams.csv
chainrule status
chainrule grade plain --jobs 1
chainrule grade plain --diff
chainrule grade plain --profile full --jobs 1 --student ada
chainrule mark tiny --export sheets
chainrule mark tiny --import sheets/tiny-why.csv --as "Ann Lee" --overwrite
chainrule feedback plain --pdf --lms brightspace
chainrule feedback tiny --student ann
chainrule report plain
chainrule requests mails.mbox comment.txt --list
chainrule marks plain
chainrule marks tiny --lms brightspace --allow-waiting --missing zero -o export.csv
chainrule marks tiny --lms brightspace --export export.csv --dry-run --column tiny
chainrule marks tiny --lms brightspace --export export.csv --allow-waiting
chainrule similar plain --past ../2025/submitted --past past -o alike.html --top 100
chainrule pdf release/plain/plain.ipynb release/tiny/tiny.ipynb -o write-up.pdf --title Title --author "Ada Lovelace" \
 --number 20815 --course-name CS480
chainrule release varying --variants --unchecked --seed 1
chainrule release varying --variants --unchecked --student zoe
chainrule roster CLASSLIST.csv --id username --drop
chainrule extend tiny ann 3d --why ill --as "Dr X"
chainrule extend tiny ann --undo
chainrule excuse tiny ann --why "in hospital"
chainrule penalty tiny bo 2.5 --why "copied"
chainrule override tiny bo square-check 1.5 --why "see mail"
chainrule withdraw tiny bo --why "a slip" --dry-run
chainrule withdraw tiny bo --why "a slip" --grading
chainrule backup
chainrule restore backups/*.zip
chainrule restore backups/*.zip RESTORED --gradebook sqlite:///RESTORED/other.db
chainrule upgrade
chainrule archive
chainrule archive --reopen
chainrule init NEW --from . --shift 364d --gradebook sqlite:///NEW/other.db
chainrule init DUE --from . --shift 1w --due "tiny=2099-02-01 12:00 Europe/Paris"
chainrule init SAMPLE
chainrule init EMPTY --empty
chainrule new assignment hw1
chainrule new question source/hw1/hw1.ipynb q1_1-double --points 2 --written 1
$ chainrule try source/hw1/hw1.ipynb --item q1_1-double
chainrule try source/hw1/hw1.ipynb mine.py
$ chainrule check hw1
"""
MINE = "# %% q1_1-double-code\ndef double(x):\n    return 2 * x\n"


def steps() -> list[tuple[tuple[str, ...], int]]:
    return [
        (tuple(shlex.split(line.removeprefix("$ "))), int(line.startswith("$")))
        for line in STEPS.replace("\\\n", "").splitlines()
        if line
    ]


def run_by_steps() -> list[tuple[str, set[str]]]:
    return [(sub_command(words)[0], options_of(words)) for words, _ in steps()]


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_of_ours_is_run_by_a_test(command: Command) -> None:
    """Together with all its options, except those that another test needs a server, a card or a network for."""
    path, found, _ = sub_command(command.words)
    if getattr(found, "commands", None) and "--help" not in command.words:
        assert any(known.startswith(path) for known, _ in run_by_steps())
        return
    here = {option for option in options_of(command.words) if f"{path} {option}" not in ELSEWHERE}
    assert path in ELSEWHERE or any(known == path and here <= options for known, options in run_by_steps()), (
        f"{command}: add it to STEPS, or say in ELSEWHERE which test runs it"
    )


@pytest.mark.parametrize("option", sorted(named_options()))
def test_an_option_that_a_text_names_is_used_by_a_test(option: str) -> None:
    used = set().union(*(options for _, options in run_by_steps()))
    used |= {words.split()[-1] for words in ELSEWHERE}
    assert option in used, f"{option}: add a command with it to STEPS, or say in ELSEWHERE which test uses it"


@pytest.mark.parametrize("test", sorted(set(ELSEWHERE.values())))
def test_the_other_tests_exist(test: str) -> None:
    path, _, name = test.partition("::")
    assert f"def {name or 'test_'}" in (ROOT / path).read_text(encoding="utf-8")


def prepare(root: Path) -> None:
    """Put beside the graded course what the commands take in."""
    answered = nbformat.writes(filled(root, {SQUARE: RIGHT}, PLAIN))
    for folder in ("inbox", "past", "../2025/submitted"):
        (root / folder).mkdir(parents=True)
        (root / folder / "ada.ipynb").write_text(answered, encoding="utf-8")
    roster = [
        "id,username,last,first,email",
        "ada,alovelace,Lovelace,Ada,",
        "ann,alee,Lee,Ann,",
        "bo,bray,Ray,Bo,",
    ]
    (root / "roster.csv").write_text("\n".join([*roster, "zoe,zwolf,Wolf,Zoe,"]), encoding="utf-8")
    (root / "CLASSLIST.csv").write_text(
        "OrgDefinedId,Username,Last Name,First Name\n#ann,alee,Lee,Anna\n#bo,bray,Ray,Bo\n"
    )
    (root / "teams.csv").write_text("name,id\nTeam 1,bo\n")
    for download, who in (("Plain Download.zip", "Ann Lee"), ("Team Download.zip", "Team 1")):
        with zipfile.ZipFile(root / download, "w") as file:
            file.writestr(f"1234-77 - {who} - Jul 13, 2026 1159 AM - plain.ipynb", answered)
    asked = f"{request_line(TINY, TINY, 'square-check', 'ann')}Please look again."
    (root / "comment.txt").write_text(asked)
    mail = EmailMessage()
    mail["From"], mail["Subject"] = "ann@example.org", "a mark"
    mail.set_content(asked.replace("/ann]", "/bo]"))
    mails = mbox(root / "mails.mbox")
    mails.add(mail)
    mails.close()
    config = "import chainrule.config\n\nc = get_config()\nc.merge(chainrule.config.pipelines())\n"
    (root / CONFIG).write_text(f"{config}c.Course.due = {{{TINY!r}: {FUTURE!r}}}\nc.Course.preload = []\n")
    add_varying(root)


def placed(word: str, course: Path, beside: Path) -> str:
    """A word of a command with its folder, and with the one file that a pattern fits."""
    if word.isupper() and word.isalpha():
        return str(beside / word)
    if "*" in word:
        return str(next(course.glob(word)))
    return re.sub(r"///(?=[A-Z]+/)", f"///{beside}/", word)


def test_our_commands_run_in_the_order_of_the_pages(graded_course: Path) -> None:
    root = here = graded_course
    prepare(root)
    for words, code in steps():
        if words[:3] == ("chainrule", "new", "assignment"):
            here = root.parent / "EMPTY"
        ended, out, err = run_here(here, [placed(word, here, root.parent) for word in words])
        assert ended == code, f"{shlex.join(words)}: {ended}\n{out}\n{err}"
        if "question" in words:
            (here / "mine.py").write_text(MINE)
    assert (root / "marks" / "plain.csv").is_file()
    assert (root / "feedback" / "plain-brightspace.zip").is_file()
    assert (root / "feedback" / "ann" / PLAIN / "feedback-plain.pdf").is_file()
    assert (root / "variants" / VARYING / "zoe").is_dir()
    assert [path.exists() for path in map(root.joinpath, ("alike.html", "write-up.pdf", "sheets"))] == [
        True
    ] * 3
    assert "source" in {path.name for path in (root.parent / "RESTORED").iterdir()}


# -- other programs ----------------------------------------------------------------------------------------


def of(program: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[0] == program]


def test_targets_of_make_exist() -> None:
    targets = sorted({word for command in of("make") for word in command.words[1:] if "=" not in word})
    assert targets
    done = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_tests_that_the_pages_run_exist() -> None:
    named = [command.words for command in COMMANDS if "pytest" in command.words]
    assert named
    for words in named:
        for word in words[words.index("pytest") + 1 :]:
            if word.startswith("--answers="):
                assert '"--answers"' in (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
            elif word not in ("-n", "0"):
                assert (ROOT / word).exists(), shlex.join(words)


def test_programs_have_their_options() -> None:
    for words in (command.words for command in of("python") if command.words[1] != "-m"):
        text = (ROOT / words[1]).read_text(encoding="utf-8")
        missing = {option for option in options_of(words) if f'"{option}"' not in text}
        assert not missing, shlex.join(words)


def test_other_commands_are_known() -> None:
    """Each is run by a test, or is one for a person's shell."""
    for command in COMMANDS:
        said = shlex.join(command.words)
        program = command.words[0]
        known = program in ("chainrule", "make", "pytest", "jupytext") or said.startswith("python -m pytest ")
        shell = " ".join(command.words) in SHELL
        assert known or shell or any(said.startswith(each) for each in ELSEWHERE), (
            f"{command}: which test runs it?"
        )
        if program == "nbgrader":
            assert command.words[1] in NbGraderApp.subcommands, said


def test_a_notebook_as_text_and_back(released: Path, tmp_path: Path) -> None:
    """As CONTRIBUTING.md edits one: cell ids and metadata stay."""
    notebook, text = tmp_path / f"{TINY}.ipynb", tmp_path / "a2.py"
    shutil.copy(released / "source" / TINY / f"{TINY}.ipynb", notebook)
    before = nbformat.read(notebook, as_version=4)
    places = {"source/cs480-a2/assignment2.ipynb": str(notebook), "/tmp/a2.py": str(text)}
    to_text, back = ([places.get(word, word) for word in command.words[1:]] for command in of("jupytext"))
    jupytext(to_text)
    text.write_text(text.read_text().replace("return THE_SOLUTION", "return 0 + THE_SOLUTION"))
    jupytext(back)
    after = nbformat.read(notebook, as_version=4)
    assert [(cell.id, cell.metadata) for cell in after.cells] == [
        (cell.id, cell.metadata) for cell in before.cells
    ]
    assert "return 0 + THE_SOLUTION" in after.cells[3].source
