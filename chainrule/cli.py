"""The command line: one subcommand per stage."""

from __future__ import annotations

import math
import os
import re
import sys
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import SAWarning, SQLAlchemyError
from typer.exceptions import TyperException

import chainrule.quickly  # before anything that imports jsonschema  # noqa: F401
from chainrule.course import CourseError, CourseFolder, find_course
from chainrule.datasets.registry import BRINGABLE, DATA_SETS, Profile
from chainrule.marks import Filled, LmsName, MarksCsv, Missing, fill_for_lms, write_whole

if TYPE_CHECKING:  # torch takes seconds to import; `chainrule --help` should not
    from chainrule.grading.classroom import ClassReport

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A graded deep-learning course: release, intake, grade, feedback, marks.",
)
# piped into a file there is no window to fit into
console = Console(width=None if sys.stdout.isatty() else 140)

CourseOption = Annotated[
    Path | None, typer.Option("--course", help="Course folder; the nearest one by default.")
]
Assignment = Annotated[str, typer.Argument(help="A folder of source/, such as homework1.")]


def open_course(course: Path | None) -> CourseFolder:
    return CourseFolder(course or find_course(Path.cwd()))


@app.command()
def data(
    names: Annotated[list[str], typer.Argument(help=f"Data sets: {', '.join(DATA_SETS)}.")],
    profile: Annotated[list[Profile] | None, typer.Option(help="quick, full, or both (default).")] = None,
    copy: Annotated[
        Path | None,
        typer.Option("--from", metavar="FOLDER", help="Take the set from here, in its standard layout."),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Find or fetch data sets and put them where notebooks see them."""
    from chainrule.datasets.registry import prepare

    unknown = [name for name in names if name not in DATA_SETS]
    if unknown:
        raise CourseError(f"unknown data set {', '.join(unknown)}. Known: {', '.join(DATA_SETS)}.")
    if copy and not set(names) <= BRINGABLE:
        raise CourseError(f"--from is for {', '.join(sorted(BRINGABLE))}: name no other set with it")
    folder = open_course(course)
    for each in profile or list(Profile):
        for name, origin in prepare(names, folder.data(each).parent, each, copy=copy).items():
            print(f"{name}, {each}: {origin} in {folder.data(each)}")


@app.command()
def release(
    assignment: Assignment,
    variants: Annotated[
        bool, typer.Option("--variants", help="Also a version per student, with numbers of their own.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="What these numbers are drawn by.")] = None,
    students: Annotated[
        str | None,
        typer.Option(
            metavar="ID,ID,…", help="Only variants of these; of the gradebook's students by default."
        ),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Make the student version: release/<assignment>/, and variants/<assignment>/<student>/ if asked for."""
    from chainrule.release.kit import write_kit

    folder = open_course(course)
    folder.require(assignment)
    if not variants and (seed is not None or students is not None):
        raise CourseError("--seed and --students are about --variants: add it, or leave them out")
    folder.succeed(folder.api.generate_assignment(assignment, force=True), f"releasing {assignment}")
    print(f"released to {folder.folder('release', '.', assignment)}")
    print(f"to hand out: {write_kit(folder, assignment)}")
    if variants:
        from chainrule.release.variants import release_variants

        wanted = None if students is None else [name.strip() for name in students.split(",") if name.strip()]
        manifest = release_variants(folder, assignment, seed=seed, students=wanted)
        there = folder.root / "variants" / assignment
        print(f"variants of {len(manifest.students)} students in {there}, drawn by seed {manifest.seed}")


@app.command()
def handin(
    folder: Annotated[
        Path, typer.Argument(help="Where the notebooks are, as they came out of the course's zip.")
    ] = Path("."),
    last: Annotated[str | None, typer.Option(help="Last name, as the course knows it; remembered.")] = None,
    first: Annotated[str | None, typer.Option(help="First name; remembered.")] = None,
    number: Annotated[str | None, typer.Option(help="Student number; remembered.")] = None,
    anyway: Annotated[
        bool,
        typer.Option(
            "--anyway", help="In spite of problems, such as a blank answer; the receipt tells them."
        ),
    ] = False,
) -> None:
    """For students: run one's notebooks once more and write the files that the handout asks for."""
    from chainrule.handin import HandInError, hand_in

    try:
        receipt = hand_in(
            folder,
            last=last,
            first=first,
            number=number,
            anyway=anyway,
            say=lambda line: print(plain(line)),
            how="add --anyway",
        )
    except HandInError as error:
        raise CourseError(str(error)) from None
    print("\n".join(map(plain, repr(receipt).splitlines())))


@app.command()
def intake(
    assignment: Assignment,
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="DOWNLOAD...",
            help="Zips or folders downloaded from an LMS; or a folder of STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb.",
        ),
    ],
    lms: Annotated[
        str | None,
        typer.Option(help="blackboard, brightspace, canvas or moodle; recognised from the names by default."),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Take submitted notebooks in: submitted/<student>/<assignment>/."""
    from chainrule.intake.download import intake_downloads, is_plain
    from chainrule.intake.folder import intake as take

    folder = open_course(course)
    if lms is None and all(map(is_plain, sources)):
        for source in sources:
            report = take(folder, assignment, source)
            told = f"{len(report.taken)} taken, {len(report.unchanged)} already there, {len(report.refused)} refused"
            print(told)
            for name, reason in report.refused.items():
                print(f"  refused {plain(name)}: {plain(reason)}")
        return
    for line in intake_downloads(folder, assignment, sources, lms).lines():
        print(plain(line))


@app.command()
def grade(
    assignment: Assignment,
    students: Annotated[
        list[str] | None, typer.Option("--student", help="Only this student; repeatable.")
    ] = None,
    profile: Annotated[Profile, typer.Option(help="How much data the notebooks see.")] = Profile.quick,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Notebooks at a time; one per core by default.")
    ] = None,
    cell_seconds: Annotated[int | None, typer.Option(min=1, help="Time limit of one cell.")] = None,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Run the notebooks on a Dask cluster: its scheduler.")
    ] = "",
    gpu: Annotated[bool, typer.Option("--gpu", help="Let the notebooks use a GPU.")] = False,
    require_sandbox: Annotated[
        bool, typer.Option("--require-sandbox", help="Refuse to run student code outside a sandbox.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Say whose score changes, and why.")] = False,
    course: CourseOption = None,
) -> None:
    """Run and score what was submitted, and write it into the gradebook."""
    from chainrule.grading.processes import Processes

    folder = open_course(course)
    with nullcontext() if cluster else Processes(jobs) as machine:  # begins to start while we import the rest
        from chainrule.grading.classroom import grade as grade_class

        report = grade_class(
            folder,
            assignment,
            profile=profile,
            students=students or (),
            cell_seconds=cell_seconds,
            cluster=cluster,
            gpu=gpu,
            require_sandbox=require_sandbox,
            diff=diff,
            machine=machine,
            say=lambda line: print(plain(line), flush=True),
        )
    console.print(table(report))
    for student in report.students:
        for note in student.notes:
            print(f"{plain(student.student)}: {plain(note)}")
    for name in report.unprotected:
        print(f"{name}: plain asserts run inside the student's process, where its code can fool them")
    if diff:
        print("\n".join(map(plain, report.changes)) or "no score has changed")
    if any(student.trouble for student in report.students):
        raise typer.Exit(1)


@app.command()
def audit(
    assignment: Assignment,
    students: Annotated[
        list[str] | None, typer.Option("--student", help="Only this student; repeatable.")
    ] = None,
    sample: Annotated[int, typer.Option(min=0, help="So many of them, drawn at random; 0 for all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="What the sample is drawn by.")] = None,
    profile: Annotated[Profile, typer.Option(help="How much data the notebooks see.")] = Profile.full,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Notebooks at a time; one per core by default.")
    ] = None,
    cell_seconds: Annotated[int | None, typer.Option(min=1, help="Time limit of one cell.")] = None,
    cluster: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Run the notebooks on a Dask cluster: its scheduler.")
    ] = "",
    gpu: Annotated[bool, typer.Option("--gpu", help="Let the notebooks use a GPU.")] = False,
    course: CourseOption = None,
) -> None:
    """Grade again without the files that were handed in, such as trained weights, and compare. Changes no marks."""
    from chainrule.grading.audit import audit as audit_class

    found = audit_class(
        open_course(course),
        assignment,
        students=students or (),
        sample=sample,
        seed=seed,
        profile=profile,
        jobs=jobs,
        cell_seconds=cell_seconds,
        cluster=cluster,
        gpu=gpu,
        say=lambda line: print(plain(line), flush=True),
    )
    drawn = Table(box=box.SIMPLE)
    for column in ("student", "item", "points", "graded", "audited", ""):
        drawn.add_column(column, justify="right" if column in ("points", "graded", "audited") else "left")
    for one in found:
        cells = (f"{one.points:g}", "–" if one.graded is None else f"{one.graded:g}", f"{one.again:g}")
        drawn.add_row(
            escape(plain(one.student)), one.item, *cells, escape(plain(one.says)) if one.lower else ""
        )
    console.print(drawn)
    print(f"{sum(one.lower for one in found)} of {len(found)} items come out lower; see audit/")


@app.command()
def feedback(
    assignment: Assignment,
    students: Annotated[
        list[str] | None, typer.Option("--student", help="Only this student; repeatable.")
    ] = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also a PDF of each student's pages.")] = False,
    lms: Annotated[
        str | None,
        typer.Option(
            "--zip", metavar="LMS", help="Also a zip to upload: brightspace, blackboard, canvas or moodle."
        ),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Write each student's page: feedback/<student>/<assignment>/."""
    folder = open_course(course)
    folder.require(assignment)
    graded = sorted(
        p.parent.name for p in folder.folder("autograded", "x", "x").parent.parent.glob(f"*/{assignment}")
    )
    chosen = students or graded
    if missing := sorted(set(chosen) - set(graded)):
        raise CourseError(f"not graded yet: {', '.join(missing)}. Run `chainrule grade {assignment}` first.")
    if not chosen:
        raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
    from chainrule.feedback.paper import write_feedback_pdf
    from chainrule.feedback.upload import pack, require_lms
    from chainrule.handin.pdf import PDFError

    if lms is not None:
        require_lms(lms)
    failures = []
    for student in chosen:
        try:
            outcome = folder.api.generate_feedback(assignment, student, force=True)
            folder.succeed(outcome, f"feedback for {student}")
            if pdf and (told := write_feedback_pdf(folder, assignment, student)):
                more = f" (and {len(told) - 1} more)" * (len(told) > 1)
                print(f"{plain(student)}: in the PDF, {plain(told[0])}{more}")
        except (CourseError, PDFError) as error:  # the others still get theirs
            failures.append(str(error))
    print(f"{len(chosen) - len(failures)} pages in {folder.root / folder.directory.feedback_directory}")
    if lms is not None:
        upload = pack(folder, assignment, chosen, lms)
        print(f"feedback of {upload.students} to upload in {upload.path}")
        if upload.unnamed:
            names = plain(", ".join(upload.unnamed))
            print(
                f"warning: no intake has told {lms}'s names for {names}: theirs lie under the roster's names"
            )
    if failures:
        raise CourseError("\n".join(failures))


@app.command()
def marks(
    assignment: Assignment,
    lms: Annotated[LmsName | None, typer.Option(help="Write what this LMS imports.")] = None,
    columns: Annotated[
        Path | None,
        typer.Option(metavar="EXPORT", help="The LMS's own export: fill its column, keep everything else."),
    ] = None,
    item: Annotated[str | None, typer.Option(help="What the LMS calls the assignment.")] = None,
    missing: Annotated[
        Missing, typer.Option(help="What somebody gets who handed in nothing.")
    ] = Missing.empty,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change; write nothing.")
    ] = False,
    allow_waiting: Annotated[
        bool, typer.Option("--allow-waiting", help="Even if items wait for a person; they count 0 so far.")
    ] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write.")] = None,
    course: CourseOption = None,
) -> None:
    """Write the marks of an assignment: as CSV with every item, or as the table that an LMS imports."""
    from nbgrader.api import Gradebook

    folder = open_course(course)
    folder.require(assignment)
    if lms is None:
        if columns or item or dry_run or allow_waiting or missing is not Missing.empty:
            raise CourseError(
                "--columns, --item, --missing, --dry-run and --allow-waiting are about --lms: name it"
            )
        target = output or folder.root / "marks" / f"{assignment}.csv"
        with Gradebook(folder.directory.db_url) as gradebook:
            if not gradebook.students:
                raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
            MarksCsv(to=str(target), assignment=[assignment]).export(gradebook)
        print(f"marks written to {target}")
        return
    filled = fill_for_lms(folder, assignment, lms, export=columns, item=item, missing=missing)
    suffix = columns.suffix if columns else ".csv"
    target = output or folder.root / "marks" / f"{assignment}-{lms}{suffix}"
    if columns and target.exists() and target.samefile(columns):
        raise CourseError(f"{target} is the export itself: name another file by --output")
    tell_marks(filled, changes=dry_run)
    if filled.unfinished and not allow_waiting:
        refusal = (
            "marks are not final: finish them in formgrader and by `chainrule grade`, or add --allow-waiting"
        )
        if not dry_run:
            raise CourseError(refusal)
        print(f"would be refused: {refusal}")
    if dry_run:
        print(f"nothing written; {target} would be")
        return
    write_whole(target, filled.sheet.to_bytes())
    print(f"marks written to {target}")


def tell_marks(filled: Filled, *, changes: bool) -> None:
    """Say who is where in an LMS's table and, if wanted, what changes."""
    if changes:
        for change in filled.changes:
            who = f"{change.person.id} ({change.person.first} {change.person.last})"
            print(f"  {plain(who)}: {plain(change.old) or '–'} → {change.new}")
    print(
        f"{plain(filled.column)}: {len(filled.changes)} marks new or changed, {len(filled.unchanged)} rows as before"
    )
    for about, those in filled.remarks().items():
        print(f"{about}: {plain(', '.join(those))}")


@app.command()
def similar(
    assignment: Assignment,
    past: Annotated[
        list[Path] | None,
        typer.Option(metavar="FOLDER", help="A past term's submitted/ or folder of notebooks; repeatable."),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="HTML file to write.")] = Path(
        "similar.html"
    ),
    top: Annotated[int, typer.Option(min=1, help="So many pairs side by side.")] = 50,
    course: CourseOption = None,
) -> None:
    """Rank pairs of students by what only they share: evidence to read, not a verdict."""
    from chainrule.similar.compare import compare
    from chainrule.similar.handins import collect, term_names
    from chainrule.similar.report import name, page

    found = collect(open_course(course), assignment, past or [])
    compared = compare(found, top)
    output.write_text(page(found, compared, assignment, term_names(past or [])), encoding="utf-8")
    print(f"{len(found.handins)} hand-ins, {len(compared.evidence)} pairs, {compared.standing_out} stand out")
    for pair in compared.pairs:
        if pair.stands_out:
            print(
                f"  {plain(name(pair.first))} · {plain(name(pair.second))}: {compared.strength(pair)} × the bar"
            )
    for path, reason in found.unreadable.items():
        print(f"  not compared: {plain(path)}: {plain(reason)}")
    print(f"written to {output}: evidence to read, not a verdict")


@app.command()
def pdf(
    notebooks: Annotated[list[Path], typer.Argument(help="One or more notebooks.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="PDF file to write.")] = Path("write-up.pdf"),
    title: Annotated[str | None, typer.Option(help="Title; by default the notebooks' own.")] = None,
    author: Annotated[str | None, typer.Option(help="Name on the first page.")] = None,
    number: Annotated[str | None, typer.Option(help="Student number on the first page.")] = None,
    course_name: Annotated[str | None, typer.Option(help="Course on the first page.")] = None,
) -> None:
    """Turn notebooks into one PDF write-up: maths, code, figures, tables; a first page and contents."""
    from chainrule.handin.pdf import write_pdf

    for warning in write_pdf(
        notebooks, output, title=title, author=author, number=number, course=course_name
    ):
        print(f"warning: {plain(warning)}")
    print(f"written to {output}")


@app.command()
def doctor(course: CourseOption = None) -> None:
    """Say what this machine has: torch, device, data, sandbox, PDF."""
    from chainrule.doctor import examine

    table = Table("", "", "", box=None, show_header=False)
    for finding in examine(course):
        table.add_row("ok" if finding.ok else "--", finding.name, escape(finding.text))
    console.print(table)


MAX_COLUMNS = 12  # of scores; with more items, their sums by question


def table(report: ClassReport) -> Table:
    """The class as a table: a row per student, a column per item or, where those are many, per question."""
    data = [f"{name}: {origin}" for name, origin in report.origins.items()]
    sandbox = [f"sandbox: {', '.join(sorted(report.sandbox))}"] if report.sandbox - {"bubblewrap"} else []
    title = " · ".join([report.assignment, f"{report.profile} profile", *data, *sandbox])
    drawn = Table(title=title, title_justify="left", box=box.SIMPLE)
    drawn.add_column("student", no_wrap=True)
    columns = grouped(list(report.points))
    for name, items in columns.items():
        points = sum(report.points[item] for item in items)
        drawn.add_column(f"{name.replace('-', chr(10), 1)}\n/{points:g}", justify="right", no_wrap=True)
    drawn.add_column(f"total\n/{sum(report.points.values()):g}", justify="right")
    drawn.add_column("time", justify="right")
    for student in report.students:
        cells = [score([student.scores.get(item, math.nan) for item in items]) for items in columns.values()]
        drawn.add_row(
            escape(plain(student.student)), *cells, f"{student.total:.4g}", f"{student.seconds:.0f} s"
        )
    drawn.caption = "wait: a person marks this item in formgrader"
    if len(columns) < len(report.points):
        drawn.caption = "+: a person marks items of this question in formgrader"
    return drawn


def grouped(items: Sequence[str]) -> dict[str, list[str]]:
    """Items by the columns they are shown in: each its own, or by question, or by problem."""
    columns: dict[str, list[str]] = {}
    for question in (r".*", r"[a-z]+\d+_\d+", r"[a-z]+\d+"):
        columns = {}
        for item in items:
            name = re.match(question, item)
            columns.setdefault(name[0] if name else item, []).append(item)
        if len(columns) <= MAX_COLUMNS:
            break
    return columns


def score(scores: Sequence[float | None]) -> str:
    """What a column shows of its items' scores: None waits for a person, NaN was not graded."""
    known = [score for score in scores if score is not None and not math.isnan(score)]
    waiting = scores.count(None)
    if not known:
        return "wait" if waiting else "–"
    return f"{sum(known):.4g}{'+' * bool(waiting)}"


def plain(text: str) -> str:
    """Text from a submission without control characters, which a terminal might obey."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def main() -> None:
    """Entry point: errors made for people end in one line, not in a traceback."""
    # nbgrader calls `alembic` by name: let it find this environment's
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    warnings.filterwarnings(
        "ignore", category=SAWarning
    )  # nbgrader 0.9.6 under SQLAlchemy 2.1; the rows are written
    try:
        code = app(standalone_mode=False) or 0
    except Exception as error:
        from chainrule.datasets.fashion_mnist import DataFolderError
        from chainrule.handin.pdf import PDFError

        if isinstance(error, SQLAlchemyError):
            message = f"the gradebook cannot be used: {getattr(error, 'orig', error)}"
        elif isinstance(error, TyperException):
            message = error.format_message()
        elif isinstance(error, CourseError | PDFError | DataFolderError | OSError):
            message = str(error)
        else:
            raise
        if message:  # none if it was about the help just shown
            print("chainrule:", "\n".join(map(plain, message.splitlines())), file=sys.stderr)
        code = 2
    if code == 130:
        print("chainrule: interrupted; run the same command again to go on.", file=sys.stderr)
    if code:
        raise SystemExit(code)
