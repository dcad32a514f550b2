"""What this machine has of what a course needs, and how to get the rest."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from chainrule import __version__
from chainrule.course import CONFIG, CourseError, CourseFolder, find_course, lacks
from chainrule.datasets.registry import Profile, UnknownDataSetError


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        mistake: whether it is a mistake in the course's configuration, and not only something that this machine lacks.
    """

    ok: bool
    name: str
    text: str
    mistake: bool = False


def examine(course: Path | None = None) -> Iterator[Finding]:
    """Check everything that a course run needs, in the order of its stages.

    Args:
        course: the course folder; None for the nearest one.
    """
    python = sys.version_info >= (3, 11)
    yield Finding(
        python, "python", f"{platform.python_version()}, chainrule {__version__}, {platform.platform()}"
    )
    yield torch_finding()
    try:
        root = course or find_course(Path.cwd())
    except CourseError as error:
        yield Finding(False, "course", str(error))
    else:
        yield from course_findings(root)
    yield sandbox_finding()
    yield pdf_finding()


def course_findings(root: Path) -> Iterator[Finding]:
    """The course, what is wrong with its configuration, and its data sets."""
    from chainrule.course_options import mistakes
    from chainrule.metadata import framework_of

    try:
        folder = CourseFolder(root)
        folder.api  # noqa: B018 (imports nbgrader and the plug-ins that are configured)
    except CourseError as error:
        yield Finding(False, "course", str(error), mistake=(root / CONFIG).is_file())
        return
    yield Finding(True, "course", f"{folder.root}: {', '.join(folder.assignments)}")
    for sentence in mistakes(folder):
        yield Finding(False, "course", sentence, mistake=True)
    for assignment in folder.assignments:
        for path in folder.notebooks(assignment):
            if reason := lacks(framework_of(path)):
                yield Finding(False, "framework", f"{reason}; until then {path.name} cannot be graded")
    for name in sorted({name for names in folder.course.data.values() for name in names}):
        for profile in Profile:
            with suppress(UnknownDataSetError):  # one of the mistakes
                yield data_finding(folder, name, profile)


def torch_finding() -> Finding:
    """torch, torchvision and the device they use."""
    try:
        import torch
        import torchvision
    except Exception as error:
        return Finding(False, "torch", f"does not import ({error}): install requirements.lock")
    device = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores, no GPU"
    )
    return Finding(True, "torch", f"{torch.__version__}, torchvision {torchvision.__version__}, {device}")


def data_finding(folder: CourseFolder, name: str, profile: str) -> Finding:
    """One of the course's data sets, in one profile."""
    data_set = folder.data_sets.module(name).load(folder.data(profile))
    if data_set is None:
        return Finding(
            False, f"{name}, {profile}", f"not there: run `chainrule data {name} --profile {profile}`"
        )
    return Finding(True, f"{name}, {profile}", f"{data_set.origin} in {folder.data(profile)}")


def sandbox_finding() -> Finding:
    """How well student code is confined."""
    from chainrule.grading.sandbox import bubblewrap_error, confinement

    possible = confinement()
    if not possible.lacks:
        return Finding(True, "sandbox", f"{possible.kind}: student code sees its notebook and nothing else")
    return Finding(False, "sandbox", f"{possible.warning} ({bubblewrap_error() or sys.platform})")


def pdf_finding() -> Finding:
    """The packages that `chainrule pdf` needs."""
    missing = [name for name in ("pypandoc", "quickjax", "typst") if importlib.util.find_spec(name) is None]
    if missing:
        from chainrule.handin.browser import BrowserError, find_browser

        try:
            instead = f"until then {find_browser()} prints"
        except BrowserError as error:
            instead = f"and {error} to print instead"
        return Finding(False, "pdf", f"missing {', '.join(missing)}: install requirements.lock; {instead}")
    return Finding(True, "pdf", "pandoc, MathJax (quickjax) and Typst are here; no TeX and no browser needed")
