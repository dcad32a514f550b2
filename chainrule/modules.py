"""A course's own modules, as graded cells import them.

There are two kinds. The *judging package* (`c.Course.judging`) holds right values and judges; it never ships. It is a
folder of the course with an `__init__.py`, or an installed package. What *ships beside the notebooks*
(`source/<assignment>/`) is imported by its plain name, as in the student's notebook.

Graded cells of an assignment run inside `importable`. No worker sees the judging package: `hidden_from_workers` says
what a sandbox has to hide. What graded cells import is part of what their verdict depends on: `imported` finds it.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit
from urllib.request import url2pathname

OURS = "chainrule"
NO_VERDICT = {".pyc", ".md", ".ipynb"}  # files in a judging package that change no verdict
MAGIC = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
ANSWERS = "answers"  # its folders of right and wrong answers, which prove the checks


@dataclass(frozen=True)
class CourseModules:
    """Where the modules of one assignment are.

    Args:
        root: the course folder.
        judging: name of the judging package; the course folder's own wins over an installed one.
        beside: the assignment's folder in source/.
    """

    root: Path
    judging: str
    beside: Path

    @property
    def judging_path(self) -> list[str] | None:
        """Where to look for the judging package; None for wherever Python looks."""
        return [str(self.root)] if has_module(self.root, self.judging) else None

    @cached_property
    def shipped(self) -> set[str]:
        """Names of the modules that ship beside the notebooks. An installed module keeps its name, as in a worker."""
        if not self.beside.is_dir():
            return set()
        names = {path.stem for path in self.beside.glob("*.py")}
        names |= {path.parent.name for path in self.beside.glob("*/*.py")}
        return {name for name in names if name.isidentifier() and not self._is_taken(name)}

    def _is_taken(self, name: str) -> bool:
        installed = (place for spec in find_everywhere(name) for place in places_of(spec))
        return name in {OURS, *sys.stdlib_module_names} or any(map(is_installed, installed))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """The judging package and the shipped modules, for `sys.meta_path`; Python itself finds what is in them."""
        if name == self.judging and self.judging_path:
            spec = PathFinder.find_spec(name, self.judging_path)
            if spec is not None and spec.origin is None:  # a folder without __init__.py: of this course alone
                spec = ModuleSpec(name, None, is_package=True)
                spec.submodule_search_locations = [str(self.root / name)]
            return spec
        if name in self.shipped:
            return PathFinder.find_spec(name, [str(self.beside)])
        return None

    def owns(self, name: str) -> bool:
        """Whether a dotted name is one of the course's modules."""
        top = name.partition(".")[0]
        return top == self.judging or top in self.shipped

    def locate(self, name: str) -> ModuleSpec | None:
        """Where a module is, by its dotted name, without running any of its parents; None if it is nowhere."""
        top, *rest = name.split(".")
        spec = self.find_spec(top) or find_installed(top)
        for i, _ in enumerate(rest, 2):
            if spec is None or spec.submodule_search_locations is None:
                return None
            spec = PathFinder.find_spec(".".join(name.split(".")[:i]), list(spec.submodule_search_locations))
        return spec

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Size and time of change of each file that a module of the course may be made of."""
        judging = self.locate(self.judging)
        places = [
            *places_of(judging),
            *(self.beside / name for name in self.shipped),
            *self.beside.glob("*.py"),
        ]
        return {
            file: (about.st_size, about.st_mtime_ns)
            for place in places
            for file, about in files_of(str(place))
            if not file.endswith(".pyc")
        }


def files_of(place: str) -> Iterator[tuple[str, os.stat_result]]:
    """A file, or all files in a folder and below, with what the system knows of each; nothing if it is not there."""
    if os.path.isfile(place):
        yield place, os.stat(place)
    for folder, below, names in os.walk(place):
        below[:] = [name for name in below if name != "__pycache__"]
        for name in names:
            if os.path.isfile(file := os.path.join(folder, name)):
                yield file, os.stat(file)


_loaded: tuple[CourseModules, dict[str, tuple[int, int]]] | None = None  # that modules in memory are of


@contextmanager
def importable(modules: CourseModules) -> Iterator[None]:
    """Let this process import the modules of an assignment; not for a process that runs student code.

    A process may run for days and serve several courses. So modules of another course or assignment, or of files that
    have changed since, are taken out of memory first.
    """
    global _loaded
    stamps = modules.stamps()
    if _loaded != (modules, stamps):
        forget(modules)
        _loaded = modules, stamps
    sys.meta_path.insert(0, modules)
    try:
        yield
    finally:
        sys.meta_path.remove(modules)


def forget(modules: CourseModules) -> None:
    """Take this course's modules out of memory, and those of the course that this process served before."""
    before = _loaded[0] if _loaded else modules
    for name in [name for name in sys.modules if modules.owns(name) or before.owns(name)]:
        del sys.modules[name]
    importlib.invalidate_caches()


def has_module(root: Path, name: str) -> bool:
    """Whether a course has the module in its folder: a folder with Python in it, or a file."""
    folder = root / name
    return bool(name) and (
        next(folder.rglob("*.py"), None) is not None or folder.with_suffix(".py").is_file()
    )


def find_installed(name: str) -> ModuleSpec | None:
    """Where an installed top-level module is, editable installs included, without importing it."""
    return next(find_everywhere(name), None)


def find_everywhere(name: str) -> Iterator[ModuleSpec]:
    """Every top-level module of a name that this process could import, the one that it would import first."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if (
            find is not None
            and not isinstance(finder, CourseModules)
            and (spec := find(name, None)) is not None
        ):
            yield spec
    for place in sys.path:
        if (spec := PathFinder.find_spec(name, [place])) is not None:
            yield spec


def places_of(spec: ModuleSpec | None) -> list[Path]:
    """The folders of a package, or the file of a module."""
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place) for place in spec.submodule_search_locations]
    return [Path(spec.origin)] if spec.origin and spec.has_location else []


def hidden_from_workers(root: Path, judging: str) -> list[Path]:
    """What a sandbox hides even inside folders that workers may read: the course, every installed package that is
    called like the course's judging package, and every installed package `judging`."""
    installed: set[Path] = set()
    for name in filter(None, (judging, "judging")):
        for place in {place for spec in find_everywhere(name) for place in places_of(spec)}:
            compiled = place.parent.glob(f"__pycache__/{place.stem}.*") if place.suffix == ".py" else ()
            installed |= {place, *compiled}
        installed |= set(editable_projects(name))
    return [root, *sorted(installed | {place.resolve() for place in installed})]


def editable_projects(name: str) -> Iterator[Path]:
    """The folders of projects that bring a top-level module and are installed in place (`pip install -e`)."""
    for project in distributions_of(name):
        about = json.loads(distribution(project).read_text("direct_url.json") or "{}")
        if about.get("dir_info", {}).get("editable"):
            yield Path(url2pathname(urlsplit(about["url"]).path))


# -- what verdicts depend on -----------------------------------------------------------------------------


def imported(
    modules: CourseModules, sources: Iterable[str], whole: bool = True
) -> tuple[list[Path], dict[str, str]]:
    """What graded cells import, and what that imports, found in the code without running it.

    A text that spells a module of the judging package counts as an import of it.

    Args:
        whole: every module of a judging package counts, and the data beside them, if one is imported: names that code
            puts together, and tables that it reads, are not found.
    Returns:
        Files whose content counts: those of the judging package, and every other module that is part of no installed
        distribution. And the versions of the distributions.
    """
    files: set[Path] = set()
    versions: dict[str, str] = {}
    waiting = [name for source in sources for name in imports_in(source, "", modules.judging)]
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in done or top in sys.stdlib_module_names or top == OURS:
            continue
        done.add(name)
        spec = modules.locate(name)
        if top == modules.judging and whole:
            package_files, package_imports = contents_of(spec, name, modules.judging)
            files |= package_files
            waiting += package_imports
        waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
        if spec is None or not spec.has_location or spec.origin is None:
            continue
        file = Path(spec.origin)
        if top != modules.judging and top not in modules.shipped and is_installed(file):
            for distribution in distributions_of(top):
                versions[distribution] = version(distribution)
            if distributions_of(top):
                continue
        files.add(file)
        if file.suffix == ".py":
            package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
            waiting += imports_in(file.read_bytes(), package, modules.judging)
    return sorted(files), versions


@lru_cache(maxsize=4_000)
def imports_in(source: str | bytes, package: str, judging: str) -> frozenset[str]:
    """Dotted names that some code may import, those of attributes of modules among them; none if it is not Python.

    Magics of IPython are left out.
    """
    names: set[str] = set()
    tree = parsed(source)
    if tree is None and isinstance(source, str):
        tree = parsed(MAGIC.sub(r"\1pass", source))
    if tree is None:
        return frozenset()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and judging:
            text = node.value.replace(":", ".")
            if text.startswith(f"{judging}.") and all(part.isidentifier() for part in text.split(".")):
                names.add(text)
    return frozenset(names - {""})


def parsed(source: str | bytes) -> ast.Module | None:
    """Code as a tree; None if it is not Python."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def uses_judging(source: str, judging: str) -> bool:
    """Whether code imports the judging package."""
    return bool(judging) and any(
        name.partition(".")[0] == judging for name in imports_in(source, "", judging)
    )


def contents_of(spec: ModuleSpec | None, name: str, judging: str) -> tuple[set[Path], set[str]]:
    """The files of a package of the judging package, and what its modules import.

    Of the judging package itself only files at its top count, or a change for one assignment would judge all of them
    again. The answers that prove the checks do not count, unless a module imports them.
    """
    files: set[Path] = set()
    names: set[str] = set()
    for folder in places_of(spec) if spec is not None and spec.submodule_search_locations is not None else []:
        for file in folder.glob("*") if name == judging else folder.rglob("*"):
            inside = file.relative_to(folder).parts
            hidden = any(part.startswith(".") or part in ("__pycache__", ANSWERS) for part in inside[:-1])
            if hidden or not file.is_file() or file.suffix in NO_VERDICT or file.name.startswith("."):
                continue
            files.add(file)
            if file.suffix == ".py":
                names |= imports_in(file.read_bytes(), ".".join([name, *inside[:-1]]), judging)
    return files, names


@cache
def distributions_of(top: str) -> list[str]:
    """The installed distributions that bring a top-level module."""
    if top in sys.stdlib_module_names:
        return []
    try:  # most are called as their module, and to read what all bring takes a quarter of a second
        return [distribution(top).metadata["Name"]]
    except PackageNotFoundError:
        return all_distributions().get(top, [])


@cache
def all_distributions() -> dict[str, list[str]]:
    """The installed distributions by the top-level modules they bring."""
    return {name: sorted(set(found)) for name, found in packages_distributions().items()}


def packages_of(sources: Iterable[str]) -> dict[str, str]:
    """The versions of the installed distributions that some code imports."""
    tops = {name.partition(".")[0] for source in sources for name in imports_in(source, "", "")}
    return {found: version(found) for top in tops for found in distributions_of(top)}


def is_installed(file: Path) -> bool:
    """Whether a module lies where packages are installed to, and not in somebody's working folder."""
    return any(part in ("site-packages", "dist-packages") for part in file.parts)


def load(modules: CourseModules, name: str) -> ModuleType:
    """Import a module of the course, by its dotted name."""
    with importable(modules):
        return importlib.import_module(name)


def load_beside(modules: CourseModules, name: str) -> ModuleType:
    """Import a module that lies in the course folder, or any other that Python finds, by its dotted name."""
    if str(modules.root) not in sys.path:
        sys.path.append(str(modules.root))
    return load(modules, name)
