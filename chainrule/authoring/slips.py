"""Finds an author's slips by reading: what nbgrader would release without a word, and students would pay for.

`chainrule.release.source` finds what nbgrader's own steps refuse. Nothing is run here; see `chainrule.authoring.proof`
for what only a run shows.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, ClearMarkScheme, ClearSolutions, IncludeHeaderFooter
from traitlets.config import Configurable

from chainrule.alternatives import counted_maximum
from chainrule.authoring.cell_items import (
    argument,
    asked_of_student,
    counted_value,
    ends_with_score,
    idle_statements,
    item_calls,
    item_names,
    misspelt_methods,
    swallowed_asserts,
    top_level_checks,
    uncalled_tests,
)
from chainrule.authoring.cell_names import (
    free_names,
    imports_all,
    instructors_imports,
    missing_packages,
    parses,
    plain,
    top_names,
)
from chainrule.authoring.idle_calls import functions_of, thrown_away
from chainrule.authoring.leaks import readable_answers, typed_answers, words_of
from chainrule.authoring.luck import has_seed, imported_names, lucky
from chainrule.authoring.new import PLACEHOLDERS
from chainrule.authoring.other_markers import other_markers
from chainrule.authoring.shipped import ALIKE, file_slips, picture_slips
from chainrule.authoring.stated_points import heading_misfits, row_misfits, sections, sentence_misfits
from chainrule.authoring.student_view import as_students_get_it, region
from chainrule.course import CourseError, CourseFolder, lacks
from chainrule.intake.notebook import read_source
from chainrule.lesson.frameworks import PYTORCH
from chainrule.lesson.results import counted
from chainrule.marking.rubric import Delimiters, read_scheme, scheme_cell
from chainrule.metadata import source_notebook
from chainrule.modules import CourseModules, imports_in, parsed
from chainrule.release.facts import fill_known, item_points
from chainrule.release.points_table import misfit, stated_rows
from chainrule.release.source import REGIONS, place, problems, short

HIDDEN = re.compile(r"(?i)#+\W*.*\b(?:hidden|private|secret)[\s_-]*tests?\b")
SHEETS = {".pdf", ".docx", ".odt", ".pptx", ".png", ".jpg", ".jpeg", ".zip"}
READABLE = {".py", ".md", ".txt", ".html", ".json", ".yml", ".yaml", ".toml", ".rst", ".tex"}
MODEL_ANSWER = re.compile(r"(?im)^\s*(?:#{1,6}\s+|\*\*|__)(?:model|sample)[ -](?:answer|solution)\b")


def slips(folder: CourseFolder, assignment: str) -> list[str]:
    """A sentence about each thing that is wrong with an assignment: notebook, cell, and what to do."""
    parent = Configurable(config=folder.config)
    modules = folder.modules(assignment)
    found: list[str] = []
    sound: dict[str, NotebookNode] = {}
    frame = [folder.root / path if path else None for path in header_and_footer(parent)]
    for path in [*folder.notebooks(assignment), *filter(None, frame)]:
        try:
            nb = read_source(path)
        except CourseError as error:
            found.append(str(error))
            continue
        unsound = list(problems(nb, path.name, parent))
        found += unsound
        if not unsound:
            fill_known(folder.course, assignment, nb)  # as a release says it
            found += notebook_slips(nb, path.name, modules, parent)
            sound[path.name] = nb
    header, footer = (sound.pop(path.name, None) if path else None for path in frame)
    framed = {name: Framed.by(header, nb, footer) for name, nb in sound.items()}
    worth = {Path(name).stem: sum(p for _, p in item_points(each.whole)) for name, each in framed.items()}
    total = counted_maximum(folder.course.alternatives_of(assignment), worth)
    for name, each in framed.items():
        found += ids_of_the_frame(sound[name], name, header, footer)
        found += points_slips(each, name, total, parent)
    source, ignored = folder.folder("source", ".", assignment), folder.directory.ignore
    for name, nb in sound.items():
        found += missing_pictures(nb, name, source, ignored, parent)
    found += untold_names(sound, source, [nb for nb in (header, footer) if nb], parent)
    found += luck_slips(sound, [nb for nb in (header, footer) if nb], modules)
    found += readable_answers(sound, source, parent)
    begins = [getattr(step(parent=parent), names[0]) for step, names in REGIONS.items()]
    data = (folder.root / folder.course.data_folder).resolve()
    meant = folder.course.for_students.get(assignment, [])
    found += [*names_alike(sound), *shipped_slips(source, modules, region(ClearHiddenTests, parent).between)]
    return [*found, *file_slips(source, ignored, modules.judging, begins, data, meant)]


@dataclass(frozen=True)
class Framed:
    """A notebook with the cells that nbgrader puts above and below it.

    Attributes:
        above: how many cells are above.
    """

    whole: NotebookNode
    above: int
    own: int

    @classmethod
    def by(cls, header: NotebookNode | None, nb: NotebookNode, footer: NotebookNode | None) -> Framed:
        above, below = ((each.cells if each else []) for each in (header, footer))
        return cls(NotebookNode(nb, cells=[*above, *nb.cells, *below]), len(above), len(nb.cells))

    def place(self, name: str, number: int) -> str:
        """Where a cell of the whole is, counted from 0."""
        cell = self.whole.cells[number]
        if not self.above <= number < self.above + self.own:
            name, number = f"{name} with its header and footer", number + self.above
        return place(name, number + 1 - self.above, cell)


def header_and_footer(parent: Configurable) -> tuple[str, str]:
    """The notebooks that nbgrader puts above and below each of the course's, "" for none; relative to its folder."""
    step = IncludeHeaderFooter(parent=parent)
    return step.header, step.footer


def ids_of_the_frame(
    nb: NotebookNode, name: str, header: NotebookNode | None, footer: NotebookNode | None
) -> Iterator[str]:
    """Cells of a notebook that have the name of a cell of its header or footer."""
    taken = {grade_id_of(cell) for each in (header, footer) if each for cell in each.cells} - {""}
    for number, cell in enumerate(nb.cells, start=1):
        if grade_id_of(cell) in taken:
            yield (
                f"{place(name, number, cell)}: it has the same grade_id as a cell of the course's header or footer: "
                "give one of them another name"
            )


def grade_id_of(cell: NotebookNode) -> str:
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def notebook_slips(
    nb: NotebookNode, name: str, modules: CourseModules, parent: Configurable
) -> Iterator[str]:
    """What is wrong with a notebook that nbgrader accepts."""
    here = not lacks(
        source_notebook(nb, name).get("framework", PYTORCH)
    )  # else what it imports cannot be judged
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "code":
            where = place(name, number, cell)
            yield from (f"{where}: {slip}" for slip in code_slips(cell, modules, parent, here))
        elif cell.cell_type == "raw" and any(
            is_kind(cell) for is_kind in (utils.is_grade, utils.is_solution, utils.is_locked, utils.is_task)
        ):
            yield (
                f"{place(name, number, cell)}: it is a raw cell, which is neither run nor shown for marking: make it "
                "Code or Markdown"
            )
        elif utils.is_grade(cell):
            yield from (f"{place(name, number, cell)}: {slip}" for slip in scheme_slips(nb, cell, parent))
        elif MODEL_ANSWER.search(as_students_get_it(cell, parent)):
            yield (
                f"{place(name, number, cell)}: students read its model answer: put it "
                f"{region(ClearMarkScheme, parent).between}"
            )
        yield from (f"{place(name, number, cell)}: {slip}" for slip in marker_slips(cell, parent))
        if utils.is_solution(cell) and cell.metadata.get("editable") is False:
            yield (
                f"{place(name, number, cell)}: its metadata has editable: false, so that nobody can write there: take "
                "that out"
            )
        if left := [phrase for phrase in PLACEHOLDERS if phrase in cell.source]:
            more = f" and {len(left) - 1} more" if len(left) > 1 else ""
            yield (
                f"{place(name, number, cell)}: it still says {left[0]!r}{more}, as `chainrule new` left it: write your "
                "own text there, or delete it"
            )
    yield from definitions_cut_out(nb, name, parent)
    yield from calls_thrown_away(nb, name)
    yield from names_taken_over(nb, name)
    yield from typed_answers(nb, name, parent)


def calls_thrown_away(nb: NotebookNode, name: str) -> Iterator[str]:
    """Cells with points that ask nothing: of what a student's function returns, or by a test that is not called."""
    code = {
        number: ast.parse(plain(cell.source))
        for number, cell in enumerate(nb.cells, start=1)
        if cell.cell_type == "code" and parses(cell.source)
    }
    everything = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "code")
    solved = functions_of(tree for number, tree in code.items() if utils.is_solution(nb.cells[number - 1]))
    for number, tree in code.items():
        if is_check(cell := nb.cells[number - 1]):
            said = [*thrown_away(cell.source, tree, solved), *uncalled_tests(tree, everything)]
            yield from (f"{place(name, number, cell)}: {slip}" for slip in said)


def names_taken_over(nb: NotebookNode, name: str) -> Iterator[str]:
    """Cells with points whose imports, functions or classes have the name of a function or class of the notebook.

    What is assigned there may be put back, as a test does that takes a function away for a moment.
    """
    code = [
        (number, cell, ast.parse(plain(cell.source)))
        for number, cell in enumerate(nb.cells, start=1)
        if cell.cell_type == "code" and parses(cell.source)
    ]
    defined = {
        statement.name: number
        for number, cell, tree in code
        if not is_check(cell)
        for statement in tree.body
        if isinstance(statement, ast.FunctionDef | ast.ClassDef)
    }
    for number, cell, tree in code:
        if not is_check(cell):
            continue
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        named = {(each.asname or each.name).split(".")[0] for node in imports for each in node.names}
        own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for names, what, remedy in (
            (named, "import takes", "write `import … as …`"),
            (own - named, "function or class takes", "give it another name"),
        ):
            for taken in sorted(names & defined.keys()):
                yield (
                    f"{place(name, number, cell)}: its {what} the name `{taken}` from cell {defined[taken]}, so "
                    f"that later cells have the wrong one when you run the notebook: {remedy}"
                )


def marker_slips(cell: NotebookNode, parent: Configurable) -> Iterator[str]:
    """Lines that are meant to cut something out and are none of the course's markers."""
    kinds = {"solution": ClearSolutions, "tests": ClearHiddenTests, "scheme": ClearMarkScheme}
    markers = [getattr(step(parent=parent), name) for step, names in REGIONS.items() for name in names]
    is_cut = not utils.is_solution(cell) or any(marker in cell.source for marker in markers)
    text = as_students_get_it(cell, parent) if is_cut else cell.source
    told = hidden_by_a_comment(text) if utils.is_grade(cell) else ""  # by `code_slips`
    for line, kind in other_markers(text, markers, cell.cell_type == "code"):
        if line.strip() == told:
            continue
        meant = region(kinds[kind], parent)
        yield (
            f"{short(line.strip(), 60)!r} is not one of the markers, and hides nothing: write {meant.begin} there, and "
            f"{meant.end} where it ends"
        )


def definitions_cut_out(nb: NotebookNode, name: str, parent: Configurable) -> Iterator[str]:
    """What cells that students get need, and only hidden tests of the notebook define."""
    shown, whole = [], []
    for cell in nb.cells:
        is_python = cell.cell_type == "code" and parses(cell.source)
        cleared, _ = ClearHiddenTests(parent=parent).preprocess_cell(deepcopy(cell), {}, 0)
        shown.append(plain(cleared.source) if is_python and parses(cleared.source) else "")
        whole.append(plain(cell.source) if is_python else "")
    if any(map(imports_all, whole)):
        return
    given = {known for source in shown for known in top_names(source)}
    cut_out = {known for source in whole for known in top_names(source)} - given
    for number, (cell, source) in enumerate(zip(nb.cells, shown, strict=True), start=1):
        if cut_out and not item_calls(ast.parse(source)):  # those are told by `code_slips`
            for missing in sorted(free_names(source) & cut_out):
                yield (
                    f"{place(name, number, cell)}: students get a cell that needs `{missing}`, and its definition is "
                    "cut out for them: define it outside of the hidden tests"
                )


def untold_names(
    notebooks: Mapping[str, NotebookNode], source: Path, frame: list[NotebookNode], parent: Configurable
) -> Iterator[str]:
    """What cells with points need of a student, and nothing that students read has the name of.

    Args:
        source: the folder of the assignment. A sheet in it that cannot be read may have every name.
        frame: the header and the footer of each notebook.
    """
    files = [path for path in source.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    if any(path.suffix.lower() in SHEETS for path in files):
        return
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files if path.suffix in READABLE]
    texts += [as_students_get_it(cell, parent) for nb in (*notebooks.values(), *frame) for cell in nb.cells]
    told = {word for text in texts for word in words_of(text)}
    for name, nb in notebooks.items():
        code = [cell for cell in nb.cells if cell.cell_type == "code" and parses(cell.source)]
        solved = {
            each for cell in code if utils.is_solution(cell) for each in top_names(plain(cell.source))
        } - told
        for number, cell in enumerate(nb.cells, start=1):
            if solved and is_check(cell) and parses(cell.source):
                tree = ast.parse(plain(cell.source))
                needed = asked_of_student(tree) if item_calls(tree) else free_names(plain(cell.source))
                yield from (
                    f"{place(name, number, cell)}: it needs {each}, which the reference solution defines and nothing "
                    "tells students of: ask for this name in the text, or do without it"
                    for each in sorted(needed & solved)
                )


def points_slips(framed: Framed, name: str, total: float, parent: Configurable) -> Iterator[str]:
    """Points that a notebook's texts state and its items do not have.

    Args:
        total: of the assignment.
    """
    nb = framed.whole
    if slip := misfit(nb):
        yield f"{name}: {slip}"
    texts = [as_students_get_it(cell, parent) if cell.cell_type == "markdown" else "" for cell in nb.cells]
    own = [dict(item_points(NotebookNode(nb, cells=[cell]))) for cell in nb.cells]
    items = dict(item_points(nb))
    found = sections(texts, own)
    totals = (sum(items.values()), total)
    wrong = [*heading_misfits(found, totals), *sentence_misfits(texts, own, found, totals)]
    tables = ((number, table) for number, text in enumerate(texts) if (table := stated_rows(text)))
    for number, (rows, worth) in islice(tables, 1):
        wrong += [(number, slip) for slip in row_misfits(rows, worth, found, items)]
    yield from (f"{framed.place(name, number)}: {slip}" for number, slip in wrong)


def luck_slips(
    notebooks: Mapping[str, NotebookNode], frame: list[NotebookNode], modules: CourseModules
) -> Iterator[str]:
    """Checks of a matter of luck, in cells with points and in the modules that they import.

    A cell of plain asserts runs in the notebook, whose other cells may have set the seed. An Item does not.

    Args:
        frame: the header and the footer of each notebook.
    """
    imports: set[str] = set()
    for name, nb in notebooks.items():
        cells = [cell for each in (nb, *frame) for cell in each.cells]
        code = [plain(cell.source) for cell in cells if cell.cell_type == "code" and parses(cell.source)]
        known = {
            each: meaning for source in code for each, meaning in imported_names(ast.parse(source)).items()
        }
        for number, cell in enumerate(nb.cells, start=1):
            if not is_check(cell) or not parses(cell.source):
                continue
            tree = ast.parse(plain(cell.source))
            imports |= imports_in(plain(cell.source), "", modules.judging)
            if not any(map(has_seed, [cell.source] if item_calls(tree) else code)):
                yield from (f"{place(name, number, cell)}: {slip}" for slip in lucky(tree, known))
    specs = [modules.locate(each) for each in sorted(imports) if modules.owns(each)]
    for path in sorted({Path(spec.origin) for spec in specs if spec and spec.origin and spec.has_location}):
        text = path.read_text(encoding="utf-8", errors="replace") if path.suffix == ".py" else ""
        if (module := parsed(text)) and not has_seed(text):
            yield from (f"{short_path(path, modules)}: {slip}" for slip in lucky(module, {}))


def short_path(path: Path, modules: CourseModules) -> str:
    """A module's file relative to the course, if it is in it."""
    return str(path.relative_to(modules.root)) if path.is_relative_to(modules.root) else str(path)


def is_check(cell: NotebookNode) -> bool:
    """Whether a cell is code with points that is not an answer."""
    return cell.cell_type == "code" and utils.is_grade(cell) and not utils.is_solution(cell)


def names_alike(notebooks: Mapping[str, NotebookNode]) -> Iterator[str]:
    """Cells whose grade_ids differ only in capital letters."""
    known: dict[str, tuple[str, str]] = {}
    for name, nb in notebooks.items():
        for number, cell in enumerate(nb.cells, start=1):
            grade_id = grade_id_of(cell)
            notebook, other = known.setdefault(grade_id.casefold(), (name, grade_id))
            if other != grade_id:
                yield (
                    f"{place(name, number, cell)}: its grade_id differs from {other} of {notebook} {ALIKE}: give one "
                    "of them another name"
                )


def missing_pictures(
    nb: NotebookNode, name: str, source: Path, ignored: list[str], parent: Configurable
) -> Iterator[str]:
    """Pictures in a notebook's texts that students do not get."""
    for number, cell in enumerate(nb.cells, start=1):
        if cell.cell_type == "markdown":
            said = picture_slips(cell, as_students_get_it(cell, parent), source, ignored)
            yield from (f"{place(name, number, cell)}: {slip}" for slip in said)


def code_slips(
    cell: NotebookNode, modules: CourseModules, parent: Configurable, here: bool = True
) -> Iterator[str]:
    """What is wrong with a code cell.

    Args:
        here: whether this machine has what the notebook needs.
    """
    try:
        tree = ast.parse(plain(cell.source))
    except SyntaxError as error:
        yield f"it is not Python ({error.msg}, line {error.lineno}): correct that line"
        return
    if here:
        yield from missing_packages(tree, modules)
    if utils.is_grade(cell) and not utils.is_solution(cell):
        yield from idle_statements(tree)
        yield from swallowed_asserts(tree)
    shown = as_students_get_it(cell, parent)
    try:
        ast.parse(plain(shown))
    except SyntaxError as error:
        yield (
            f"without what is cut out, students get no Python ({error.msg}, line {error.lineno} of theirs): cut out "
            "whole statements, indented as the lines around them"
        )
        return
    hidden = region(ClearHiddenTests, parent)
    yield from instructors_imports(shown, modules.judging, hidden.between)
    items = item_calls(tree)
    if items and not utils.is_grade(cell):
        yield (
            "it makes an Item, and is not marked as a cell with points: mark it as Autograder tests in nbgrader's "
            "Create Assignment panel"
        )
    if not utils.is_grade(cell) or utils.is_solution(cell):
        return
    if comment := hidden_by_a_comment(shown):
        yield (
            f"students get what stands below {comment!r}: write {hidden.begin} there, and {hidden.end} where it ends"
        )
    if items:
        yield from item_slips(cell, tree, items)
        yield from score_slips(cell, shown, item_names(tree), hidden.end)
    if "chainrule.lesson" in cell.source or items:
        free = free_names(plain(cell.source))
        for free_name in sorted(free):
            yield (
                f"`{free_name}` is defined nowhere in the cell: write `student.{free_name}` if it is the student's, "
                "or import it"
            )
        for free_name in sorted(free_names(plain(shown)) - free):
            yield (
                f"students get a cell that needs `{free_name}`, and its definition is cut out for them: move it above "
                f"{hidden.begin}, or its use below"
            )


def item_slips(cell: NotebookNode, tree: ast.Module, items: list[ast.Call]) -> Iterator[str]:
    """What is wrong with a cell that makes an `Item`, as far as its text shows."""
    marks = cell.metadata.nbgrader
    if len(items) > 1:
        yield "it makes more than one Item: give each a cell of its own, because a cell has one score"
        return
    said = {key: argument(items[0], index, key) for index, key in enumerate(("grade_id", "points"))}
    texts = [
        call for call in (items[0], *top_level_checks(tree)) if isinstance(argument(call, 1, "points"), str)
    ]
    for call in texts:
        yield (
            f"line {call.lineno}: its points are the text {argument(call, 1, 'points')!r}: write a number without "
            "quotes, such as points=2"
        )
    if texts:
        return
    if said["grade_id"] not in (None, marks.grade_id):
        yield (
            f"its Item is called {said['grade_id']!r} and the cell {marks.grade_id!r}: write "
            f"Item({marks.grade_id!r}, …)"
        )
    if said["points"] is not None and said["points"] != marks.points:
        yield (
            f"its Item has {counted_value(said['points'])} and the cell's metadata {marks.points:g}: change one of "
            "them, the metadata in nbgrader's Create Assignment panel"
        )
    shares = [argument(call, 1, "points") for call in top_level_checks(tree)]
    worth = said["points"] if said["points"] is not None else marks.points
    if shares and None not in shares and abs(sum(map(float, shares)) - float(worth)) > 1e-9:  # type: ignore[arg-type]
        yield (
            f"its checks share {counted(f'{sum(map(float, shares)):g}')}, and the item has {worth:g}: change "  # type: ignore[arg-type]
            "the shares of its checks"
        )
    names = item_names(tree)
    yield from misspelt_methods(tree, names)


def score_slips(cell: NotebookNode, shown: str, names: set[str], end: str) -> Iterator[str]:
    """Whether the cell's value is its score, for the graders and, as `shown`, for students."""
    last = f"{min(names, default='item')}.score()"
    if not ends_with_score(ast.parse(plain(cell.source))):
        yield f"it does not end with `{last}`, so that it has no score: add this as its last line"
    elif cell.source.rstrip().endswith(";"):
        yield f"it ends with a semicolon, which hides its score from nbgrader: end it with `{last}`"
    elif not ends_with_score(ast.parse(plain(shown))):
        yield f"students get a cell without `{last}`: move it below {end}"


def scheme_slips(nb: NotebookNode, cell: NotebookNode, parent: Configurable) -> Iterator[str]:
    """Whether the mark scheme of a written answer has other points than the answer."""
    delimiters = Delimiters(parent.config)
    holds = scheme_cell(nb.cells, cell.metadata.nbgrader.grade_id, delimiters.begin)
    if holds is None:
        return
    rows = [row.points for row in read_scheme(holds.source, delimiters).rows if row.points > 0]
    worth = cell.metadata.nbgrader.points
    if rows and abs(sum(rows) - worth) > 1e-6:
        yield (
            f"its mark scheme gives {counted(f'{sum(rows):g}')}, and its metadata {worth:g}: change one of them"
        )


def shipped_slips(source: Path, modules: CourseModules, between: str) -> Iterator[str]:
    """Imports of what never ships in the modules that ship beside the notebooks."""
    for path in sorted(source.rglob("*.py")):
        if any(part.startswith(".") for part in path.relative_to(source).parts):
            continue
        try:
            for slip in instructors_imports(path.read_text(encoding="utf-8"), modules.judging, between):
                yield f"{path.relative_to(source)}: {slip}"
        except UnicodeDecodeError:
            yield f"{path.relative_to(source)}: it is not UTF-8: save it as UTF-8"


def hidden_by_a_comment(shown: str) -> str:
    """A comment of what students get that says that hidden tests begin, if code follows; "" if there is none."""
    lines = [line.strip() for line in shown.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        code = [each for each in lines[number + 1 :] if not each.startswith("#") and ".score()" not in each]
        if HIDDEN.match(line) and len(line.strip("# ").split()) <= 4 and code:
            return line
    return ""
