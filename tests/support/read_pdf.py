"""What a PDF says to who reads it: its text, its alternative texts, its properties."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path


def text_of(pdf: Path) -> str:
    """The text, laid out; a form feed ends each page."""
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True)
    return done.stdout.decode()


def letters_of(pdf: Path) -> str:
    """The text without spaces and line ends, which depend on where lines break."""
    return re.sub(r"[\s\u200b\u2060\u00ad]+", "", text_of(pdf))


def properties_of(pdf: Path) -> dict[str, str]:
    """What pdfinfo tells: Title, Author, Pages, Tagged, …"""
    done = subprocess.run(["pdfinfo", pdf], capture_output=True, check=True, text=True)
    return {
        name: value.strip() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())
    }


def is_accessible(pdf: Path) -> bool:
    """Whether the PDF claims to be PDF/UA-1, which Typst lets it do only after a look at everything."""
    return b"pdfuaid:part" in pdf.read_bytes()


def alternatives_in(pdf: Path) -> list[str]:
    """The alternative texts of images and formulas, in no order; for PDFs that keep their structure uncompressed."""
    data = pdf.read_bytes()
    found = [
        bytes.fromhex(code.decode()).decode("utf-16-be")
        for code in re.findall(rb"/Alt\s*<FEFF([0-9A-F]*)>", data)
    ]
    for begin in re.finditer(rb"/Alt\s*\(", data):
        text, at, depth = bytearray(), begin.end(), 1
        while True:
            byte = data[at : at + 1]
            if byte == b"\\":
                at += 1
                text += {b"n": b"\n", b"r": b"\r", b"t": b"\t"}.get(data[at : at + 1], data[at : at + 1])
            else:
                depth += (byte == b"(") - (byte == b")")
                if not depth:
                    break
                text += byte
            at += 1
        found.append(text.decode("latin-1"))
    return found
