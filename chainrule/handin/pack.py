"""Runs the notebooks, checks that everything is there, and writes the files to hand in."""

from __future__ import annotations

import hashlib
import html
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from chainrule.datasets.origins import ORIGINS, STAND_IN
from chainrule.handin.cover import with_collaborators
from chainrule.handin.errors import HandInError
from chainrule.handin.file_names import StudentName
from chainrule.handin.inspection import (
    HAND_IN_TAG,
    changes,
    grouped,
    is_hand_in_cell,
    oversized,
    run_errors,
    unanswered,
    without_collaborators,
)
from chainrule.handin.notebook_api import unsaved_warnings
from chainrule.handin.pdf import PDFError, read_notebook, write_pdf
from chainrule.handin.spec import STUDENT_FILE, HandInSpec, identify_student, name_collaborators, read_spec
from chainrule.handin.write_up import write_up
from chainrule.handin.zipped import write_zip

PACKED, EARLIER, RECEIPT = "hand-in", "earlier hand-ins", "hand-in receipt.json"
KEPT = ".hand-in runs"  # outputs of the last runs, used again while the code is the same
RUNNING = "CHAINRULE_HANDIN"  # in the environment of notebooks that are run for a hand-in
IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"}
MAX_IMAGE_BYTES = 20 << 20


class NotReadyError(HandInError):
    """Something is missing or wrong. `problems` has a sentence about each."""

    def __init__(self, problems: Sequence[str], how_to_force: str) -> None:
        self.problems = list(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        listed = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{count} to look at.\n{listed}\nTo hand in nevertheless, as it is: {how_to_force}")


@dataclass(frozen=True)
class PackedFile:
    """A file to hand in: its size in bytes, its SHA-256, and the names of the files in it if it is a zip."""

    name: str
    bytes: int
    sha256: str
    holds: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Receipt:
    """What was packed, for which student, when, and with which problems. A notebook shows it as a table."""

    assignment: str
    student: StudentName
    time: str
    folder: str
    files: list[PackedFile]
    problems: list[str]
    notes: list[str]

    def to_json(self) -> str:
        """The content of the receipt's file."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def __repr__(self) -> str:
        lines = [f"Hand in {'this file' if len(self.files) == 1 else 'these files'} of {self.folder}:"]
        for file in self.files:
            lines.append(f"  {file.name}  {_size(file.bytes)}  SHA-256 {file.sha256[:16]}…")
            lines += [f"    with {name}" for name in file.holds]
        lines += [f"problem: {problem}" for problem in self.problems]
        lines += [f"note: {note}" for note in self.notes]
        return "\n".join([*lines, f"Receipt: {RECEIPT}. Look at the PDF before you hand it in."])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align: left"><a href="{html.escape(f"{PACKED}/{file.name}")}" target="_blank">'
            f"{html.escape(file.name)}</a>"
            + "".join(f"<br>with {html.escape(name)}" for name in file.holds)
            + f"</td><td>{_size(file.bytes)}</td><td><code>{file.sha256[:16]}…</code></td></tr>"
            for file in self.files
        )
        remarks = [*(f"Problem: {text}" for text in self.problems), *(f"Note: {text}" for text in self.notes)]
        items = "".join(f"<li>{html.escape(text)}</li>" for text in remarks)
        return (
            f"<p><b>Packed for {html.escape(self.student.full)}.</b> "
            f"Hand in what is in <code>{html.escape(self.folder)}</code>, and look at the PDF before you do.</p>"
            '<table><thead><tr><th scope="col" style="text-align: left">File</th><th scope="col">Size</th>'
            f'<th scope="col">SHA-256</th></tr></thead><tbody>{rows}</tbody></table>'
            + (f"<ul>{items}</ul>" if items else "")
            + f"<p>Receipt: <code>{RECEIPT}</code></p>"
        )


def hand_in(
    folder: str | Path = ".",
    *,
    last: str | None = None,
    first: str | None = None,
    number: str | None = None,
    collaborators: str | None = None,
    force: bool = False,
    minutes: float = 30,
    say: Callable[[str], object] = print,
    how_to_force: str = "hand_in(force=True)",
) -> Receipt | None:
    """Pack the assignment in `folder` as its handout asks, into the folder hand-in/ there.

    The notebooks are run from top to bottom in fresh kernels, and the handed-in copies have the outputs of that run.
    The notebooks themselves are not changed. An earlier hand-in is kept in `earlier hand-ins/`.

    Args:
        last, first, number: the student; asked for the first time, then remembered in me.json.
        collaborators: names, or "none", for the lines that are not filled in; asked for once if there are such lines.
        minutes: time limit of one cell.
        force: pack in spite of problems such as a blank answer; the receipt lists them.
        say: called with a line of text about progress.
        how_to_force: what the error message suggests if there are problems.
    Returns:
        The receipt, also written to `hand-in receipt.json`; None inside a notebook that `hand_in` itself is running.
    Raises:
        NotReadyError: there are problems, and `force` is False. An earlier hand-in is left as it was.
        HandInError: it cannot be packed at all.
    """
    if RUNNING in os.environ:  # without this, a notebook would run itself for ever
        return None
    folder = Path(folder)
    spec = read_spec(folder)
    sources = _read(folder, spec)
    blank = {
        name: list(unanswered(name, nb, spec.notebooks[name], spec.stubs, spec.places))
        for name, nb in sources.items()
    }
    notes = []
    for group in spec.alternatives:
        begun = [name for name in group if name in sources and len(blank[name]) < len(spec.notebooks[name])]
        kept = begun or [name for name in group if name in sources][:1]
        for name in [name for name in group if name in sources and name not in kept]:
            del sources[name], blank[name]
            if begun:
                notes.append(f"{name} has no answer, and is not handed in: {kept[0]} is")
        if kept[1:]:
            notes.append(
                f"{' and '.join(kept)} are handed in, and one of them counts: the one with more points"
            )
    missing = [spec.group(name) for name in spec.notebooks if not {*spec.group(name)} & {*sources}]
    problems = [
        f"{' or '.join(group)} isn't here: put it into {folder.resolve()}"
        for position, group in enumerate(missing)
        if group not in missing[:position]
    ]
    notes += grouped(
        change
        for name, nb in sources.items()
        for change in changes(name, nb, spec.locked.get(name, []), spec.defaults.get(name, {}), spec.places)
    )
    problems += unsaved_warnings([folder / name for name in sources])
    problems += grouped(chain.from_iterable(blank.values()))
    _require_none(problems, force, how_to_force)  # before anything is asked
    student = identify_student(folder, last, first, number)
    if any(map(without_collaborators, sources.values())) and (
        names := name_collaborators(folder, collaborators)
    ):
        for cell in (cell for nb in sources.values() for cell in nb.cells if cell.cell_type == "markdown"):
            cell.source = with_collaborators(cell.source, names)
    if any(map(without_collaborators, sources.values())):
        problems.append("collaborators are not named: write names, or “none”, once: hand_in(collaborators=…)")
    _require_none(problems, force, how_to_force)  # before minutes are spent on running
    executed, origins = {}, set()
    for position, (name, nb) in enumerate(sources.items(), 1):
        say(f"{position}/{len(sources)} running {name}")
        executed[name], failure, used = _run_or_reuse(nb, folder, name, minutes * 60, say)
        origins |= used
        problems += [f"{name}: {failure}"] * bool(failure)
        problems += grouped(run_errors(name, executed[name], unfinished=bool(blank[name])))
    if STAND_IN in origins:
        problems.append(
            f"the results are from a {STAND_IN}, not from the real data set: see the README about how to get "
            "it, delete the folder data and hand in again"
        )
    problems += [
        f"{name} isn't here: run the cell that saves it, or put it beside the notebooks"
        for name in spec.beside_of(sources)
        if not (folder / name).is_file()
    ]
    _require_none(problems, force, how_to_force)
    say("writing the files")
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=folder, ignore_cleanup_errors=True) as scratch:
        stage = Path(scratch, PACKED)
        stage.mkdir()
        data = f"results on: {', '.join(sorted(origins))}" if STAND_IN in origins else ""
        holds, more_problems, pdf_notes = _write(stage, folder, spec, student, executed, data)
        problems += more_problems
        notes += pdf_notes
        _require_none(problems, force, how_to_force)
        files = [_packed(path, holds.get(path.name, [])) for path in sorted(stage.iterdir())]
        if not files:
            raise HandInError("none of the files that are asked for can be made of these notebooks")
        notes += [
            f"{path.name} is none of the assignment's notebooks, and is not handed in"
            for path in sorted(folder.glob("*.ipynb"))
            if path.name not in spec.notebooks
        ]
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        receipt = Receipt(
            spec.assignment, student, now, str((folder / PACKED).resolve()), files, problems, notes
        )
        Path(scratch, RECEIPT).write_text(receipt.to_json(), encoding="utf-8")
        _swap(folder, Path(scratch))
    return receipt


def _read(folder: Path, spec: HandInSpec) -> dict[str, NotebookNode]:
    """The assignment's notebooks that exist, by file name, without outputs."""
    notebooks = {}
    for name in spec.notebooks:
        if (folder / name).exists():
            try:
                nb = nbformat.from_dict(read_notebook(folder / name))
            except PDFError as error:
                raise HandInError(str(error)) from None
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
                if is_hand_in_cell(cell):  # nbclient and grading skip cells with this tag
                    tags = [
                        tag
                        for tag in cell.metadata.get("tags", [])
                        if tag not in (HAND_IN_TAG, "skip-execution")
                    ]
                    cell.metadata.tags = [*tags, HAND_IN_TAG, "skip-execution"]
            notebooks[name] = nb
    if not notebooks and "COLAB_RELEASE_TAG" in os.environ:
        raise HandInError(
            "Colab keeps this notebook in your Drive, not in this folder. Run "
            "`from google.colab import drive; drive.mount('/content/drive')`, go to the homework's folder there with "
            '`%cd "/content/drive/MyDrive/…"`, save the notebook, and run this cell again. Or download the notebook '
            "(File, Download) and hand in on your own computer"
        )
    if not notebooks:
        raise HandInError(f"none of {', '.join(spec.notebooks)} is in {folder.resolve()}: go to their folder")
    return notebooks


def _run_or_reuse(
    nb: NotebookNode, folder: Path, name: str, seconds: float, say: Callable[[str], object]
) -> tuple[NotebookNode, str, set[str]]:
    """As `_run`, or the run of an earlier try if code, data and versions are the same: training takes minutes."""
    kept = folder / KEPT / f"{name}.json"  # no notebook: a folder that is handed in as it is may hold it
    key = _run_key(nb, folder)
    try:
        earlier = json.loads(kept.read_text(encoding="utf-8"))
        if key in earlier["keys"]:
            code = [cell for cell in nb.cells if cell.cell_type == "code"]
            for cell, ran in zip(code, earlier["cells"], strict=True):
                cell.outputs = [nbformat.from_dict(output) for output in ran["outputs"]]
                cell.execution_count = ran["execution_count"]
            nbformat.validate(nb)
            say(f"  {name} has the code of the last run, whose outputs are used again")
            return nb, "", set(map(str, earlier["origins"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, nbformat.ValidationError):
        pass  # there is none, or it is no longer complete
    ran, failure, origins = _run(nb, folder, seconds)
    kept.unlink(missing_ok=True)
    if not failure and not any(map(_failed, ran.cells)):
        kept.parent.mkdir(exist_ok=True)
        keys = [key, _run_key(nb, folder)]  # it may have saved a file, such as weights
        cells = [
            {"outputs": cell.outputs, "execution_count": cell.execution_count}
            for cell in ran.cells
            if cell.cell_type == "code"
        ]
        kept.write_text(
            json.dumps({"keys": keys, "origins": sorted(origins), "cells": cells}), encoding="utf-8"
        )
    return ran, failure, origins


def _failed(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _run_key(nb: NotebookNode, folder: Path) -> str:
    """A digest of what a run depends on: code, data and other files beside the notebook, and the packages' versions."""
    about = hashlib.sha256()
    for cell in nb.cells:
        if cell.cell_type == "code":
            about.update(f"{cell.source}\0{is_hand_in_cell(cell)}\0".encode())
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        passing = parts[0] in (PACKED, EARLIER, RECEIPT, KEPT, STUDENT_FILE) or path.suffix in (
            ".ipynb",
            ".pyc",
        )
        if (
            path.is_file()
            and not passing
            and not any(part.startswith((".", "__pycache__")) for part in parts)
        ):
            about.update(f"{'/'.join(parts)}\0{path.stat().st_size}\0{path.stat().st_mtime_ns}\0".encode())
    for package in ("torch", "tensorflow", "numpy"):
        try:
            about.update(version(package).encode())
        except PackageNotFoundError:
            about.update(b"-")
    return about.hexdigest()


def _run(nb: NotebookNode, folder: Path, seconds: float) -> tuple[NotebookNode, str, set[str]]:
    """A copy of the notebook, run from top to bottom in `folder`; why it did not run to its end, or ""; and where the
    data sets came from that it used."""
    nb = deepcopy(nb)
    started = [1]  # numbers of cells
    client = NotebookClient(
        nb,
        timeout=seconds,
        interrupt_on_timeout=True,
        kernel_name="python3",  # the environment of this process, whatever the editor called its kernel
        allow_errors=True,
        record_timing=False,
        on_cell_start=lambda cell, cell_index: started.append(cell_index + 1),
        extra_arguments=["--log-level=ERROR"],  # otherwise the kernel warns about its transport
        resources={"metadata": {"path": str(folder.resolve())}},
    )
    with tempfile.TemporaryDirectory() as scratch:
        seen = Path(scratch, "origins")
        try:
            client.execute(env={**os.environ, RUNNING: "1", ORIGINS: str(seen)})
        except DeadKernelError:
            return (
                nb,
                f"the kernel died in cell {started[-1]}, maybe for want of memory: make it run to the end",
                set(),
            )
        finally:
            origins = set(seen.read_text(encoding="utf-8").splitlines()) if seen.is_file() else set()
    for output in (output for cell in nb.cells for output in cell.get("outputs", [])):
        if (
            output.output_type == "error" and output.ename == "KeyboardInterrupt"
        ):  # that is how nbclient stops a cell
            told = (
                f"this cell did not finish within {seconds:g} seconds: an endless loop?"  # as checks say it
            )
            output.update(ename="TooLong", evalue=told, traceback=[told])
    return nb, "", origins


def _require_none(problems: Sequence[str], force: bool, how_to_force: str) -> None:
    if problems and not force:
        raise NotReadyError(problems, how_to_force)


def _write(
    stage: Path,
    folder: Path,
    spec: HandInSpec,
    student: StudentName,
    executed: Mapping[str, NotebookNode],
    data: str,
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Write the files into the folder `stage`.

    Returns:
        The names of the files in each zip, by the zip's name; problems; the PDF's warnings.
    """
    holds: dict[str, list[str]] = {}
    problems: list[str] = []
    notes: list[str] = []
    sizes: dict[str, int] = {}
    beside = [name for name in spec.beside_of(executed) if (folder / name).is_file()]
    for pattern in spec.patterns():
        target = stage / pattern.file_name(student, spec.assignment)
        names = pattern.notebooks(list(executed))
        if not names:
            problems.append(f"{target.name} was not made: no notebook here fits {pattern.inside}")
        elif pattern.suffix == ".pdf":
            notes += _write_pdf(target, folder, student, {name: executed[name] for name in names}, data)
        elif pattern.inside:
            if pattern.suffix == ".py":
                content = {f"{Path(name).stem}.py": script(executed[name]).encode() for name in names}
            else:
                content = {name: nbformat.writes(executed[name]).encode() for name in names}
                content |= {name: (folder / name).read_bytes() for name in beside}
            write_zip(target, content)
            holds[target.name] = sorted(content)
            sizes |= {name: len(data) for name, data in content.items()}
        elif len(names) > 1:
            raise HandInError(f"{target.name} cannot be {len(names)} notebooks: tell your instructor")
        else:
            target.write_text(nbformat.writes(executed[names[0]]), encoding="utf-8")
            for name in beside:
                shutil.copyfile(folder / name, stage / name)
    sizes |= {path.name: path.stat().st_size for path in sorted(stage.iterdir())}
    limits = spec.mebibytes | spec.beside
    problems += chain.from_iterable(oversized(name, size, limits) for name, size in sizes.items())
    return holds, problems, notes


def _write_pdf(
    target: Path, folder: Path, student: StudentName, executed: Mapping[str, NotebookNode], data: str
) -> list[str]:
    """Write the PDF of these notebooks as write-ups, with a line about the data on its first page. Returns warnings."""
    with tempfile.TemporaryDirectory() as scratch:
        for path in _images(folder):
            copy = Path(scratch, path.relative_to(folder))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        paths = []
        for name, nb in executed.items():
            paths.append(Path(scratch, name))
            paths[-1].write_text(nbformat.writes(write_up(nb)), encoding="utf-8")
        try:
            return write_pdf(paths, target, author=student.full, number=student.number, note=data)
        except PDFError as error:
            raise HandInError(str(error)) from error


def _images(folder: Path) -> Iterator[Path]:
    """The images that notebooks of this folder may show."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if parts[0] in ("data", "chainrule", PACKED, EARLIER) or any(part.startswith(".") for part in parts):
            continue
        if (
            path.suffix.lower() in IMAGE_SUFFIXES
            and path.is_file()
            and path.stat().st_size <= MAX_IMAGE_BYTES
        ):
            yield path


def script(nb: NotebookNode) -> str:
    """The notebook as a Python program, its text in comments, without the hand-in cells."""
    from nbconvert import PythonExporter  # takes a second to import, and most hand-ins don't need it

    exporter = PythonExporter(exclude_input_prompt=True)
    text, _ = exporter.from_notebook_node(
        NotebookNode(nb, cells=[cell for cell in nb.cells if not is_hand_in_cell(cell)])
    )
    return str(text)


def _packed(path: Path, holds: list[str]) -> PackedFile:
    content = path.read_bytes()
    return PackedFile(path.name, len(content), hashlib.sha256(content).hexdigest(), holds)


def _swap(folder: Path, finished: Path) -> None:
    """Move a finished hand-in and its receipt into `folder`; an earlier one is kept."""
    earlier = [folder / name for name in (PACKED, RECEIPT) if (folder / name).exists()]
    try:
        if earlier:
            archive = folder / EARLIER / datetime.now().strftime("%Y-%m-%d %H.%M.%S.%f")
            archive.mkdir(parents=True)
            for path in earlier:
                path.rename(archive / path.name)
        for name in (PACKED, RECEIPT):
            (finished / name).rename(folder / name)
    except OSError as error:
        raise HandInError(
            f"{error.filename} cannot be moved ({error.strerror}): close it if it is open elsewhere, and try again"
        ) from error


def _size(count: int) -> str:
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
