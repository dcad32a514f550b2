"""Environments beside the one that tests run in: with its packages, but for ours; and with ours as a wheel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from command_line import Typed
from tiny_course import ROOT

TYPIST = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from chainrule import cli

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what other processes print is no answer
for line in sys.stdin:
    sys.argv, out, err, code = ["chainrule", *json.loads(line)], io.StringIO(), io.StringIO(), 0
    try:
        with redirect_stdout(out), redirect_stderr(err):
            cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


def make_without_chainrule(root: Path) -> None:
    """Make an environment whose site-packages name ours by path, so that what is installed here as editable isn't
    seen."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root], check=True)
    (place,) = {path.resolve() for path in root.glob("[Ll]ib*/**/site-packages")}  # lib64 is a link
    here = [path for path in sys.path if path.endswith("site-packages")]
    (place / "ours.pth").write_text("\n".join(here), encoding="utf-8")


def make_with_wheel(root: Path) -> None:
    """Make such an environment and install the wheel of this repository in it; nothing is downloaded."""
    make_without_chainrule(root)
    build = (
        root / "build.cfg"
    )  # builds beside the wheel, so that nothing is left, or found, in the repository
    build.write_text(f"[build]\nbuild_base = {root}/build\n[egg_info]\negg_base = {root}\n", encoding="utf-8")
    uv = [sys.executable, "-m", "uv", "--quiet", "--offline"]
    subprocess.run(
        [
            *uv,
            "build",
            "--wheel",
            "--no-build-isolation",
            "--python",
            sys.executable,
            "--out-dir",
            root,
            ROOT,
        ],
        check=True,
        env={**os.environ, "DIST_EXTRA_CONFIG": str(build)},
    )
    (wheel,) = root.glob("*.whl")
    subprocess.run(
        [*uv, "pip", "install", "--no-deps", "--compile-bytecode", "--python", python_of(root), wheel],
        check=True,
    )


def python_of(root: Path) -> Path:
    """The Python of an environment."""
    (found,) = [path for path in (root / "bin" / "python", root / "Scripts" / "python.exe") if path.exists()]
    return found


def run(python: Path, folder: Path, *words: str | Path) -> Typed:
    """Exit code, stdout and stderr of a Python."""
    environment = bare(python, folder)
    done = subprocess.run(
        [python, *words], cwd=folder, capture_output=True, text=True, timeout=300, env=environment
    )
    return done.returncode, done.stdout, done.stderr


@contextmanager
def typist(python: Path, folder: Path) -> Iterator[Callable[..., Typed]]:
    """Type commands of an environment's `chainrule` in a folder: in one process, as each would import for seconds."""
    environment = {
        **bare(python, folder),
        # programs and templates of the packages that the environment borrows
        "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]]),
        "JUPYTER_PATH": str(Path(sys.prefix) / "share" / "jupyter"),
    }
    with subprocess.Popen(
        [python, "-c", TYPIST],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asks, answers = process.stdin, process.stdout

        def typed(*words: str) -> Typed:
            print(json.dumps(words), file=asks)
            code, out, err = json.loads(answers.readline())
            return code, out, err

        yield typed


def bare(python: Path, folder: Path) -> dict[str, str]:
    """Variables of the environment without what this process says about its own Python."""
    return {
        "PATH": str(python.parent),
        "HOME": str(folder.parent),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
    }
