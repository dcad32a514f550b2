"""The course's own modules: the referee imports them, no worker sees the judging package, verdicts depend on it."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from tiny_course import SOLUTION, marked, notebook, submit, type_command
from workers import clear, hide_bubblewrap, run, value

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.grading import sandbox
from chainrule.grading.classroom import scores
from chainrule.grading.kernel import Zygote
from chainrule.modules import (
    CourseModules,
    all_distributions,
    distributions_of,
    hidden_from_workers,
    imported,
    load,
    packages_of,
)

SECRET = "the-right-value-is-42"
INSTALLED = "judging_of_a_test"  # a pip-installed course's


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def modules(tmp_path: Path) -> CourseModules:
    """A course with a judging package and a module beside its notebooks."""
    write(tmp_path / "judging" / "__init__.py", "")
    write(tmp_path / "judging" / "hw1" / "__init__.py", "")
    write(tmp_path / "judging" / "hw1" / "values.py", "from given import table\n\nRIGHT = table.ONE + 41\n")
    write(tmp_path / "source" / "hw1" / "given" / "__init__.py", "")
    write(tmp_path / "source" / "hw1" / "given" / "table.py", "ONE = 1\n")
    return CourseModules(tmp_path, "judging", tmp_path / "source" / "hw1")


# ---- imported by the referee ---------------------------------------------------------------------------------


def test_the_courses_modules_are_those_of_its_folder_and_only_for_a_while(modules: CourseModules) -> None:
    assert load(modules, "judging.hw1.values").RIGHT == 42
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("given.table_2")
    assert modules not in sys.meta_path


def test_a_changed_file_is_read_again_and_another_course_has_its_own(
    modules: CourseModules, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert load(modules, "judging.hw1.values").RIGHT == 42
    write(modules.beside / "given" / "table.py", "ONE = 1000\n")
    assert load(modules, "judging.hw1.values").RIGHT == 1041
    other = tmp_path_factory.mktemp("other")
    write(other / "judging" / "__init__.py", "")
    write(other / "judging" / "hw1.py", "RIGHT = 7\n")
    assert load(CourseModules(other, "judging", other / "source" / "hw1"), "judging.hw1").RIGHT == 7
    assert load(modules, "judging.hw1.values").RIGHT == 1041


def test_a_shipped_module_never_takes_the_place_of_pythons_own(modules: CourseModules) -> None:
    write(modules.beside / "math.py", "pi = 3\n")
    assert "math" not in CourseModules(modules.root, "judging", modules.beside).shipped


# ---- what verdicts depend on ---------------------------------------------------------------------------------


def test_versions_of_what_code_imports_whether_or_not_it_is_installed() -> None:
    code = [
        "%matplotlib inline\nimport nbformat.v4\nimport not_there_at_all",
        "from rich import box",
        "no Python (",
        "",
    ]
    assert packages_of(code) == {name: version(name) for name in ("nbformat", "rich")}


def names(files: list[Path], root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in files}


def test_what_is_imported_is_followed_through_the_course(modules: CourseModules) -> None:
    write(modules.root / "judging" / "hw1" / "other.py", "")
    write(modules.root / "judging" / "hw1" / "near.py", "from .values import RIGHT\n")
    write(modules.root / "judging" / "hw1" / "weights.bin", "1 2 3")
    write(modules.root / "judging" / "hw1" / "notes.md", "")
    write(modules.root / "judging" / "hw1" / "answers" / "right.py", "")
    write(modules.root / "judging" / "hw2" / "values.py", "")
    files, versions = imported(
        modules, ["import torch\nfrom judging.hw1 import near\nimport json, chainrule.lesson"]
    )
    assert names(files, modules.root) == {
        "judging/__init__.py",
        "judging/hw1/__init__.py",
        "judging/hw1/near.py",
        "judging/hw1/other.py",
        "judging/hw1/values.py",
        "judging/hw1/weights.bin",
        "source/hw1/given/__init__.py",
        "source/hw1/given/table.py",
    }
    assert set(versions) == {"torch"}


@pytest.mark.parametrize(
    "source",
    [
        "import judging.hw1.values",
        "import judging.hw1.values as v",
        "from judging.hw1.values import RIGHT",
        "from judging.hw1 import values as v",
        "def check():\n    if True:\n        from judging.hw1 import values",
        "import importlib\nimportlib.import_module('judging.hw1.values')",
        "place = 'judging.hw1.values:RIGHT'",
        "%matplotlib inline\nimport judging.hw1.values",
        "%%time\nif True:\n    !ls\n    import judging.hw1.values",
        "import judging.hw1.values\nx = (7\n    % 2)",
    ],
)
def test_every_way_to_import_is_seen(modules: CourseModules, source: str) -> None:
    assert "judging/hw1/values.py" in names(imported(modules, [source])[0], modules.root)


@pytest.mark.parametrize(
    "code",
    [
        "from judging.hw1.star import *",
        "import importlib\nimportlib.import_module(f'{__package__}.p_{1}')",
        "import importlib\nimportlib.import_module('.p_1', __package__)",
    ],
)
def test_names_that_code_puts_together_count_too(modules: CourseModules, code: str) -> None:
    write(modules.root / "judging" / "hw1" / "p_1.py", "")
    write(modules.root / "judging" / "hw1" / "star" / "__init__.py", "__all__ = ['v']")
    write(modules.root / "judging" / "hw1" / "star" / "v.py", "")
    write(modules.root / "judging" / "hw1" / "loads.py", "\ufeff" + code)  # with a byte order mark
    write(modules.root / "judging" / "table.txt", "")
    files = names(imported(modules, ["from judging.hw1 import loads"])[0], modules.root)
    assert {"judging/hw1/p_1.py", "judging/hw1/star/v.py", "judging/table.txt"} <= files


def test_a_judging_folder_without_init_and_a_single_file_serve_as_well(tmp_path: Path) -> None:
    for name in ("folder", "file"):
        root = tmp_path / name
        write(root / ("judging/hw1.py" if name == "folder" else "judging.py"), "RIGHT = 3\n")
        course = CourseModules(root, "judging", root / "source" / "hw1")
        module = "judging.hw1" if name == "folder" else "judging"
        assert load(course, module).RIGHT == 3
        assert len(imported(course, [f"import {module}"])[0]) == 1


def test_what_ships_takes_no_installed_modules_name(modules: CourseModules) -> None:
    for name in ("numpy.py", "chainrule/__init__.py", "own.py"):
        write(modules.beside / name, "")
    assert CourseModules(modules.root, "judging", modules.beside).shipped == {"given", "own"}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("c.Course.judging = 'my.package'", "the name of one package"),
        ("c.Course.judging = 'secrets'", "the name of one package"),
        ("c.Course.judging = 'chainrule'", "the name of one package"),
        ("c.Course.preload = ['judging.hw1']", "no worker may see the judging package"),
    ],
)
def test_a_slip_in_the_configuration_is_refused(course: Path, line: str, words: str) -> None:
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"\n{line}\n")
    with pytest.raises(CourseError, match=words):
        CourseFolder(course)


def test_code_that_is_no_python_imports_nothing(modules: CourseModules) -> None:
    assert imported(modules, ["%%bash\nls"]) == ([], {})


def test_an_installed_course_counts_by_its_content(
    modules: CourseModules, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    write(site / INSTALLED / "__init__.py", "")
    values = write(site / INSTALLED / "values.py", "RIGHT = 1\n")
    loose = write(site / "loose_module_of_a_test.py", "")  # no distribution has brought it
    monkeypatch.syspath_prepend(str(site))
    course = CourseModules(modules.root, INSTALLED, modules.beside)
    files, _ = imported(course, [f"from {INSTALLED} import values\nimport loose_module_of_a_test"])
    assert {values, loose} <= set(files)


JUDGED = """from chainrule.lesson import Item, expect
from judging.tiny import values

item = Item("square-check", points=2)


@item.check("of three", points=2)
def _(student):
    expect(student.square(3.0), "square(3)").close_to(values.RIGHT)


item.score()
"""


def judged(course: Path) -> Path:
    """A course whose check takes its right value from a judging module."""
    write(course / "judging" / "__init__.py", "")
    write(course / "judging" / "tiny" / "__init__.py", "")
    write(course / "judging" / "tiny" / "values.py", "RIGHT = 9.0\n")
    return course


def test_a_changed_judging_module_judges_all_again_and_diff_says_so(course: Path) -> None:
    values = judged(course) / "judging" / "tiny" / "values.py"
    cells = [
        marked(new_code_cell("from chainrule.lesson import todo"), "imports"),
        marked(new_code_cell(SOLUTION), "f", solution=True),
        marked(new_code_cell(JUDGED), "square-check", 2),
    ]
    nb = notebook(cells)
    (course / "source" / "judged").mkdir()
    nbformat.write(nb, course / "source" / "judged" / "judged.ipynb")
    type_command(course, "chainrule", "release", "judged", "--unchecked")
    for student in ("ann", "bo"):
        submit(course, student, nb, "judged")
    grade = ("chainrule", "grade", "judged", "--diff", "--jobs", "1")
    type_command(course, *grade)
    assert "no score has changed" in type_command(course, *grade)
    values.write_text("RIGHT = 10.0\n", encoding="utf-8")
    said = type_command(course, *grade)
    assert "ann square-check 2 → 0" in said
    assert "bo square-check 2 → 0" in said
    assert "because the judging modules changed" in said


WHOLE_CHECK = JUDGED.replace("from judging.tiny import values\n", "").replace("values.RIGHT", "9.0")


def test_a_cell_whose_checks_are_in_a_judging_module_is_run_by_the_referee(course: Path) -> None:
    write(judged(course) / "judging" / "tiny" / "whole.py", WHOLE_CHECK.replace("item.score()", ""))
    cells = [
        marked(new_code_cell("from chainrule.lesson import todo"), "imports"),
        marked(new_code_cell(SOLUTION), "f", solution=True),
        marked(new_code_cell("from judging.tiny.whole import item\n\nitem.score()"), "square-check", 2),
    ]
    (course / "source" / "judged").mkdir()
    nbformat.write(notebook(cells), course / "source" / "judged" / "judged.ipynb")
    submit(course, "ann", notebook(cells), "judged")
    said = type_command(course, "chainrule", "grade", "judged", "--jobs", "1")
    assert "plain asserts" not in said
    assert scores(CourseFolder(course), "judged", "ann") == {"square-check": 2.0}


# ---- out of a worker's sight ---------------------------------------------------------------------------------

THIEF = """
import importlib, json, os, sys
SECRET, NAMES, PLACES = {secret!r}, {names!r}, {places!r}
found, tried = [], 0
for name in NAMES:
    try:
        module = importlib.import_module(name)  # an emptied folder may be one, with nothing in it
        found += ["import " + name] if getattr(module, "__file__", None) else []
    except (ImportError, OSError):
        tried += 1
def look(path):
    global tried
    tried += 1
    try:
        with open(path, "rb") as file:
            if SECRET.encode() in file.read(100_000):
                found.append(path)
    except OSError:
        pass
def walk(root):
    for folder, below, files in os.walk(root):
        if folder.count("/") - root.count("/") > 4:
            below.clear()
        for name in files:
            if name.endswith((".py", ".pyc", ".txt", ".md")):
                look(os.path.join(folder, name))
for place in PLACES:
    look(place)
    walk(os.path.dirname(place))
    for process in ["self", "1", *filter(str.isdigit, os.listdir("/proc"))]:
        for door in ("root", "cwd"):
            look(f"/proc/{{process}}/{{door}}{{place}}")
for entry in sys.path:
    if entry.endswith("packages"):
        for name in NAMES:
            walk(os.path.join(entry, name.split(".")[0]))
json.dumps({{"found": found, "tried": tried, "control": open({control!r}).read()}})
"""


@pytest.fixture(params=["bubblewrap", "Landlock"])
def tier(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A machine with bubblewrap, and one with Landlock alone."""
    if request.param == "Landlock":
        monkeypatch.setenv("PATH", str(hide_bubblewrap(tmp_path / "bin")))
        clear()
        if "files" in sandbox.confinement().lacks:
            clear()
            pytest.skip("this system has no Landlock; the loud line says that files are not isolated")
    yield request.param
    monkeypatch.undo()
    clear()


def test_no_worker_can_read_the_judging_package_by_any_path(
    course: Path, tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the course folder's own nor an installed one; what is installed beside it is there as ever."""
    site = tmp_path / "site-packages"
    second = tmp_path / "more" / "site-packages"
    control = write(site / "package_of_a_test" / "__init__.py", "VISIBLE = 1")
    places = [
        write(judged(course) / "judging" / "tiny" / "secret.py", f"'{SECRET}'"),
        write(site / INSTALLED / "hw1" / "secret.py", f"'{SECRET}'"),
        write(site / INSTALLED / "__init__.py", f"'{SECRET}'"),
        write(site / INSTALLED / "data.txt", SECRET),
        write(second / INSTALLED / "secret.py", f"'{SECRET}'"),  # the second of two on the path
    ]
    monkeypatch.syspath_prepend(str(second))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}:{second}")
    with (course / CONFIG).open("a", encoding="utf-8") as config:
        config.write(f"\nc.Course.judging = {INSTALLED!r}\n")
    thief = THIEF.format(
        secret=SECRET,
        names=[
            "judging",
            "judging.tiny.secret",
            INSTALLED,
            f"{INSTALLED}.hw1.secret",
            "chainrule.judging.networks",
        ],
        places=[str(place) for place in places],
        control=str(control),
    )
    with closing(Zygote(1)) as zygote:  # one that knows this PYTHONPATH
        result = value(run(course, thief, zygote=zygote.line().detach()))
    assert result["control"] == "VISIBLE = 1"  # it did look where packages are
    assert result["tried"] > 20
    assert result["found"] == []


def test_landlock_leaves_out_what_is_hidden_in_a_visible_place(tmp_path: Path) -> None:
    for name in ("a/x/1.py", "a/y/2.py", "b/3.py"):
        write(tmp_path / "site" / name, "")
    (tmp_path / "site" / "link").symlink_to(tmp_path / "site" / "a")
    listable, readable = sandbox.without_hidden(
        [tmp_path / "site"], [tmp_path / "site" / "a" / "x", tmp_path]
    )
    assert {str(path.relative_to(tmp_path)) for path in listable} == {"site", "site/a"}
    assert {str(path.relative_to(tmp_path)) for path in readable} == {"site/a/y", "site/b"}


def test_what_is_hidden_has_its_compiled_form_and_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site-packages"
    module = write(site / f"{INSTALLED}.py", "RIGHT = 1")
    compiled = write(site / "__pycache__" / f"{INSTALLED}.cpython-311.pyc", "")
    project = tmp_path / "src" / "project"
    about = json.dumps({"url": project.as_uri(), "dir_info": {"editable": True}})
    write(
        site / "project_of_a_test-1.dist-info" / "METADATA",
        "Metadata-Version: 2.1\nName: project-of-a-test\nVersion: 1\n",
    )
    write(site / "project_of_a_test-1.dist-info" / "top_level.txt", f"{INSTALLED}\n")
    write(site / "project_of_a_test-1.dist-info" / "direct_url.json", about)
    monkeypatch.syspath_prepend(str(site))
    all_distributions.cache_clear()
    distributions_of.cache_clear()
    try:
        assert {tmp_path / "course", module, compiled, project} <= set(
            hidden_from_workers(tmp_path / "course", INSTALLED)
        )
    finally:
        all_distributions.cache_clear()
        distributions_of.cache_clear()
