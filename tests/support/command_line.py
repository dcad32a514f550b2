"""Commands typed in this process."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chainrule import cli

Typed = tuple[int, str, str]


@pytest.fixture
def chainrule(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Typed]:
    """Type a command in an empty folder: exit code, stdout, stderr."""
    (tmp_path / "nowhere").mkdir()
    monkeypatch.chdir(tmp_path / "nowhere")
    monkeypatch.setenv("PATH", os.environ["PATH"])  # `main` changes it

    def run(*words: object) -> Typed:
        monkeypatch.setattr(sys, "argv", ["chainrule", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def is_one_line(said: Typed) -> bool:
    code, _, err = said
    return code == 2 and err.startswith("chainrule: ") and err.count("\n") == 1 and "Traceback" not in err
