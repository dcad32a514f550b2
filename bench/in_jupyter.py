"""A student's hour in JupyterLab, in a real browser: run blank notebooks, make slips, mend them, see where one stands.

python bench/in_jupyter.py --shots FOLDER

Each notebook of the kits is opened and run blank; then classic slips are made and mended in 2.2 and in problem 7, and
Assignment 2 is handed in. It exits with 1 if something is not as a student needs it. Screenshots, light and dark, wide
and narrow, are for people to look at.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import nbformat
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
PORT = 18999
LOOKS = {
    "light": ("JupyterLab Light", 1280),
    "dark": ("JupyterLab Dark", 1280),
    "narrow": ("JupyterLab Dark", 400),
}

# cell -> (what is changed, into what, the label of the item that must notice it)
SLIPS = {
    "cs480-a2/assignment2": {
        "q2_2-backward": (
            "dtheta[y] -= 1",
            "dtheta = -dtheta; dtheta[y] += 1",
            "2.2",
        ),
    },
    "csc6022-hw2/p7_attention": {
        "p7_1-code": (" / math.sqrt(query.size(-1))", "", "7.1"),
        "p7_2-code": (".tril()", ".triu()", "7.2"),
        "p7_3-code": (
            "x.view(B, n, self.heads, d_model // self.heads).transpose(1, 2)",
            "x.view(B, self.heads, n, d_model // self.heads)",
            "7.3",
        ),
        "p7_4-code": ("torch.cos(angle)", "torch.sin(angle)", "7.4"),
    },
}
HANDED_IN = "cs480-a2/assignment2"
IN_VIEW = """id => {
    const box = document.querySelector(`.jp-Notebook [id="${id}"], .jp-Notebook [data-jupyter-id="${id}"]`)
        ?.getBoundingClientRect();
    return Boolean(box && box.top > 0 && box.top < innerHeight);
}"""
IDLE = "document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status == 'idle'"
READ = """() => [
    document.querySelectorAll('.jp-CodeCell .jp-Placeholder').length,
    [...document.querySelectorAll('.jp-CodeCell .jp-Cell-outputWrapper')].map(e => e.innerText).join('\\n'),
    Object.fromEntries([...document.querySelectorAll('.chainrule-result')].map(e =>
        [e.caption.querySelector('b').innerText, e.innerText.split('✗').length - 1])),
]"""
SHOW = """words => {
    const found = [...document.querySelectorAll('.jp-OutputArea-output')].find(e => e.innerText.includes(words));
    found?.scrollIntoView({block: 'center'});
    return Boolean(found);
}"""


@contextmanager
def jupyter_lab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that serves a folder; its settings are in `settings` there."""
    options = ["--no-browser", "--allow-root", f"--port={PORT}", "--IdentityProvider.token="]
    options += [f"--ServerApp.root_dir={folder}", f"--LabApp.user_settings_dir={folder / 'settings'}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            try:
                urlopen(f"http://localhost:{PORT}/api", timeout=2)
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://localhost:{PORT}"
    finally:
        server.terminate()
        server.wait()


def set_up(folder: Path) -> None:
    """The kits, small data, and a JupyterLab that asks nothing."""
    from chainrule.datasets import cifar_10, fashion_mnist

    for assignment in ("cs480-a2", "csc6022-hw2"):
        shutil.copytree(ROOT / "release" / assignment, folder / assignment)
    fashion_mnist.prepare(folder / "cs480-a2" / "data", "quick")
    cifar_10.prepare(folder / "csc6022-hw2" / "data", "quick")
    choose_theme(folder, "JupyterLab Light")
    tracker = folder / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.parent.mkdir(parents=True)
    tracker.write_text(json.dumps({"windowingMode": "none"}))  # or cells far from the window are not drawn
    news = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))


def choose_theme(folder: Path, theme: str) -> None:
    file = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"theme": theme}))


def fill(folder: Path, name: str, slips: Mapping[str, tuple[str, str, str]], *, whole: bool = False) -> None:
    """Write the reference solutions of some cells or of all, with these slips, into a notebook of a kit."""
    source = nbformat.read(ROOT / "source" / f"{name}.ipynb", as_version=4)
    about = [(cell, cell.metadata.get("nbgrader", {})) for cell in source.cells]
    answers = {marks["grade_id"]: cell.source for cell, marks in about if marks.get("solution")}
    path = folder / f"{name}.ipynb"
    nb = nbformat.read(path, as_version=4)
    for cell in nb.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in (answers if whole else SLIPS[name]):
            cell.source = answers[grade_id]
            if grade_id in slips:
                before, after, _ = slips[grade_id]
                assert before in cell.source, f"{grade_id} has no {before!r}"
                cell.source = cell.source.replace(before, after)
    nbformat.write(nb, path)


def run_all(page: Page, address: str, name: str) -> tuple[int, str, dict[str, int]]:
    """Open a notebook as on the first day and run it all.

    Returns:
        How many cells are folded, the text of all outputs, and the number of ✗ in each table by its label.
    """
    page.goto(f"{address}/lab/workspaces/w{time.monotonic_ns()}/tree/{name}.ipynb?reset")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=300_000)
    choose = page.get_by_role(
        "button", name="Select Kernel"
    )  # JupyterLab asks while its list of kernels is not there
    page.wait_for_function(f"{IDLE} || document.querySelector('.jp-Dialog')", timeout=300_000)
    time.sleep(2)
    if choose.count() and page.query_selector(".jp-Dialog"):
        page.locator(".jp-Dialog .jp-mod-accept").click()
        page.wait_for_function(IDLE, timeout=300_000)
    page.keyboard.press("Control+b")  # without the file browser
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    time.sleep(3)
    page.wait_for_function(IDLE, timeout=1_200_000)
    time.sleep(1)
    folded, text, crosses = page.evaluate(READ)
    return folded, text, crosses


class Hour:
    """What was seen, and what was not as it should be."""

    def __init__(self, browser: Browser, address: str, folder: Path, shots: Path) -> None:
        self.browser, self.address, self.folder, self.shots = browser, address, folder, shots
        self.wrong: list[str] = []

    def expect(self, holds: bool, what: str) -> None:
        print("   ", "ok" if holds else "WRONG", what, flush=True)
        self.wrong += [] if holds else [what]

    def look(self, name: str, look: str, shot: str, words: str) -> tuple[str, dict[str, int]]:
        """Run a notebook, keep a picture of the place with these words, let axe look at the tables."""
        theme, width = LOOKS[look]
        choose_theme(self.folder, theme)
        page = self.browser.new_page(viewport={"width": width, "height": 900})
        try:
            folded, text, crosses = run_all(page, self.address, name)
            print(f"{name}, {look}: {re.findall('Visible: .*', text)}", flush=True)
            self.expect(folded > 0, "check cells are folded")
            self.expect(bool(page.evaluate(SHOW, words)), f"“{words}” is shown")
            time.sleep(1)
            page.screenshot(path=self.shots / f"{shot}-{look}.png")
            if "blank" in shot:
                self.follow_a_link(page)
            if page.query_selector(".chainrule-result"):
                found = Axe().run(page, context=".jp-Notebook .chainrule-result").response["violations"]
                self.expect(not found, f"axe: {[each['id'] for each in found]}")
            return text, crosses
        finally:
            page.close()

    def follow_a_link(self, page: Page) -> None:
        """The links of the progress line lead to the tables of what is open."""
        link = page.locator(".jp-OutputArea-output a[href^='#']").first
        table = str(link.get_attribute("href"))[1:]
        link.scroll_into_view_if_needed()
        before = page.evaluate(IN_VIEW, table)
        link.click()
        time.sleep(3)
        self.expect(not before and page.evaluate(IN_VIEW, table), f"a link leads to {table}")

    def hand_in(self, name: str) -> None:
        """Run the whole notebook, save it, run the last cell."""
        fill(self.folder, name, {}, whole=True)
        kit = self.folder / Path(name).parent
        me = {"last": "Lovelace", "first": "Ada", "number": "1815", "collaborators": "none"}
        (kit / "me.json").write_text(json.dumps(me))
        page = self.browser.new_page(viewport={"width": 1280, "height": 900})
        try:
            run_all(page, self.address, name)  # the last cell says that the notebook is not saved
            page.keyboard.press("Control+s")
            time.sleep(5)
            page.locator(".jp-CodeCell").last.click()
            page.keyboard.press("Shift+Enter")
            time.sleep(5)
            page.wait_for_function(IDLE, timeout=1_200_000)
            time.sleep(2)
            _, text, crosses = page.evaluate(READ)
            self.expect(not any(crosses.values()), f"the reference sees only ✓: {crosses}")
            self.expect(bool(page.evaluate(SHOW, "Packed for")), "it is handed in")
            page.screenshot(path=self.shots / "handed-in.png")
            print(text[-600:])
            self.expect(len(list((kit / "hand-in").glob("Lovelace_Ada_*"))) == 2, "two files are written")
        finally:
            page.close()


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--shots", type=Path, default=Path(tempfile.gettempdir(), "shots"))
    options.add_argument(
        "--notebook", action="append", default=[], help="only this one, such as csc6022-hw2/p7_attention"
    )
    chosen = options.parse_args()
    chosen.shots.mkdir(parents=True, exist_ok=True)
    names = [
        str(p.relative_to(ROOT / "release").with_suffix(""))
        for p in sorted((ROOT / "release").glob("*/*.ipynb"))
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        set_up(folder)
        with jupyter_lab(folder) as address, sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            hour = Hour(browser, address, folder, chosen.shots)
            for name in chosen.notebook or names:
                short = Path(name).name
                text, crosses = hour.look(name, "light", f"{short}-blank", "for checks that run at grading")
                hour.expect("Visible: " in text, "a blank notebook runs to its end")
                if name not in SLIPS:
                    continue
                labels = [label for _, _, label in SLIPS[name].values()]
                fill(folder, name, SLIPS[name])
                for look in LOOKS:
                    text, crosses = hour.look(name, look, f"{short}-slips", f"{labels[0]}: ")
                hour.expect(all(crosses.get(label) for label in labels), f"slips get ✗: {crosses}")
                hour.expect("Hint" in text, "a hint is a press away")
                fill(folder, name, {})
                text, crosses = hour.look(name, "light", f"{short}-mended", f"{labels[0]}: ")
                hour.expect(not any(crosses[label] for label in labels), f"mended, ✓: {crosses}")
            if HANDED_IN in (chosen.notebook or names):
                hour.hand_in(HANDED_IN)
            browser.close()
    sys.exit("\n".join(hour.wrong) or 0)


if __name__ == "__main__":
    main()
