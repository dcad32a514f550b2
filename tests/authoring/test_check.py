"""`chainrule check`: sixteen slips of authors and others of their kind, each with notebook, cell and what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import nbformat
import pytest
from command_line import Typed
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell
from tiny_course import TINY, marked, notebook, set_due, tiny_notebook, type_command

from chainrule.authoring.cell_names import free_names
from chainrule.authoring.slips import slips
from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.release.master import masters
from chainrule.release.source import meant_marker

CASES = Path(__file__).parents[1] / "cases" / "author"
TABLE = "# Tiny\n\n| Question | Points |\n|:--|--:|\n| squares | 4 |\n| why | 1 |\n| **Total** | **5** |"
SCHEME = "| Points | For |\n|--:|:--|\n| 0.5 | the sign |\n| 0.5 | the reason |\n"
Change = Callable[[dict[str, NotebookNode]], None]


def sound() -> NotebookNode:
    """A notebook in which nothing is wrong."""
    nb = tiny_notebook()
    nb.cells[0].source = TABLE
    nb.cells[6].source = nb.cells[6].source.replace("### END MARK", f"\n{SCHEME}\n### END MARK")
    return nb


def write(root: Path, nb: NotebookNode) -> CourseFolder:
    folder = root / "source" / TINY
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, folder / f"{TINY}.ipynb")
    set_due(root, "2099-01-01 12:00 Europe/Zurich")
    return CourseFolder(root)


def replace(cell: str, old: str, new: str) -> Change:
    def change(cells: dict[str, NotebookNode]) -> None:
        assert old in cells[cell].source
        cells[cell].source = cells[cell].source.replace(old, new)

    return change


def mark(cell: str, **values: object) -> Change:
    return lambda cells: cells[cell].metadata.nbgrader.update(values)


def together(*changes: Change) -> Change:
    def change(cells: dict[str, NotebookNode]) -> None:
        for each in changes:
            each(cells)

    return change


def to_raw(cell: str) -> Change:
    return lambda cells: cells[cell].update(cell_type="raw")


CHECK, ANSWER = "square-check", "square-write"
SLIPS: dict[str, tuple[Change, str, str]] = {  # what is wrong, which cell is named, what is said
    "a marker for tests misspelt": (
        replace(CHECK, "BEGIN HIDDEN TESTS", "BEGIN HIDDEN TEST"),
        CHECK,
        "'### BEGIN HIDDEN TEST' is not one of the markers, so that nothing would be cut out: write ### BEGIN HIDDEN",
    ),
    "a marker with one letter wrong": (
        replace(CHECK, "BEGIN HIDDEN", "BEGIN HIDEN"),
        CHECK,
        "write ### BEGIN HIDDEN TESTS",
    ),
    "a marker in small letters": (
        replace(ANSWER, "### BEGIN SOLUTION", "## begin solution"),
        ANSWER,
        "write ### BEGIN SOLUTION",
    ),
    "a scheme's marker in one word": (
        replace("why-intro", "MARK SCHEME", "MARKSCHEME"),
        "why-intro",
        "write ### BEGIN MARK SCHEME",
    ),
    "a hidden test's import with a name of the student's": (
        replace(CHECK, "import chainrule.judging", "import chainrule.judging as square"),
        CHECK,
        "its import takes the name `square` from cell",
    ),
    "a hidden test's function with a name of the student's": (
        replace(CHECK, "import chainrule.judging", "def square(x): return x * x\n\nimport chainrule.judging"),
        CHECK,
        "its function or class takes the name `square` from cell",
    ),
    "an answer for later that is not closed": (
        replace("why-intro", "### END AFTER DUE", ""),
        "why-intro",
        "write END AFTER DUE where it ends",
    ),
    "an answer for later with a letter missing": (
        replace("why-intro", "BEGIN AFTER DUE", "BEGIN AFTR DUE"),
        "why-intro",
        "write ### BEGIN AFTER DUE",
    ),
    "an answer for later in students' code": (
        replace(ANSWER, "    # TODO", "    ### BEGIN AFTER DUE\n    ### END AFTER DUE\n    # TODO"),
        ANSWER,
        "no read-only Markdown cell: move it to one",
    ),
    "a marker that is not closed": (
        replace(ANSWER, "### END SOLUTION", ""),
        ANSWER,
        "write END SOLUTION where it ends",
    ),
    "a judging module above the hidden tests": (
        replace(CHECK, "item = Item", "import judging.tiny\n\nitem = Item"),
        CHECK,
        "it imports judging, which no student has: move the import between ### BEGIN HIDDEN TESTS",
    ),
    "an engine's module that does not ship": (
        replace("imports", "from chainrule.lesson import todo", "from chainrule.judging import networks"),
        "imports",
        "it imports chainrule.judging, which no student has",
    ),
    "an id twice": (mark("show", grade_id=ANSWER), ANSWER, "give one of them another name"),
    "an id with a blank": (
        mark(ANSWER, grade_id="square write"),
        "square write",
        "letters, digits, _ and - only",
    ),
    "an Item of another name": (
        replace(CHECK, 'Item("square-check"', 'Item("square"'),
        CHECK,
        "its Item is called 'square' and the cell 'square-check': write Item('square-check', …)",
    ),
    "an Item with other points than the metadata": (
        replace(CHECK, "points=4", "points=5"),
        CHECK,
        "its Item has 5 points and the cell's metadata 4: change one of them",
    ),
    "shares that do not add up": (
        replace(CHECK, "points=2", "points=1"),
        CHECK,
        "its checks share 3 points, and the item has 4: change the shares",
    ),
    "a table with another total": (
        replace("title", "**5**", "**6**"),
        "",
        "its table of points has a total of 6, and its items add up to 5: correct the table",
    ),
    "a row of the table with other points": (
        replace("title", "| why | 1 |", "| why | 2 |"),
        "title",
        "its table of points has 2 points for 'why', and the items there have 1 (why): correct the row, or the points",
    ),
    "a row of no item with other points": (
        replace("title", "| squares | 4 |", "| Powers | 3 |"),
        "title",
        "the rows of its table of points add up to 4, and its total is 5: correct the row that is wrong",
    ),
    "a row of a question with other points": (
        together(
            replace("title", "| squares | 4 |\n| why | 1 |", "| 1.1 Squares | 3 |\n| 1.2 | 1 |"),
            replace("imports", "from", "# ### 1.1\nfrom"),
            lambda cells: cells["collaborators"].update(source="## 1.1 · Squares"),
            replace("why-intro", "## Why", "## 1.2 · Why"),
        ),
        "title",
        "its table of points has 3 points for '1.1', and the items there have 4 (square-check): correct the row",
    ),
    "a heading with other points": (
        replace("why-intro", "## Why", "## Why (2 points)"),
        "why-intro",
        "its heading 'Why (2 points)' states 2 points, and the items below it have 1 (why): correct the heading, or",
    ),
    "a title with other points": (
        replace("title", "# Tiny", "# Tiny: 6 points"),
        "title",
        "states 6 points, and the items below it have 5 (square-check 4, why 1): correct the heading, or the points",
    ),
    "ids that differ in capital letters": (
        mark("show", grade_id="Square-Write"),
        "Square-Write",
        "its grade_id differs from square-write of tiny.ipynb only in capital letters, which files on Windows and "
        "macOS and some tables do not tell apart: give one of them another name",
    ),
    "a text of the scaffold": (
        replace("why-intro", "Why is $x^2 \\ge 0$?", "TODO: what is to be explained."),
        "why-intro",
        "it still says 'TODO: what is to be explained.', as `chainrule new` left it: write your own text there, or",
    ),
    "points as a text": (mark(CHECK, points="4"), CHECK, "`points` is the text '4': write 4 without quotes"),
    "points as words": (
        mark(CHECK, points="four"),
        CHECK,
        "is the text 'four': write a number that is 0 or more",
    ),
    "no points": (mark(CHECK, points=None), CHECK, "`points` is empty: write a number that is 0 or more"),
    "points below zero": (mark(CHECK, points=-1), CHECK, "`points` is -1: write a number that is 0 or more"),
    "an Item's points as a text": (
        replace(CHECK, "points=4", 'points="4"'),
        CHECK,
        "line 3: its points are the text '4': write a number without quotes, such as points=2",
    ),
    "a check's points as a text": (
        replace(CHECK, "points=2", 'points="2"'),
        CHECK,
        ": its points are the text '2': write a number without quotes, such as points=2",
    ),
    "a raw cell with points": (to_raw("why"), "why", "it is a raw cell, which is neither run nor shown"),
    "a raw cell that is locked": (to_raw("why-intro"), "why-intro", "it is a raw cell, which is neither run"),
    "a mark scheme with other points": (
        replace("why-intro", "| 0.5 | the reason", "| 1 | the reason"),
        "why",
        "its mark scheme gives 1.5 points, and its metadata 1: change one of them",
    ),
    "no score": (
        replace(CHECK, "item.score()", ""),
        CHECK,
        "does not end with `item.score()`, so that it has no score: add this",
    ),
    "a score that a semicolon hides": (
        replace(CHECK, "item.score()", "item.score();"),
        CHECK,
        "it ends with a semicolon, which hides its score from nbgrader: end it with `item.score()`",
    ),
    "a score among the hidden tests": (
        replace(CHECK, "### END HIDDEN TESTS\n\nitem.score()", "item.score()\n### END HIDDEN TESTS"),
        CHECK,
        "students get a cell without `item.score()`: move it below ### END HIDDEN TESTS",
    ),
    "a student's name without student": (
        replace(CHECK, "student.square(2)", "square(2)"),
        CHECK,
        "`square` is defined nowhere in the cell: write `student.square`",
    ),
    "a misspelt method of expect": (
        replace(CHECK, ".equals(4)", ".equal(4)"),
        CHECK,
        "expect(…) has no `equal`: write `equals`",
    ),
    "a misspelt method of the item": (
        replace(CHECK, 'item.check("squares 2"', 'item.chek("squares 2"'),
        CHECK,
        "item has no `chek`: write `check`",
    ),
    "a package that is not installed": (
        replace(CHECK, "item = Item", "import tensorflaw\n\nitem = Item"),
        CHECK,
        "imports tensorflaw, which is not installed here: install it",
    ),
    "a module of the course that there is not": (
        replace(CHECK, "import chainrule.judging", "import judging.question9"),
        CHECK,
        "imports judging.question9, and there is no such module",
    ),
    "an instructor's module in a text that runs": (
        replace(CHECK, "item = Item", 'exec("import judging")\n\nitem = Item'),
        CHECK,
        "it imports judging, which no student has",
    ),
    "an instructor's module by its bare name": (
        replace("show", "print(", '__import__("judging")\nprint('),
        "show",
        "it imports judging, which no student has",
    ),
    "an instructor's file that a magic runs": (
        replace("show", "print(", "%run ../../judging/tiny.py\nprint("),
        "show",
        "it imports judging, which no student has",
    ),
    "an engine's module as an attribute": (
        replace("show", "print(", "import chainrule\nchainrule.judging.networks\nprint("),
        "show",
        "it imports chainrule.judging, which no student has",
    ),
    "an expectation without a verb": (
        replace(CHECK, ".equals(4)", ""),
        CHECK,
        "expect(…) asks for nothing: add what is expected, such as .equals(…)",
    ),
    "a verb that is not called": (
        replace(CHECK, ".equals(4)", ".equals"),
        CHECK,
        "expect(…).equals is not called: write ( ) after it",
    ),
    "a comparison without assert": (
        replace(CHECK, 'expect(student.square(2), "square(2)").equals(4)', "student.square(2) == 4"),
        CHECK,
        "compares and says nothing of the answer: write assert before it",
    ),
    "a truth that is dropped": (
        replace(
            CHECK, 'expect(student.square(2), "square(2)").equals(4)', "isinstance(student.square(2), int)"
        ),
        CHECK,
        "compares and says nothing of the answer: write assert before it",
    ),
    "a truth that a check returns": (
        replace(
            CHECK, 'expect(student.square(2), "square(2)").equals(4)', "return student.square(2) in (4, 4.0)"
        ),
        CHECK,
        "line 8 returns whether the answer is right, and nobody reads that: write assert in place of return",
    ),
    "an assert of a tuple": (
        replace(CHECK, "item = Item", 'assert (Item is None, "why")\nitem = Item'),
        CHECK,
        "line 3: assert with ( , ) is always true: take the outer brackets away",
    ),
    "an assert of what is so": (
        replace(CHECK, "item = Item", "assert True\nitem = Item"),
        CHECK,
        "line 3: assert of True is always true: write what is asked for",
    ),
    "an assert with a comma for ==": (
        replace(CHECK, "item = Item", "assert len([1, 2]), 3\nitem = Item"),
        CHECK,
        "line 3: what stands after the comma of assert is its message, and is not compared: write ==",
    ),
    "hidden tests below a comment alone": (
        together(
            replace(CHECK, "### BEGIN HIDDEN TESTS\nimport chainrule.judging", "### START OF HIDDEN TESTS"),
            replace(CHECK, "### END HIDDEN TESTS", ""),
        ),
        CHECK,
        "students get what stands below '### START OF HIDDEN TESTS': write ### BEGIN HIDDEN TESTS there, and ### END",
    ),
    "a name of hidden tests in another cell": (
        together(
            replace(CHECK, "### END HIDDEN", "CASES = [1, 2]\n### END HIDDEN"),
            replace("show", "print(", "print(CASES, "),
        ),
        "show",
        "students get a cell that needs `CASES`, and its definition is cut out for them: define it outside of the",
    ),
    "an item in a cell without points": (
        together(
            mark(CHECK, grade=False),
            replace(CHECK, "### BEGIN HIDDEN TESTS\nimport chainrule.judging", ""),
            replace(CHECK, "### END HIDDEN TESTS", ""),
        ),
        CHECK,
        "it makes an Item, and is not marked as a cell with points: mark it as Autograder tests",
    ),
    "a model answer that is not in the scheme": (
        replace("why-intro", "### BEGIN MARK", "**Model answer.** As it is.\n\n### BEGIN MARK"),
        "why-intro",
        "students read its model answer: put it between ### BEGIN MARK SCHEME and ### END MARK SCHEME",
    ),
    "an answer where nobody can write": (
        lambda cells: cells[ANSWER].metadata.update(editable=False),
        ANSWER,
        "its metadata has editable: false, so that nobody can write there: take that out",
    ),
    "a picture that there is not": (
        replace("why-intro", "## Why", "## Why\n\n![a square](figures/square.png)"),
        "why-intro",
        "it shows the picture figures/square.png, and students get no such file: put it there, or correct the name",
    ),
    "a picture that the cell does not have": (
        replace("why-intro", "## Why", "## Why\n\n![a square](attachment:square.png)"),
        "why-intro",
        "it shows the picture attachment:square.png, which the cell does not have: paste it into the cell again",
    ),
    "a heading in another language": (
        replace("why-intro", "## Why", "## Pourquoi (1,5 points)"),
        "why-intro",
        "states 1.5 points, and the items below it have 1 (why)",
    ),
    "what students need is cut out": (
        replace(CHECK, "item.score()", "print(chainrule)\nitem.score()"),
        CHECK,
        "students get a cell that needs `chainrule`, and its definition is cut out for them: move it",
    ),
    "an old schema": (mark(ANSWER, schema_version=1), ANSWER, "run `nbgrader update"),
    "code that is no Python": (replace("show", "print(", "print(("), "show", "it is not Python"),
}


FORMS = (
    "# {}",
    "###{}:",
    "# --- {} ---",
    "#### {} ####",
    "### **{}**",
    "### {} (hidden)",
    "x = 1  # {}",
    "- {}",
    "`{}`",
)
WORDS = {
    "HIDDEN TESTS": (
        "HIDDEN TEST",
        "Hidden Tests",
        "hidden tests",
        "HIDDEN_TESTS",
        "HIDEN TESTS",
        "TESTS",
        "HIDDEN",
    ),
    "SOLUTION": ("SOLUTON", "Solution", "solution"),
    "AFTER DUE": ("AFTERDUE", "after due", "After Due", "AFTER DEU"),
    "MARK SCHEME": ("MARKSCHEME", "mark scheme", "Mark Scheme", "MARK SHEME", "MARKING SCHEME"),
}


@pytest.mark.parametrize("right", WORDS)
def test_a_marker_is_known_however_it_is_misspelt_and_adorned(right: str) -> None:
    for wrong in WORDS[right]:
        for form in FORMS:
            begin = "begin" if wrong.islower() else "Begin" if wrong.istitle() else "BEGIN"
            line = form.format(f"{begin} {wrong}")
            assert meant_marker(line, [f"BEGIN {each}" for each in WORDS]) == f"BEGIN {right}", line


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_has_its_cell_and_what_to_do(tmp_path: Path, slip: str) -> None:
    change, cell, says = SLIPS[slip]
    nb = sound()
    change({cell.id: cell for cell in nb.cells})
    found = slips(write(tmp_path, nb), TINY)
    assert any(says in line for line in found), found
    told = next(line for line in found if says in line)
    where = rf"cell {re.escape(cell)} \(number \d+ from the top\): " if cell else ""
    assert re.match(rf"{TINY}\.ipynb(, |: )?{where}", told), told


def test_nothing_is_wrong_with_a_sound_notebook(tmp_path: Path, chainrule: Callable[..., Typed]) -> None:
    write(tmp_path, sound())
    assert chainrule("check", "--no-run", "--course", tmp_path) == (0, f"{TINY}: nothing to mend\n", "")


def test_release_refuses_what_check_finds_unless_it_is_insisted_on(
    tmp_path: Path, chainrule: Callable[..., Typed]
) -> None:
    nb = sound()
    SLIPS["a judging module above the hidden tests"][0]({cell.id: cell for cell in nb.cells})
    write(tmp_path, nb)
    (tmp_path / "judging").mkdir()
    (tmp_path / "judging" / "tiny.py").touch()
    code, out, _ = chainrule("check", TINY, "--course", tmp_path)
    assert code == 1
    assert out.splitlines()[-1] == f"{TINY}: 1 to mend"
    code, _, err = chainrule("release", TINY, "--course", tmp_path)
    assert code == 2
    assert "which no student has" in err
    assert "--unchecked" in err
    assert not (tmp_path / "release").exists()
    said = type_command(tmp_path, "chainrule", "release", TINY, "--unchecked")
    assert "released to" in said


def test_a_module_beside_the_notebook_imports_nothing_of_the_instructors(tmp_path: Path) -> None:
    folder = write(tmp_path, sound())
    (tmp_path / "source" / TINY / "figures").mkdir()
    module = tmp_path / "source" / TINY / "figures" / "plot.py"
    module.write_text("import chainrule.judging.networks\n")
    (said,) = slips(folder, TINY)
    assert said.startswith("figures/plot.py: students get it, and it imports chainrule.judging")


def test_a_course_with_markers_of_its_own(tmp_path: Path) -> None:
    """nbgrader's own ones would cut nothing out there."""
    nb = sound()
    cells = {cell.id: cell for cell in nb.cells}
    replace(CHECK, "item = Item", "import judging\n\nitem = Item")(cells)
    for words in ("HIDDEN TESTS", "SOLUTION"):
        for cell in nb.cells:
            cell.source = cell.source.replace(f"BEGIN {words}", f"AB {words}").replace(
                f"END {words}", f"BIS {words}"
            )
    write(tmp_path, nb)
    with (tmp_path / CONFIG).open("a") as file:
        for step, what, words in (
            ("ClearHiddenTests", "test", "HIDDEN TESTS"),
            ("ClearSolutions", "solution", "SOLUTION"),
            ("ClearMarkScheme", "mark_scheme", "MARK SCHEME"),
        ):
            file.write(f"c.{step}.begin_{what}_delimeter = 'AB {words}'\n")
            file.write(f"c.{step}.end_{what}_delimeter = 'BIS {words}'\n")
    (said,) = slips(CourseFolder(tmp_path), TINY)
    assert "why-intro" in said
    assert "'### BEGIN MARK SCHEME' is not one of the markers" in said
    assert said.endswith("write ### AB MARK SCHEME")
    replace("why-intro", "### BEGIN MARK SCHEME", "### AB MARK SCHEME")(cells)
    replace("why-intro", "### END MARK SCHEME", "### BIS MARK SCHEME")(cells)
    nbformat.write(nb, tmp_path / "source" / TINY / f"{TINY}.ipynb")
    (said,) = slips(CourseFolder(tmp_path), TINY)
    assert said.endswith("move the import between ### AB HIDDEN TESTS and ### BIS HIDDEN TESTS")


def test_a_header_and_a_footer_are_read_too(tmp_path: Path) -> None:
    nb = sound()
    nb.cells[0].source = TABLE.replace("| why | 1 |", "| why | 1 |\n| end | 1 |").replace("**5**", "**6**")
    write(tmp_path, nb)
    with (tmp_path / CONFIG).open("a") as file:
        file.write("c.IncludeHeaderFooter.header = 'source/top.ipynb'\n")
        file.write("c.IncludeHeaderFooter.footer = 'source/end.ipynb'\n")
    top = notebook([marked(new_code_cell("import math"), "top")])
    end = notebook([marked(new_code_cell("assert square(1) == 1"), "end", 1)])
    nbformat.write(top, tmp_path / "source" / "top.ipynb")
    assert "source/end.ipynb cannot be opened (No such file or directory)" in slips(
        CourseFolder(tmp_path), TINY
    )
    nbformat.write(end, tmp_path / "source" / "end.ipynb")
    assert slips(CourseFolder(tmp_path), TINY) == []
    end.cells[0].source += "\n### BEGIN HIDDEN TEST\nassert square(2) == 4"
    top.cells[0].metadata.nbgrader.grade_id = "imports"
    nbformat.write(top, tmp_path / "source" / "top.ipynb")
    nbformat.write(end, tmp_path / "source" / "end.ipynb")
    with pytest.raises(
        CourseError, match=r"tiny\.ipynb cannot be released .* `chainrule check tiny` says where"
    ):
        masters(CourseFolder(tmp_path), TINY)
    misspelt, taken, *_ = slips(CourseFolder(tmp_path), TINY)
    assert misspelt.startswith(
        "end.ipynb, cell end (number 1 from the top): '### BEGIN HIDDEN TEST' is not one of"
    )
    assert taken.startswith(
        "tiny.ipynb, cell imports (number 3 from the top): it has the same grade_id as a cell of"
    )


FILES: dict[str, tuple[str, str]] = {  # what is written there, and what is said
    "tiny.py": ("    ### BEGIN SOLUTION\n", "it has BEGIN SOLUTION in it: only notebooks named .ipynb"),
    "tiny.ipynb.orig": ('"source": "### BEGIN HIDDEN TESTS"', "it has BEGIN HIDDEN TESTS in it"),
    "week1.IPYNB": ('{"nbgrader": {"grade_id": "a"}}', "it has nbgrader's metadata in it"),
    "figures/q1-Lösung.png": ("", "its name says that it is not for them: move it into the judging package"),
    "tiny-solution.ipynb": (
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "its name says",
    ),
    "old/tiny.ipynb": (
        "{}",
        "no student gets it, because notebooks in folders of an assignment are not released",
    ),
    "tiny.html": ('<span class="c1">### BEGIN SOLUTION</span>', "it has BEGIN SOLUTION in it"),
    "hidden_tests.py": ("", "its name says that it is not for them"),
    "instructor-notes.md": ("", "its name says that it is not for them"),
    "tiny-Copy1.ipynb": (
        '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
        "it is released as a notebook of its own, and Jupyter gave it its name: delete it, or rename it",
    ),
    "judging/tiny.py": ("", "judging modules are not for them: move it out of source/"),
    "data/loss: 1.csv": ("", "Windows has no file of this name"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_should_not_ship_is_named(tmp_path: Path, name: str) -> None:
    folder = write(tmp_path, sound())
    text, says = FILES[name]
    file = tmp_path / "source" / TINY / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    (said,) = slips(folder, TINY)
    assert said.startswith(f"{name}: ")
    assert says in said


def test_an_archive_is_opened(tmp_path: Path) -> None:
    folder = write(tmp_path, sound())
    with ZipFile(tmp_path / "source" / TINY / "all.zip", "w", ZIP_DEFLATED) as archive:
        archive.writestr("tiny/tiny.ipynb", nbformat.writes(sound()))
    (said,) = slips(folder, TINY)
    assert said.startswith("all.zip: students get it as it is, and it has BEGIN SOLUTION in it")


def test_files_that_may_ship(tmp_path: Path) -> None:
    """And those that never do: of editors, of systems and of version control."""
    folder = write(tmp_path, sound())
    source = tmp_path / "source" / TINY
    written = "### BEGIN SOLUTION"
    for name, text in {
        "solution.py": "def square(x): ...\n",  # for students to write
        "README.md": "Leave what stands between BEGIN SOLUTION and END SOLUTION.\n",
        "figures/my plot.png": "",
        "solution_template.md": "",  # for students to fill
        "your-solution.txt": "",
        "Lösung Vorlage.txt": "",
        "answers_sheet.pdf": "",
        "dissolution.csv": "",
        "hidden_layers.md": "",
        "instructor.png": "",
        "exact_solution.npy": "",  # of an equation
        ".git/tiny.py": written,
        ".ipynb_checkpoints/tiny-checkpoint.ipynb": written,
        "tiny.ipynb~": written,
    }.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    nb = sound()
    nb.cells[6].source = (
        "![ours](figures/my%20plot.png) ![other](https://example.org/x.png) `![yours](plot.png)`\n"
        f"\n```\n![yours](plot.png)\n```\n{nb.cells[6].source}"
    )
    write(tmp_path, nb)
    assert slips(folder, TINY) == []


def test_an_author_can_say_that_a_file_is_for_students(tmp_path: Path) -> None:
    folder = write(tmp_path, sound())
    for name in ("water-solutions.csv", "tables/solution.csv", "q1-solution.png"):
        file = tmp_path / "source" / TINY / name
        file.parent.mkdir(exist_ok=True)
        file.touch()
    assert len(slips(folder, TINY)) == 3
    with (tmp_path / CONFIG).open("a") as config:
        config.write(f"c.Course.for_students = {{{TINY!r}: ['water-*', 'tables/solution.csv']}}\n")
    (said,) = slips(CourseFolder(tmp_path), TINY)
    assert said.startswith(
        "q1-solution.png: students get it, and its name says that it is not for them: move it into"
    )
    assert said.endswith(
        "if it is for them, rename it, or list it in c.Course.for_students of nbgrader_config.py"
    )


def test_a_link_to_a_folder_is_not_released(tmp_path: Path) -> None:
    folder = write(tmp_path, sound())
    (tmp_path / "tables").mkdir()
    (tmp_path / "source" / TINY / "data").symlink_to(tmp_path / "tables")
    (said,) = slips(folder, TINY)
    assert said.startswith("data: it is a link to a folder, which grading follows and a release does not")


# -- what only a run shows ---------------------------------------------------------------------------------

UNPROVEN: dict[str, tuple[Change, str, str]] = {
    "a check that crashes": (
        replace(CHECK, "student.square(2)", "len(student.square(2))"),
        CHECK,
        "its check 'squares 2' stops with an error of its own at the reference solution (TypeError",
    ),
    "a wrong reference": (
        replace(ANSWER, "x * x", "x + x"),
        CHECK,
        "the reference solution fails its check 'squares -3' (square(-3) is -6, not 9): correct the solution or",
    ),
    "a blank that earns": (
        replace(CHECK, 'expect(student.square(2), "square(2)").equals(4)', "pass"),
        CHECK,
        "the blank release earns 1 point by its check 'squares 2': let the check need what students write",
    ),
    "a check that crashes at a blank": (
        replace(
            CHECK,
            'expect(student.square(2), "square(2)").equals(4)',
            "try:\n        student.square(2)\n    except Exception as error:\n        raise ValueError from error",
        ),
        CHECK,
        "stops with an error of its own at an answer that is not written (ValueError)",
    ),
    "shares of a loop": (
        replace(CHECK, "points=1, disclose", "points=2 / 3, disclose"),
        CHECK,
        "its checks share 3.66667 points, and the item has 4: change",
    ),
    "a cell that stops": (
        replace("show", "square(3)", "square(3, 4)"),
        "show",
        "the reference solution stops here with TypeError",
    ),
    "a cell that cannot be judged": (
        replace(CHECK, "item = Item(", "1 / 0\nitem = Item("),
        CHECK,
        "it cannot be judged: the graded cell itself raised ZeroDivisionError",
    ),
}


def test_what_only_a_run_shows(tmp_path: Path, chainrule: Callable[..., Typed]) -> None:
    """A notebook for each, so that they run together."""
    folder = tmp_path / "source" / TINY
    write(tmp_path, sound())
    for number, (change, _, _) in enumerate(UNPROVEN.values()):
        nb = sound()
        change({cell.id: cell for cell in nb.cells})
        nbformat.write(nb, folder / f"n{number}.ipynb")
    code, out, _ = chainrule("check", TINY, "--course", tmp_path)
    assert code == 1
    for number, (slip, (_, cell, says)) in enumerate(UNPROVEN.items()):
        told = [
            line for line in out.splitlines() if line.startswith(f"n{number}.ipynb, cell {cell} (number ")
        ]
        assert any(says in line for line in told), (slip, told)
    assert f"{TINY}.ipynb, cell" not in out
    assert len({*out.splitlines()}) == len(out.splitlines())  # what holds for both is said once
    again = chainrule("check", TINY, "--course", tmp_path)[1]
    assert again == "".join(line for line in out.splitlines(True) if "running the reference" not in line)


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.ipynb")))
def test_the_inputs_of_author(tmp_path: Path, chainrule: Callable[..., Typed], case: str) -> None:
    write(tmp_path, sound())
    shutil.copy(CASES / f"{case}.ipynb", tmp_path / "source" / TINY / f"{case}.ipynb")
    code, out, _ = chainrule("check", TINY, "--course", tmp_path)
    assert code == 1
    assert out.startswith(f"{case}.ipynb, cell ")


@pytest.mark.parametrize(
    ("cell", "source"),
    [
        ("imports", "%matplotlib inline\nfrom chainrule.lesson import todo"),
        ("imports", "try:\n    import tensorflaw\nexcept ImportError:\n    tensorflaw = None"),
        (
            "show",
            "begin_solution = END_SOLUTIONS = 3\nprint(begin_solution)  # begins at the solution of the equation",
        ),
        ("show", "# begin the solution with a sketch of the parts\nprint('end-solution#1', 'judging')"),
        ("show", "import chainrule\nprint(chainrule.__name__)"),
        ("show", "# the solution begins here\n# hidden tests come at the end\nprint(1)"),
        ("title", f"{TABLE}\n\n## Solutions\n\n## Mark scheme"),
        (
            "title",
            "| Frage | Punkte |\n|:--|--:|\n| Quadrate | 4,0 |\n| Warum | 1 |\n| **Summe** | **5,0** |",
        ),
        (CHECK, tiny_notebook().cells[5].source.replace("Item, expect", "*")),
        (
            CHECK,
            tiny_notebook().cells[5].source.replace("### BEGIN", "# hidden tests follow here\n### BEGIN"),
        ),
    ],
)
def test_what_is_no_slip(tmp_path: Path, cell: str, source: str) -> None:
    nb = sound()
    next(each for each in nb.cells if each.id == cell).source = source
    assert slips(write(tmp_path, nb), TINY) == []


def test_checks_in_a_loop_are_not_counted_by_their_text(tmp_path: Path) -> None:
    """Their shares are known when they run."""
    nb = sound()
    source = next(cell for cell in nb.cells if cell.id == CHECK).source
    loop = 'for x in (1, 2):\n\n    @item.check(f"squares {x}", points=0.5)\n    def _(student, x=x):\n        pass\n'
    nb.cells[5].source = source.replace("import chainrule.judging", loop).replace("points=2", "points=1")
    assert slips(write(tmp_path, nb), TINY) == []


@pytest.mark.parametrize(
    "table",
    [
        "| 1.1 – 1.2 | 5 |",  # a row for two questions
        "| Question 1 | 5 |\n| 1.1 | 4 |\n| 1.2 | 1 |",  # a sum above its parts
        "| 1.1 (a) | 1 |\n| 1.1 (b) | 3 |\n| 1.2 | 1 |",
        "| 1.1 a | 2.5 |\n| 1.1 b | 1.5 |\n| why | 1 |",
        "| `square` | 4 |\n| **1.2** | 1 |",
        "| squares and why | 4 + 1 |",
        "| All | 5 |\n| Squares | 4 |\n| Reasons | 1 |",
    ],
)
@pytest.mark.parametrize("parts", ["##", "#"])
def test_tables_and_headings_that_fit(tmp_path: Path, table: str, parts: str) -> None:
    """However the rows are called, and also where the parts are no deeper than their question."""
    nb = sound()
    cells = {cell.id: cell for cell in nb.cells}
    head = "# Homework (25 points)\n\n| Question | Points |\n|:--|--:|\n"
    cells["title"].source = f"{head}{table}\n| **Total** | **5** |\n\n# Question 1 (5 points)\n\nTwo."
    cells["collaborators"].source = f"{parts} 1.1 · Squares (4 points)\n\n```\n# no heading (7 points)\n```"
    cells[
        "why-intro"
    ].source = f"{parts} 1.2 [1 point]\n\n#### Bonus (2 points)\n\n{cells['why-intro'].source}"
    cells["why"].source = "# An answer (3 points)"
    folder = write(tmp_path, nb)
    other = sound()
    other.cells = [cell for cell in other.cells if cell.id in ("imports", "square-write", "square-check")]
    other.cells[-1].source = other.cells[-1].source.replace("points=", "points=5 * ")
    other.cells[-1].metadata.nbgrader.points = 20  # the title may state those of the assignment
    nbformat.write(other, tmp_path / "source" / TINY / "other.ipynb")
    assert slips(folder, TINY) == []


def test_names_that_windows_does_not_tell_apart(tmp_path: Path) -> None:
    """Of items in two notebooks, and of files. The same name in two notebooks is told apart by the notebook."""
    folder = write(tmp_path, sound())
    nb = sound()
    nb.cells[-1].metadata.nbgrader.grade_id = "Why"
    nbformat.write(nb, tmp_path / "source" / TINY / "Tiny.ipynb")
    where = "tiny.ipynb, cell why (number 8 from the top): its grade_id differs from Why of Tiny.ipynb only in capital"
    said = slips(folder, TINY)
    assert next(line for line in said if "grade_id" in line).startswith(where)
    assert "tiny.ipynb: its name differs from Tiny.ipynb only in capital letters" in said[-1]
    assert len(said) == 2


def test_a_fact_that_is_out_of_date_is_read_as_it_is_released(tmp_path: Path) -> None:
    nb = sound()
    nb.cells[0].source = TABLE.replace("**5**", "**6**")
    nb.cells[0].metadata.chainrule = {"facts": {"**6**": "**@total@**"}}
    assert slips(write(tmp_path, nb), TINY) == []


@pytest.mark.parametrize(
    ("source", "free"),
    [
        ("import torch\ndef f(student):\n    return student.MLP(torch.rand(2))", set()),
        ("def f(student):\n    return MLP", {"MLP"}),
        ("[mlp for i in range(3)]", {"mlp"}),
        ("def f():\n    def g():\n        return model\n    return g", {"model"}),
        ("class A:\n    x: int = data", {"data"}),
        ("def f(x=history): ...", {"history"}),
        ("for k, v in enumerate('ab'):\n    print(k, v)", set()),
        ("def f():\n    x = 1\n    return [x + y for y in range(x)]", set()),
    ],
)
def test_free_names(source: str, free: set[str]) -> None:
    assert free_names(source) == free
