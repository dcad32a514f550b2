"""What is wrong with the values of a course's options, a sentence each. `chainrule doctor` says them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec

from traitlets import TraitError
from traitlets.config import Configurable

from chainrule.course import CONFIG, CourseError, CourseFolder
from chainrule.datasets.registry import Profile, UnknownDataSetError
from chainrule.intake.notebook import read_source
from chainrule.intake.roster import read_roster
from chainrule.modules import has_module, load_beside
from chainrule.release import AddHandIn
from chainrule.release.facts import item_points

CLASSES = ("Course", "Run")
BY_ASSIGNMENT = ("due", "data", "variants", "late", "names", "lms", "handin", "generative_ai", "alternatives")


def mistakes(folder: CourseFolder) -> Iterator[str]:
    """A sentence about each option of a course that cannot have the value that it has."""
    course = folder.course
    yield from misspelt_classes(folder)
    yield from unknown_names(folder, type(course))
    for option in BY_ASSIGNMENT:
        for assignment in getattr(course, option):
            if assignment not in folder.assignments:
                known = ", ".join(folder.assignments) or "none"
                yield (
                    f"c.Course.{option} in {CONFIG} names {assignment!r}, which has no notebooks in source/: "
                    f"correct it, or leave it out until it has. Known: {known}."
                )
    for assignment in course.due:
        try:
            course.due_date(assignment)
        except CourseError as error:
            yield str(error)
    for name in sorted({*course.datasets, *(name for names in course.data.values() for name in names)}):
        try:
            folder.data_sets.module(name)
        except UnknownDataSetError as error:
            yield str(error)
        except Exception as error:  # the module is the course's
            yield f"the data set {name!r} cannot be used: its module raises {type(error).__name__}: {error}"
    for assignment, where in course.variants.items():
        yield from variants_mistake(folder, assignment, where)
    yield from alternatives_mistakes(folder)
    yield from module_mistakes(folder)
    yield from roster_mistake(folder)
    for assignment in course.handin:
        if assignment in folder.assignments:
            try:
                AddHandIn(parent=Configurable(config=folder.config)).cells(assignment)
            except CourseError as error:
                yield str(error)
    if (folder.root / course.data_folder).is_file():
        yield f"c.Course.data_folder in {CONFIG} is {course.data_folder!r}, which is a file: name a folder"
    yield from run_mistakes(folder)


def misspelt_classes(folder: CourseFolder) -> Iterator[str]:
    """Names in the configuration that look like `Course` or `Run`: nothing would read them."""
    for name in folder.config:
        if name not in CLASSES and (similar := get_close_matches(name.capitalize(), CLASSES, 1, 0.8)):
            yield f"c.{name} in {CONFIG} is read by nothing: did you mean c.{similar[0]}?"


def unknown_names(folder: CourseFolder, kind: type[Configurable]) -> Iterator[str]:
    """Names that the configuration gives to options of a class which has no such options."""
    known = kind.class_trait_names(config=True)
    for name in folder.config.get(kind.__name__, {}):
        if name not in known:
            similar = get_close_matches(name, known, 1) or [f"one of {', '.join(sorted(known))}"]
            yield f"c.{kind.__name__}.{name} in {CONFIG} is no option: did you mean {similar[0]}?"


def variants_mistake(folder: CourseFolder, assignment: str, where: str) -> Iterator[str]:
    module, _, function = where.partition(":")
    option = f"c.Course.variants[{assignment!r}] in {CONFIG} is {where!r}"
    if not re.fullmatch(r"[\w.]+:\w+", where):
        yield f"{option}: write 'module:function'"
        return
    try:
        found = getattr(load_beside(folder.modules(assignment), module), function, None)
    except Exception as error:  # the module is the course's
        yield f"{option}: {module} cannot be imported ({type(error).__name__}: {error})"
        return
    if not callable(found):
        yield f"{option}: {module} has no function {function}"


def alternatives_mistakes(folder: CourseFolder) -> Iterator[str]:
    for assignment in folder.assignments:
        option = f"c.Course.alternatives[{assignment!r}] in {CONFIG}"
        points = {
            path.stem: sum(dict(item_points(read_source(path))).values())
            for path in folder.notebooks(assignment)
        }
        groups = folder.course.alternatives_of(assignment)
        names = [name for group in groups for name in group]
        for name in dict.fromkeys(names):
            if name not in points:
                yield f"{option} names {name!r}, which is no notebook: write names of {', '.join(points)}"
            elif names.count(name) > 1:
                yield f"{option} names {name!r} twice: a notebook is in one group"
        for group in groups:
            if len(group) == 1:
                yield f"{option} has the group {group}: name at least two notebooks of which one counts"
            if len({points[name] for name in group if name in points}) > 1:
                worth = ", ".join(f"{name} {points[name]:g}" for name in group if name in points)
                yield f"{option}: notebooks of which one counts have the same points, and these have {worth}"


def module_mistakes(folder: CourseFolder) -> Iterator[str]:
    course = folder.course
    named = "judging" in folder.config.get("Course", {}) and course.judging
    if named and not has_module(folder.root, course.judging) and not importable(course.judging):
        yield (
            f"c.Course.judging in {CONFIG} is {course.judging!r}: neither the course folder nor this Python has "
            "such a package"
        )
    for name in course.preload:
        if not importable(name):
            yield f"c.Course.preload in {CONFIG} names {name!r}, which this Python cannot import"


def importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError, AttributeError):
        return False


def roster_mistake(folder: CourseFolder) -> Iterator[str]:
    path = folder.root / folder.course.roster
    if path.exists() or "roster" in folder.config.get("Course", {}):
        try:
            read_roster(path)
        except CourseError as error:
            yield str(error)


def run_mistakes(folder: CourseFolder) -> Iterator[str]:
    """What is wrong with the options of `Run`."""
    from chainrule.grading.run import Run  # imports torch

    yield from unknown_names(folder, Run)
    try:
        run = Run(config=folder.config)
    except TraitError as error:
        reason = re.sub(r"<[\w.]+: ('\w+')>", r"\1", str(error).replace(" of a Run instance", ""))
        yield f"an option c.Run in {CONFIG} cannot have its value: {reason}"
        return
    for option in ("seconds", "notebook_seconds"):
        limits = getattr(run, option)
        for profile in Profile:
            limit = limits.get(profile)
            if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
                example = getattr(Run(), option)
                yield f"c.Run.{option} in {CONFIG} is {limits!r}: write whole seconds by profile, as in {example}"
                break
    if run.threads < 0:
        yield f"c.Run.threads in {CONFIG} is {run.threads}: write 0, which leaves it to the libraries, or more"
    for option in ("memory", "disk", "processes"):
        if getattr(run, option) < 1:
            yield f"c.Run.{option} in {CONFIG} is {getattr(run, option)}: write a positive number"
