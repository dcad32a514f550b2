"""Take the pictures of the docs from running pages: `make screenshots`. They show made students, never real ones.

python docs/screenshots.py report marking     # only these
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH = 900  # pixels of the page; a picture has 1.5 times as many
COLOURS = 64  # of a picture: pages have few, and files stay small

sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import diagnosed_class  # noqa: E402
import marking_class  # noqa: E402
from marking_server import served  # noqa: E402

from chainrule.course import CourseFolder  # noqa: E402
from chainrule.handin.browser import find_browser  # noqa: E402
from chainrule.report.write import write_report  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Page


def feedback(page: Page, folder: Path) -> None:
    """A wrong sign costs points once: question (b) and what follows from it."""
    course, student = folder / "course", "slip-in-2b"
    command = [sys.executable, "-m", "demo.play", "--course", str(course), "--student", student]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    page.goto((course / "feedback" / student / "cs480-a2" / "assignment2.html").as_uri())
    picture(page, "feedback", "(b) The gradient at the logits", "(d) ")


def report(page: Page, folder: Path) -> None:
    """The mistakes of a class, by name."""
    diagnosed_class.write(folder / "course")
    write_report(CourseFolder(folder / "course"), diagnosed_class.HOMEWORK)
    page.goto((folder / "course" / "reports" / f"{diagnosed_class.HOMEWORK}.html").as_uri())
    picture(page, "report", "Mistakes by name", "no gradient reaches the bias")


def marking(page: Page, folder: Path) -> None:
    """One answer with its rubric, two rows ticked."""
    marking_class.write(folder / "course", marking_class.students(40))
    with served(folder / "course") as server:
        page.goto(server.with_token(f"{server.url}/marking/a/{marking_class.ESSAYS}"))
        page.fill("#name", "Ann Lee")
        with page.expect_navigation():
            page.click("#name-form button")
        page.set_viewport_size({"width": WIDTH, "height": 620})
        page.goto(server.page())
        page.wait_for_function("() => document.querySelector('#answer').innerHTML !== ''", polling=40)
        page.keyboard.press("1")
        page.keyboard.press("2")
        save(page.screenshot(), "marking")


def picture(page: Page, name: str, first: str, end: str) -> None:
    """Take the part of a page from the heading `first` to before the next one that begins with `end`."""
    top, bottom = page.evaluate(
        """([first, end]) => {
          const headings = [...document.querySelectorAll("h1, h2, h3, h4, h5, p > strong:only-child")];
          const at = headings.findIndex((each) => each.textContent.trim().startsWith(first));
          const after = headings.slice(at + 1).find((each) => each.textContent.trim().startsWith(end));
          return [headings[at], after].map((each) => each.getBoundingClientRect().top + window.scrollY);
        }""",
        [first, end],
    )
    height = bottom - top - 4
    save(
        page.screenshot(full_page=True, clip={"x": 0, "y": top - 12, "width": WIDTH, "height": height}), name
    )


def save(png: bytes, name: str) -> None:
    """Keep a picture in few colours."""
    with tempfile.TemporaryDirectory() as folder:
        taken = Path(folder, "taken.png")
        taken.write_bytes(png)
        Image.open(taken).convert("RGB").quantize(COLOURS).save(IMAGES / f"{name}.png", optimize=True)
    print(f"docs/images/{name}.png: {(IMAGES / f'{name}.png').stat().st_size / 1000:.0f} kB")


PICTURES: dict[str, Callable[[Page, Path], None]] = {
    "feedback": feedback,
    "report": report,
    "marking": marking,
}


def main(names: list[str]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        for name in names or PICTURES:
            page = browser.new_page(viewport={"width": WIDTH, "height": 700}, device_scale_factor=1.5)
            folder = Path(tempfile.mkdtemp())
            try:
                PICTURES[name](page, folder)
            finally:
                shutil.rmtree(folder)
                page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
