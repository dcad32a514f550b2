"""Made-up downloads of four LMSs: a class of thirty, with all the mess that real ones have.

`make("blackboard", folder, {"right": …, "blank": …})` writes a roster and a zip, and says what has to become of each
file in it.
"""

from __future__ import annotations

import io
import json
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path

LMSS = ("blackboard", "brightspace", "canvas", "moodle")
TIMED = ("blackboard", "brightspace")  # the others tell no times
DUE = datetime(2026, 7, 13, 12, 0)  # by the course's clock
PDF = b"%PDF-1.7\nwritten\n%%EOF\n"

NAMES = """Ann Lee|Bo Chen|Çağla Ünal|Dirk van der Berg|Eve O'Neil|Fay Núñez|Gus Smith-Jones|Hal Østby|Ida Garcia Lopez|
Jo Kim|Kai Müller|Lou Park|Max Weiß|Nia Roy|Oz Tan|Pia Rossi|Quy Đặng|Ray Ito|Sam Hall|Tea Novak|Uma Rao|Vic Stone|
Wei Zhang|Xiu Zhao|Yan Li|Zoe Wolf|Abe Cole|Bea Dunn|Ann Twin|Ann Twin"""


@dataclass
class Upload:
    """A file that a student uploads.

    Attributes:
        expected: which list each file in it has to end in, by its name; zips count as folders.
        minutes: before the due date.
    """

    name: str
    content: bytes
    expected: dict[str, str]
    minutes: int = 60


@dataclass
class Student:
    id: str
    username: str
    last: str
    first: str
    number: int
    kind: str
    notebook: bytes
    stem: str
    timed: bool

    @property
    def proper(self) -> str:
        """What the handout asks for, without a suffix."""
        return f"{letters(self.last)}_{letters(self.first)}_{self.stem}"

    def pdf(self, name: str = "", expected: str = "taken", minutes: int = 60, content: bytes = b"") -> Upload:
        name = name or f"{self.proper}.pdf"
        return Upload(name, content or PDF + self.id.encode(), {name: expected}, minutes)

    def nb(self, name: str = "", expected: str = "taken", minutes: int = 60, content: bytes = b"") -> Upload:
        name = name or f"{self.proper}.ipynb"
        return Upload(name, content or self.notebook, {name: expected}, minutes)


@dataclass
class Download:
    """A made-up download.

    Attributes:
        path: the zip.
        roster: its class.
        expected: which list each file has to end in, by its name as the report calls it.
        notebooks: whose notebook has to be in submitted/ with which bytes, by student id.
        kinds: which of the notebooks that is.
        late: ids of those who are late, as far as the LMS tells.
        messes: what was done wrong.
    """

    path: Path
    roster: Path
    expected: dict[str, str] = field(default_factory=dict)
    notebooks: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    messes: set[str] = field(default_factory=set)


def letters(name: str) -> str:
    return "".join(c for c in name if c.isalnum())


def archive(files: Mapping[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            made.writestr(name, content, compress_type=zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def encrypted(name: str, content: bytes) -> bytes:
    """A zip of one file that says it is encrypted."""
    made = bytearray(archive({name: content}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(signature) + flags] |= 1
    return bytes(made)


def special(name: str, kind: int) -> zipfile.ZipInfo:
    """An entry that is a link or a device."""
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    return entry


def edited(notebook: bytes, word: str) -> bytes:
    """Another version of a notebook."""
    nb = json.loads(notebook)
    nb["metadata"]["version"] = word
    return json.dumps(nb).encode()


def stripped(notebook: bytes) -> bytes:
    """The notebook as an editor leaves it that knows no metadata."""
    nb = json.loads(notebook)
    for cell in nb["cells"]:
        cell["metadata"] = {}
        cell.pop("id", None)
    return json.dumps(nb | {"nbformat_minor": 4}).encode()


# ---- ways to hand in: the files, and the notebook that counts ------------------------------------------------

Main = Callable[[Student], tuple[list[Upload], bytes | None]]


def tidy(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(), s.nb()], s.notebook


def two_attempts(s: Student) -> tuple[list[Upload], bytes | None]:
    if not s.timed:
        return tidy(s)
    first = edited(s.notebook, "first")
    return [s.pdf(minutes=300), s.nb(expected="kept", minutes=300, content=first), s.nb()], s.notebook


def three_attempts(s: Student) -> tuple[list[Upload], bytes | None]:
    if not s.timed:
        return tidy(s)
    versions = [s.nb(expected="kept", minutes=m, content=edited(s.notebook, str(m))) for m in (5000, 4000)]
    return [
        *versions,
        s.pdf(minutes=4000, expected="kept", content=PDF + b"old"),
        s.pdf(),
        s.nb(),
    ], s.notebook


def late(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(minutes=-90), s.nb(minutes=-90)], s.notebook


def renamed(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf("answers.pdf", "repaired"), s.nb("final final.ipynb", "repaired")], s.notebook


def released_name(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(), s.nb(f"{s.stem}.ipynb", "repaired")], s.notebook


def small_letters(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(f"{s.proper.lower()}.pdf", "repaired"), s.nb(f"{s.proper}.IPYNB", "repaired")], s.notebook


def names_swapped(s: Student) -> tuple[list[Upload], bytes | None]:
    name = f"{letters(s.first)}_{letters(s.last)}_{s.stem}.ipynb"
    return [s.pdf(), s.nb(name, "repaired")], s.notebook


def second_copy(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(f"{s.proper} (1).pdf", "repaired"), s.nb(f"{s.proper}(2).ipynb", "repaired")], s.notebook


def copy_and_original(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(), s.nb(), s.nb(f"{s.proper} (1).ipynb", "kept")], s.notebook


def two_versions(s: Student) -> tuple[list[Upload], bytes | None]:
    other = s.nb(f"{s.proper} (1).ipynb", "kept", content=edited(s.notebook, "other"))
    return [s.pdf(), s.nb(expected="repaired"), other], s.notebook


def zipped(s: Student) -> tuple[list[Upload], bytes | None]:
    files = {f"{s.proper}.pdf": PDF, f"hw/{s.proper}.ipynb": s.notebook}
    return [Upload("all.zip", archive(files), {f"all.zip/{name}": "repaired" for name in files})], s.notebook


def zipped_twice(s: Student) -> tuple[list[Upload], bytes | None]:
    name = f"{s.proper}.ipynb"
    inner = archive({"code.zip": archive({name: s.notebook})})
    return [s.pdf(), Upload("hw.zip", inner, {f"hw.zip/code.zip/{name}": "repaired"})], s.notebook


def from_a_mac(s: Student) -> tuple[list[Upload], bytes | None]:
    name = f"{s.proper}.ipynb"
    files = {
        name: s.notebook,
        f"__MACOSX/._{name}": b"fork",
        ".DS_Store": b"x",
        f".ipynb_checkpoints/{s.stem}-checkpoint.ipynb": s.notebook,
    }
    expected = {f"hw.zip/{each}": "repaired" if each == name else "ignored" for each in files}
    return [s.pdf(), Upload("hw.zip", archive(files), expected)], s.notebook


def from_windows(s: Student) -> tuple[list[Upload], bytes | None]:
    entry = zipfile.ZipInfo("x")
    entry.filename = entry.orig_filename = f"hw\\{s.proper}.ipynb"
    content = archive([(entry, s.notebook)])
    return [s.pdf(), Upload("hw.zip", content, {f"hw.zip/hw/{s.proper}.ipynb": "repaired"})], s.notebook


def no_pdf(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.nb()], s.notebook


def false_pdf(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(expected="refused", content=b"<html>Sign in</html>"), s.nb()], s.notebook


def no_notebook(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf()], None


def broken_notebook(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(), s.nb(expected="refused", content=s.notebook[: len(s.notebook) // 2])], None


def broken_again(s: Student) -> tuple[list[Upload], bytes | None]:
    """The latest is broken: the one before counts."""
    if not s.timed:
        return tidy(s)
    broken = s.nb(expected="refused", minutes=10, content=b"{")
    return [s.pdf(), s.nb(expected="repaired", minutes=100), broken], s.notebook


def friends_name(s: Student) -> tuple[list[Upload], bytes | None]:
    name = f"Chen_Bo_{s.stem}.ipynb" if s.last != "Chen" else f"Lee_Ann_{s.stem}.ipynb"
    return [s.pdf(), s.nb(name, "repaired")], s.notebook


def suffix_added(s: Student) -> tuple[list[Upload], bytes | None]:
    return [s.pdf(s.proper, "repaired"), s.nb(f"{s.proper}.ipynb.txt", "repaired")], s.notebook


def no_metadata(s: Student) -> tuple[list[Upload], bytes | None]:
    content = stripped(s.notebook)
    return [s.pdf(), s.nb("Untitled.ipynb", "repaired", content=content)], content


def nothing(s: Student) -> tuple[list[Upload], bytes | None]:
    return [], None


MAINS: list[Main] = [
    *(tidy, two_attempts, three_attempts, late, renamed, released_name, small_letters, names_swapped),
    *(second_copy, copy_and_original, two_versions, zipped, zipped_twice, from_a_mac, from_windows, no_pdf),
    *(
        false_pdf,
        no_notebook,
        broken_notebook,
        broken_again,
        friends_name,
        suffix_added,
        no_metadata,
        nothing,
    ),
]


# ---- what comes with it -------------------------------------------------------------------------------------


def _zip(files: list[tuple[str | zipfile.ZipInfo, bytes]], expected: dict[str, str]) -> Upload:
    return Upload("more.zip", archive(files), {f"more.zip/{name}": which for name, which in expected.items()})


def extras(s: Student) -> Iterator[tuple[str, Upload]]:
    """What else people upload, or would like to."""
    nb, evil = edited(s.notebook, "evil"), "evil.ipynb"
    scratch = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()
    yield "scratch paper", Upload("scratch.ipynb", scratch, {"scratch.ipynb": "unknown"})
    yield "Word", Upload("answers.docx", b"PK docx", {"answers.docx": "unknown"})
    yield "rar", Upload("all.rar", b"Rar!", {"all.rar": "refused"})
    yield "climbs out", _zip([(f"../../{evil}", nb)], {f"../../{evil}": "refused"})
    yield "absolute", _zip([(f"/etc/{evil}", nb)], {f"etc/{evil}": "refused"})
    yield "a drive", _zip([(f"C:\\{evil}", nb)], {f"C:/{evil}": "refused"})
    yield "link", _zip([(special(evil, stat.S_IFLNK), b"/etc/passwd")], {evil: "refused"})
    yield "device", _zip([(special(evil, stat.S_IFCHR), b"")], {evil: "refused"})
    yield "encrypted", Upload("more.zip", encrypted(evil, nb), {f"more.zip/{evil}": "refused"})
    yield (
        "bomb",
        _zip([("zeros.bin", bytes(12 << 20)), ("a.txt", b"x")], {"zeros.bin": "refused", "a.txt": "unknown"}),
    )
    deep = nb
    for name in (evil, "5.zip", "4.zip", "3.zip"):
        deep = archive({name: deep})
    yield "matryoshka", Upload("2.zip", deep, {"2.zip/3.zip/4.zip/5.zip": "refused"})
    yield "no zip", Upload("more.zip", b"PK\x03\x04 cut off", {"more.zip": "refused"})
    yield "empty zip", Upload("more.zip", archive({}), {"more.zip": "refused"})
    twice = {"a.txt": "unknown", "a.txt (entry 2)": "unknown"}
    yield "a name twice", _zip([("a.txt", b"1"), ("a.txt", b"2")], twice)
    yield "control characters", _zip([(f"\x1b[2J{evil}", nb)], {f"\x1b[2J{evil}": "refused"})
    long = "a" * 300 + ".ipynb"
    yield "a long name", _zip([(long, nb)], {long: "refused"})
    yield (
        "thousands of files",
        Upload("more.zip", archive({f"{n}.txt": b"" for n in range(2001)}), {"more.zip": "refused"}),
    )
    yield "a program", Upload("setup.exe", b"MZ", {"setup.exe": "unknown"})
    yield "no suffix", Upload("README", b"hello", {"README": "unknown"})
    yield "empty file", Upload("empty.pdf.ipynb", b"", {"empty.pdf.ipynb": "refused"})


# ---- the LMS -----------------------------------------------------------------------------------------------


def make(
    lms: str, folder: Path, notebooks: Mapping[str, bytes], *, stem: str = "tiny", due: datetime = DUE
) -> Download:
    """Write a roster and a download of thirty students, most of whom do something wrong.

    Args:
        lms: one of LMSS.
        folder: where to write them.
        notebooks: filled-in notebooks by kind; students take turns with them, each with bytes of their own.
        stem: the assignment asks for `{last}_{first}_{stem}.ipynb` and `.pdf`; its notebook is `{stem}.ipynb`.
        due: by the course's clock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = Download(folder / f"{lms}.zip", folder / "roster.csv")
    students = list(_class(notebooks, stem, lms in TIMED))
    rows = [f"{s.last},{s.first},{s.id},{s.username},{s.username}@example.org" for s in students]
    made.roster.write_text("\n".join(["Last,First,ID,Username,Email", *rows, ""]), encoding="utf-8-sig")
    entries: list[tuple[str | zipfile.ZipInfo, bytes]] = []

    def add(head: str, content: bytes, expected: Mapping[str, str]) -> None:
        entries.append((head, content))
        made.expected |= {f"{made.path.name}/{name}": which for name, which in expected.items()}

    uploads = count(1)
    stranger = Student(
        "x", "stranger", "Stranger", "Sue", 999, "", next(iter(notebooks.values())), stem, True
    )
    for place, student in enumerate([*students, stranger]):
        main = MAINS[place % len(MAINS)] if student.id != "x" else tidy
        files, counts = main(student)
        made.messes.add(main.__name__)
        names = list(extras(student))
        if main is not nothing:
            name, extra = names[place % len(names)]
            files.append(extra)
            made.messes.add(name)
        known = student.id != "x" and (student.last != "Twin" or lms == "blackboard")
        made.messes |= set() if known else {"not on the roster" if student.id == "x" else "a namesake"}
        is_late = main is late
        moments = set()
        for upload in files:
            moment = due - timedelta(minutes=upload.minutes)
            moments.add(moment)
            head = _head(lms, student, moment, next(uploads), late=is_late)
            slash = "/" if lms == "moodle" else ""
            expected = {f"{head}{slash}{name}": which for name, which in upload.expected.items()}
            if not known:
                expected = dict.fromkeys(expected, "refused")
            add(f"{head}{slash}{upload.name}", upload.content, expected)
        if lms == "blackboard":
            for moment in moments:
                receipt = _head(lms, student, moment, 0).removesuffix("_") + ".txt"
                text = f"Name: {student.first} {student.last} ({student.username})\nAssignment: Tiny\n"
                add(receipt, text.encode(), {receipt: "kept" if known else "refused"})
        if known and files and main is not nothing:
            if counts is not None:
                made.notebooks[student.id], made.kinds[student.id] = counts, student.kind
            if is_late and lms != "moodle":
                made.late.add(student.id)
    if lms == "brightspace":
        add("index.html", b"<html>", {"index.html": "unknown"})
    if lms == "canvas":
        head = f"{_canvas(students[0])}_{students[0].number}_text.html"
        add(head, b"<p>hello</p>", {head: "kept"})
    if lms == "moodle":
        head = f"{students[0].first} {students[0].last}_{students[0].number}_assignsubmission_onlinetext"
        add(f"{head}/onlinetext.html", b"<p>hello</p>", {f"{head}/onlinetext.html": "kept"})
    made.path.write_bytes(archive(entries))
    return made


def _class(notebooks: Mapping[str, bytes], stem: str, timed: bool) -> Iterator[Student]:
    kinds = list(notebooks)
    for place, name in enumerate(NAMES.replace("\n", "").split("|")):
        first, _, last = name.partition(" ")
        kind = kinds[place % len(kinds)]
        own = notebooks[kind] + b"\n" * (place + 1)  # the same notebook in bytes of one's own
        username = (
            f"{first[0].lower()}_{'lee' if place % 2 else 'u'}{place}" if first.isascii() else f"u{place}"
        )
        yield Student(f"2026{place:04}", username, last, first, 4000 + place, kind, own, stem, timed)


def _head(lms: str, student: Student, moment: datetime, upload: int, *, late: bool = False) -> str:
    """What the LMS writes before a student's name for a file."""
    if lms == "blackboard":
        return f"Tiny_Homework 1_{student.username}_attempt_{moment:%Y-%m-%d-%H-%M-%S}_"
    if lms == "brightspace":
        clock = f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}{moment:%M %p}"
        return f"{student.number}-77 - {student.first} {student.last} - {clock} - "
    if lms == "canvas":
        return f"{_canvas(student)}{'_LATE' if late else ''}_{student.number}_{upload}_"
    return f"{student.first} {student.last}_{student.number}_assignsubmission_file"


def _canvas(student: Student) -> str:
    plain = unicodedata.normalize("NFC", student.last + student.first).lower()
    return "".join(c for c in plain if c.isalnum())
