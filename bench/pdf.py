"""Notebook to PDF: our two routes and nbconvert's, on the 30-cell stress notebook of the tests, in one run.

python bench/pdf.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from results import ROOT, record

sys.path.insert(0, str(ROOT / "tests" / "support"))

import stress_notebook
from read_pdf import letters_of, properties_of

CELLS = range(1, 31)
TIMES = 5  # of each route, in turn, so that a busy minute hits all of them
CONVERT = [sys.executable, "-m", "nbconvert", "hw.ipynb", "--output", "out", "--to"]
INSIDE = """
import time
from chainrule.handin import write_pdf
write_pdf(["hw.ipynb"], "out.pdf")
start = time.perf_counter()
write_pdf(["hw.ipynb"], "out.pdf")
print(time.perf_counter() - start)
"""
BROWSER = """
import sys
sys.modules["typst"] = None
from chainrule.handin import write_pdf
write_pdf(["hw.ipynb"], "out.pdf")
"""
ROUTES = {
    "chainrule pdf": [
        sys.executable,
        "-c",
        "from chainrule.cli import main; main()",
        "pdf",
        "hw.ipynb",
        "-o",
        "out.pdf",
    ],
    "write_pdf, in a process that has written one": [sys.executable, "-c", INSIDE],
    "write_pdf without Typst: our browser route": [sys.executable, "-c", BROWSER],
    "nbconvert --to webpdf": [*CONVERT, "webpdf", "--disable-chromium-sandbox"],
    "nbconvert --to pdf (xelatex)": [*CONVERT, "pdf"],
}


def seconds(command: list[str], folder: Path) -> float | str:
    """How long one PDF took; why there is none if there is none."""
    (folder / "out.pdf").unlink(missing_ok=True)
    start = time.perf_counter()
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        return "no PDF in 300 s"
    took = time.perf_counter() - start
    if not (folder / "out.pdf").is_file():
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip(" ║╔╗╚╝═")]
        return next((line for line in reversed(lines) if "Error" in line or "not found" in line), "no PDF")[
            :120
        ]
    return float(done.stdout) if command[-1] == INSIDE else took


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        stress_notebook.write(folder).rename(folder / "hw.ipynb")
        found: dict[str, str] = {}
        times: dict[str, list[float]] = {route: [] for route in ROUTES}
        busy = os.getloadavg()[0]
        for _ in range(TIMES):
            for route, command in ROUTES.items():
                if route in found and not times[route]:
                    continue  # it did not work the first time
                took = seconds(command, folder)
                if isinstance(took, str):
                    found[route] = took
                    continue
                times[route].append(took)
                text = letters_of(folder / "out.pdf")
                there = sum(stress_notebook.mark(cell) in text for cell in CELLS)
                left = "" if "\\odot" not in text else ", formulas as TeX source"
                pages = properties_of(folder / "out.pdf")["Pages"]
                found[route] = f"{there} of {len(CELLS)} cells on {pages} pages{left}"
    rows = [
        {
            "route": route,
            "median_seconds": f"{statistics.median(times[route]):.1f}" if times[route] else "–",
            "fastest_seconds": f"{min(times[route]):.1f}" if times[route] else "–",
            "what comes out": found[route].replace("|", "/"),
        }
        for route in ROUTES
    ]
    record(
        "PDF",
        rows,
        f"The stress notebook of the tests: {len(CELLS)} cells. Each route {TIMES} times in turn, a new process each, "
        f"start included, unless it says otherwise; load of the machine before: {busy:.1f}. nbconvert's webpdf "
        "needs playwright, which our lock has not, and fetches MathJax from the network: without one, as here, its "
        "formulas stay TeX source, and its time is without theirs.",
    )
    for row in rows:
        print(*row.values(), sep=" · ")


if __name__ == "__main__":
    main()
