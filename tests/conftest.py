"""Tests work in folders of their own; what takes long to make is made once and shared between processes."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import tiny_course
from chromium import chromium  # noqa: F401 (a fixture)
from command_line import chainrule  # noqa: F401 (a fixture)
from filelock import FileLock
from postgres import Postgres, postgres  # noqa: F401 (a fixture)
from tiny_course import ROOT

from chainrule.datasets.registry import DATA_SETS

if TYPE_CHECKING:
    from chainrule.authoring.answers import Exercise
    from chainrule.authoring.rehearse import Rehearsal

# nbgrader calls `alembic` by name
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first of pytest-xdist's processes makes and the others find; nobody changes it."""
    base = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, partial = base / name, base / f"{name}.part"
    with FileLock(base / f"{name}.lock"):
        if not folder.exists():
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(folder)
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--answers",
        action="append",
        metavar="ITEM",
        help="Of all answers, only those to items that begin so.",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes long to make is made first, each by one process, while the others make or run something else."""
    if wanted := tuple(f"[{item}" for item in config.getoption("--answers") or ()):
        items[:] = [
            item
            for item in items
            if item.path.name != "test_answers.py" or any(word in item.nodeid for word in wanted)
        ]
    items[:] = spread(items, [*first_users(items)], int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def first_users(items: Sequence[pytest.Item]) -> Iterator[pytest.Item]:
    """The tests that make what takes long to make and others use, dearest first."""
    made: set[tuple[str, str]] = set()
    for name in ("played", "tier", "graded", "demo"):
        for item in items:
            if name not in getattr(item, "fixturenames", ()):
                continue
            of = getattr(item, "callspec", None)
            given = of.params if of else {}
            attack = given.get("attack")  # each family of them has a class of its own
            made_for = attack.family if attack else given.get("tier", "")
            if (name, made_for) not in made and (made_for or name not in ("played", "tier")):
                made.add((name, made_for))
                yield item


def spread(items: Sequence[pytest.Item], dear: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """The tests in an order in which each of the processes, which get equal parts of it, begins with dear ones.

    Classes of attackers are graded by one process, one after the other: they keep a machine as busy as they can.
    """
    attackers = [item for item in dear if "hostile" in item.path.parts]
    others = [item for item in dear if item not in {*attackers}]
    if processes == 1:
        own = [[*attackers, *others]]
    else:
        own = [attackers, *(others[process :: processes - 1] for process in range(processes - 1))]
    rest = [item for item in items if item not in {*dear}]
    ordered: list[pytest.Item] = []
    for process, first in enumerate(own):
        part = (len(items) - len(ordered)) // (processes - process) - len(first)
        ordered += [*first, *rest[:part]]
        rest = rest[part:]
    return ordered


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course, released."""
    return once(tmp_path_factory, "released", tiny_course.write)


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A tiny course of the test's own, nothing submitted."""
    return Path(shutil.copytree(released, tmp_path / "course"))


@pytest.fixture(scope="session")
def graded(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny course with its class graded by `chainrule grade tiny`, whose output is in said.txt."""

    def make(root: Path) -> None:
        shutil.copytree(released, root)
        tiny_course.hand_in_class(root)
        said = tiny_course.type_command(root, "chainrule", "grade", "tiny", "--jobs", "2")
        (root / "said.txt").write_text(said)

    return once(tmp_path_factory, "graded", make)


@pytest.fixture
def graded_course(graded: Path, tmp_path: Path) -> Path:
    """A graded course of the test's own."""
    return Path(shutil.copytree(graded, tmp_path / "course"))


@pytest.fixture(scope="session")
def small_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course with a class of five whose written answers wait for a marker; nobody changes it."""
    import marking_class

    return once(tmp_path_factory, "small-class", lambda root: marking_class.write(root, marking_class.SMALL))


@pytest.fixture(scope="session")
def diagnosed_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of 24 with planted mistakes; nobody changes it."""
    import diagnosed_class

    return once(tmp_path_factory, "diagnosed-class", diagnosed_class.write)


@pytest.fixture(scope="session")
def small_class_in_postgres(
    postgres: Postgres,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, str]:
    """The same with its gradebook in PostgreSQL, and the name of the database to copy."""
    import marking_class

    url = postgres.new_database()
    root = tmp_path_factory.mktemp("postgres") / "course"
    marking_class.write(root, marking_class.SMALL, url)
    return root, url.partition("@/")[2].partition("?")[0]


@pytest.fixture(scope="session")
def classroom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder of notebooks, with the small data sets and the reference's files in it; nobody changes it."""

    def make(root: Path) -> None:
        for module in DATA_SETS.values():
            import_module(module).prepare(root / "data", "quick")
        for path in (ROOT / "judging").rglob("*.safetensors"):
            shutil.copy(path, root)

    import torch

    # the first optimizer imports for seconds, which would count against an answer's time limit
    torch.optim.SGD([torch.zeros(1)], lr=0.1)
    return once(tmp_path_factory, "classroom", make)


@pytest.fixture(scope="session")
def transformers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `trained_transformers.LOADED` loads; nobody changes it."""
    from trained_transformers import train

    return once(tmp_path_factory, "transformers", train)


@pytest.fixture(scope="session")
def prepared(
    classroom: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Rehearsal, Exercise], Path]:
    """The working folder for the answers to an exercise; nobody changes it."""

    def folder(rehearsal: Rehearsal, exercise: Exercise) -> Path:
        if exercise.prepare is None:
            return classroom

        def make(root: Path) -> None:
            root.mkdir()
            (root / "data").symlink_to(classroom / "data")
            rehearsal.prepare(exercise, root)

        return once(tmp_path_factory, f"prepared-{exercise.items[0]}", make)

    return folder
