"""The tests of what has changed, for `make check`: prints arguments for pytest.

    python tests/changed.py [--since REF]

Changed is what differs from REF (by default from where this branch left main, or on main from the last commit) and
what is not committed. CONTRIBUTING.md has the same map as a table. What takes minutes is named, for `make test`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
ALWAYS = ["tests/test_smoke.py", "tests/test_house.py", "tests/test_repository.py"]
SLOW = {  # minutes on two cores
    "tests/course/test_source_notebooks.py",
    "tests/grading/test_classroom.py",
    "tests/handin/test_pdf_browser.py",
    "tests/release/test_kit.py",
    "tests/release/test_variants.py",
    "tests/similar/test_similar.py",
    "tests/test_demo.py",
    "tests/test_round_trip.py",
    "tests/worker/test_worker.py",
}


def git(*words: str) -> list[str]:
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()


def changed(since: str | None) -> list[str]:
    """Paths of changed files, new ones among them."""
    if since is None:
        main = git("merge-base", "HEAD", "main") if git("branch", "--list", "main") else ["HEAD"]
        since = main[0] if main[0] != git("rev-parse", "HEAD")[0] else "HEAD~1"
    return sorted({*git("diff", "--name-only", since), *git("ls-files", "--others", "--exclude-standard")})


def files_in(folder: str, pattern: str) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).glob(pattern))]


def tests_of(path: str) -> list[str]:
    """The arguments of pytest that test a changed file."""
    place = PurePosixPath(path)
    parts = place.parts
    if parts[:2] == ("tests", "tensorflow"):  # `make test-tensorflow`
        return []
    if parts[0] == "tests" and place.match("test_*.py"):
        return [path] if (ROOT / path).exists() else []
    if parts[0] == "chainrule" and place.suffix == ".py":
        folder = f"tests/{parts[1]}" if len(parts) > 2 else "tests"
        own = files_in(folder, f"test_{place.stem.strip('_')}*.py")
        return own or (files_in(folder, "test_*.py") if len(parts) > 2 else ["tests/test_cli.py"])
    if parts[0] in ("judging", "source") and place.suffix in (".py", ".ipynb"):
        return answers_of(place) + ["tests/course/test_source_notebooks.py"] * (place.suffix == ".ipynb")
    if path == "pyproject.toml":
        return ["tests/authoring/test_new.py"]  # by a wheel
    return ["tests/test_docs.py", "tests/test_docs_commands.py"] if place.suffix == ".md" else []


def answers_of(place: PurePosixPath) -> list[str]:
    """The answers to the questions of a judging module, a figure or a notebook: those of the notebooks that name it."""
    found = {
        match
        for part in place.parts[2:]
        for match in re.findall(r"(?:^|_)((?:question|p)\d+(?:_\d(?!\d))?)", part)
    }
    if not found:
        notebooks = (ROOT / "source" / place.parts[1].replace("_", "-")).glob("*.ipynb")
        naming = [
            path.stem
            for path in notebooks
            if re.search(rf"\b{place.stem}\b", path.read_text(encoding="utf-8"))
        ]
        found = {match[0] for stem in naming if (match := re.match(r"p\d+(?:_\d(?!\d))?", stem))}
    if not found:
        return []
    return ["tests/course/test_answers.py", *(f"--answers={name.replace('question', 'q')}" for name in found)]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--since", metavar="REF")
    found = {word for path in changed(options.parse_args().since) for word in tests_of(path)}
    if left := sorted(found & SLOW):
        print(f"left to `make test`: {', '.join(left)}", file=sys.stderr)
    print(*sorted({*ALWAYS, *found} - SLOW))


if __name__ == "__main__":
    main()
