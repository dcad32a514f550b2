"""Run the notebooks once more, look whether everything is there, and write the files to hand in."""

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
from itertools import chain
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from chainrule.handin.here import unsaved
from chainrule.handin.inspection import TAG, errors, oversized, packs, unanswered
from chainrule.handin.names import HandInError, Student
from chainrule.handin.order import Order, read_order, whose
from chainrule.handin.pdf import PDFError, read_notebook, write_pdf
from chainrule.handin.zipped import write_zip

PACKED, EARLIER, RECEIPT = "hand-in", "earlier hand-ins", "hand-in receipt.json"
RUNNING = "CHAINRULE_HANDIN"  # in the environment of notebooks that are run for a hand-in
PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp"}
MOST_PICTURE_BYTES = 20 << 20


class NotReady(HandInError):
    """Something is missing. `problems` says what, a sentence each."""

    def __init__(self, problems: Sequence[str], anyway: str) -> None:
        self.problems = list(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        told = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"{count} to look at.\n{told}\nTo hand in nevertheless, as it is: {anyway}")


@dataclass(frozen=True)
class Packed:
    """A file to hand in: its size in bytes, its SHA-256, and what is in it if it is a zip."""

    name: str
    bytes: int
    sha256: str
    holds: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Receipt:
    """What was packed, for whom, when, and what was found; in a notebook, a table of it."""

    assignment: str
    student: Student
    time: str
    folder: str
    files: list[Packed]
    problems: list[str]
    notes: list[str]

    def text(self) -> str:
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
        told = [*(f"Problem: {text}" for text in self.problems), *(f"Note: {text}" for text in self.notes)]
        items = "".join(f"<li>{html.escape(text)}</li>" for text in told)
        return (
            f"<p><b>Packed for {html.escape(f'{self.student.first} {self.student.last}'.strip())}.</b> "
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
    anyway: bool = False,
    say: Callable[[str], object] = print,
    how: str = "hand_in(anyway=True)",
) -> Receipt | None:
    """Pack the assignment in `folder` as its handout asks, into its folder hand-in/.

    The notebooks are run from top to bottom in fresh kernels; what is handed in has the outputs of that run.
    The notebooks themselves are not changed, and what was packed earlier is kept in `earlier hand-ins/`.

    Args:
        last, first, number: whose work it is; asked for the first time, then remembered in me.json.
        anyway: pack in spite of problems such as a blank answer; the receipt tells them.
        say: told about progress, a line at a time.
        how: what to do if there are problems, as the message puts it.
    Returns:
        The receipt, also written to `hand-in receipt.json`; None in a notebook that is being run for this.
    Raises:
        NotReady: there are problems, and not `anyway`. What was packed before is still there.
        HandInError: it can't be packed at all.
    """
    if RUNNING in os.environ:  # or a notebook would run itself for ever
        return None
    folder = Path(folder)
    order = read_order(folder)
    student = whose(folder, last, first, number)
    sources = _read(folder, order)
    problems = [
        f"{name} isn't here: put it into {folder.resolve()}"
        for name in order.notebooks
        if name not in sources
    ]
    blank = {
        name: list(unanswered(name, nb, order.notebooks[name], order.stubs)) for name, nb in sources.items()
    }
    problems += unsaved([folder / name for name in sources])
    problems += chain.from_iterable(blank.values())
    _stop(problems, anyway, how)  # before minutes are spent on running
    executed = {}
    for at, (name, nb) in enumerate(sources.items(), 1):
        say(f"{at}/{len(sources)} running {name}")
        executed[name], died = _run(nb, folder)
        problems += [f"{name}: {died}"] * bool(died) + list(
            errors(name, executed[name], unfinished=bool(blank[name]))
        )
    problems += [
        f"{name} isn't here: run the cell that saves it, or put it beside the notebooks"
        for name in order.beside
        if not (folder / name).is_file()
    ]
    _stop(problems, anyway, how)
    say("writing the files")
    with tempfile.TemporaryDirectory(prefix=".packing-", dir=folder, ignore_cleanup_errors=True) as place:
        stage = Path(place, PACKED)
        stage.mkdir()
        holds, found, notes = _write(stage, folder, order, student, executed)
        problems += found
        _stop(problems, anyway, how)
        files = [_packed(path, holds.get(path.name, [])) for path in sorted(stage.iterdir())]
        if not files:
            raise HandInError("none of the files that are asked for can be made of these notebooks")
        notes += [
            f"{path.name} is none of the assignment's notebooks, and is not handed in"
            for path in sorted(folder.glob("*.ipynb"))
            if path.name not in order.notebooks
        ]
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        receipt = Receipt(
            order.assignment, student, now, str((folder / PACKED).resolve()), files, problems, notes
        )
        Path(place, RECEIPT).write_text(receipt.text(), encoding="utf-8")
        _swap(folder, Path(place))
    return receipt


def _read(folder: Path, order: Order) -> dict[str, NotebookNode]:
    """The assignment's notebooks that are there, without outputs."""
    found = {}
    for name in order.notebooks:
        if (folder / name).exists():
            try:
                nb = nbformat.from_dict(read_notebook(folder / name))
            except PDFError as error:
                raise HandInError(str(error)) from None
            for cell in nb.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
                if packs(cell):  # nbclient leaves out what has its tag, and so does grading
                    tags = [
                        tag for tag in cell.metadata.get("tags", []) if tag not in (TAG, "skip-execution")
                    ]
                    cell.metadata.tags = [*tags, TAG, "skip-execution"]
            found[name] = nb
    if not found:
        raise HandInError(
            f"none of {', '.join(order.notebooks)} is in {folder.resolve()}: go to their folder"
        )
    return found


def _run(nb: NotebookNode, folder: Path) -> tuple[NotebookNode, str]:
    """A copy of the notebook, run from top to bottom in its folder, and why it was not run to its end, or ""."""
    nb = deepcopy(nb)
    begun = [1]  # cells, by their places
    client = NotebookClient(
        nb,
        timeout=None,
        kernel_name="python3",  # the environment of this process, whatever the editor called its kernel
        allow_errors=True,
        record_timing=False,
        on_cell_start=lambda cell, cell_index: begun.append(cell_index + 1),
        extra_arguments=["--log-level=ERROR"],  # of its transport the kernel warns everybody
        resources={"metadata": {"path": str(folder.resolve())}},
    )
    try:
        client.execute(env={**os.environ, RUNNING: "1"})
    except DeadKernelError:
        return nb, f"the kernel died in cell {begun[-1]}, maybe for want of memory: make it run to the end"
    return nb, ""


def _stop(problems: Sequence[str], anyway: bool, how: str) -> None:
    if problems and not anyway:
        raise NotReady(problems, how)


def _write(
    stage: Path, folder: Path, order: Order, student: Student, executed: Mapping[str, NotebookNode]
) -> tuple[dict[str, list[str]], list[str], list[str]]:
    """Write the files into `stage`.

    Returns:
        What each zip holds, by its name; problems; what the PDF doesn't show as the notebooks do.
    """
    holds: dict[str, list[str]] = {}
    problems: list[str] = []
    notes: list[str] = []
    sizes: dict[str, int] = {}
    there = [name for name in order.beside if (folder / name).is_file()]
    for pattern in order.patterns():
        target = stage / pattern.named(student, order.assignment)
        names = pattern.of_these(list(executed))
        if not names:
            problems.append(f"{target.name} was not made: no notebook here fits {pattern.inside}")
        elif pattern.kind == ".pdf":
            notes += _write_pdf(target, folder, student, {name: executed[name] for name in names})
        elif pattern.inside:
            if pattern.kind == ".py":
                content = {f"{Path(name).stem}.py": script(executed[name]).encode() for name in names}
            else:
                content = {name: nbformat.writes(executed[name]).encode() for name in names}
                content |= {name: (folder / name).read_bytes() for name in there}
            write_zip(target, content)
            holds[target.name] = sorted(content)
            sizes |= {name: len(data) for name, data in content.items()}
        elif len(names) > 1:
            raise HandInError(f"{target.name} cannot be {len(names)} notebooks: tell your instructor")
        else:
            target.write_text(nbformat.writes(executed[names[0]]), encoding="utf-8")
            for name in there:
                shutil.copyfile(folder / name, stage / name)
    sizes |= {path.name: path.stat().st_size for path in sorted(stage.iterdir())}
    limits = order.mebibytes | order.beside
    problems += chain.from_iterable(oversized(name, size, limits) for name, size in sizes.items())
    return holds, problems, notes


def _write_pdf(
    target: Path, folder: Path, student: Student, executed: Mapping[str, NotebookNode]
) -> list[str]:
    """The write-up of these notebooks, without the cells that pack; what it doesn't show as they do."""
    with tempfile.TemporaryDirectory() as place:
        for path in _pictures(folder):
            copy = Path(place, path.relative_to(folder))
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        paths = []
        for name, nb in executed.items():
            shown = NotebookNode(nb, cells=[cell for cell in nb.cells if not packs(cell)])
            paths.append(Path(place, name))
            paths[-1].write_text(nbformat.writes(shown), encoding="utf-8")
        author = f"{student.first} {student.last}".strip()
        try:
            return write_pdf(paths, target, author=author, number=student.number)
        except PDFError as error:
            raise HandInError(str(error)) from error


def _pictures(folder: Path) -> Iterator[Path]:
    """Pictures that notebooks of this folder may show."""
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if parts[0] in ("data", "chainrule", PACKED, EARLIER) or any(part.startswith(".") for part in parts):
            continue
        if path.suffix.lower() in PICTURES and path.is_file() and path.stat().st_size <= MOST_PICTURE_BYTES:
            yield path


def script(nb: NotebookNode) -> str:
    """The notebook as a Python program, its text in comments, without the cell that packs."""
    from nbconvert import PythonExporter  # a second to import, and most hand-ins have no need of it

    shown = NotebookNode(nb, cells=[cell for cell in nb.cells if not packs(cell)])
    text, _ = PythonExporter(exclude_input_prompt=True).from_notebook_node(shown)
    return str(text)


def _packed(path: Path, holds: list[str]) -> Packed:
    content = path.read_bytes()
    return Packed(path.name, len(content), hashlib.sha256(content).hexdigest(), holds)


def _swap(folder: Path, made: Path) -> None:
    """Put a finished hand-in with its receipt in place; one that was there is kept."""
    before = [folder / name for name in (PACKED, RECEIPT) if (folder / name).exists()]
    try:
        if before:
            kept = folder / EARLIER / datetime.now().strftime("%Y-%m-%d %H.%M.%S.%f")
            kept.mkdir(parents=True)
            for path in before:
                path.rename(kept / path.name)
        for name in (PACKED, RECEIPT):
            (made / name).rename(folder / name)
    except OSError as error:
        raise HandInError(
            f"{error.filename} cannot be moved ({error.strerror}): close it if it is open elsewhere, and try again"
        ) from error


def _size(count: int) -> str:
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"
