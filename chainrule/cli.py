"""The command line: one subcommand per stage."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

import chainrule._startup
import chainrule.students.commands
import chainrule.term.commands
from chainrule import __version__
from chainrule.command_line import Assignment, CourseOption, open_course
from chainrule.course import CourseError, find_course
from chainrule.datasets.registry import DATA_SETS, Profile
from chainrule.errors import ChainruleError
from chainrule.intake.lms_name import LmsName
from chainrule.marks.missing import MissingMark
from chainrule.printable import printable

if TYPE_CHECKING:
    from chainrule.marks import FilledTable

# what the package's extras bring, by module
EXTRAS = {
    "distributed": "cluster",
    "pypandoc": "pdf",
    "quickjax": "pdf",
    "typst": "pdf",
    "jupytext": "author",
}

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)

app.add_typer(chainrule.students.commands.app)
app.add_typer(chainrule.term.commands.app)

# Options that mean the same in several commands
StudentsOption = Annotated[list[str] | None, typer.Option("--student", help="Only this student; repeatable.")]
ProfileOption = Annotated[Profile, typer.Option(help="How much data the notebooks see.")]
JobsOption = Annotated[int | None, typer.Option(min=1, help="Notebooks at a time; one per core by default.")]
CellSecondsOption = Annotated[int | None, typer.Option(min=1, help="Time limit of one cell.")]
ClusterOption = Annotated[
    str, typer.Option(metavar="ADDRESS", help="Run the notebooks on a Dask cluster: its scheduler.")
]
GpuOption = Annotated[bool, typer.Option("--gpu", help="Let the notebooks use a GPU.")]


PortOption = Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; another if it is taken.")]
BrowserOption = Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")]


@app.callback()
def root(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    """A graded deep-learning course: release, intake, grade, feedback, marks."""


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
    folder = open_course(course)
    sets = folder.data_sets
    if copy and not all(sets.takes(name, "copy") for name in names):
        able = [name for name in sets.names if sets.takes(name, "copy")]
        raise CourseError(f"--from is for {', '.join(able)}: name no other set with it")
    for each in profile or list(Profile):
        for name, origin in sets.prepare(names, folder.data(each).parent, each, copy=copy).items():
            print(f"{name}, {each}: {origin} in {folder.data(each)}")


@app.command()
def release(
    assignment: Assignment,
    variants: Annotated[
        bool, typer.Option("--variants", help="Also a version per student, with numbers of their own.")
    ] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Even if `chainrule check` finds something wrong.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed for drawing these numbers.")] = None,
    students: Annotated[
        list[str] | None,
        typer.Option(
            "--student", help="Only this student's variant; repeatable. The gradebook's students by default."
        ),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Make the student version: release/<assignment>/, and variants/<assignment>/<student>/ if asked for."""
    from chainrule.authoring.check import require_checked
    from chainrule.one_writer import one_writer
    from chainrule.release.generate import generate
    from chainrule.release.kit import write_kit
    from chainrule.release.source import require_sound

    folder = open_course(course)
    folder.require(assignment)
    if not variants and (seed is not None or students):
        raise CourseError("--seed and --student are about --variants: add it, or leave them out")
    require_sound(folder, assignment)
    if not unchecked:
        require_checked(folder, assignment)
    with one_writer(folder.root):
        generate(folder, assignment)
    print(f"released to {folder.folder('release', '.', assignment)}")
    print(f"to hand out: {write_kit(folder, assignment)}")
    if variants:
        from chainrule.release.variants import release_variants

        manifest = release_variants(folder, assignment, seed=seed, students=students or None)
        target = folder.root / "variants" / assignment
        print(f"variants of {len(manifest.students)} students in {target}, drawn with seed {manifest.seed}")


@app.command()
def check(
    assignments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ASSIGNMENT]...", help="Folders of source/; all by default."),
    ] = None,
    run: Annotated[
        bool, typer.Option("--run/--no-run", help="Also grade the reference solution and the blank release.")
    ] = True,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Bring dates, names and points that the source states up to date with the configuration.",
        ),
    ] = False,
    course: CourseOption = None,
) -> None:
    """Say what is wrong with an assignment before students get it: notebook, cell, and what to do."""
    from chainrule.authoring.check import check as check_assignment
    from chainrule.release.facts import write_facts

    folder = open_course(course)
    for assignment in assignments or folder.assignments:
        folder.require(assignment)
    wrong = 0
    for assignment in assignments or folder.assignments:
        for path in write_facts(folder, assignment) if write else []:
            print(f"written: {path.relative_to(folder.root)}")
        for line in (found := check_assignment(folder, assignment, run=run)):
            print(printable(line))
        print(f"{assignment}: {len(found) or 'nothing'} to mend")
        wrong += len(found)
    if wrong:
        raise typer.Exit(1)


new = typer.Typer(no_args_is_help=True, help="For authors: make an assignment, or a question in a notebook.")
app.add_typer(new, name="new")


@new.command("assignment")
def make_assignment(name: Assignment, course: CourseOption = None) -> None:
    """Make an assignment: source/NAME/ with a notebook, and its place in the judging package."""
    from chainrule.authoring.new import new_assignment, next_steps

    folder = open_course(course)
    for path in new_assignment(folder, name):
        print(f"written: {path}")
    print(next_steps(folder, name))


@new.command("question")
def make_question(
    notebook: Annotated[Path, typer.Argument(help="A notebook of source/.")],
    grade_id: Annotated[str, typer.Argument(metavar="ID", help="The item's name, such as q1_1-double.")],
    points: Annotated[float, typer.Option(help="Points of the code; 0 for no code.")] = 1.0,
    written: Annotated[float, typer.Option(help="Points of the written answer; 0 for none.")] = 1.0,
) -> None:
    """Add a question to a notebook: statement, stub, item, mark scheme; and a file of answers to try."""
    from chainrule.authoring.new import new_question

    folder = open_course(find_course(notebook.resolve().parent))
    for path in new_question(folder, notebook, grade_id, points=points, written=written):
        print(f"written: {path}")
    print(f"next: write what says TODO, then chainrule try {notebook} --item {grade_id}")


@app.command("try")
def try_answers(
    notebook: Annotated[Path, typer.Argument(help="A notebook of source/.")],
    answers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ANSWER]...",
            help="reference, blank, names of the catalogue, .py or .ipynb files; by default all that there are.",
        ),
    ] = None,
    items: Annotated[list[str] | None, typer.Option("--item", help="Only this item; repeatable.")] = None,
) -> None:
    """For authors: try answers against a notebook's checks, in this process and in seconds."""
    os.environ.setdefault("MPLBACKEND", "Agg")  # figures open no window
    from chainrule.authoring.trial import Notebook

    folder = open_course(find_course(notebook.resolve().parent))
    unexpected = 0
    for trial in Notebook(folder, notebook, items or []).trials(answers or []):
        print("\n".join(map(printable, trial.lines())), flush=True)
        unexpected += bool(trial.unexpected)
    if unexpected:
        print(f"{unexpected} not as they should be")
        raise typer.Exit(1)


@app.command()
def handin(
    folder: Annotated[
        Path, typer.Argument(help="Where the notebooks are, as they came out of the course's zip.")
    ] = Path("."),
    last: Annotated[str | None, typer.Option(help="Last name, as the course knows it; remembered.")] = None,
    first: Annotated[str | None, typer.Option(help="First name; remembered.")] = None,
    number: Annotated[str | None, typer.Option(help="Student number; remembered.")] = None,
    collaborators: Annotated[str | None, typer.Option(help='Names, or "none"; remembered.')] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="In spite of problems, such as a blank answer; the receipt lists them."),
    ] = False,
) -> None:
    """For students: run the notebooks once more and write the files that the handout asks for."""
    from chainrule.handin import hand_in

    receipt = hand_in(
        folder,
        last=last,
        first=first,
        number=number,
        collaborators=collaborators,
        force=force,
        say=lambda line: print(printable(line)),
        how_to_force="add --force",
    )
    print("\n".join(map(printable, repr(receipt).splitlines())))


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
        LmsName | None, typer.Option(help="The LMS; by default it is recognised from the names.")
    ] = None,
    teams: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Whose a team's or an anonymous hand-in is: columns name (as in the download) and id.",
        ),
    ] = None,
    course: CourseOption = None,
) -> None:
    """Take submitted notebooks in: submitted/<student>/<assignment>/."""
    from chainrule.intake.download import intake_downloads, is_plain_folder
    from chainrule.intake.folder import intake as intake_folder

    folder = open_course(course)
    if lms is None and all(map(is_plain_folder, sources)):
        for source in sources:
            report = intake_folder(folder, assignment, source)
            print(
                f"{len(report.taken)} taken, {len(report.unchanged)} already there, {len(report.refused)} refused"
            )
            if not (report.taken or report.unchanged or report.refused):
                print(
                    f"  {printable(str(source))} has no hand-in: put STUDENT.ipynb or STUDENT/NOTEBOOK.ipynb there"
                )
            for name, reason in report.refused.items():
                print(f"  refused {printable(name)}: {printable(reason)}")
            for name, what in report.rewritten.items():
                print(f"  {printable(name)}: {printable(what)}")
        return
    for line in intake_downloads(folder, assignment, sources, lms, teams).lines():
        print(printable(line))


@app.command()
def grade(
    assignment: Assignment,
    students: StudentsOption = None,
    profile: ProfileOption = Profile.quick,
    jobs: JobsOption = None,
    cell_seconds: CellSecondsOption = None,
    cluster: ClusterOption = "",
    gpu: GpuOption = False,
    require_sandbox: Annotated[
        bool, typer.Option("--require-sandbox", help="Refuse to run student code outside a sandbox.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Say whose score changes, and why.")] = False,
    course: CourseOption = None,
) -> None:
    """Run and score what was submitted, and write it into the gradebook."""
    from chainrule.grading.classroom import grade as grade_class
    from chainrule.terminal import class_table, console

    report = grade_class(
        open_course(course),
        assignment,
        profile=profile,
        students=students or (),
        jobs=jobs,
        cell_seconds=cell_seconds,
        cluster=cluster,
        gpu=gpu,
        require_sandbox=require_sandbox,
        diff=diff,
        say=lambda line: print(printable(line), flush=True),
    )
    console.print(class_table(report))
    if report.absent:
        print(f"handed in nothing: {printable(', '.join(report.absent))}")
    of: dict[str, list[str]] = {}  # whoever has a note, so that what many share is one line
    for student in report.students:
        for note in student.notes:
            of.setdefault(note, []).append(student.student)
    for note, ids in of.items():
        print(f"{printable(', '.join(dict.fromkeys(ids)))}: {printable(note)}")
    for line in report.notes:
        print(printable(line))
    for crash in report.crashes:
        print("\n".join(map(printable, crash.lines())))
    if report.unprotected:
        names = ", ".join(report.unprotected)
        print(f"plain asserts run inside the student's process, where its code can fool them: {names}")
    if diff:
        print("\n".join(map(printable, report.changes)) or "no score has changed")
    if any(student.internal_error for student in report.students):
        raise typer.Exit(1)


@app.command()
def audit(
    assignment: Assignment,
    students: StudentsOption = None,
    sample: Annotated[int, typer.Option(min=0, help="Only so many, drawn at random; 0 for all.")] = 0,
    seed: Annotated[int | None, typer.Option(help="Seed for drawing the sample.")] = None,
    profile: ProfileOption = Profile.full,
    jobs: JobsOption = None,
    cell_seconds: CellSecondsOption = None,
    cluster: ClusterOption = "",
    gpu: GpuOption = False,
    course: CourseOption = None,
) -> None:
    """Grade again without the files that were handed in, such as trained weights, and compare. Changes no marks."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from chainrule.grading.audit import audit as audit_class
    from chainrule.terminal import console

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
        say=lambda line: print(printable(line), flush=True),
    )
    table = Table(box=box.SIMPLE)
    for column in ("student", "item", "points", "graded", "audited", ""):
        table.add_column(column, justify="right" if column in ("points", "graded", "audited") else "left")
    for one in found:
        cells = (f"{one.points:g}", "–" if one.graded is None else f"{one.graded:g}", f"{one.again:g}")
        table.add_row(
            escape(printable(one.student)), one.item, *cells, escape(printable(one.says)) if one.lower else ""
        )
    console.print(table)
    print(f"{sum(one.lower for one in found)} of {len(found)} items come out lower; see audit/")


@app.command()
def feedback(
    assignment: Assignment,
    students: StudentsOption = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Also a PDF of each student's pages.")] = False,
    lms: Annotated[LmsName | None, typer.Option(help="Also a zip to upload to this LMS.")] = None,
    course: CourseOption = None,
) -> None:
    """Write each student's page: feedback/<student>/<assignment>/."""
    folder = open_course(course)
    folder.require(assignment)
    graded = sorted(
        p.parent.name for p in folder.folder("autograded", "x", "x").parent.parent.glob(f"*/{assignment}")
    )
    if not graded:
        raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
    from chainrule.feedback.nothing import students_without_a_graded_notebook, write_nothing_pages
    from chainrule.feedback.pdf import write_feedback_pdf
    from chainrule.feedback.upload import write_feedback_zip
    from chainrule.handin.pdf import PDFError

    others = students_without_a_graded_notebook(folder, assignment, set(graded))
    if unknown := sorted(set(students or ()) - {*graded, *others}):
        raise CourseError(f"nobody in this course has the id {', '.join(unknown)}: correct it")
    chosen = [student for student in graded if not students or student in students]
    others = {student: name for student, name in others.items() if not students or student in students}
    write_nothing_pages(folder, assignment, others)
    failures = []
    for student in chosen:
        try:
            outcome = folder.api.generate_feedback(assignment, student, force=True)
            folder.succeed(outcome, f"feedback for {student}")
            if pdf and (pdf_warnings := write_feedback_pdf(folder, assignment, student)):
                more = f" (and {len(pdf_warnings) - 1} more)" * (len(pdf_warnings) > 1)
                print(f"{printable(student)}: in the PDF, {printable(pdf_warnings[0])}{more}")
        except (CourseError, PDFError) as error:  # the other students still get theirs
            failures.append(str(error))
    done = len(chosen) - len(failures) + len(others)
    print(f"{done} page{'s' * (done != 1)} in {folder.root / folder.directory.feedback_directory}")
    if others:
        print(f"without a graded notebook, so that their page is one line: {printable(', '.join(others))}")
    if lms is not None:
        upload = write_feedback_zip(folder, assignment, [*chosen, *others], lms)
        print(f"feedback of {upload.students} to upload in {upload.path}")
        if upload.unnamed:
            names = printable(", ".join(upload.unnamed))
            print(
                f"warning: {lms}'s own file names of {names} are not known, as no intake has seen them: "
                "their feedback is under the roster's names"
            )
    if failures:
        raise CourseError("\n".join(failures))


@app.command()
def mark(
    assignment: Annotated[
        str, typer.Argument(help="A folder of source/; by default the page lists them.")
    ] = "",
    marker: Annotated[str, typer.Option("--as", metavar="NAME", help="Who marks; else the page asks.")] = "",
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write a CSV file per item there, to be marked without the server."
        ),
    ] = None,
    take: Annotated[
        list[Path] | None,
        typer.Option("--import", metavar="FILE", help="Take in such a file; repeatable. Needs --as."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="With --import: replace marks that were given since, and say so."),
    ] = False,
    port: PortOption = 8890,
    browser: BrowserOption = True,
    course: CourseOption = None,
) -> None:
    """Mark written answers by question, with the keyboard: opens a page on this machine."""
    folder = open_course(course)
    if overwrite and not take:
        raise CourseError("--overwrite is about --import: name a file by it")
    if export or take:
        from chainrule.marking.files import export_files, import_files

        if not assignment:
            raise CourseError("name the assignment whose marking is exported or imported")
        if take and not marker:
            raise CourseError("say by --as who has marked")
        folder.require(assignment)
        for line in import_files(folder, assignment, take or [], marker, overwrite=overwrite):
            print(printable(line))
        if export:
            for path in export_files(folder, assignment, export):
                print(f"written to {path}")
        return
    from chainrule.marking.server import serve

    serve(folder, assignment, marker, port, browser=browser)


@app.command()
def requests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE...", help="Mails (.eml), mailboxes (.mbox) or texts with lines from feedback pages."
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Only print them; open no page.")] = False,
    marker: Annotated[
        str, typer.Option("--as", metavar="NAME", help="Who answers; else the page asks.")
    ] = "",
    port: PortOption = 8890,
    browser: BrowserOption = True,
    course: CourseOption = None,
) -> None:
    """Collect regrade requests, and answer them on a page of the marking room."""
    from chainrule.marking.tables import Database
    from chainrule.requests.collect import collect
    from chainrule.requests.store import Requests, told

    folder = open_course(course)
    database = Database(folder.directory.db_url)
    try:
        found = Requests(database)
        if files:
            for line in collect(folder, found, files).lines():
                print(printable(line))
        with database.transaction(wait=10.0) as connection:
            all_requests = found.all(connection)
    finally:
        database.close()
    for request in all_requests:
        print(printable(told(request)))
    if not all_requests:
        print("there are no regrade requests")
    elif not listed:
        from chainrule.marking.server import serve

        serve(folder, "", marker, port, browser=browser, page="requests")


@app.command()
def marks(
    assignment: Assignment,
    lms: Annotated[LmsName | None, typer.Option(help="Write what this LMS imports.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The LMS's own export: fill its column, keep everything else."),
    ] = None,
    column: Annotated[str | None, typer.Option(help="The LMS's title of the assignment's column.")] = None,
    missing: Annotated[
        MissingMark, typer.Option(help="The mark of a student who handed in nothing.")
    ] = MissingMark.empty,
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
    from chainrule.gradebook import open_tables
    from chainrule.marks.fill import fill_for_lms
    from chainrule.marks.sheet import write_atomically
    from chainrule.marks.table import marks_table

    folder = open_course(course)
    folder.require(assignment)
    if lms is None:
        if export or column or dry_run or allow_waiting or missing is not MissingMark.empty:
            raise CourseError(
                "--export, --column, --missing, --dry-run and --allow-waiting are about --lms: name it"
            )
        target = output or folder.root / "marks" / f"{assignment}.csv"
        with open_tables(folder.directory.db_url) as connection:
            table = marks_table(connection, folder.directory, folder.course.alternatives, [assignment])
        if not table.partition(b"\r\n")[2]:  # only the titles
            raise CourseError(f"nothing is graded yet: run `chainrule grade {assignment}` first.")
        write_atomically(target, table)
        print(f"marks written to {target}")
        return
    filled = fill_for_lms(folder, assignment, lms, export=export, title=column, missing=missing)
    suffix = export.suffix if export else ".csv"
    target = output or folder.root / "marks" / f"{assignment}-{lms}{suffix}"
    if export and target.exists() and target.samefile(export):
        raise CourseError(f"{target} is the export itself: name another file by --output")
    print_marks(filled, changes=dry_run)
    if filled.unfinished and not allow_waiting:
        refusal = (
            "marks are not final: finish them by `chainrule mark` or in formgrader, and by `chainrule grade`, "
            "or add --allow-waiting"
        )
        if not dry_run:
            raise CourseError(refusal)
        print(f"would be refused: {refusal}")
    if dry_run:
        print(f"nothing written; {target} would be")
        return
    write_atomically(target, filled.sheet.to_bytes())
    print(f"marks written to {target}")


def print_marks(filled: FilledTable, *, changes: bool) -> None:
    """Print a summary of a filled table and, if `changes`, each mark that changes."""
    if changes:
        for change in filled.changes:
            name = f"{change.person.id} ({change.person.first} {change.person.last})"
            print(f"  {printable(name)}: {printable(change.old) or '–'} → {change.new}")
    print(
        f"{printable(filled.column)}: {len(filled.changes)} marks new or changed, "
        f"{len(filled.unchanged)} rows as before"
    )
    for sentence, names in filled.remarks().items():
        print(f"{sentence}: {printable(', '.join(names))}")


@app.command()
def report(
    assignment: Annotated[
        str, typer.Argument(help="A folder of source/; by default all that were graded.")
    ] = "",
    pdf: Annotated[bool, typer.Option("--pdf/--no-pdf", help="Also as PDF.")] = True,
    course: CourseOption = None,
) -> None:
    """Say what the class did not understand: totals, items, mistakes by name. Writes reports/<assignment>.html."""
    from chainrule.report.write import write_report

    folder = open_course(course)
    wanted, written = [assignment] if assignment else folder.assignments, 0
    for each in wanted:
        try:
            done = write_report(folder, each, pdf=pdf)
        except CourseError:
            if assignment or (each == wanted[-1] and not written):
                raise
            continue  # another one is graded
        written += 1
        if not assignment:
            print(f"{each}:")
        for line in done.sentences:
            print(f"  {printable(line)}")
        for line in done.warnings:
            print(f"warning: in the PDF, {printable(line)}")
        print("written to " + ", ".join(str(path) for path in (done.page, done.pdf, done.table) if path))


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
    top: Annotated[int, typer.Option(min=1, help="How many pairs to show side by side.")] = 50,
    course: CourseOption = None,
) -> None:
    """Rank pairs of students by what only they share: evidence to read, not a verdict."""
    from chainrule.gradebook import open_tables
    from chainrule.intake.roster import class_list
    from chainrule.similar.compare import compare
    from chainrule.similar.handins import collect, term_names
    from chainrule.similar.report import name, page

    folder = open_course(course)
    corpus = collect(folder, assignment, past or [])
    comparison = compare(corpus, top)
    with open_tables(folder.directory.db_url) as connection:
        people = {id: person.full_name for id, person in class_list(folder, connection).items()}
    text = page(corpus, comparison, assignment, term_names(past or []), people)
    output.write_text(text, encoding="utf-8")
    print(
        f"{len(corpus.handins)} hand-ins, {len(comparison.evidence)} pairs, {comparison.standing_out} stand out"
    )
    for pair in comparison.pairs:
        if pair.stands_out:
            names = f"{printable(name(pair.first))} · {printable(name(pair.second))}"
            print(f"  {names}: {comparison.strength(pair)} × the threshold")
    for path, reason in corpus.unreadable.items():
        print(f"  not compared: {printable(path)}: {printable(reason)}")
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
        print(f"warning: {printable(warning)}")
    print(f"written to {output}")


@app.command()
def doctor(course: CourseOption = None) -> None:
    """Say what this machine has: torch, device, data, sandbox, PDF; and what is wrong with the course's options."""
    from rich.markup import escape
    from rich.table import Table

    from chainrule.doctor import examine
    from chainrule.terminal import console

    table = Table("", "", "", box=None, show_header=False)
    findings = list(examine(course))
    for finding in findings:
        table.add_row("ok" if finding.ok else "--", finding.name, escape(finding.text))
    console.print(table)
    if any(finding.mistake for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Entry point. Errors for people are printed in one line, without a traceback."""
    # nbgrader calls `alembic` by name: let it find this environment's
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if "--version" in sys.argv[1:]:  # of any command
        print(f"chainrule {__version__}")
        return
    try:
        code = app(standalone_mode=False) or 0
    except Exception as error:
        from sqlalchemy.exc import SQLAlchemyError

        if isinstance(error, SQLAlchemyError):
            message = f"the gradebook cannot be used: {getattr(error, 'orig', error)}"
            if (
                "no such column" in message
                or "UndefinedColumn" in type(getattr(error, "orig", None)).__name__
            ):
                message += ". It is of an earlier nbgrader: run `chainrule upgrade`"
        elif isinstance(error, TyperException):
            message = error.format_message()
        elif isinstance(error, ChainruleError | OSError):
            message = str(error)
        elif isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
            message = f"{error.name} is not installed: run pip install 'chainrule[{EXTRAS[error.name]}]'"
        else:
            raise
        if message:  # there is none after help was shown
            print("chainrule:", "\n".join(map(printable, message.splitlines())), file=sys.stderr)
        code = 2
    if code == 130:
        print("chainrule: interrupted; run the same command again to go on.", file=sys.stderr)
    if code:
        raise SystemExit(code)
