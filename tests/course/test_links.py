"""Links that students see have the form of a link, name what exists, and no notebook ends without some. No network."""

from __future__ import annotations

import re
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
import torch
from course_modules import ROOT

NOTEBOOKS = sorted(ROOT.glob("source/*/*.ipynb"))
PAGES = [*NOTEBOOKS, *sorted(ROOT.glob("source/*/README.md"))]
LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
API = re.compile(r"/docs/stable/generated/torch\.([\w.]+)\.html")


def text(page: Path) -> str:
    """What a reader sees of a page: all of a README, the texts of a notebook."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    cells: list[Any] = nbformat.read(page, as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_links_have_the_form_of_links(page: Path) -> None:
    for label, address in LINK.findall(text(page)):
        parts = urlsplit(address)
        if not parts.scheme:
            assert parts.fragment or (page.parent / parts.path).exists(), address
            continue
        assert parts.scheme == "https", address
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.netloc), address
        assert not re.search(r"[^\w./~:%?=&#-]", address), address
        if parts.netloc == "arxiv.org":
            assert re.fullmatch(r"/abs/\d{4}\.\d{4,5}", parts.path), address
        if parts.netloc == "docs.pytorch.org" and "/docs/" in parts.path:
            named = API.fullmatch(parts.path)
            assert named, address
            assert callable(reduce(getattr, named[1].split("."), torch)), address
            assert label.strip("`").split(".")[-1] == named[1].split(".")[-1], address


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_ends_with_what_one_can_do_where_to_read_on_and_a_question(path: Path) -> None:
    last = nbformat.read(path, as_version=4).cells[-1]
    assert last.source.startswith("## What you can do now")
    assert len(LINK.findall(last.source)) == 2
    assert "**An open question**" in last.source
    question, _, answer = last.source.partition("**An open question**")[2].partition("### BEGIN AFTER DUE")
    assert "?" in question
    assert len(answer.split()) > 10
