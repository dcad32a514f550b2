"""A course: its folder, its nbgrader_config.py, and the options in there that are not nbgrader's."""

from __future__ import annotations

import keyword
import re
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jupyter_core.paths import jupyter_config_path
from traitlets import Dict, Integer, List, TraitError, Unicode, validate
from traitlets.config import Application, Config, Configurable

from chainrule.datasets.registry import DataSets
from chainrule.directory import CourseDirectory
from chainrule.errors import ChainruleError
from chainrule.students.late_rules import LateRule, LateRuleError

if TYPE_CHECKING:  # imported where it is called
    from nbgrader.apps import NbGraderAPI

    from chainrule.modules import CourseModules

CONFIG = "nbgrader_config.py"
DRIVER_PACKAGES = {
    "psycopg": "'psycopg[binary]'",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}  # by the module's name
PRELOAD = ["matplotlib.pyplot", "numpy", "torch", "tqdm.auto", "chainrule.lesson.figures"]
BY_OPTIMIZERS = "torch._dynamo"  # the first optimizer imports it, for more than a second; so does torchvision
PRELOADED_FOR: dict[str, list[str]] = {  # by the framework of the notebook
    "pytorch": [],
    # once TensorFlow is there, what PyTorch's optimizers import would crash: both bring a compiler
    "tensorflow": [BY_OPTIMIZERS, "tensorflow", "chainrule.lesson.verbs.tensorflow"],
}

OPTIONAL = {
    "tensorflow": "TensorFlow"
}  # frameworks that not every machine has, by the names of their packages


def lacks(framework: str) -> str:
    """What to say if this machine cannot run notebooks of a framework; "" if it can."""
    found = find_spec(framework) if framework in OPTIONAL else None
    if framework not in OPTIONAL or (
        found is not None and found.origin
    ):  # a mere folder of this name has none
        return ""
    return f"{OPTIONAL[framework]} isn't installed here: run pip install 'chainrule[{framework}]'"


class CourseError(ChainruleError, ValueError):
    """Something in the course folder is missing or wrong. The message says what to do."""


class Course(Configurable):
    """The course's options in nbgrader_config.py, such as `c.Course.due = {…}`."""

    due = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Due date of each assignment: 'YYYY-MM-DD HH:MM[:SS] Area/City'.",
    ).tag(config=True, form="{'hw1': '2026-10-01 12:00 Europe/Paris'}")

    data = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help="The data sets that each assignment needs in its ./data, by their names in `chainrule data`.",
    ).tag(config=True, form="{'hw1': ['fashion-mnist']}")

    variants = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="The function that draws each assignment's per-student numbers: 'module:function'.",
    ).tag(config=True, form="{'hw1': 'judging.hw1.numbers:draw'}")

    judging = Unicode(
        "judging",
        help=(
            "The package of right values and judges: hidden checks import it, and it is never released. A folder "
            "of the course with an __init__.py, or an installed package. No worker sees it."
        ),
    ).tag(config=True, form="the name of a package, such as 'judging'")

    preload = List(
        Unicode(),
        PRELOAD,
        help=(
            "Modules that a worker has imported before its notebook begins: those that most notebooks import. "
            "None that starts a thread when imported: workers are forked."
        ),
    ).tag(config=True, form="names of modules, such as ['torch', 'numpy']")

    datasets = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help=(
            "More data sets by name: modules, installed or of the judging package, with the functions prepare and "
            "load of `chainrule.datasets.fashion_mnist`."
        ),
    ).tag(config=True, form="{'my-set': 'judging.my_set'}")

    @validate("judging")
    def _is_a_package(self, proposal: dict[str, str]) -> str:
        name = proposal["value"]
        taken = {"chainrule", *sys.stdlib_module_names}
        if name and (not name.isidentifier() or keyword.iskeyword(name) or name in taken):
            raise TraitError(
                f"c.Course.judging is {name!r}: write the name of one package of your own, such as 'judging'; "
                "modules in it are named by the checks that import them"
            )
        return name

    @validate("preload")
    def _is_no_judging_module(self, proposal: dict[str, list[str]]) -> list[str]:
        wanted: list[str] = proposal["value"]
        for name in wanted:
            if name.partition(".")[0] in {self.judging, "judging"} - {""}:
                raise TraitError(
                    f"c.Course.preload names {name}: no worker may see the judging package; leave it out"
                )
        return wanted

    def imported_before(self, notebooks: Iterable[Path]) -> dict[str, list[str]]:
        """The modules that workers have imported before an assignment's notebooks begin, by the notebooks' names.

        Notebooks of one framework have the same, so that their workers come from one zygote.

        Args:
            notebooks: the assignment's in source/.
        """
        from chainrule.metadata import framework_of  # the command line imports this module, but not pydantic

        frameworks: dict[str, str] = {}
        texts: dict[str, str] = {}  # by framework
        for path in notebooks:
            frameworks[path.stem] = name = framework_of(path)
            texts[name] = texts.get(name, "") + path.read_text(encoding="utf-8", errors="replace")
        modules = {name: [*self.preload, *PRELOADED_FOR[name]] for name in texts}
        for name, text in texts.items():
            optimises = "torch" in self.preload and re.search(r"\boptim\b", text)
            if optimises and BY_OPTIMIZERS not in modules[name]:
                modules[name].append(BY_OPTIMIZERS)
        return {stem: modules[name] for stem, name in frameworks.items()}

    roster = Unicode(
        "roster.csv",
        help="CSV file of the students: id, username, last, first, email. The id is the name of a student's folders.",
    ).tag(config=True, form="the path of a CSV file, such as 'roster.csv'")

    late = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help=(
            "What a late hand-in costs: 'zero' all points, 'report' none, or a rule, with what it needs of "
            "'10% per day, at most 50%, zero after 5 days, grace 15 minutes'. `per hour` is possible, too. Percentages "
            "are of the assignment's maximum, for each started day or hour. Up to the grace nothing is taken."
        ),
    ).tag(config=True, form="{'hw1': 'zero'}, {'hw1': 'report'} or {'hw1': '10% per day, at most 50%'}")

    grace_days = Integer(
        0,
        min=0,
        help=(
            "Days by which a student may be late in the whole term without a cost. They go to the assignments "
            "that are due first, in whole days."
        ),
    ).tag(config=True, form="a whole number of days")

    @validate("late")
    def _are_rules(self, proposal: dict[str, dict[str, str]]) -> dict[str, str]:
        for assignment, text in proposal["value"].items():
            try:
                LateRule.parse(text)
            except LateRuleError as error:
                raise TraitError(f"c.Course.late[{assignment!r}] in {CONFIG}: {error}") from None
        return proposal["value"]

    def late_rule(self, assignment: str) -> LateRule | None:
        """What a late hand-in of the assignment costs; None if the course doesn't say."""
        return LateRule.parse(self.late[assignment]) if assignment in self.late else None

    names = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="The name of each assignment's course, as its students know it. Notebooks say it by `@course@`.",
    ).tag(config=True, form="{'hw1': 'CS 101'}")

    lms = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help="Where each assignment is handed in, as its students call it. Notebooks say it by `@lms@`.",
    ).tag(config=True, form="{'hw1': 'Moodle'}")

    handin = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help=(
            "The names of the files that each assignment's handout asks for, such as '{last}_{first}_hw1.pdf' or "
            "'*.zip/*.py'. {last} and {first} are the student's names, * is any text, and a slash means in a zip."
        ),
    ).tag(config=True, form="{'hw1': ['{last}_{first}_hw1.ipynb']}")

    alternatives = Dict(
        value_trait=List(List(Unicode())),
        key_trait=Unicode(),
        help=(
            "Notebooks of each assignment of which one counts, such as the same problem in two frameworks: groups of "
            "their names. A student hands in one of a group; of several the one with the most points counts."
        ),
    ).tag(config=True, form="{'hw1': [['part2_pytorch', 'part2_tensorflow']]}")

    def alternatives_of(self, assignment: str) -> list[list[str]]:
        """The groups of an assignment's notebooks of which one counts."""
        found: list[list[str]] = self.alternatives.get(assignment, [])
        return found

    for_students = Dict(
        value_trait=List(Unicode()),
        key_trait=Unicode(),
        help=(
            "Files beside each assignment's notebooks that students are to get, although their names say solution, "
            "corrigé or the like. * is any text."
        ),
    ).tag(config=True, form="{'hw1': ['data/solution.csv']}")

    generative_ai = Dict(
        value_trait=Unicode(),
        key_trait=Unicode(),
        help=(
            "The rule on generative AI for each assignment, in Markdown, such as what may be used and how to name it. "
            "It stands near the end of each released notebook, above the hand-in. Without an entry nothing is said."
        ),
    ).tag(config=True, form="{'hw1': 'Allowed for questions about Python. Say what you used.'}")

    data_folder = Unicode("data", help="Where data sets are kept, one folder per profile.").tag(
        config=True, form="the path of a folder, such as 'data'"
    )

    def due_date(self, assignment: str) -> datetime | None:
        """When the assignment is due, in UTC; None if the course has no date for it.

        Raises:
            CourseError: the entry cannot be read.
        """
        return self._due(assignment).astimezone(UTC) if assignment in self.due else None

    def zone(self, assignment: str) -> ZoneInfo:
        """The time zone of an assignment: that of its due date, else that of all other due dates.

        Raises:
            CourseError: there is no due date, or they are in different zones.
        """
        zones = {self._due(name).tzinfo for name in ([assignment] if assignment in self.due else self.due)}
        if len(zones) != 1:
            raise CourseError(
                f"which time zone? Write c.Course.due[{assignment!r}] = 'YYYY-MM-DD HH:MM Area/City' in {CONFIG}"
            )
        zone = zones.pop()
        assert isinstance(zone, ZoneInfo)
        return zone

    def time_text(self, assignment: str, time: datetime) -> str:
        """A time as students read it, in the assignment's time zone: "Mon 13 July 2026, 12:00 (America/Toronto)"."""
        try:
            zone = self.zone(assignment)
        except CourseError:
            return f"{time.astimezone(UTC):%a %-d %B %Y, %H:%M} (UTC)"
        return f"{time.astimezone(zone):%a %-d %B %Y, %H:%M} ({zone.key})"

    def _due(self, assignment: str) -> datetime:
        text = self.due[assignment]
        try:
            time, zone = text.rsplit(" ", 1)
            return datetime.fromisoformat(time).replace(tzinfo=ZoneInfo(zone))
        except (ValueError, ZoneInfoNotFoundError):
            raise CourseError(
                f"c.Course.due[{assignment!r}] in {CONFIG} is {text!r}; write 'YYYY-MM-DD HH:MM Area/City'"
            ) from None


def course_options(config: Config) -> Course:
    """The course's options in a configuration.

    Raises:
        CourseError: one has a value that it cannot have. The message says what to write.
    """
    try:
        return Course(config=config)
    except TraitError as error:
        for name, trait in Course.class_traits(config=True).items():
            try:
                Course(config=Config(Course={name: config.Course[name]} if name in config.Course else {}))
            except TraitError as own:
                value = config.Course[name]
                if str(own).startswith("c.Course."):
                    raise CourseError(str(own)) from None
                raise CourseError(
                    f"c.Course.{name} in {CONFIG} is {value!r}: write {trait.metadata['form']}"
                ) from None
        raise CourseError(f"{CONFIG}: {error}") from None


class CourseFolder:
    """A course folder on disk: paths, options, and nbgrader's API for it.

    Args:
        root: the folder with nbgrader_config.py, or the one that `c.CourseDirectory.root` names in Jupyter's folders.
        overrides: options that replace those in the files.
    Raises:
        CourseError: it is no course folder, a configuration file has an error, or the gradebook's driver is missing.
    """

    def __init__(self, root: Path, overrides: Config | None = None) -> None:
        self.config = read_config(root)
        self.config.merge(overrides or Config())
        configured = self.config.CourseDirectory.get("root")
        self.root = (root / configured if isinstance(configured, str) else root).resolve()
        if not ((root / CONFIG).is_file() or (configured and self.root == root.resolve())):
            raise CourseError(
                f"{root.resolve()} is not a course folder: it has no {CONFIG}. "
                "Go to one, or name it with --course."
            )
        self.config.CourseDirectory.root = str(self.root)
        self.course = course_options(self.config)
        with self._errors_in_options():
            self.directory = CourseDirectory(config=self.config)
        require_driver(self.directory.db_url)

    @cached_property
    def api(self) -> NbGraderAPI:
        """nbgrader's API for this course. Importing it takes a second."""
        from nbgrader.apps import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        with self._errors_in_options():
            return NbGraderAPI(CourseDirectory(config=self.config), config=self.config)

    @contextmanager
    def _errors_in_options(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # TraitError, and what a plug-in raises when it is imported
            raise CourseError(
                f"{self.root / CONFIG} has an error: {type(error).__name__}: {error}"
            ) from error

    @property
    def assignments(self) -> list[str]:
        """Names of the folders in source/ that hold notebooks."""
        source = self.root / self.directory.source_directory
        return sorted({path.parent.name for path in source.glob("*/*.ipynb")})

    def require(self, assignment: str) -> None:
        """Raise CourseError unless the assignment exists."""
        if assignment not in self.assignments:
            known = ", ".join(self.assignments) or "none"
            raise CourseError(f"there is no assignment {assignment!r} in source/. Known: {known}.")

    def folder(self, step: str, student: str = ".", assignment: str = ".") -> Path:
        """nbgrader's folder of a step ("source", "submitted", …) for a student and an assignment."""
        directory: str = getattr(self.directory, f"{step}_directory")
        path: str = self.directory.format_path(directory, student, assignment)
        return self.root / path

    def notebooks(self, assignment: str) -> list[Path]:
        """The instructor's notebooks of an assignment."""
        return sorted(self.folder("source", ".", assignment).glob("*.ipynb"))

    def modules(self, assignment: str) -> CourseModules:
        """The course's own modules that graded cells of an assignment may import."""
        from chainrule.modules import CourseModules

        return CourseModules(self.root, self.course.judging, self.folder("source", ".", assignment))

    @property
    def data_sets(self) -> DataSets:
        """The data sets that the course's notebooks may want."""
        from chainrule.modules import load

        return DataSets(self.course.datasets, partial(load, self.modules(".")))

    def data(self, profile: str) -> Path:
        """The folder of a profile's data sets."""
        return self.root / self.course.data_folder / profile

    def succeed(self, outcome: dict[str, Any], doing: str) -> None:
        """Raise CourseError with the reason unless one of nbgrader's API calls succeeded."""
        if not outcome["success"]:
            reason = failure_cause(outcome)
            if reason == "KeyboardInterrupt":  # nbgrader catches even this
                raise KeyboardInterrupt
            raise CourseError(f"{doing} failed: {reason}")


NO_TEMPLATES = (
    "nbconvert's templates are in none of the folders that `jupyter --paths` calls data: install nbconvert anew, or "
    "name the folder above its nbconvert/templates in JUPYTER_PATH"
)


def failure_cause(outcome: dict[str, Any]) -> str:
    """The line of the log that says why one of nbgrader's API calls failed."""
    log, error = outcome.get("log") or "", outcome.get("error") or ""
    _, logged, frames = log.rpartition("Traceback (most recent call last):")
    lines = (
        re.findall(r"^    (\S.*)$", frames, re.MULTILINE) if logged else []
    )  # frames have more indentation
    _, raised, frames = error.rpartition("Traceback (most recent call last):\n")
    lines += re.findall(r"^\S.*$", frames, re.MULTILINE) if raised else []  # a message may have more lines
    lines += [line for line in reversed((error or log).splitlines()) if line.strip()]
    reason = lines[0] if lines else "no details"
    return NO_TEMPLATES if "No template sub-directory" in reason else reason


def read_config(root: Path) -> Config:
    """The configuration of a course as nbgrader reads it in that folder: Jupyter's folders first, then the course's.

    Jupyter's folders are those of `jupyter --paths`: JUPYTER_CONFIG_DIR, JUPYTER_CONFIG_PATH, ~/.jupyter and others.

    Raises:
        CourseError: a file has an error.
    """
    files = Application(raise_config_file_errors=True)
    folders = [str(root), *jupyter_config_path()]
    try:
        files.load_config_file("jupyter_config", path=folders)
        files.load_config_file(Path(CONFIG).stem, path=folders)
    except Exception as error:  # a file is code and may raise anything
        raise CourseError(
            f"{_failing_file(error, root)} has an error: {type(error).__name__}: {error}"
        ) from error
    return files.config


def _failing_file(error: Exception, root: Path) -> str:
    """The configuration file in which an exception was raised."""
    names = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        names.append(error.filename or "")
    ours = [name for name in names if Path(name).name in (CONFIG, "jupyter_config.py")]
    return ours[-1] if ours else str(root / CONFIG)


def require_driver(db_url: str) -> None:
    """Raise CourseError unless the package that opens this gradebook is installed."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    try:
        url = make_url(db_url)
        url.get_dialect().import_dbapi()
    except ModuleNotFoundError as error:
        raise CourseError(
            f"c.CourseDirectory.db_url is {url.render_as_string()}: its driver, {error.name}, is not installed. Run "
            f"pip install {DRIVER_PACKAGES.get(error.name or '', error.name)}."
        ) from None
    except NoSuchModuleError:
        raise CourseError(
            f"c.CourseDirectory.db_url begins with {url.drivername}://, which is no database that can be opened here: "
            "write sqlite:///…, postgresql://… or another of SQLAlchemy's names"
        ) from None
    except SQLAlchemyError as error:
        raise CourseError(
            f"c.CourseDirectory.db_url cannot be read as the URL of a database: {error}"
        ) from None


def find_course(start: Path) -> Path:
    """The nearest folder at or above `start` with an nbgrader_config.py, else the one that Jupyter's folders name.

    Raises:
        CourseError: there is none.
    """
    for folder in [start.resolve(), *start.resolve().parents]:
        if (folder / CONFIG).is_file():
            return folder
    if root := read_config(start).CourseDirectory.get("root"):
        return Path(root)
    raise CourseError(f"no {CONFIG} here or above: go to a course folder, or name it with --course.")
