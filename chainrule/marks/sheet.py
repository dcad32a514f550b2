"""Tables as LMSs write them. Their encoding, delimiter and line ends are kept."""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chainrule.course import CourseError

MAX_BYTES = 50 << 20  # the online texts of a thousand students are a tenth of this
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def escape_formula(value: Any) -> Any:
    """The value with an apostrophe before it if a spreadsheet would take it for a formula; "" for None."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return "" if value is None else value


@dataclass
class Sheet:
    """Rows of cells, the first of which is the header, and how they are written to a file.

    Attributes:
        mark: the byte-order mark, or b"".
    """

    rows: list[list[str]]
    encoding: str = "utf-8"
    mark: bytes = b""
    delimiter: str = ","
    line_end: str = "\n"
    quote_all: bool = False
    last_line_ends: bool = True

    @property
    def header(self) -> list[str]:
        return self.rows[0]

    def to_bytes(self) -> bytes:
        """The content of the file."""
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self.quote_all else csv.QUOTE_MINIMAL
        lines = []
        for row in self.rows:
            line = io.StringIO(newline="")
            # csv quotes a cell with a character of its line end: with \r\n it quotes both \r and \n
            csv.writer(line, delimiter=self.delimiter, lineterminator="\r\n", quoting=quoting).writerow(row)
            lines.append(line.getvalue().removesuffix("\r\n"))
        text = self.line_end.join(lines) + self.line_end * self.last_line_ends
        return self.mark + text.encode(self.encoding)


def read_sheet(path: Path) -> Sheet:
    """Read a table that an LMS exported, in UTF-8 or UTF-16, separated by commas, semicolons or tabs.

    Raises:
        CourseError: it is not such a table. The message says what to do.
    """
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        raise CourseError(f"{path} cannot be read: {error.strerror}") from None
    if data is None:
        raise CourseError(f"{path} is larger than {MAX_BYTES >> 20} MB: export the column of this item only")
    mark, encoding = _encoding(data)
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise CourseError(
            f"{path} is not a text in UTF-8 or UTF-16: export it from the LMS again as CSV, "
            "or save it as 'CSV UTF-8'"
        )
    first = re.match(r"(.*?)(\r\n|\n|\r|\Z)", text, re.DOTALL)
    assert first  # there is always a first line
    delimiter = max(",;\t", key=lambda sign: len(next(csv.reader([first[1]], delimiter=sign), [])))
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        sheet = Sheet(
            list(rows),
            encoding=encoding,
            mark=mark,
            delimiter=delimiter,
            line_end=first[2] or "\n",
            last_line_ends=text.endswith(("\n", "\r")),
        )
    except csv.Error as error:
        raise CourseError(f"{path}, line {rows.line_num}: {error}: export it from the LMS again") from None
    if not sheet.rows or not any(sheet.header):
        raise CourseError(f"{path}: the first line has no column names: export it from the LMS again")
    sheet.quote_all = first[1].count('"') >= 2 * len(sheet.header)
    return sheet


def _encoding(data: bytes) -> tuple[bytes, str]:
    """The byte-order mark and the encoding; without a mark UTF-8, or UTF-16 if the second byte is zero."""
    marks = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
    for mark, encoding in marks.items():
        if data.startswith(mark):
            return mark, encoding
    return b"", "utf-16-le" if data[1:2] == b"\0" else "utf-8"


def write_atomically(path: Path, data: bytes) -> None:
    """Write the file so that it is never incomplete: it is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
