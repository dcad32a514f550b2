"""A course with a class whose written answers wait for a marker, made without running a notebook.

`essays` has two written items and one with checks; `students(n)` answers that look like students' own. What
autograding would write is written directly: the notebooks of `autograded/`, the gradebook's rows, and the fingerprints
of the answers.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from nbgrader import utils
from nbgrader.api import Gradebook
from tiny_course import marked, notebook

from chainrule.course import CONFIG, CourseFolder
from chainrule.gradebook import ensure_tables
from chainrule.gradebook_tables import ANSWERS
from chainrule.grading.given_marks import answers, keep_marks

ESSAYS, NOTEBOOK = "essays", "part1"
VARIANCE, SOFTMAX, CHECKED = "q1_1-variance", "q1_1-softmax", "q1_1-values"
MAXIMA = {VARIANCE: 0.75, SOFTMAX: 1.0}

QUESTION = r"""
### (a) Variance

The entries of $\mathbf q, \mathbf k \in \mathbb R^{d}$ are independent, with mean 0 and variance 1. Show that
$\operatorname{Var}(\mathbf q^\top \mathbf k) = d$.

### BEGIN MARK SCHEME

**Model answer.** THE-MODEL-ANSWER: $\mathbf q^\top \mathbf k = \sum_i q_i k_i$, and variances of independent terms
add up.

| Points | For |
|--:|:--|
| 0.2 | the mean of a product is 0, by independence |
| 0.3 | the variance of a product is $1 \cdot 1$ |
| 0.25 | variances of *independent* terms add up |

**Common mistakes.** The product rule used without saying that both means are 0: minus 0.1. A simulation instead of a
proof: 0. "Variances always add up", loses 0.15.

### END MARK SCHEME
"""

SECOND = r"""
### (b) Softmax

What does this do to the softmax?

### BEGIN MARK SCHEME

| Points | For |
|--:|:--|
| 0.5 | it saturates: nearly one-hot |
| 0.5 | its gradient vanishes, $p_i(\delta_{ij} - p_j) \approx 0$ |

### END MARK SCHEME
"""


def source_notebook() -> NotebookNode:
    """The instructor's notebook."""
    cells = [
        marked(new_markdown_cell("# Essays"), "title"),
        marked(new_code_cell("d = 64"), "given"),
        marked(new_code_cell("scores = None"), "q1_1-code", solution=True),
        marked(new_code_cell("print(scores)"), CHECKED, 2),
        marked(new_markdown_cell(QUESTION.strip()), "q1_1-variance-intro"),
        marked(new_markdown_cell("By independence."), VARIANCE, MAXIMA[VARIANCE], solution=True),
        marked(new_markdown_cell(SECOND.strip()), "q1_1-softmax-intro"),
        marked(new_markdown_cell("It saturates."), SOFTMAX, MAXIMA[SOFTMAX], solution=True),
    ]
    return notebook(cells)


FIRST_PARTS = [
    r"$\mathbf q^\top\mathbf k = \sum_i q_i k_i$.",
    r"We write the dot product as $\sum_{i=1}^{d} q_i k_i$.",
    "The product is a sum of $d$ terms.",
    "",
]
MEANS = [
    r"Since $q_i$ and $k_i$ are independent, $E[q_i k_i] = E[q_i] E[k_i] = 0$.",
    "The mean of each term is 0 because both means are.",
    "Each product has mean zero.",
]
SECOND_MOMENTS = [
    r"Hence $\operatorname{Var}(q_i k_i) = E[q_i^2] E[k_i^2] = 1$.",
    "The variance of each product is 1 times 1.",
    r"$\operatorname{Var}(q_i k_i) = \operatorname{Var}(q_i) \operatorname{Var}(k_i) = 1$",
]
SUMS = [
    "Variances add up, so the sum is $d$.",
    "There are $d$ of them and they are independent, so we get $d$.",
    "so it is d",
]
SATURATED = [
    "It becomes nearly one-hot.",
    "The softmax saturates and the gradient $p_i(\\delta_{ij} - p_j)$ vanishes.",
    "Large scores win, small ones get nothing; learning is slow.",
    "The exponential overflows.",
]


def students(n: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """The answers of a made class by item: about a third in common words, the others in words of their own."""
    random_ = random.Random(seed)
    made = {}
    for number in range(n):
        parts = [random_.choice(part) for part in (FIRST_PARTS, MEANS, SECOND_MOMENTS, SUMS)]
        if random_.random() < 0.35:
            parts = [FIRST_PARTS[0], MEANS[0], SECOND_MOMENTS[0], SUMS[0]]
            if random_.random() < 0.5:  # the same in another layout
                parts = [part.replace(". ", ".\n").replace(" = ", "=") for part in parts]
        elif random_.random() < 0.6:
            parts.append(f"(I checked it with {random_.randint(100, 999)} draws.)")
        made[f"student{number:03}"] = {
            VARIANCE: "\n".join(filter(None, parts)),
            SOFTMAX: random_.choice(SATURATED),
        }
    return made


SMALL = {  # two equal answers, one that says the same in other words, one of its own, and nothing
    "ada": {VARIANCE: "By independence, the mean is 0.", SOFTMAX: "It saturates."},
    "bob": {VARIANCE: "by independence the mean is $0$.", SOFTMAX: "It saturates!"},
    "cyd": {VARIANCE: "By independence the mean is $0$", SOFTMAX: "One-hot."},
    "dee": {VARIANCE: "I simulated it with 1000 draws."},
    "eve": {},
}


def copied(root: Path, target: Path, db_url: str = "") -> CourseFolder:
    """A test's own copy of a made course, with its own gradebook."""
    shutil.copytree(root, target)
    if db_url:
        with (target / CONFIG).open("a", encoding="utf-8") as config:
            config.write(f"c.CourseDirectory.db_url = {db_url!r}\n")
    return CourseFolder(target)


@dataclass(frozen=True)
class Handout:
    """An assignment of one notebook."""

    nb: NotebookNode
    assignment: str = ESSAYS
    notebook: str = NOTEBOOK


def handout_of(assignment: str) -> Handout:
    """The two written items under another assignment's name."""
    return Handout(source_notebook(), assignment)


def write(
    root: Path, answers: Mapping[str, Mapping[str, str]], db_url: str = "", handout: Handout | None = None
) -> CourseFolder:
    """A course folder with a class that was graded; in a course that is there, another assignment.

    nbgrader begins a gradebook in a process of its own, which takes seconds: tests add to one that is there.
    """
    handout = handout or Handout(source_notebook())
    assignment, notebook = handout.assignment, handout.notebook
    source = root / "source" / assignment / f"{notebook}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(handout.nb, source)
    if not (root / CONFIG).exists():
        _write_config(root, assignment, db_url)
    folder = CourseFolder(root)
    ensure_tables(folder.directory.db_url)
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        ANSWERS.create(gradebook.engine, checkfirst=True)
        gradebook.add_assignment(assignment)
        gradebook.add_notebook(notebook, assignment)
        for cell in handout.nb.cells:
            about = cell.metadata.get("nbgrader", {})
            if about.get("grade") or about.get("task"):
                add = gradebook.add_task_cell if about.get("task") else gradebook.add_grade_cell
                add(
                    about.grade_id,
                    notebook,
                    assignment,
                    max_score=about.points,
                    cell_type=cell.cell_type,
                )
            if about.get("solution"):
                gradebook.add_solution_cell(about.grade_id, notebook, assignment)
        for student, written in answers.items():
            gradebook.update_or_create_student(student)
            _record(gradebook, folder, student, written, handout)
    return folder


def _write_config(root: Path, assignment: str, db_url: str) -> None:
    lines = [
        "import chainrule.config",
        "c = get_config()",
        "c.merge(chainrule.config.pipelines())",
        'c.CourseDirectory.course_id = "made"',
        f'c.Course.due = {{"{assignment}": "2001-01-01 12:00 Europe/Zurich"}}',
    ]
    if db_url:
        lines.append(f"c.CourseDirectory.db_url = {db_url!r}")
    (root / CONFIG).write_text("\n".join([*lines, ""]), encoding="utf-8")


def hand_in(folder: CourseFolder, student: str, written: Mapping[str, str], assignment: str = ESSAYS) -> None:
    """Grade another hand-in of a student's, as autograding does."""
    with Gradebook(folder.directory.db_url, folder.directory.course_id) as gradebook:
        _record(gradebook, folder, student, written, handout_of(assignment))


def _record(
    gradebook: Gradebook, folder: CourseFolder, student: str, written: Mapping[str, str], handout: Handout
) -> None:
    nb = nbformat.from_dict(handout.nb)
    for cell in nb.cells:
        about = cell.metadata.get("nbgrader")
        if about is None:
            continue
        if about.solution and about.grade:
            cell.source = "*Write your answer here.*"
        about.checksum = utils.compute_checksum(cell)
        if not about.task:
            cell.source = written.get(about.grade_id, cell.source)
        if cell.cell_type == "code":
            cell.outputs = [new_output("stream", text="[0.1 0.9]\n")]
    for at, cell in reversed(list(enumerate(nb.cells))):  # a task is answered in cells of the student's own
        about = cell.metadata.get("nbgrader")
        if about and about.task and about.grade_id in written:
            added = new_markdown_cell(written[about.grade_id], metadata={"chainrule": {"added": True}})
            nb.cells.insert(at + 1, added)
    path = folder.folder("autograded", student, handout.assignment) / f"{handout.notebook}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(nbformat.writes(nb), encoding="utf-8")
    gradebook.update_or_create_submission(handout.assignment, student)
    submission = gradebook.find_submission_notebook(handout.notebook, handout.assignment, student)
    found = answers(nb)
    for grade in submission.grades:
        if grade.cell_type == "code":
            grade.auto_score, grade.needs_manual_grade = grade.max_score * 0.75, False
        else:
            grade.auto_score = None if found[grade.name] else 0.0
            grade.needs_manual_grade = bool(found[grade.name])
    keep_marks(gradebook, submission, found, nb.cells)
    gradebook.db.commit()


def marks_in_gradebook(
    folder: CourseFolder, students: Iterable[str], item: str = VARIANCE, assignment: str = ESSAYS
) -> dict[str, tuple[float | None, str | None]]:
    """A person's scores and comments, as formgrader shows them."""
    marks = {}
    with Gradebook(folder.directory.db_url) as gradebook:
        for student in students:
            where = item, NOTEBOOK, assignment, student
            said = gradebook.find_comment(*where).manual_comment
            marks[student] = gradebook.find_grade(*where).manual_score, said
    return marks


def in_gradebook(
    folder: CourseFolder, student: str, item: str = VARIANCE, assignment: str = ESSAYS
) -> tuple[float | None, str | None]:
    """The same for one student."""
    return marks_in_gradebook(folder, [student], item, assignment)[student]


def in_formgrader(
    folder: CourseFolder, student: str, score: float, item: str = VARIANCE, assignment: str = ESSAYS
) -> None:
    """Give a score as formgrader does."""
    with Gradebook(folder.directory.db_url) as gradebook:
        grade = gradebook.find_grade(item, NOTEBOOK, assignment, student)
        grade.manual_score, grade.needs_manual_grade = score, False
        gradebook.db.commit()
