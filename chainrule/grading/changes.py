"""Whose score changed from one grading to the next, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from nbformat import NotebookNode

from chainrule.course import CourseFolder
from chainrule.grading.store import depends_of, readable

# the parts a result depends on, as a person would say it
BECAUSE = {
    "submission": "the submission",
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
class Standing:
    """What a student has in the gradebook, and the graded notebooks that led to it, by name."""

    scores: dict[str, float | None]
    notebooks: dict[str, NotebookNode] = field(default_factory=dict)


def standing(
    folder: CourseFolder, assignment: str, student: str, scores: dict[str, float | None]
) -> Standing:
    """Where a student stands now."""
    graded = folder.folder("autograded", student, assignment)
    found = {path.stem: readable(graded / path.name) for path in folder.notebooks(assignment)}
    return Standing(scores, {name: nb for name, nb in found.items() if nb is not None})


def changes(student: str, before: Standing, now: Standing) -> list[str]:
    """A line for each item whose score is not what it was."""
    lines = []
    for item, score in now.scores.items():
        was = before.scores.get(item, "–")
        if was == score:
            continue
        line = f"{student} {item} {shown(was)} → {shown(score)}"
        for name, nb in now.notebooks.items():
            if item in graded_cells(nb) and name in before.notebooks:
                told, reasons = explained(item, before.notebooks[name], nb)
                line += f": {', '.join(told)}" if told else ""
                line += f", because {listed(reasons)} changed" if reasons else ""
        lines.append(line)
    return lines


def explained(item: str, before: NotebookNode, now: NotebookNode) -> tuple[list[str], list[str]]:
    """How the checks of an item come out differently, and what they depend on that changed."""
    old, new = graded_cells(before).get(item), graded_cells(now)[item]
    was, told = checks(old) if old else {}, []
    for name, passed in checks(new).items():
        if name not in was:
            told.append(f'"{name}" is new and {"passes" if passed else "fails"}')
        elif passed != was[name]:
            told.append(f'"{name}" {"passes" if passed else "fails"} now')
    told += [f'"{name}" is gone' for name in was if name not in checks(new)]
    then, since = depends_of(before), depends_of(now)
    reasons = [
        part for part in since if part in then and since[part] != then[part]
    ]  # older runs have fewer parts
    other = old is None or old.source != new.source or old.metadata.nbgrader != new.metadata.nbgrader
    return told, ["the checks" if part == "source notebook" and other else BECAUSE[part] for part in reasons]


def graded_cells(nb: NotebookNode) -> dict[str, NotebookNode]:
    """The cells with points, by grade_id."""
    marks = ((cell.metadata.get("nbgrader", {}), cell) for cell in nb.cells)
    return {mark["grade_id"]: cell for mark, cell in marks if mark.get("grade")}


def checks(cell: NotebookNode) -> dict[str, bool]:
    """Which checks of a judged cell passed."""
    return {check["name"]: check["passed"] for check in cell.metadata.get("chainrule", {}).get("checks", [])}


def shown(score: float | str | None) -> str:
    return "wait" if score is None else f"{score:.4g}" if isinstance(score, float) else str(score)


def listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
