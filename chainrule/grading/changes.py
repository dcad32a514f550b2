"""Whose score changed between two gradings, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nbformat import NotebookNode

from chainrule.course import CourseFolder
from chainrule.grading.store import depends_of, load_notebook
from chainrule.metadata import judged_cell

# the parts that a run depends on (see `store.depends`), for people
PART_NAMES = {
    "hand-in": "the submission",
    "source notebook": "the instructor's notebook",
    "files": "the files that come with the assignment",
    "judging": "the judging modules",
    "profile": "the profile",
    "data": "the data",
    "packages": "the installed packages",
    "chainrule": "chainrule itself",
    "limits": "the time limits",
}


@dataclass
class Snapshot:
    """A student's scores in the gradebook, by item, and the graded notebooks they come from, by name."""

    scores: dict[str, float | None]
    notebooks: dict[str, NotebookNode] = field(default_factory=dict)

    def maximum(self, item: str) -> float | None:
        """The item's maximum when it was graded; None if it wasn't."""
        cells = (graded_cells(nb).get(item.rpartition("/")[2]) for nb in self.containing(item).values())
        return next((float(cell.metadata.nbgrader.points) for cell in cells if cell), None)

    def containing(self, item: str) -> dict[str, NotebookNode]:
        """The notebooks that may have an item of this name; see `chainrule.items`."""
        notebook = item.rpartition("/")[0]
        return {name: nb for name, nb in self.notebooks.items() if notebook in ("", name)}


def snapshot(
    folder: CourseFolder, assignment: str, student: str, scores: dict[str, float | None]
) -> Snapshot:
    """A student's scores together with the graded notebooks as they are now."""
    graded = folder.folder("autograded", student, assignment)
    loaded = {path.stem: load_notebook(graded / path.name) for path in folder.notebooks(assignment)}
    return Snapshot(scores, {name: nb for name, nb in loaded.items() if nb is not None})


def changes(
    student: str, before: Snapshot, now: Snapshot, marks: Mapping[str, str] | None = None
) -> list[str]:
    """A line for each item whose score or maximum has changed.

    Args:
        marks: what happened to marks of people, a sentence by item.
    """
    lines, marks = [], marks or {}
    for item, score in now.scores.items():
        old, maxima = before.scores.get(item, "–"), (before.maximum(item), now.maximum(item))
        rescaled = None not in maxima and maxima[0] != maxima[1]
        if old == score and not rescaled:
            continue
        texts = [score_text(old), score_text(score)]
        if rescaled:
            texts = [f"{text} of {score_text(of)}" for text, of in zip(texts, maxima, strict=True)]
        line = f"{student} {item} {' → '.join(texts)}"
        line += ": the maximum has changed" if rescaled else ""
        line += f": {marks[item]}" if item in marks else ""
        grade_id = item.rpartition("/")[2]
        for name, nb in now.containing(item).items():
            if old != score and grade_id in graded_cells(nb) and name in before.notebooks:
                differences, reasons = explain(grade_id, before.notebooks[name], nb)
                line += f": {', '.join(differences)}" if differences else ""
                line += f", because {joined_by_and(reasons)} changed" if reasons else ""
        lines.append(line)
    return lines


def explain(item: str, before: NotebookNode, now: NotebookNode) -> tuple[list[str], list[str]]:
    """Why an item's score may have changed.

    Returns:
        Which of its checks come out differently, and what changed of the parts that its run depends on.
    """
    old, new = graded_cells(before).get(item), graded_cells(now)[item]
    old_checks, new_checks = checks(old) if old else {}, checks(new)
    differences = []
    for name, passed in new_checks.items():
        if name not in old_checks:
            differences.append(f'"{name}" is new and {"passes" if passed else "fails"}')
        elif passed != old_checks[name]:
            differences.append(f'"{name}" {"passes" if passed else "fails"} now')
    differences += [f'"{name}" is gone' for name in old_checks if name not in new_checks]
    old_parts, new_parts = depends_of(before), depends_of(now)
    # runs of earlier versions have fewer parts
    changed = [part for part in new_parts if part in old_parts and new_parts[part] != old_parts[part]]
    if "answers" in changed and "hand-in" in old_parts and not {"hand-in", "source notebook"} & {*changed}:
        changed.append("source notebook")  # the stub of an untouched answer, or text that students may edit
    changed = [part for part in changed if part in PART_NAMES]
    own = old is None or old.source != new.source or old.metadata.nbgrader != new.metadata.nbgrader
    reasons = ["the checks" if part == "source notebook" and own else PART_NAMES[part] for part in changed]
    return differences, reasons


def graded_cells(nb: NotebookNode) -> dict[str, NotebookNode]:
    """The cells with points, by grade_id."""
    marks = ((cell.metadata.get("nbgrader", {}), cell) for cell in nb.cells)
    return {mark["grade_id"]: cell for mark, cell in marks if mark.get("grade")}


def checks(cell: NotebookNode) -> dict[str, bool]:
    """Which checks of a judged cell passed, by name."""
    record = judged_cell(cell)
    return {check["name"]: check["passed"] for check in record["checks"]} if record else {}


def score_text(score: float | str | None) -> str:
    return "wait" if score is None else f"{score:.4g}" if isinstance(score, float) else str(score)


def joined_by_and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
