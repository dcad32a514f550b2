"""Finds what is wrong with the files that ship beside the notebooks of an assignment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote
from zipfile import ZipFile, is_zipfile

from nbformat import NotebookNode
from nbgrader.utils import find_all_files

from chainrule.handin.places import FENCE

ALIKE = "only in capital letters, which files on Windows and macOS and some tables do not tell apart"
# what a picture or a text is called that is not for students; a module of this name may be theirs to write
FOR_INSTRUCTORS = re.compile(
    r"(?i)(?:^|[\W_])(?:solutions?|corrig[ée]s?|l(?:ö|oe)sung(?:en)?|soluci(?:ó|o)n(?:es)?|soluzion[ei]|mark[\W_]?scheme|(?:model|sample)[\W_]?answers?|"
    r"answer[\W_]?key|(?:instructor|teacher|grader)s?[\W_]?(?:notes?|version|copy|only)|hidden[\W_]?tests?)(?:[\W_]|$)"
)
HIDDEN_TESTS = re.compile(r"(?i)(?:^|[\W_])hidden[\W_]?tests?(?:[\W_]|$)")
MADE_BY_JUPYTER = re.compile(r"-Copy\d+$|^Untitled\d*$")
# with one of these words it is for students to fill, or a solution in another sense: the one of an equation
FOR_STUDENTS = re.compile(
    r"(?i)(?:^|[\W_])(?:templates?|skeletons?|starters?|stubs?|blanks?|empty|sheets?|forms?|formats?|your|my|students?|"
    r"submissions?|vorlagen?|mod[èe]les?|gabarits?|plantillas?|modell[io]|exact|analytic(?:al)?|numerical|initial|spaces?|"
    r"paths?|saline)(?:[\W_]|$)"
)
NOT_ON_WINDOWS = re.compile(r'[<>:"\\|?*]|[. ]$|^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)', re.IGNORECASE)
PICTURE = re.compile(
    r"""!\[[^\]]*\]\(\s*(?:<([^>]*)>|([^\s)]+))|<img\b[^>]*?\ssrc\s*=\s*["']([^"']+)""", re.IGNORECASE
)
BEGINS_A_LINE = rb'(?m)(?:^\s*"?|: "|\\n|>)[\s#/*<!%;-]*'  # of a text, or of one in JSON or HTML
READ = 2**22  # bytes of a file that are searched
TEXTS = {
    ".ipynb",
    ".py",
    ".md",
    ".html",
}  # what is searched in an archive; notebooks in it may be released ones


def shipped(source: Path, ignored: Iterable[str]) -> list[Path]:
    """The files of an assignment that nbgrader releases as they are, relative to its folder."""
    found = find_all_files(str(source), [*ignored, "*.ipynb"])
    return sorted(Path(path).relative_to(source) for path in found)


def file_slips(
    source: Path, ignored: list[str], judging: str, markers: Iterable[str], data: Path, meant: Iterable[str]
) -> Iterator[str]:
    """What is wrong with the files that students get beside the notebooks, and with those that they do not get.

    Args:
        ignored: patterns of files that nbgrader releases nowhere.
        judging: the name of the judging package.
        markers: the beginnings of what nbgrader cuts out of notebooks.
        data: the folder of the course's data sets, which students have by other means.
        meant: patterns of files that are for students, whatever their names say.
    """
    meant = list(meant)
    everything = sorted(path.relative_to(source) for path in source.rglob("*"))
    yield from names_alike(everything)
    for path in everything:
        if (
            (source / path).is_symlink()
            and (source / path).is_dir()
            and not (source / path).resolve().is_relative_to(data)
        ):
            yield (
                f"{path}: it is a link to a folder, which grading follows and a release does not: put a copy of the "
                "folder there"
            )
        if len(path.parts) > 1 and path.suffix == ".ipynb" and not hidden(path):
            yield (
                f"{path}: no student gets it, because notebooks in folders of an assignment are not released: move it "
                "beside the other notebooks, or out of source/"
            )
        if path.suffix == ".ipynb" and len(path.parts) == 1 and MADE_BY_JUPYTER.search(path.stem):
            yield (
                f"{path}: it is released as a notebook of its own, and Jupyter gave it its name: delete it, or "
                "rename it"
            )
        elif (
            path.suffix == ".ipynb"
            and len(path.parts) == 1
            and says_it_is_a_solution(path, meant)
            and b'"nbgrader"' not in (source / path).read_bytes()  # of others a release cuts it out
        ):
            yield for_instructors(path)
    for path in shipped(source, ignored):
        if path.parts[0] in {judging, "judging"} - {""}:
            yield f"{path}: students get it, and judging modules are not for them: move it out of source/"
            continue
        if said := with_markers(source / path, markers):
            yield (
                f"{path}: students get it as it is, and it has {said} in it: only notebooks named .ipynb beside each "
                "other are cleared. Move it out of source/"
            )
        elif (path.suffix != ".py" or HIDDEN_TESTS.search(path.stem)) and says_it_is_a_solution(path, meant):
            yield for_instructors(path)
        if any(NOT_ON_WINDOWS.search(part) for part in path.parts):
            yield f"{path}: Windows has no file of this name, so that a kit cannot be unpacked there: rename it"


def for_instructors(path: Path) -> str:
    return (
        f"{path}: students get it, and its name says that it is not for them: move it into the judging package; if it "
        "is for them, rename it, or list it in c.Course.for_students of nbgrader_config.py"
    )


def hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def says_it_is_a_solution(path: Path, meant: Iterable[str]) -> bool:
    """Whether a file's name says that it is not for students.

    >>> [says_it_is_a_solution(Path(name), ["*.csv"]) for name in ("q1-solution.png", "solution_template.md")]
    [True, False]
    >>> [says_it_is_a_solution(Path(name), ["*.csv"]) for name in ("dissolution.txt", "data/solution.csv")]
    [False, False]
    """
    if any(fnmatchcase(path.as_posix(), pattern) for pattern in meant):
        return False
    name = unicodedata.normalize("NFC", path.stem)
    return bool(FOR_INSTRUCTORS.search(name)) and not FOR_STUDENTS.search(name)


def with_markers(path: Path, markers: Iterable[str]) -> str:
    """What of a file says that it is an instructor's: a marker, or nbgrader's metadata; "" if nothing does."""
    if path.suffix.lower() == ".zip" and is_zipfile(path):
        with ZipFile(path) as archive:
            names = [name for name in archive.namelist() if Path(name).suffix in TEXTS]
            text = b"\n".join(archive.open(name).read(READ) for name in names).replace(b'"nbgrader"', b"")
    else:
        with path.open("rb") as file:
            text = file.read(READ)
    found = [m for m in markers if re.search(BEGINS_A_LINE + re.escape(m.encode()), text)]
    if not found and b'"nbgrader"' in text and b'"grade_id"' in text:
        return "nbgrader's metadata"
    return found[0] if found else ""


def names_alike(paths: Iterable[Path]) -> Iterator[str]:
    """Files of an assignment whose names differ only in capital letters."""
    known: dict[str, str] = {}
    for path in sorted(path.as_posix() for path in paths):
        alike = unicodedata.normalize("NFC", path).casefold()
        if (other := known.setdefault(alike, path)) != path:
            yield f"{path}: its name differs from {other} {ALIKE}: rename one of them"


def picture_slips(cell: NotebookNode, text: str, source: Path, ignored: list[str]) -> Iterator[str]:
    """Pictures that a Markdown cell shows and students do not get.

    Args:
        text: of the cell as students read it.
    """
    for address in pictures(text):
        name = unquote(address)
        if name.startswith("attachment:"):
            if name.removeprefix("attachment:") not in cell.get("attachments", {}):
                yield f"it shows the picture {name}, which the cell does not have: paste it into the cell again"
        elif not re.match(r"[a-z][\w+.-]*:|//|/", name, re.IGNORECASE) and (
            Path(re.sub(r"[?#].*", "", name)) not in shipped(source, ignored)
        ):
            yield f"it shows the picture {name}, and students get no such file: put it there, or correct the name"


def pictures(text: str) -> Iterator[str]:
    """The addresses of the pictures in a Markdown text, without those in its code.

    >>> list(pictures('![a](b.png) `![c](d.png)` <img src="e.png">'))
    ['b.png', 'e.png']
    """
    fenced, lines = False, []
    for line in text.splitlines():
        fenced ^= bool(FENCE.match(line))
        lines += [] if fenced else [re.sub(r"(`+).*?\1", "", line)]
    for groups in PICTURE.findall("\n".join(lines)):
        yield next(filter(None, groups))
