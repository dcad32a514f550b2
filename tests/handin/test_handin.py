"""Packing a hand-in: what the handout asks for is written, what is missing is said, and nothing is lost."""

from __future__ import annotations

import doctest
import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import compute_checksum
from tiny_course import CONFIG, RIGHT, SQUARE, TINY, filled, marked, notebook

from chainrule.course import CourseError, CourseFolder
from chainrule.grading import Graft
from chainrule.handin import HandInError, file_names, hand_in
from chainrule.handin.file_names import FilePattern, StudentName
from chainrule.handin.inspection import changes, checksum, grouped, unanswered
from chainrule.handin.pack import EARLIER, KEPT, PACKED, RECEIPT, NotReadyError, Receipt
from chainrule.handin.spec import SPEC_FILE, HandInSpec, identify_student, read_spec
from chainrule.intake.expected_files import ExpectedFiles
from chainrule.intake.roster import Person
from chainrule.release.generate import generate

LIMITS = {".ipynb": 50, ".pdf": 100, ".py": 20}
STUBS = ["todo()", "*Write your answer here.*"]
ADA = {"last": "Lovelace", "first": "Ada", "number": "1815"}
NAMED = "Lovelace_Ada_hw1"


def work(code: str = "def double(x):\n    return 2 * x\n\ndouble(21)") -> NotebookNode:
    """A finished notebook of a homework that asks for one function and one sentence."""
    cells = [
        new_markdown_cell("# Homework 1"),
        new_markdown_cell("**Collaborators:** none", id="collaborators"),
        marked(new_code_cell(code), "double", solution=True),
        marked(new_markdown_cell("Twice as *much*."), "why", 1, solution=True),
    ]
    return notebook(cells)


def folder_of(
    place: Path, files: list[str], beside: dict[str, int] | None = None, **nbs: NotebookNode
) -> Path:
    """A release with these notebooks, finished."""
    answers = {f"{name}.ipynb": ["double", "why"] for name in nbs}
    place.mkdir(parents=True, exist_ok=True)
    (place / SPEC_FILE).write_text(HandInSpec("hw1", files, answers, beside or {}, STUBS, LIMITS).to_json())
    for name, nb in nbs.items():
        nbformat.write(nb, place / f"{name}.ipynb")
    return place


@pytest.fixture
def hw1(tmp_path: Path) -> Path:
    """A finished homework of one notebook, saved without outputs."""
    return folder_of(tmp_path / "hw1", ["{last}_{first}_hw1.pdf", "{last}_{first}_hw1.ipynb"], hw=work())


def pack(folder: Path, force: bool = False) -> Receipt:
    receipt = hand_in(folder, **ADA, force=force, say=lambda line: None)
    assert receipt is not None
    return receipt


def change(folder: Path, change: Callable[[NotebookNode], object]) -> None:
    nb = nbformat.read(folder / "hw.ipynb", as_version=4)
    change(nb)
    nbformat.write(nb, folder / "hw.ipynb")


def text_of(pdf: Path) -> str:
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True).stdout.decode()


# ---- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "first", "file"),
    [
        ("Lovelace", "Ada", "Lovelace_Ada_hw1.pdf"),
        ("van der Berg", "Anna Maria", "vanderBerg_AnnaMaria_hw1.pdf"),
        ("O'Neil", "Seán", "ONeil_Seán_hw1.pdf"),
        ("Mu\u0308ller", "Änne", "Müller_Änne_hw1.pdf"),  # composed, as it is typed
        ("王", "小明", "王_小明_hw1.pdf"),
        ("", "Madonna", "1815_Madonna_hw1.pdf"),
        ("../../etc", "a/b\\c:d\x00", "etc_abcd_hw1.pdf"),
    ],
)
def test_file_names_have_the_letters_of_names(last: str, first: str, file: str) -> None:
    assert (
        FilePattern.parse("{last}_{first}_hw1.pdf").file_name(StudentName(last, first, "1815").tidy(), "hw1")
        == file
    )


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_name_makes_a_file_name_that_intake_takes_for_that_students(last: str, first: str) -> None:
    try:
        student = StudentName(last, first, "1815").tidy()
    except HandInError:
        return
    pattern = FilePattern.parse("{last}_{first}_assignment2.ipynb")
    name = pattern.file_name(student, "a2")
    assert len(name.encode()) <= 255
    assert name.isprintable()
    assert not set(name) & set("/\\:*?\"<>| \t'")
    assert not name.startswith((".", "-"))
    assert pattern.matches(name, student)
    assert pattern.matches(name, Person("1815", "", student.last, student.first, "").name)


def test_the_examples_of_file_names() -> None:
    assert doctest.testmod(file_names).failed == 0


def test_a_star_stands_for_names_and_assignment_and_zips_differ() -> None:
    patterns = [FilePattern.parse(text) for text in ("*.pdf", "*.zip/p6_2*.py", "*.zip/*.ipynb")]
    student = StudentName("Lovelace", "Ada", "1")
    assert [pattern.file_name(student, "hw2") for pattern in patterns] == [
        "Lovelace_Ada_hw2.pdf",
        "Lovelace_Ada_hw2_py.zip",
        "Lovelace_Ada_hw2_ipynb.zip",
    ]
    assert patterns[1].notebooks(["p1_a.ipynb", "p6_2_b.ipynb"]) == ["p6_2_b.ipynb"]


# ---- what is written -------------------------------------------------------------------------------------------


def test_two_files_as_the_handout_names_them_with_the_outputs_of_a_fresh_run(hw1: Path) -> None:
    before = (hw1 / "hw.ipynb").read_bytes()
    receipt = pack(hw1)
    assert sorted(path.name for path in (hw1 / PACKED).iterdir()) == [f"{NAMED}.ipynb", f"{NAMED}.pdf"]
    handed = nbformat.read(hw1 / PACKED / f"{NAMED}.ipynb", as_version=4)
    assert handed.cells[2].outputs[0].data["text/plain"] == "42"
    assert handed.cells[2].execution_count == 1
    text = text_of(hw1 / PACKED / f"{NAMED}.pdf")
    for words in ("Homework 1", "Ada Lovelace", "1815", "Twice as much.", "42"):
        assert words in text
    assert (hw1 / "hw.ipynb").read_bytes() == before
    told = json.loads((hw1 / RECEIPT).read_text(encoding="utf-8"))
    for file in told["files"]:
        content = (hw1 / PACKED / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert told["student"] == ADA
    assert (told["problems"], receipt.problems) == ([], [])
    assert "SHA-256" in repr(receipt)
    assert f'href="hand-in/{NAMED}.pdf"' in receipt._repr_html_()


def test_a_homework_of_many_notebooks_is_a_pdf_and_two_zips(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path / "hw2",
        ["*.pdf", "*.zip/p6_2*.py", "*.zip/*.ipynb"],
        {"weights.safetensors": 1},
        p1=work(),
        p6_2_cnn=work("# the network\nopen('weights.safetensors', 'wb').write(b'trained')"),
    )
    receipt = pack(folder)
    assert [file.name for file in receipt.files] == [f"{NAMED}.pdf", f"{NAMED}_ipynb.zip", f"{NAMED}_py.zip"]
    with zipfile.ZipFile(folder / PACKED / f"{NAMED}_ipynb.zip") as archive:
        assert archive.namelist() == ["p1.ipynb", "p6_2_cnn.ipynb", "weights.safetensors"]
        assert archive.read("weights.safetensors") == b"trained"
        assert nbformat.reads(archive.read("p1.ipynb").decode(), as_version=4).cells[2].outputs
    with zipfile.ZipFile(folder / PACKED / f"{NAMED}_py.zip") as archive:
        assert archive.namelist() == ["p6_2_cnn.py"]
        program = archive.read("p6_2_cnn.py").decode()
    compile(program, "p6_2_cnn.py", "exec")
    assert "# the network" in program
    assert text_of(folder / PACKED / f"{NAMED}.pdf").count("Twice as much.") == 2


def test_pictures_of_the_folder_are_in_the_pdf(hw1: Path) -> None:
    from PIL import Image

    (hw1 / "figures").mkdir()
    Image.new("RGB", (64, 48), "navy").save(hw1 / "figures" / "scan.png")
    change(hw1, lambda nb: nb.cells.append(new_markdown_cell("![my derivation](figures/scan.png)")))
    assert pack(hw1).notes == []
    listing = subprocess.run(
        ["pdfimages", "-list", hw1 / PACKED / f"{NAMED}.pdf"], capture_output=True, text=True
    )
    assert "64" in listing.stdout


def test_an_earlier_hand_in_is_kept(hw1: Path) -> None:
    pack(hw1)
    first = (hw1 / RECEIPT).read_bytes()
    (hw1 / PACKED / "mine.txt").write_text("put there by hand")
    change(hw1, lambda nb: nb.cells[3].update(source="Thrice."))
    pack(hw1)
    (kept,) = (hw1 / EARLIER).iterdir()
    assert (kept / RECEIPT).read_bytes() == first
    assert (kept / PACKED / "mine.txt").exists()
    assert "Thrice." in text_of(hw1 / PACKED / f"{NAMED}.pdf")
    assert {path.name for path in hw1.glob(".*")} == {KEPT}


def test_nothing_is_trained_twice(hw1: Path) -> None:
    code = "import pathlib, time\npathlib.Path('weights.bin').write_text('w')\ndef double(x): return 2 * x\ntime.time()"
    change(hw1, lambda nb: nb.cells[2].update(source=code))
    told: list[str] = []

    def run() -> str:
        told.clear()
        hand_in(hw1, **ADA, say=told.append)
        return str(nbformat.read(hw1 / PACKED / f"{NAMED}.ipynb", as_version=4).cells[2].outputs[0].data)

    first = run()
    change(hw1, lambda nb: nb.cells[3].update(source="Another text."))
    assert run() == first
    assert "hw.ipynb has the code of the last run, whose outputs are used again" in "".join(told)
    assert "Another text." in text_of(hw1 / PACKED / f"{NAMED}.pdf")
    change(hw1, lambda nb: nb.cells[2].update(source=f"{code}  # changed"))
    second = run()
    assert second != first
    (hw1 / "weights.bin").write_text("other")
    assert run() != second
    (hw1 / KEPT / "hw.ipynb.json").write_text("{")  # damaged: run again
    assert run()


def test_collaborators_are_named_once_for_all_notebooks(tmp_path: Path) -> None:
    blank = work()
    blank.cells[
        1
    ].source = '**Collaborators on problem 1:** *name everyone you discussed it with, or write "none".*'
    folder = folder_of(tmp_path / "a", ["*.pdf", "*.zip/*.ipynb"], p1=blank, p2=blank, p3=work())
    hand_in(folder, **ADA, collaborators="Emmy <Noether>", say=lambda line: None)
    text = text_of(folder / PACKED / f"{NAMED}.pdf")
    assert "Emmy <Noether>" in text
    with zipfile.ZipFile(folder / PACKED / f"{NAMED}_ipynb.zip") as packed:
        named = {name: b"Emmy" in packed.read(name) for name in packed.namelist()}
    assert named == {"p1.ipynb": True, "p2.ipynb": True, "p3.ipynb": False}
    assert not pack(folder).problems  # it is remembered


def test_a_cell_has_a_time_limit(hw1: Path) -> None:
    change(hw1, lambda nb: nb.cells.append(new_code_cell("while True: pass")))
    with pytest.raises(NotReadyError, match=r"cell 5.*did not finish within 1 seconds: an endless loop\?"):
        hand_in(hw1, **ADA, minutes=1 / 60, say=lambda line: None)


def test_results_on_a_stand_in_are_a_problem_and_stand_in_the_receipt_and_on_the_pdf(hw1: Path) -> None:
    code = "from chainrule.datasets.origins import note_origin\nnote_origin('generated stand-in')\ndouble = 2"
    change(hw1, lambda nb: nb.cells[2].update(source=code))
    with pytest.raises(NotReadyError, match="the results are from a generated stand-in"):
        pack(hw1)
    receipt = pack(hw1, force=True)
    assert "the results are from a generated stand-in" in receipt.problems[0]
    assert "generated stand-in" in text_of(hw1 / PACKED / f"{NAMED}.pdf")


def test_colab_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path / "a", ["*.pdf"], hw=work())
    (folder / "hw.ipynb").unlink()
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab_1")
    with pytest.raises(HandInError, match=r"drive\.mount"):
        pack(folder)


@pytest.mark.parametrize(
    ("change_it", "said"),
    [
        (
            lambda nb: nb.cells[4].update(source="x = 2"),
            "2.1 a), cell 5: this cell of the kit was changed: grading",
        ),
        (
            lambda nb: nb.cells.pop(4),
            "hw.ipynb, x: a cell of the kit was deleted: grading takes the kit's again",
        ),
        (
            lambda nb: nb.cells[3].update(source="def train(net, epochs=2):\n    return net"),
            "2.1 a), cell 4: `train` has epochs=2, and the kit has epochs=15: is it what you mean?",
        ),
        (lambda nb: nb.cells[3].update(source="def train(net, epochs=15):\n    pass"), ""),
    ],
)
def test_changes_of_the_kit_are_told(change_it: Callable[[NotebookNode], object], said: str) -> None:
    cells = [
        new_markdown_cell("# Question 2"),
        new_markdown_cell("## 2.1 · Training"),
        new_markdown_cell("**a)** Write it."),
        marked(new_code_cell("def train(net, epochs=15):\n    todo()"), "train", solution=True),
        marked(new_code_cell("x = 1"), "x"),
        marked(new_code_cell("y = 1"), "y"),
    ]
    nb = notebook(cells)
    for cell in nb.cells[3:]:
        cell.metadata.nbgrader["checksum"] = compute_checksum(cell)
        assert checksum(cell) == compute_checksum(cell)
    change_it(nb)
    defaults = {"train": {"epochs": "15"}}
    told = grouped(changes("hw.ipynb", nb, ["x", "y"], defaults, {}))
    assert [said in line for line in told] == ([True] if said else [])


@pytest.mark.parametrize(
    "noted", [None, "locked", 7, [], {"grade": 1, "points": "two", "grade_id": 3}, {"solution": "x"}]
)
def test_marks_of_any_form_are_no_crash(hw1: Path, noted: Any) -> None:
    change(hw1, lambda nb: nb.cells[0].metadata.update(nbgrader=noted))
    change(hw1, lambda nb: nb.cells[2].metadata.update(nbgrader=noted))
    assert pack(hw1, force=True).files


def test_what_is_kept_of_runs_is_no_notebook(hw1: Path) -> None:
    pack(hw1)
    assert [path.suffix for path in (hw1 / KEPT).iterdir()] == [".json"]


def test_the_same_problem_in_many_places_is_one_sentence() -> None:
    cells = [
        new_markdown_cell("## 1.1 · A"),
        new_code_cell("todo()"),
        new_markdown_cell("## 1.2 · B"),
        new_code_cell("todo()"),
    ]
    told = grouped(unanswered("hw.ipynb", notebook(cells), [], STUBS))
    assert told == [
        "hw.ipynb: todo() is still there: write your answer in its place: 1.1, cell 2; 1.2, cell 4"
    ]


# ---- what is missing -------------------------------------------------------------------------------------------

PROBLEMS: dict[str, tuple[Callable[[NotebookNode], object], str]] = {
    "a stub": (
        lambda nb: nb.cells[2].update(source="def double(x):\n    todo()"),
        "hw.ipynb, cell 3 (it begins “def double(x):”): todo() is still there: write your answer in its place",
    ),
    "a blank text": (
        lambda nb: nb.cells[3].update(source="*Write your answer here.*"),
        "hw.ipynb, cell 4 (it begins “*Write your answer here.*”): *Write your answer here.* is still there",
    ),
    "an empty answer": (lambda nb: nb.cells[3].update(source=" \n"), "hw.ipynb, cell 4: it is empty"),
    "a deleted answer": (lambda nb: nb.cells.pop(3), "hw.ipynb, why: its cell is gone"),
    "no collaborators": (
        lambda nb: nb.cells[1].update(source='**Collaborators:** *name everyone …, or write "none".*'),
        "collaborators are not named: write names, or “none”, once: hand_in(collaborators=…)",
    ),
    "a cell that fails": (
        lambda nb: nb.cells.append(new_code_cell("1 / 0")),
        "hw.ipynb, cell 5 (it begins “1 / 0”): ZeroDivisionError: division by zero: make it run after a restart of",
    ),
    "a name that only the old kernel had": (
        lambda nb: nb.cells.insert(2, new_code_cell("double(1)")),
        "hw.ipynb, cell 3 (it begins “double(1)”): NameError: name 'double' is not defined",
    ),
    "a kernel that dies": (
        lambda nb: nb.cells.append(new_code_cell("import os; os._exit(1)")),
        "hw.ipynb: the kernel died in cell 5, maybe",
    ),
}


@pytest.mark.parametrize(("slip", "said"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_what_is_missing_is_said_and_nothing_is_packed(
    hw1: Path, slip: Callable[[NotebookNode], object], said: str
) -> None:
    change(hw1, slip)
    with pytest.raises(NotReadyError) as told:
        pack(hw1)
    assert len(told.value.problems) == 1
    assert told.value.problems[0].startswith(said)
    assert str(told.value).endswith("To hand in nevertheless, as it is: hand_in(force=True)")
    assert not (hw1 / PACKED).exists()


def test_a_hand_in_with_problems_is_packed_if_asked_for(hw1: Path) -> None:
    change(hw1, lambda nb: nb.cells[2].update(source="from chainrule.lesson import todo\ntodo()"))
    receipt = pack(hw1, force=True)
    assert len(receipt.problems) == 1  # that todo() fails is no second one
    assert json.loads((hw1 / RECEIPT).read_text(encoding="utf-8"))["problems"] == receipt.problems
    assert f"problem: {receipt.problems[0]}" in repr(receipt)


def test_files_beside_the_notebook_must_be_there_and_small_enough(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", ["*.pdf", "*.ipynb"], {"net.safetensors": 1}, hw=work())
    with pytest.raises(NotReadyError, match=r"net\.safetensors isn't here: run the cell that saves it"):
        pack(folder)
    (folder / "net.safetensors").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(
        NotReadyError, match=r"net\.safetensors has 1\.0 MiB, and the course takes 1: make it smaller"
    ):
        pack(folder)
    assert not (folder / PACKED).exists()
    (folder / "net.safetensors").write_bytes(bytes(1 << 20))
    assert [file.name for file in pack(folder).files] == [f"{NAMED}.ipynb", f"{NAMED}.pdf", "net.safetensors"]


def test_a_missing_notebook_and_one_too_many(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "a", ["*.pdf", "*.zip/*.ipynb"], p1=work(), p2=work())
    (folder / "p2.ipynb").rename(folder / "p2-Copy1.ipynb")
    with pytest.raises(NotReadyError, match=r"p2\.ipynb isn't here: put it into"):
        pack(folder)
    receipt = pack(folder, force=True)
    assert receipt.notes == ["p2-Copy1.ipynb is none of the assignment's notebooks, and is not handed in"]
    (folder / "p1.ipynb").unlink()
    with pytest.raises(HandInError, match=r"none of p1\.ipynb, p2\.ipynb is in"):
        pack(folder, force=True)
    assert (folder / PACKED).exists()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (
            lambda folder: (folder / SPEC_FILE).unlink(),
            "has no handin.json: go to the folder of the assignment",
        ),
        (lambda folder: (folder / SPEC_FILE).write_text("{"), "take it from the course's zip again"),
        (lambda folder: (folder / SPEC_FILE).write_text('{"a": 1}'), "take it from the course's zip again"),
        (lambda folder: (folder / "hw.ipynb").write_text("{"), "hw.ipynb is not JSON"),
    ],
)
def test_what_cannot_be_packed_at_all(hw1: Path, broken: Callable[[Path], object], said: str) -> None:
    broken(hw1)
    with pytest.raises(HandInError) as told:
        pack(hw1, force=True)
    assert said in str(told.value)
    assert told.value._render_traceback_() == [f"Not handed in: {told.value}"]


# ---- whose it is -----------------------------------------------------------------------------------------------


def test_names_are_remembered_and_corrected(hw1: Path) -> None:
    pack(hw1)
    receipt = hand_in(hw1, first="Augusta", say=lambda line: None)
    assert receipt
    assert receipt.student == StudentName("Lovelace", "Augusta", "1815")
    assert sorted(path.name for path in (hw1 / PACKED).iterdir())[0] == "Lovelace_Augusta_hw1.ipynb"


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ({}, "who are you? Give your name and number once: hand_in(last=…, first=…, number=…)"),
        ({**ADA, "number": " "}, "your student number is missing"),
        ({**ADA, "last": "'", "first": "-"}, "your name has no letter in it"),
    ],
)
def test_nobody_hands_in_without_a_name(hw1: Path, who: dict[str, str], said: str) -> None:
    with pytest.raises(HandInError) as told:
        hand_in(hw1, **cast("dict[str, Any]", who))
    assert said in str(told.value)
    assert not (hw1 / "me.json").exists()


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """The keys of handin.json and me.json stay what they were in the first release."""
    (tmp_path / "handin.json").write_text(
        '{"assignment": "hw1", "files": ["{last}_{first}_hw1.pdf", "*.zip/*.py"], "notebooks": {"hw.ipynb": ["why"]},'
        ' "beside": {"w.safetensors": 20}, "stubs": ["todo()"], "mebibytes": {".pdf": 100}}'
    )
    (tmp_path / "me.json").write_text('{"last": "Lovelace", "first": "Ada", "number": "1815"}')
    spec = read_spec(tmp_path)
    assert spec.notebooks == {"hw.ipynb": ["why"]}
    assert spec.patterns() == [FilePattern("{last}_{first}_hw1.pdf"), FilePattern("*.zip", "*.py")]
    assert identify_student(tmp_path, None, None, None) == StudentName("Lovelace", "Ada", "1815")


# ---- the commands ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["chainrule", "handin"], [sys.executable, "-m", "chainrule.handin"]])
def test_the_commands_say_the_same(hw1: Path, command: list[str]) -> None:
    def type_it(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *words], cwd=hw1, capture_output=True, text=True, timeout=600)

    nobody = type_it()
    assert nobody.returncode == 2
    assert nobody.stderr.removeprefix("chainrule: ").startswith("who are you?")
    done = type_it("--last", "Lovelace", "--first", "Ada", "--number", "1815")
    assert done.returncode == 0, done.stderr
    assert f"{NAMED}.pdf" in done.stdout
    change(hw1, lambda nb: nb.cells[3].update(source="*Write your answer here.*"))
    stopped = type_it()
    assert stopped.returncode in (1, 2)
    assert "1 problem to look at" in stopped.stderr
    assert "To hand in nevertheless, as it is: add --force" in stopped.stderr
    assert "Traceback" not in nobody.stderr + stopped.stderr


# ---- the last cell of the notebook -----------------------------------------------------------------------------


@pytest.fixture
def released_with_handin(course: Path) -> Path:
    """The tiny course, released with what is to be handed in."""
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(
            '\nc.Course.handin = {"tiny": ["{last}_{first}_tiny.pdf", "{last}_{first}_tiny.ipynb"]}\n'
        )
    folder = CourseFolder(course)
    generate(folder, TINY)
    return course


ANSWERS = {SQUARE: RIGHT, "why": "Signs cancel.", "collaborators": "**Collaborators:** Bo"}


@pytest.mark.parametrize("tagged", [True, False])
def test_the_last_cell_packs_and_does_not_call_itself(released_with_handin: Path, tagged: bool) -> None:
    """As in Jupyter, with the notebook saved before; editors may lose the cell's tags."""
    there = released_with_handin / "release" / TINY
    nb = filled(released_with_handin, ANSWERS)
    cell = nb.cells[-1]
    assert cell.id == "hand-in"
    cell.source = cell.source.replace("hand_in()", 'hand_in(last="Lovelace", first="Ada", number="1815")')
    if not tagged:
        cell.metadata.clear()
    client = NotebookClient(nb, resources={"metadata": {"path": str(there)}}, skip_cells_with_tag="none")
    with client.setup_kernel():
        for number, each in enumerate(nb.cells[:-1]):
            client.execute_cell(each, number)
        nbformat.write(nb, there / "tiny.ipynb")
        client.execute_cell(cell, len(nb.cells) - 1)
        assert "Packed for Ada Lovelace" in cell.outputs[-1].data["text/html"]
        client.execute_cell(new_code_cell("answer = 42"), 0)
        with pytest.raises(Exception, match="cells were run since the notebook was saved"):
            client.execute_cell(cell, len(nb.cells) - 1)
    handed = nbformat.read(there / PACKED / "Lovelace_Ada_tiny.ipynb", as_version=4)
    assert handed.cells[-1].outputs == []
    assert "1 of 1 point, and 3 more" in handed.cells[5].outputs[0].data["text/html"]
    if tagged:
        text = text_of(there / PACKED / "Lovelace_Ada_tiny.pdf")
        assert "hand_in" not in text
        assert "Nothing is sent" not in text


def test_intake_takes_what_was_packed_without_repairs(released_with_handin: Path) -> None:
    there = released_with_handin / "release" / TINY
    nbformat.write(filled(released_with_handin, ANSWERS), there / "tiny.ipynb")
    person = Person("1815", "ada", "van Lovelace-Müller", "Ada", "")
    receipt = hand_in(there, last=person.last, first=person.first, number=person.id, say=lambda line: None)
    assert receipt
    expected = ExpectedFiles(CourseFolder(released_with_handin), TINY, [person])
    for file in receipt.files:
        assert expected.match(there / PACKED / file.name, [file.name], person).repairs == ()


def grafted(course: Path, nb: NotebookNode) -> NotebookNode:
    where = {"nbgrader": {"assignment": TINY, "notebook": TINY, "student": "ada"}}
    grafted, _ = Graft(config=CourseFolder(course).config).preprocess(nb, where)
    return grafted


def test_grading_does_not_run_the_last_cell_nor_takes_it_for_an_answer(released_with_handin: Path) -> None:
    nb = filled(released_with_handin, {"why": ""})
    nb.cells[-1].source = nb.cells[-1].source.replace("hand_in()", "hand_in(force=True)")
    del nb.cells[-1].metadata["tags"]
    run = grafted(released_with_handin, nb)
    answers = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source for cell in run.cells}
    assert answers["why"] == "*Write your answer here.*"
    assert "skip-execution" in run.cells[-1].metadata.tags
    assert "force=True" in run.cells[-1].source
    assert not [repair for repair in run.metadata.chainrule.repaired if "hand-in" in repair.what]


@pytest.mark.parametrize("files", [["essay.docx"], ["../x.pdf"], ["a.zip"], ["a.zip/*.docx"], ["a/b.pdf"]])
def test_a_course_cannot_ask_for_what_cannot_be_made(course: Path, files: list[str]) -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f'\nc.Course.handin = {{"tiny": {files}}}\n')
    folder = CourseFolder(course)
    with pytest.raises(
        CourseError, match=r"c\.Course\.handin\['tiny'\] in nbgrader_config\.py: .* cannot be made"
    ):
        generate(folder, TINY)


def test_a_stub_of_several_lines_is_found_however_it_is_indented() -> None:
    stub = "# YOUR CODE HERE\nraise NotImplementedError()"
    nb = work("def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    (problem,) = unanswered("hw.ipynb", nb, ["double", "why"], [stub])
    assert problem.what == "# YOUR CODE HERE is still there: write your answer in its place"
    assert not [*unanswered("hw.ipynb", work(), ["double", "why"], [stub])]
