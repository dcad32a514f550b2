"""The zip students download: complete, free of secrets, and working where nothing of the instructor's is."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import environments
import nbformat
import pytest
from conftest import once
from environments import make_without_chainrule, python_of
from nbformat import NotebookNode
from tiny_course import CONFIG, RIGHT, ROOT, SQUARE, TINY, type_command

from chainrule.course import OPTIONAL, read_config
from chainrule.metadata import framework_of

ASSIGNMENTS = sorted({path.parent.name for path in ROOT.glob("source/*/*.ipynb")})
MODULES = {  # as they are imported, where the package is called otherwise
    "pypandoc": "pypandoc-binary",
    "PIL": "pillow",
}
COME_ALONG = {
    "IPython": "ipykernel",
    "keras": "tensorflow",
    "bs4": "nbconvert",
    "pygments": "nbconvert",
    "tinycss2": "nbconvert",
}
REGION = re.compile(r"### BEGIN ((?!HIDDEN)[A-Z ]+)\n(.*?)### END [A-Z ]+", re.DOTALL)
HIDDEN = re.compile(r"### BEGIN HIDDEN TESTS\n(.*?)### END HIDDEN TESTS", re.DOTALL)
MARKS = ["BEGIN SOLUTION", "HIDDEN TESTS", "MARK SCHEME", "chainrule.judging", "chainrule.grading"]


@pytest.fixture(scope="session")
def kits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course of the tiny assignment and the course's own, each released by the command."""

    def make(root: Path) -> None:
        import tiny_course

        tiny_course.write(root)
        with (root / CONFIG).open("a", encoding="utf-8") as config:
            config.write(f'c.Course.handin["{TINY}"] = ["{{last}}_{{first}}_tiny.pdf", "*.zip/*.ipynb"]\n')
            for option in (
                "due",
                "names",
                "lms",
                "late",
                "handin",
                "alternatives",
            ):  # facts in the texts of the course's own
                for assignment, value in read_config(ROOT).Course[option].items():
                    config.write(f"c.Course.{option}[{assignment!r}] = {value!r}\n")
        for assignment in ASSIGNMENTS:
            leave = shutil.ignore_patterns(".ipynb_checkpoints")
            shutil.copytree(ROOT / "source" / assignment, root / "source" / assignment, ignore=leave)
        for assignment in [TINY, *ASSIGNMENTS]:
            # that the course's own are sound is proven in tests/course
            type_command(root, "chainrule", "release", assignment, *["--unchecked"] * (assignment != TINY))

    return once(tmp_path_factory, "kits", make)


def unzip(kits: Path, assignment: str, place: Path) -> Path:
    with zipfile.ZipFile(kits / "kits" / f"{assignment}.zip") as archive:
        archive.extractall(place)
    (folder,) = place.iterdir()
    assert folder.name == assignment
    return folder


def test_the_same_release_gives_the_same_bytes(kits: Path, tmp_path: Path) -> None:
    course = Path(shutil.copytree(kits, tmp_path / "course"))
    kit = course / "kits" / f"{TINY}.zip"
    before = kit.read_bytes()
    (course / "release" / TINY / "__pycache__").mkdir()
    (course / "release" / TINY / "__pycache__" / "x.pyc").write_bytes(b"left by a run")
    said = type_command(course, "chainrule", "release", TINY, "--unchecked")
    assert said.splitlines() == [f"released to {course / 'release' / TINY}", f"to hand out: {kit}"]
    assert kit.read_bytes() == before


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_kit_has_what_students_need(kits: Path, assignment: str, tmp_path: Path) -> None:
    folder = unzip(kits, assignment, tmp_path)
    source = ROOT / "source" / assignment
    notebooks = {path.name for path in source.glob("*.ipynb")}
    beside = {path.name for path in source.iterdir() if path.name in ("checks", "figures", "given")}
    beside |= {f"requirements-{name}.txt" for name in frameworks(source)}
    assert {path.name for path in folder.iterdir()} == notebooks | beside | {
        "README.md",
        "chainrule",
        "environment.yml",
        "handin.json",
        "requirements.txt",
    }
    readme = (folder / "README.md").read_text(encoding="utf-8")
    for words in ("jupyter lab", "VS Code", "Colab", "python -m chainrule.handin", "conda env create"):
        assert words in readme
    spec = json.loads((folder / "handin.json").read_text(encoding="utf-8"))
    assert spec["notebooks"].keys() == notebooks
    for name in notebooks:
        *_, last = nbformat.read(folder / name, as_version=4).cells
        assert "hand_in()" in last.source
        assert "skip-execution" in last.metadata.tags


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_a_kit_has_no_secrets(kits: Path, assignment: str) -> None:
    with zipfile.ZipFile(kits / "kits" / f"{assignment}.zip") as archive:
        everything = "\n".join(archive.read(name).decode() for name in archive.namelist())
        cells = "\n".join(
            cell.source
            for name in archive.namelist()
            if name.endswith(".ipynb")
            for cell in nbformat.reads(archive.read(name).decode(), as_version=4).cells
        )
        modules = [name for name in archive.namelist() if name.startswith(f"{assignment}/chainrule/")]
    assert {name.split("/")[2] for name in modules} == {
        "__init__.py",
        "errors.py",
        "on_demand.py",
        "lesson",
        "datasets",
        "handin",
    }
    assert not [mark for mark in MARKS if mark in cells]
    assert "chainrule.grading" not in everything
    for path in (ROOT / "source" / assignment).glob("*.ipynb"):
        source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        visible = HIDDEN.sub("", REGION.sub("", source))
        secret = {line.strip() for _, region in REGION.findall(source) for line in region.splitlines()}
        long = [line for line in secret if len(line) > 30 and not line.startswith(("from ", "import "))]
        assert [line for line in long if line not in visible and line in everything] == []


def frameworks(source: Path) -> set[str]:
    """What the notebooks of an assignment need that others do without: a framework that not every machine has."""
    return {name for path in source.glob("*.ipynb") if (name := framework_of(path)) in OPTIONAL}


def imports(folder: Path) -> Iterator[str]:
    """Every package that a Python file of the folder imports somewhere."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("assignment", ASSIGNMENTS)
def test_the_environment_of_a_kit_has_what_it_imports_and_the_versions_of_the_lock(
    kits: Path, assignment: str, tmp_path: Path
) -> None:
    folder = unzip(kits, assignment, tmp_path)
    files = [folder / "requirements.txt"]
    for name in frameworks(ROOT / "source" / assignment):
        files.append(folder / f"requirements-{name}.txt")
        assert "-r requirements.txt" in files[-1].read_text()
        assert re.search(rf"^{name}==", files[-1].read_text(), re.MULTILINE)
    asked = dict(
        pair
        for file in files
        for pair in re.findall(r"^([\w.-]+)[=>]=([\d.]+)$", file.read_text(), re.MULTILINE)
    )
    wanted = set(imports(folder / "chainrule")) - set(sys.stdlib_module_names) - {"chainrule"}
    assert {COME_ALONG.get(name) or MODULES.get(name, name) for name in wanted} <= asked.keys()
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "environment-pins.txt").read_text(), re.MULTILINE))
    pinned = dict(
        re.findall(r"^([\w.-]+)==([\d.]+)$", (folder / "requirements.txt").read_text(), re.MULTILINE)
    )
    assert {"torch", "torchvision", "pypandoc-binary", "quickjax", "typst"} == pinned.keys()
    assert pinned == {name: lock[name] for name in pinned}
    assert "-r requirements.txt" in (folder / "environment.yml").read_text()


# ---- without the instructor's package ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the packages of this environment but for chainrule."""
    return python_of(once(tmp_path_factory, "student", make_without_chainrule))


def run(python: Path, folder: Path, *words: str, code: int = 0) -> str:
    ended, out, err = environments.run(python, folder, *words)
    assert ended == code, out + err
    return out + err


def answered(folder: Path, name: str, answers: dict[str, str]) -> None:
    nb = nbformat.read(folder / name, as_version=4)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id", cell.id): cell for cell in nb.cells}
    for grade_id, source in answers.items():
        cells[grade_id].source = source
    for cell in nb.cells:
        if cell.source.startswith("**Collaborators"):
            cell.source = cell.source.partition(":")[0] + ":** none"
    nbformat.write(nb, folder / name)


def results(nb: NotebookNode) -> str:
    """What the checks put out, in words."""
    tables = [
        output.data["text/html"]
        for cell in nb.cells
        if cell.cell_type == "code" and "Item(" in cell.source
        for output in cell.outputs
        if output.output_type == "execute_result"
    ]
    return re.sub(r"<[^>]*>", " ", "\n".join(tables))


def test_the_instructors_package_is_not_there(python: Path, kits: Path, tmp_path: Path) -> None:
    assert "No module named 'chainrule'" in run(python, tmp_path, "-c", "import chainrule", code=1)
    folder = unzip(kits, TINY, tmp_path / "home")
    for name in ("grading", "judging", "release", "intake", "course", "cli"):
        said = run(python, folder, "-c", f"import chainrule.lesson, chainrule.{name}", code=1)
        assert f"No module named 'chainrule.{name}'" in said


def test_a_kit_works_alone(python: Path, kits: Path, tmp_path: Path) -> None:
    """Answered, run, checked, printed and packed with nothing but the kit."""
    folder = unzip(kits, TINY, tmp_path)
    who = ["--last", "Łukasiewicz", "--first", "Zoë Ann", "--number", "7"]
    blank = run(python, folder, "-m", "chainrule.handin", *who, code=1)
    assert "2 problems to look at" in blank
    assert "cell 4 (it begins “def square(x):”): todo() is still there" in blank
    answered(folder, "tiny.ipynb", {SQUARE: RIGHT, "why": "Signs cancel: $x^2 \\ge 0$."})
    said = run(python, folder, "-m", "chainrule.handin", *who)
    assert "Łukasiewicz_ZoëAnn_tiny.pdf" in said
    assert "note" not in said
    with zipfile.ZipFile(folder / "hand-in" / "Łukasiewicz_ZoëAnn_tiny_ipynb.zip") as archive:
        nb = nbformat.reads(archive.read("tiny.ipynb").decode(), as_version=4)
    assert "1 of 1 point, and 3 more for checks that run at grading" in results(nb)
    pdf = folder / "hand-in" / "Łukasiewicz_ZoëAnn_tiny.pdf"
    text = subprocess.run(["pdftotext", pdf, "-"], capture_output=True, check=True).stdout.decode()
    assert "Zoë Ann Łukasiewicz" in text
    assert "Signs cancel" in text


def test_a_real_problem_works_alone(python: Path, kits: Path, tmp_path: Path) -> None:
    """Problem 3 of Homework 2, with the reference's answers and the others not yet begun."""
    folder = unzip(kits, "csc6022-hw2", tmp_path)
    source = nbformat.read(ROOT / "source" / "csc6022-hw2" / "p3_cnn_arithmetic.ipynb", as_version=4)
    solutions = [cell for cell in source.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    answers = {
        cell.metadata.nbgrader.grade_id: re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", cell.source)
        for cell in solutions
    }
    answered(folder, "p3_cnn_arithmetic.ipynb", answers)
    spec = json.loads((folder / "handin.json").read_text(encoding="utf-8"))
    for name in list(spec["notebooks"]):  # to be quick
        if not name.startswith("p3"):
            (folder / name).unlink()
            del spec["notebooks"][name]
    spec["beside"] = {}
    spec["files"] = [name for name in spec["files"] if not name.endswith(".py")]
    (folder / "handin.json").write_text(json.dumps(spec), encoding="utf-8")
    run(python, folder, "-m", "chainrule.handin", "--last", "L", "--first", "F", "--number", "7")
    with zipfile.ZipFile(folder / "hand-in" / "L_F_csc6022-hw2_ipynb.zip") as archive:
        assert archive.namelist() == ["p3_cnn_arithmetic.ipynb"]
        nb = nbformat.reads(archive.read("p3_cnn_arithmetic.ipynb").decode(), as_version=4)
    assert results(nb)
    assert "failed" not in results(nb)
    assert (folder / "hand-in" / "L_F_csc6022-hw2.pdf").stat().st_size > 50_000
