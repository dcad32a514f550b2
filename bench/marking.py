"""Written answers marked in the marking room and in formgrader, in one run: presses, seconds, bytes.

python bench/marking.py

A marker who knows the verdicts marks one item of Assignment 2 for a made class of 40, by keyboard alone in Chromium,
and the first ten answers of the same class in formgrader. Then the marking room shows the answers of a class of 300.
Exits with 1 if a bound of `BOUNDS` is missed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from results import ROOT, record

sys.path.insert(0, str(ROOT / "tests" / "support"))

import marking_class
from marking_class import MEANS, SECOND_MOMENTS, SUMS, VARIANCE, Handout
from marking_server import TOKEN, formgrader, served

from chainrule.course import CourseFolder
from chainrule.handin.browser import find_browser
from chainrule.marking.answers import groups
from chainrule.marking.room import MarkingRoom

ASSIGNMENT, NOTEBOOK, ITEM = "cs480-a2", "assignment2", "q1_3-variance"
IN_FORMGRADER = 10  # answers
BOUNDS = {"presses": 2.0, "presses with a comment": 4.0, "seconds": 0.15, "bytes": 200_000}
WATCH = """() => { // milliseconds from Enter until the next answer is painted
  window.painted = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { window.painted = 0; window.begun = performance.now(); }
  }, true);
  new MutationObserver(() => requestAnimationFrame(() => setTimeout(() => {
    window.painted = performance.now() - window.begun;
  }))).observe(document.getElementById("answer"), {childList: true});
}"""
READY = "() => formgrader.loaded && document.activeElement.matches('.tabbable')"


@dataclass
class Figures:
    """What was measured with one tool: presses of keys and seconds to the next answer, for each answer.

    Attributes:
        with_comment: presses for answers with a comment that was said before; in formgrader each is typed again.
        first_said: presses for answers whose comment was said for the first time.
    """

    presses: list[int] = field(default_factory=list)
    with_comment: list[int] = field(default_factory=list)
    first_said: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    tabs: int = 0
    bytes: int = 0

    said: set[str] = field(default_factory=set)

    def add(self, presses: int, comment: str, seconds: float) -> None:
        again = self.with_comment if comment in self.said else self.first_said
        (again if comment else self.presses).append(presses)
        self.said.add(comment)
        self.seconds.append(seconds)


def handed_out() -> Handout:
    nb = nbformat.read(ROOT / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)
    return Handout(nb, ASSIGNMENT, NOTEBOOK)


def answers(students: int) -> dict[str, dict[str, str]]:
    made = marking_class.students(students)
    return {name: {ITEM: written[VARIANCE]} for name, written in made.items()}


def verdict(answer: str) -> tuple[list[int], str]:
    """The rows that an answer earns, and the comment: each part of the made answers has a weak variant."""
    text = "".join(answer.split())

    def has(part: str) -> bool:
        return "".join(part.split()) in text

    weak = [has(parts[-1]) for parts in (MEANS, SECOND_MOMENTS, SUMS)]
    said = ["Why is it zero?", "Only as both means are 0.", "Why do they add?"]
    rows = [row for row, is_weak in enumerate(weak, 1) if not is_weak]
    return rows, next((comment for comment, is_weak in zip(said, weak, strict=True) if is_weak), "")


def in_the_room(browser: Any, root: Path, most: int) -> Figures:
    """Mark an item until it is done, or so many answers."""
    figures, room = Figures(), MarkingRoom(CourseFolder(root), ASSIGNMENT)
    item = room.item(NOTEBOOK, ITEM)
    with served(root, "--as", "ann", assignment=ASSIGNMENT) as server:
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        sizes: list[int] = []
        tab.on("response", lambda reply: sizes.append(len(reply.body())))
        address = f"{server.url}/marking/a/{ASSIGNMENT}/{NOTEBOOK}/{ITEM}?token={TOKEN}"
        tab.goto(address)
        tab.wait_for_function("() => shown !== null")
        tab.evaluate(WATCH)
        figures.bytes = sum(sizes)
        while tab.evaluate("() => shown !== null") and len(figures.seconds) < most:
            presses = 0
            answer = room.work.answer(item, room.student(tab.evaluate("() => shown.who")))
            assert answer
            rows, comment = verdict(answer.text)

            def press(key: str) -> None:
                nonlocal presses
                tab.keyboard.press(key)
                presses += 1

            if not tab.text_content("#note").startswith("Filled in"):
                for key in ["f"] if len(rows) == 3 else map(str, rows) if rows else ["0"]:
                    press(key)
                if comment:
                    typed = comment_keys(tab, comment)
                    for key in typed:
                        press(key)
            assert (tab.input_value("#comment"), float(tab.text_content("#sum"))) == (
                comment,
                round(sum((0.2, 0.3, 0.25)[row - 1] for row in rows), 2),
            ), answer.text
            token = tab.evaluate("() => token")
            press("Enter")
            tab.wait_for_function("token_ => (token !== token_ || shown === null) && painted > 0", arg=token)
            figures.add(presses, comment, tab.evaluate("() => painted") / 1000)
        tab.close()
    return figures


def comment_keys(tab: Any, comment: str) -> list[str]:
    """The fewest keys that say a comment: the usual one, one said before, or all of it."""
    if tab.text_content("#usual-text") == comment:
        return ["."]
    said = tab.evaluate("() => shown.comments")
    if comment in said:
        return ["c", *["ArrowDown"] * said.index(comment), "Enter"]
    return ["c", *comment, "Enter"]


def in_formgrader(browser: Any, root: Path) -> Figures:
    """Mark the first ten submissions' answer to the item."""
    figures = Figures()
    with formgrader(root) as server:
        url = server.url
        tab = browser.new_page(viewport={"width": 1200, "height": 900})
        sizes: list[int] = []
        tab.on("response", lambda reply: sizes.append(int(reply.header_value("content-length") or 0)))
        tab.goto(f"{url}/tree?token={TOKEN}")  # formgrader's own pages don't log in
        tab.goto(f"{url}/formgrader/gradebook/{ASSIGNMENT}/{NOTEBOOK}")
        link = tab.locator("a[href*='/formgrader/submissions/']").first
        link.wait_for(timeout=60_000)
        sizes.clear()
        link.click()
        tab.wait_for_function(READY, timeout=60_000)
        figures.bytes = max(sizes)
        while tab.evaluate("() => document.activeElement.id") != ITEM:
            tab.keyboard.press("Tab")
            figures.tabs += 1
        for _ in range(IN_FORMGRADER):
            shown = tab.evaluate(
                "id => document.getElementById(id).closest('.nbgrader_cell').querySelector('.panel-body').textContent",
                ITEM,
            )
            rows, comment = verdict(shown.replace("$", ""))
            points = f"{round(sum((0.2, 0.3, 0.25)[row - 1] for row in rows), 2):g}"
            keys = [*points]
            if comment:
                keys += ["Tab", "Tab", *comment]  # over the field for extra credit
            tab.evaluate("id => document.getElementById(id).focus()", ITEM)
            tab.evaluate("id => document.getElementById(id).select()", ITEM)
            for key in keys:
                tab.keyboard.press(key)
            if comment:  # back to the score, where the next page begins
                for _ in range(2):
                    tab.keyboard.press("Shift+Tab")
                keys += ["Shift+Tab"] * 2
            with tab.expect_navigation(timeout=60_000):
                begun = time.perf_counter()
                tab.keyboard.press("Control+.")
            tab.wait_for_function(READY, timeout=60_000)
            figures.add(len(keys) + 1, comment, time.perf_counter() - begun)
        tab.close()
    return figures


def wrong_groups(root: Path) -> tuple[int, int]:
    """How many groups of equal answers a class has, and how many with answers that are not the same text."""
    room = MarkingRoom(CourseFolder(root), ASSIGNMENT)
    item = room.item(NOTEBOOK, ITEM)
    found = room.work.answers(item, room.work.students())
    made = groups(found)
    wrong = sum(len({"".join(found[name].text.split()) for name in names}) > 1 for names in made.values())
    return len(made), wrong


def median_of(presses: list[int]) -> str:
    return f"{statistics.median(presses):g}" if presses else "–"


def row(tool: str, students: int, figures: Figures) -> dict[str, object]:
    median = statistics.median
    return {
        "tool": tool,
        "class": students,
        "answers": len(figures.seconds),
        "presses": f"{median(figures.presses):g}",
        "with a comment said before": median_of(figures.with_comment),
        "seconds to the next": f"{median(figures.seconds):.3f}",
        "p95": f"{sorted(figures.seconds)[int(0.95 * len(figures.seconds))]:.3f}",
        "kB of the page": f"{figures.bytes / 1000:.0f}",
    }


def main() -> int:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(),
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        small, same, large = (Path(made, name) for name in ("small", "same", "large"))
        for root, students in ((small, 40), (large, 300)):
            marking_class.write(root, answers(students), handout=handed_out())
        shutil.copytree(small, same)
        equal, wrong = wrong_groups(small)
        ours = in_the_room(browser, small, 40)
        theirs = in_formgrader(browser, same)
        many = in_the_room(browser, large, 60)
        browser.close()
    rows = [
        row("the marking room", 40, ours),
        row("formgrader", 40, theirs),
        row("the marking room", 300, many),
    ]
    record(
        "Marking",
        rows,
        f"Item {ITEM}, medians. A press is a key, whatever is held with it. Comments have 16 to 25 letters; in the "
        f"marking room they are typed once ({median_of(ours.first_said)} presses) and used again by a key. "
        f"Formgrader: {theirs.tabs} tab stops to reach the "
        f"item, {IN_FORMGRADER} answers. The 40 have {equal} groups of equal answers, {wrong} of them wrong. "
        f"Autograded notebooks without figures. Load of the machine: {os.getloadavg()[0]:.1f}.",
    )
    for each in rows:
        print(*each.values(), sep=" · ")
    missed = [
        statistics.median(ours.presses) > BOUNDS["presses"],
        statistics.median(ours.with_comment) > BOUNDS["presses with a comment"],
        statistics.median(many.seconds) > BOUNDS["seconds"],
        many.bytes > BOUNDS["bytes"],
        wrong > 0,
    ]
    return int(any(missed))


if __name__ == "__main__":
    raise SystemExit(main())
