"""Which mutants of the reference solutions survive the checks, and which cost points at more than their own part.

Each mutant runs in a process of its own, with limits on its time and memory. Results are kept by content, so a run that
was interrupted goes on, and a changed check is tried again on the mutants it judges alone.
"""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from itertools import chain
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch

from chainrule.authoring.answers import Exercise, Problem, problems
from chainrule.authoring.mutants import Mutant, mutants
from chainrule.authoring.rehearse import Rehearsal, code_cells
from chainrule.course import CourseFolder
from chainrule.lesson.results import CheckResult, Result
from chainrule.modules import imported

CPU_SECONDS = 60  # of one mutant and all the items that judge it
SECONDS = 1200  # of the same; by then, it waits for something
MEMORY = 8 * 2**30  # bytes beyond what the process has already
ENDED = "ended by signal"  # as a limit ends a process
FORK = multiprocessing.get_context("fork")  # torch is imported already


@dataclass(frozen=True)
class Outcome:
    """What the checks say of a mutant.

    Attributes:
        cell: the grade_id of the mutated cell.
        own: points lost at the checks of the items that judge the cell.
        others: points lost at other items, by grade_id.
        said: the checks that it fails and what they say.
        noticed: whether a visible check of the release notices it.
        stopped: why it had no result, such as "60 s"; empty if it had one.
        crashed: a check did not foresee this form, so it said nothing true.
        same: the cell gives its names the same values as the reference does.
        stops: the cell only computes values, and it or a later one that needs them stops with an error. Whoever runs
            the notebook sees that; there are no values to judge then.
    """

    cell: str
    kind: str
    line: int
    change: str
    own: float = 0.0
    others: dict[str, float] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    noticed: bool = False
    stopped: str = ""
    crashed: bool = False
    same: bool = False
    stops: bool = False

    @property
    def survives(self) -> bool:
        """Whether it keeps every point of its own items. An error on the way is ours and kills nothing."""
        return not self.own and not self.stopped.startswith(ENDED)

    @property
    def spreads(self) -> bool:
        """Whether it costs points at other parts, although there are values to judge."""
        return bool(self.others) and not self.stops

    def __str__(self) -> str:
        return f"{self.cell}, line {self.line}, {self.kind}: {self.change}"


class Mutation:
    """The mutants of one notebook.

    Args:
        course: the course folder.
        assignment, notebook: the notebook's assignment and its name without .ipynb.
        kept: a folder for results.
    Attributes:
        cells: the items that judge each solution cell.
        silent: cells about which the checks say nothing here, because they speak only after a training run.
        equivalent: why some mutants cannot be told from the reference; see `Problem`.
    """

    def __init__(self, course: CourseFolder, assignment: str, notebook: str, kept: Path) -> None:
        parts = [part for part in problems(course, assignment).values() if part.notebook == notebook]
        self.name = f"{assignment}/{notebook}"
        self.exercises = tuple(chain.from_iterable(part.exercises for part in parts))
        given = {*chain.from_iterable(part.given for part in parts)}
        given |= {*chain.from_iterable(exercise.given for exercise in self.exercises)}
        checks = {item: names for part in parts for item, names in part.checks.items()}
        # by item, the cells that its part of the notebook runs; it can depend on no others
        self.run_for = {
            item: {*part.given, *chain.from_iterable((each.cell, *each.given) for each in part.exercises)}
            for part in parts
            for item in part.checks
        }
        self.before = {each.cell: each.before for each in self.exercises if each.before}
        self.silent: list[str] = []
        self.equivalent = dict(chain.from_iterable(part.equivalent.items() for part in parts))
        source = course.folder("source", ".", assignment) / f"{notebook}.ipynb"
        self.cells = judged_by(source, self.exercises)
        # cells that no exercise names run, too: answers that are typed in
        given |= {*self.cells} - {exercise.cell for exercise in self.exercises}
        self.rehearsal = Rehearsal(
            course, assignment, Problem(notebook, tuple(given), checks, self.exercises)
        )
        self.items = tuple(item for item in self.rehearsal.sources if item in checks)
        self.released = code_cells(course.folder("release", ".", assignment) / f"{notebook}.ipynb")
        self.kept = kept / f"{assignment}-{notebook}.jsonl"
        # item and name of the checks that the reference itself fails here, because they need a training run: without
        # what is put before any cell, and by the cell, with that
        self.unjudged: dict[str, set[tuple[str, str]]] = {}

    @cached_property
    def key(self) -> str:
        """Of everything but the mutant that its outcome depends on."""
        sources = [*self.rehearsal.sources.values(), *self.released.values()]
        files, _ = imported(self.rehearsal.modules, sources, whole=False)
        content = sources + [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
        return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]

    def prepare(self, folder: Path) -> None:
        """Write into the working folder, which has `data`, what the answers need there."""
        for exercise in self.exercises:
            self.rehearsal.prepare(exercise, folder)

    def run(
        self,
        folder: Path,
        jobs: int,
        wanted: Callable[[str, Mutant], bool] = lambda cell, mutant: True,
        across: bool = True,
    ) -> Iterator[Outcome]:
        """The outcome of each mutant, in any order; those that are kept come first.

        Args:
            folder: the working folder, prepared.
            jobs: how many run at once.
            wanted: which mutants; all of them if not given.
            across: judge all items that depend on the cell, not its own alone.
        """
        known = self.read()
        waiting = []
        for cell in self.cells:
            its_mutants = [each for each in mutants(self.rehearsal.sources[cell]) if wanted(cell, each)]
            if its_mutants and not self._is_judged(cell, folder):
                self.silent.append(cell)
                continue
            parts: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
            for mutant in its_mutants:
                rest = without(self.rehearsal.sources[cell], mutant.line)
                if rest not in parts:
                    parts[rest] = self._judges(cell, rest, folder, across)
                own, others = parts[rest]
                name = self._name(cell, mutant, (*own, *others))
                if name in known:
                    yield known[name]
                else:
                    waiting.append((name, cell, mutant, own, others))
        work = {
            name: partial(self._judge, cell, mutant, own, others, folder)
            for name, cell, mutant, own, others in waiting
        }
        about = {name: (cell, mutant) for name, cell, mutant, *_ in waiting}
        for name, found in in_processes(work, jobs):
            cell, mutant = about[name]
            changes = {"stopped": found} if isinstance(found, str) else found
            outcome = Outcome(cell, mutant.kind, mutant.line, mutant.change, **changes)
            self._keep(name, outcome)
            yield outcome

    def excuse(self, outcome: Outcome) -> str:
        """Why a mutant is no worse than the reference; "" if nobody has said why."""
        if outcome.same:
            return "it gives the same values"
        for change, reason in self.equivalent.get(outcome.cell, {}).items():
            if re.fullmatch(".*".join(map(re.escape, change.split("…"))), outcome.change):
                return reason
        return ""

    def read(self) -> dict[str, Outcome]:
        """The outcomes that are kept and still hold, by their names."""
        if not self.kept.exists():
            return {}
        found = {}
        for line in self.kept.read_text(encoding="utf-8").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # a run ended while it wrote this line
                continue
            if entry["key"] == self.key:
                found[entry["name"]] = Outcome(**entry["outcome"])
        return found

    def _name(self, cell: str, mutant: Mutant, items: Iterable[str]) -> str:
        content = "\0".join([cell, mutant.source, *sorted(items)])
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    def _keep(self, name: str, outcome: Outcome) -> None:
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        with self.kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self.key, "name": name, "outcome": asdict(outcome)}) + "\n")

    def _judges(
        self, cell: str, rest: str, folder: Path, across: bool
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Items of a cell, and items of others, that can judge what is in it beside the rest: they lose points if it
        is missing. If none of its own does, they all judge it.

        Args:
            rest: the cell without the function or class in question; nothing if all of the cell is.
            across: whether items of other cells are wanted.
        """
        own = self.cells[cell]
        others = [item for item in self.items if item not in own and cell in self.run_for[item]]
        asked = [*(own if rest and own[1:] else ()), *(others if across else ())]
        if not asked:
            return own, ()
        lost = self._lost_without(cell, rest, asked, folder)
        hit = asked if isinstance(lost, str) else [item for item in asked if lost.get(item)]
        return tuple(item for item in own if item in hit) or own, tuple(i for i in hit if i not in own)

    def _is_judged(self, cell: str, folder: Path) -> bool:
        """Whether a cell's own items lose points if all of it is missing."""
        lost = self._lost_without(cell, "pass", self.cells[cell], folder)
        return isinstance(lost, str) or any(lost.values())

    def _lost_without(
        self, cell: str, rest: str, items: Sequence[str], folder: Path
    ) -> dict[str, float] | str:
        """By item, the points lost if a cell has only this; or why that is not known."""
        self._learn_unjudged(cell, folder)
        left = partial(self._results, items, self._with_before(cell, rest), folder)
        ((_, lost),) = in_processes({cell: lambda: points_lost(self._failed(left(), cell))}, 1)
        found: dict[str, float] | str = lost
        return found

    def _with_before(self, cell: str, source: str) -> dict[str, str]:
        return {cell: self.before.get(cell, "") + source}

    def _results(
        self, items: Iterable[str], changed: Mapping[str, str], folder: Path, released: bool = False
    ) -> dict[str, Result]:
        torch.manual_seed(0)
        judges = {item: self.released[item] for item in items} if released else None
        return self.rehearsal.results(items, changed, folder, judges=judges)

    def _learn_unjudged(self, cell: str, folder: Path) -> None:
        """Find out what the reference itself fails where this cell is changed."""
        place = cell if cell in self.before else ""
        if place in self.unjudged:
            return
        ((_, found),) = in_processes({place: partial(self._reference, place, folder)}, 1)
        if isinstance(found, str):
            raise RuntimeError(f"{self.name}: the reference itself cannot be judged: {found}")
        self.unjudged[place] = {*found}

    def _reference(self, cell: str, folder: Path) -> list[tuple[str, str]]:
        """Item and name of the checks that the reference fails, visible ones among them.

        Args:
            cell: what is put before it stands there; "" for no cell.
        """
        own = self._with_before(cell, self.rehearsal.sources[cell]) if cell else {}
        every = [self._results(self.items, own, folder, released=visible) for visible in (False, True)]
        return [(item, check.name) for results in every for item, check in failed(results)]

    def _failed(self, results: Mapping[str, Result], cell: str) -> list[tuple[str, CheckResult]]:
        """Items and the checks that failed there for a changed cell, but not on the reference."""
        unjudged = self.unjudged[cell if cell in self.before else ""]
        return [(item, check) for item, check in failed(results) if (item, check.name) not in unjudged]

    def _judge(
        self, cell: str, mutant: Mutant, own: Sequence[str], others: Sequence[str], folder: Path
    ) -> dict[str, Any]:
        """What the checks say, as attributes of `Outcome`."""
        changed = self._with_before(cell, mutant.source)
        with tempfile.TemporaryDirectory() as place:  # a mutant may write into its folder
            for entry in folder.iterdir():
                Path(place, entry.name).symlink_to(entry)
            results = self._results([*own, *others], changed, Path(place))
            seen = self._results(own, changed, Path(place), released=True)
        missed = self._failed(results, cell)
        lost = points_lost(missed)
        return {
            "own": round(sum(lost.get(item, 0.0) for item in own), 6),
            "others": {item: lost[item] for item in others if lost.get(item)},
            "said": [f"{check.name}: {check.message}" for _, check in missed if check.points],
            "noticed": bool(self._failed(seen, cell)),
            "crashed": any(check.internal_error for _, check in missed),
            "same": not any(lost.values()) and self._gives_the_same(cell, mutant),
            "stops": self._stops(cell, mutant, [item for item in others if lost.get(item)]),
        }

    def _gives_the_same(self, cell: str, mutant: Mutant) -> bool:
        """Whether a cell that only computes values gives its names the same ones."""
        tree = ast.parse(mutant.source)
        if _defines(tree):
            return False
        names = {
            node.id
            for node in ast.walk(tree)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        known = list(self.rehearsal.sources)
        before = [name for name in known[: known.index(cell)] if name in self.rehearsal.problem.given]
        try:
            right, found = (
                self.rehearsal.run([*before, cell], changed) for changed in ({}, {cell: mutant.source})
            )
            return all(np.array_equal(found[name], right[name]) for name in names)
        except Exception:  # a cell that needs more than this, or values that cannot be compared
            return False

    def _stops(self, cell: str, mutant: Mutant, items: Sequence[str]) -> bool:
        """Whether the mutant of a cell that only computes values stops one of the cells that these items need."""
        if not items or _defines(ast.parse(self.rehearsal.sources[cell])):
            return False
        needed = {*chain.from_iterable(self.run_for[item] for item in items)}
        run = [name for name in self.rehearsal.sources if name in needed]
        right, found = (self.rehearsal.stopped(run, changed) for changed in ({}, {cell: mutant.source}))
        return bool(found - right)


def without(source: str, line: int) -> str:
    """A cell without the function or class of its top level that is at a line; "" if there is nothing else in it that
    could be judged apart.

    >>> without("def f(x):\\n    return x\\n\\n\\ndef g(x):\\n    return f(x)", 2)
    'def g(x):\\n    return f(x)'
    """
    kinds = ast.FunctionDef | ast.ClassDef
    nodes = ast.parse(source).body
    rest = [node for node in nodes if not node.lineno <= line <= (node.end_lineno or 0)]
    inside = [node for node in nodes if node not in rest]
    if not any(isinstance(node, kinds) for node in rest) or not any(isinstance(n, kinds) for n in inside):
        return ""
    return ast.unparse(ast.Module(rest, []))


def _defines(tree: ast.Module) -> bool:
    """Whether a cell defines functions or classes."""
    return any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(tree))


def judged_by(notebook: Path, exercises: Iterable[Exercise]) -> dict[str, tuple[str, ...]]:
    """The items that judge each solution cell with code: those of its exercise, or else the next graded cell."""
    found = {}
    of_exercise: dict[str, tuple[str, ...]] = {}
    for exercise in exercises:
        of_exercise[exercise.cell] = tuple(
            dict.fromkeys([*of_exercise.get(exercise.cell, ()), *exercise.items])
        )
    waiting: list[str] = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not marks:
            continue
        name = marks["grade_id"]
        if marks["solution"] and name in of_exercise:
            found[name] = of_exercise[name]
        elif marks["solution"]:
            waiting.append(name)
        elif marks["grade"]:
            found |= dict.fromkeys(waiting, (name,))
            waiting = []
    return found


def failed(results: Mapping[str, Result]) -> list[tuple[str, CheckResult]]:
    """Items and the checks that failed there."""
    return [(item, check) for item, result in results.items() for check in result.checks if not check.passed]


def points_lost(missed: Iterable[tuple[str, CheckResult]]) -> dict[str, float]:
    """By item, the points of these checks."""
    lost: dict[str, float] = {}
    for item, check in missed:
        lost[item] = round(lost.get(item, 0.0) + check.points, 6)
    return lost


def in_processes(work: Mapping[str, Callable[[], Any]], jobs: int) -> Iterator[tuple[str, Any]]:
    """What functions return, each in a process of its own, by their names, as they end.

    One that had to be stopped, or that ended, gives a text that says why; so does one that raised an error.
    """
    waiting = list(work.items())
    running: dict[Connection, tuple[str, ForkProcess, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name, function = waiting.pop(0)
                ours, theirs = FORK.Pipe(duplex=False)
                process = FORK.Process(target=_child, args=(function, theirs), daemon=True)
                process.start()
                theirs.close()
                running[ours] = name, process, time.monotonic()
            for ready in wait(list(running), timeout=10):
                assert isinstance(ready, Connection)
                name, process, _ = running.pop(ready)
                try:
                    found = ready.recv()  # from a process of ours, which rehearses what an author wrote
                except EOFError:
                    process.join()
                    found = f"{ENDED} {-(process.exitcode or 0)}"
                ready.close()
                process.join()
                yield name, found
            for _, process, began in running.values():
                if time.monotonic() - began > SECONDS:
                    process.kill()
    finally:
        for _, process, _ in running.values():
            process.kill()


def _child(work: Callable[[], Any], answer: Connection) -> None:
    torch.set_num_threads(1)
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS, spent + CPU_SECONDS + 5))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY,) * 2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    try:
        answer.send(work())
    except BaseException as error:
        answer.send(f"{type(error).__name__}: {error}"[:200])
    os._exit(0)  # without the ends of what the parent began
