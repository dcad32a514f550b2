"""nbgrader's own tests, which are installed with it, run twice: with stock nbgrader and with Chainrule's pipelines.

A test that passes with stock has to pass with ours, or be listed in bench/nbgrader_differences.toml with the reason.
A listed test that passes with ours is an error, too. Results are kept in bench/.nbgrader-suite/ until nbgrader or this
package changes, so an interrupted run continues; `--minutes` makes it stop by itself.

    make nbgrader-suite
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Generator
from importlib.metadata import version
from pathlib import Path

import nbgrader
import pytest

BENCH = Path(__file__).resolve().parent
DIFFERENCES = BENCH / "nbgrader_differences.toml"
KEPT = BENCH / ".nbgrader-suite"
MOST = 15  # differences
APPS = ("autograde", "generate_assignment", "generate_feedback", "zip_collect", "export", "validate")
MODULES = [*(f"apps.test_nbgrader_{app}" for app in APPS), "apps.test_api", "api", "preprocessors"]
PIPELINES = {
    "stock": "c = get_config()\n",
    "ours": "import chainrule.config\n\nc = get_config()\nc.merge(chainrule.config.pipelines())\n",
}
PASSED, SKIPPED = "passed", "skipped"


def main() -> None:
    """Run what has not been run yet, then compare."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--minutes", type=float, default=0, help="stop after so many; run again to go on")
    options.add_argument(
        "--module", choices=MODULES, action="append", help="only this one; nothing is recorded"
    )
    options.add_argument(
        "--pipelines", choices=PIPELINES, action="append", help="only these; nothing is compared"
    )
    options.add_argument("-k", default="", help="only tests whose names match, as in pytest")
    chosen = options.parse_args()
    deadline = time.time() + 60 * chosen.minutes if chosen.minutes else 0.0
    modules, pipelines = chosen.module or MODULES, chosen.pipelines or [*PIPELINES]
    for name in pipelines:
        for module in modules:
            print(f"== {module}, {name}", flush=True)
            code = run(name, module, deadline, chosen.k)
            if code == pytest.ExitCode.INTERRUPTED or (deadline and time.time() > deadline):
                raise SystemExit("not finished: run the same command again to go on")
    if len(pipelines) < 2 or chosen.k:
        return
    wrong = compare(modules)
    if not chosen.module:
        write_results()
    if wrong:
        raise SystemExit("\n".join(wrong))
    print("every test that passes with stock nbgrader passes, but for the listed differences")


def run(pipeline: str, module: str, deadline: float, expression: str = "") -> int:
    """Run the tests of a module that have no kept result. Returns pytest's exit status."""
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nbgrader-suite-") as scratch:
        for name in ("configuration", "home", "work"):
            Path(scratch, name).mkdir()
        # some tests look for files as in nbgrader's own checkout
        documents = Path("docs", "source", "user_guide")
        installed = Path(nbgrader.__file__).parent
        shutil.copytree(installed / documents, Path(scratch, "work", "nbgrader", documents))
        Path(scratch, "configuration", "nbgrader_config.py").write_text(PIPELINES[pipeline], encoding="utf-8")
        environment = dict(
            os.environ,
            PATH=os.pathsep.join(
                [str(Path(sys.executable).parent), os.environ["PATH"]]
            ),  # nbgrader runs `alembic`
            HOME=f"{scratch}/home",
            JUPYTER_CONFIG_DIR=f"{scratch}/home/.jupyter",
            JUPYTER_CONFIG_PATH=f"{scratch}/configuration",
            PYTHONPATH=str(BENCH),
            NBGRADER_SUITE_RESULTS=str(results_file(pipeline)),
            NBGRADER_SUITE_DEADLINE=str(deadline),
        )
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-c",
            os.devnull,
            "--rootdir",
            f"{scratch}/work",
        ]
        command += [
            "-p",
            "no:cacheprovider",
            "-p",
            "nbgrader_suite",
            *(["-k", expression] if expression else []),
        ]
        command += ["--pyargs", f"nbgrader.tests.{module}"]
        return subprocess.run(command, cwd=f"{scratch}/work", env=environment, check=False).returncode


def results_file(pipeline: str) -> Path:
    """Where results are kept: stock's depend on nbgrader alone, ours on this package, too."""
    from chainrule.grading.store import our_code

    ours = f"-{our_code()[:12]}" if pipeline == "ours" else ""
    return KEPT / f"{pipeline}-{version('nbgrader')}{ours}.jsonl"


def results(pipeline: str) -> dict[str, str]:
    """The outcome of each test that was run."""
    return read(results_file(pipeline))


def read(path: Path) -> dict[str, str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {one["test"]: one["outcome"] for one in map(json.loads, lines)}


def differences() -> dict[str, str]:
    """The reason for each listed test."""
    listed = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))["difference"]
    return {test: one["reason"] for one in listed for test in one["tests"]}


def compare(modules: list[str]) -> list[str]:
    """A sentence for each test that breaks the rule, of these modules."""
    stock, ours, listed = results("stock"), results("ours"), differences()
    wrong = [f"{len(listed)} differences are listed; {MOST} is the most"] if len(listed) > MOST else []
    for test in sorted({*stock, *ours, *listed}):
        if not test.startswith(
            tuple(f"{module}." if module in ("api", "preprocessors") else f"{module}::" for module in modules)
        ):
            continue
        fails = stock.get(test) == PASSED and ours.get(test) != PASSED
        if fails and test not in listed:
            wrong.append(
                f"{test}: passes with stock nbgrader, {ours.get(test, 'is not run')} with ours, and is not listed"
            )
        elif test in listed and not fails:
            wrong.append(f"{test}: is listed as a difference, but is none; remove it")
    return wrong


def write_results() -> None:
    """Write the section of bench/RESULTS.md."""
    from results import record

    stock, ours, listed = results("stock"), results("ours"), differences()
    rows: list[dict[str, int | str]] = []
    for module in MODULES:
        tests = [test for test in stock if test.startswith((f"{module}::", f"{module}."))]
        counts = Counter(
            pipeline
            for pipeline, known in (("stock", stock), ("ours", ours))
            for test in tests
            if known.get(test) == PASSED
        )
        rows.append(
            {
                "nbgrader's tests": module,
                "tests": len(tests),
                "pass with stock": counts["stock"],
                "pass with ours": counts["ours"],
                "listed differences": sum(test in listed for test in tests),
            }
        )
    rows.append(
        {key: "all" if key == "nbgrader's tests" else sum(int(row[key]) for row in rows) for key in rows[0]}
    )
    record("nbgrader's own tests", rows, f"nbgrader {version('nbgrader')}.")


# ---- the plug-in, in pytest's process -----------------------------------------------------------------------------


def test_name(item: pytest.Function) -> str:
    """A test by its module in nbgrader.tests, class and name."""
    parts = [
        item.module.__name__.removeprefix("nbgrader.tests."),
        item.cls.__name__ if item.cls else "",
        item.name,
    ]
    return "::".join(filter(None, parts))


def pytest_configure() -> None:
    """Ask alembic for its version once: nbgrader starts a process for it whenever it opens a new gradebook."""
    import nbgrader.api

    nbgrader.api.get_alembic_version = functools.cache(nbgrader.api.get_alembic_version)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    done = read(Path(os.environ["NBGRADER_SUITE_RESULTS"]))
    items[:] = [item for item in items if test_name(item) not in done]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" or report.outcome != PASSED:
        line = json.dumps({"test": test_name(item), "outcome": report.outcome})
        with Path(os.environ["NBGRADER_SUITE_RESULTS"]).open("a", encoding="utf-8") as kept:
            kept.write(f"{line}\n")
    deadline = float(os.environ["NBGRADER_SUITE_DEADLINE"])
    if deadline and time.time() > deadline:
        item.session.shouldstop = "the time is up"
    return report


if __name__ == "__main__":
    main()
