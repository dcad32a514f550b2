"""The page in Chromium: an item is marked by keyboard alone, two markers never meet, hostile answers stay text."""

from __future__ import annotations

import re
import shutil
import statistics
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import marking_class
import nbformat
import pytest
from conftest import once
from marking_class import NOTEBOOK, SMALL, SOFTMAX, VARIANCE, handout_of, in_gradebook, marks_in_gradebook
from marking_server import TOKEN, Client, Server, served
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from postgres import Postgres
from sqlalchemy import update
from tiny_course import ROOT

from chainrule.course import CourseFolder
from chainrule.marking import states
from chainrule.marking.room import MarkingRoom
from chainrule.marking.rows import RowChange, change_row
from chainrule.marking.tables import MARKS

CLASS = marking_class.students(40)
OF_40, RUBRIC, KILLED, ATTACKED, TIRED = "of-40", "rubric", "killed", "attacked", "tired"
BUSY = "busy"
MADE = {  # assignments of one course, so that one server is enough
    OF_40: CLASS,
    RUBRIC: SMALL,
    KILLED: SMALL,
    ATTACKED: SMALL,
    BUSY: {
        "ada": {VARIANCE: "By independence, the mean is 0."},
        "bob": {VARIANCE: "I simulated it with 1000 draws."},
        "cyd": {VARIANCE: "Each product has the variance 1."},
        "dee": {VARIANCE: "It is known from the lecture."},
    },
    TIRED: {"ada": {VARIANCE: "By independence."}, "bob": {VARIANCE: "A simulation."}},  # none is filled in
}
HOSTILE = r"""
<b id="save" class="buttons" onclick="alert(1)">bold</b> ![two](https://evil.example/b.png) \u202e
$\style{position:fixed}{y}$ $\cssId{save}{z}$ $\def\alpha{WRONG}\gdef\beta{WRONG} \alpha$
"""
HOSTILE = HOSTILE.replace(r"\u202e", "\u202e")  # turns what follows from right to left


def attacks() -> Iterator[tuple[str, str]]:
    """The cells of the attacks on what people open: their headings and sources."""
    for path in sorted((ROOT / "tests" / "hostile" / "escaping").glob("*.py")):
        parts = re.split(r"^# %% (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        yield from zip(parts[::2], parts[1::2], strict=True)


def with_hostile_outputs(path: Path) -> None:
    """Put the attacks' code into a graded notebook, above the written answer, with what it puts out."""
    nb = nbformat.read(path, as_version=4)
    code = [source for heading, source in attacks() if not heading.startswith("[")]
    run = new_notebook(cells=[new_code_cell(source) for source in code])
    client = NotebookClient(run, allow_errors=True, timeout=60)
    with client.setup_kernel():
        for number, cell in enumerate(run.cells):
            with suppress(nbformat.ValidationError):  # what a notebook can't hold reaches no page
                client.execute_cell(cell, number)
    at = next(
        i for i, cell in enumerate(nb.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == VARIANCE
    )
    nb.cells[at - 1 : at - 1] = run.cells
    path.write_text(nbformat.writes(nb), encoding="utf-8")


@pytest.fixture(scope="module")
def server(small_class: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the tests of this file, each with an assignment or an item of its own."""

    def make(root: Path) -> None:
        shutil.copytree(small_class, root)
        for assignment, answers in MADE.items():
            marking_class.write(root, answers, handout=handout_of(assignment))

    root = tmp_path_factory.mktemp("page") / "course"
    shutil.copytree(once(tmp_path_factory, "marked-assignments", make), root)
    with served(root) as running:
        yield running


class Markers:
    """The markers' browsers, each opened once: `ann` is logged in, and known by her name."""

    def __init__(self, chromium: Any, server: Server) -> None:
        self.chromium, self.server = chromium, server
        self._contexts: dict[str, Any] = {}

    def log_in(self, name: str, **options: Any) -> Any:
        context = self.chromium.new_context(viewport={"width": 900, "height": 700}, **options)
        tab = context.new_page()
        tab.goto(f"{self.server.url}/marking/a/{OF_40}?token={TOKEN}")
        tab.fill("#name", name)
        with tab.expect_navigation():
            tab.click("#name-form button")
        tab.close()
        return context

    def open(self, name: str, assignment: str, item: str = VARIANCE, **options: Any) -> Marker:
        """A tab with an item's page."""
        if name not in self._contexts:
            self._contexts[name] = self.log_in(name, **options)
        return Marker(self._contexts[name].new_page(), self.server.page(item, assignment))


@pytest.fixture(scope="module")
def markers(chromium: Any, server: Server) -> Markers:
    return Markers(chromium, server)


@pytest.fixture(scope="module")
def markers_of_postgres(
    chromium: Any, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Markers]:
    """The same with the gradebook in PostgreSQL, for the tests of `on_both`."""
    root = tmp_path_factory.mktemp("page-in-postgres") / "course"
    marking_class.write(root, SMALL, postgres.new_database())
    for assignment in (OF_40, RUBRIC, KILLED):
        marking_class.write(root, MADE[assignment], handout=handout_of(assignment))
    with served(root) as running:
        yield Markers(chromium, running)


@pytest.fixture(params=["markers", "markers_of_postgres"])
def on_both(request: pytest.FixtureRequest) -> Markers:
    """The markers of a course with its gradebook in SQLite, and of one with it in PostgreSQL."""
    markers: Markers = request.getfixturevalue(request.param)
    return markers


class Marker:
    """A marker at the keyboard, whose presses are counted."""

    def __init__(self, tab: Any, address: str) -> None:
        self.tab = tab
        self.heard: list[str] = []
        self.presses = 0
        self.tab.on("pageerror", lambda error: self.heard.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.heard.append("a dialog"), dialog.dismiss()))
        self.tab.on("request", lambda request: self.heard.append(request.url))
        self.tab.goto(address)
        self.wait("document.querySelector('#answer').innerHTML !== ''")

    def wait(self, condition: str) -> None:
        # asked at every frame, which is the default, Chromium would draw for nothing all the time
        self.tab.wait_for_function(f"() => {condition}", timeout=60_000, polling=40)  # the page forbids eval

    def type(self, *keys: str) -> None:
        for key in keys:
            self.tab.keyboard.press(key)
            self.presses += 1

    def text(self, place: str) -> str:
        return str(self.tab.text_content(place)).strip()

    def save(self, key: str = "Enter") -> None:
        before, said = self.tab.evaluate(
            "() => [token, said.textContent]"
        )  # what was said stays until the reply
        self.type(key)
        replied = f"(token !== {before!r} || shown === null) && !busy"
        self.wait(f"{replied} || !['', {said!r}].includes(said.textContent)")
        self.wait("!busy")
        now = self.text("#said")
        assert now == "" or "equal answers got the same" in now

    @property
    def is_done(self) -> bool:
        return bool(self.tab.evaluate("() => shown === null"))


def test_an_item_is_marked_by_keyboard_alone(on_both: Markers) -> None:
    marker = on_both.open("ann", OF_40)
    presses, with_comment, given = [], [], {}
    folder = CourseFolder(on_both.server.root)
    room = MarkingRoom(folder, OF_40)
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
    assert len(given) == len(CLASS)
    assert statistics.median(presses) <= 2
    assert max(with_comment[1:]) <= 4
    assert marks_in_gradebook(folder, given, VARIANCE, OF_40) == {
        student: (points, comment or None) for student, (points, comment) in given.items()
    }
    assert marker.text("#note") == "Nothing waits here: done."
    assert all(url.startswith((on_both.server.url, "data:")) for url in marker.heard)
    marker.type("u")
    marker.wait("shown !== null")
    assert marker.text("#progress-text") == f"{len(CLASS) - 1} of {len(CLASS)} marked"
    marker.type("0", "g")
    marker.save()
    assert in_gradebook(folder, list(given)[-1], VARIANCE, OF_40)[0] == 0.0
    marker.tab.close()


def test_two_browsers_at_once_get_no_answer_twice_and_lose_none(on_both: Markers) -> None:
    markers = [on_both.open(name, OF_40, SOFTMAX) for name in ("ann", "bo")]
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
    folder = CourseFolder(on_both.server.root)
    marks = marks_in_gradebook(folder, CLASS, SOFTMAX, OF_40)
    assert {score for score, _ in marks.values()} == {0.5}
    page = markers[0].tab
    page.goto(f"{on_both.server.url}/marking/a/{OF_40}")
    assert "ann: " in page.text_content("table")
    assert "bo: " in page.text_content("table")
    for marker in markers:
        marker.tab.close()


def test_a_row_is_changed_after_a_preview_for_everybody_who_has_it(on_both: Markers) -> None:
    marker = on_both.open("ann", RUBRIC)
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
    room = MarkingRoom(CourseFolder(on_both.server.root), RUBRIC)
    with room.database.transaction() as connection:
        marks = room.marks(connection, room.item(NOTEBOOK, VARIANCE))
    assert {mark.points for mark in marks.values() if mark.points} == {0.4}
    marker.tab.click("#write-scheme")
    marker.wait("document.querySelector('#scheme-said').textContent !== ''")
    assert "| 0.2 | the variance" in room.work.source_path(room.item(NOTEBOOK, VARIANCE)).read_text()
    marker.tab.close()
    look_again(on_both, room)


def look_again(markers: Markers, room: MarkingRoom) -> None:
    """A flagged answer is marked again by another, blind, and the second mark is taken."""
    marker = markers.open("ann", RUBRIC, SOFTMAX)
    student = room.student(marker.tab.evaluate("() => shown.who"))
    marker.type("f", "g")
    marker.save()
    marker.tab.close()
    other = markers.open("bo", RUBRIC, f"{SOFTMAX}?second=1")
    assert room.student(other.tab.evaluate("() => shown.who")) == student
    assert other.tab.evaluate("() => [shown.ticked.length, shown.comment, shown.flagged]") == [0, "", False]
    other.type("1", "Enter")
    other.wait("compared.open")
    assert other.text("#compared-text") == "ann gave 1, you 0.5."
    other.type("2")
    other.wait("!compared.open && !busy")
    assert in_gradebook(room.folder, student, SOFTMAX, RUBRIC)[0] == 0.5
    other.tab.close()


def test_a_killed_server_costs_no_tick(on_both: Markers) -> None:
    marker = on_both.open("ann", KILLED)
    room = MarkingRoom(CourseFolder(on_both.server.root), KILLED)
    student = room.student(marker.tab.evaluate("() => shown.who"))
    marker.type("2")
    on_both.server.kill()
    marker.type("Enter")
    marker.wait("said.textContent.includes('Trying again')")
    on_both.server.start(KILLED)
    marker.wait("said.textContent === ''")
    assert in_gradebook(room.folder, student, VARIANCE, KILLED)[0] == 0.3
    with room.database.transaction() as connection:
        assert len(room.history(connection, room.item(NOTEBOOK, VARIANCE), student)) == 1
    marker.tab.close()


def test_hostile_answers_stay_text_and_axe_finds_nothing(markers: Markers, server: Server) -> None:
    folder = CourseFolder(server.root)
    written = "\n\n".join(source for heading, source in attacks() if heading.startswith("[markdown]"))
    assert "onerror" in written
    for student in ("ada", "bob", "cyd", "dee"):
        answers = {VARIANCE: HOSTILE + written, SOFTMAX: r"$\alpha + \beta$"}
        marking_class.hand_in(folder, student, answers, ATTACKED)
    with_hostile_outputs(folder.folder("autograded", "ada", ATTACKED) / f"{NOTEBOOK}.ipynb")
    for student in ("bob", "cyd", "dee"):
        marking_class.in_formgrader(folder, student, 0.1, VARIANCE, ATTACKED)
    marker = markers.open("ann", ATTACKED)
    marker.type("v", "m", "d")
    marker.wait("document.querySelector('#around').innerHTML !== ''")
    assert "tried" in marker.text("#around")
    shown = marker.tab.locator("#answer, #around")
    for active in (
        "script",
        "iframe",
        "form",
        "style",
        "object",
        "input",
        "button",
        "[onclick]",
        "[onerror]",
    ):
        assert shown.locator(active).count() == 0, active
    assert marker.tab.locator("#save").count() == 1
    assert marker.tab.title() == f"{VARIANCE}, {ATTACKED}"
    links = shown.locator("a").evaluate_all("links => links.map(link => link.protocol)")
    assert set(links) <= {"https:", "http:", "mailto:"}
    marker.type("1")
    marker.save()
    assert all(url.startswith((server.url, "data:")) for url in marker.heard)
    marker.tab.close()
    plain = markers.open("ann", ATTACKED, SOFTMAX)
    drawn = plain.tab.locator("#answer svg").last.evaluate("svg => svg.querySelectorAll('use').length")
    assert drawn == 3  # α + β: no other student's macro
    plain.tab.close()
    look_for_barriers(markers, server)


def look_for_barriers(markers: Markers, server: Server) -> None:
    """Open everything on an item's page and on the start page, and let axe look at it, light and dark."""
    from axe_playwright_python.sync_playwright import Axe

    marker = markers.open("axe", ATTACKED, SOFTMAX, bypass_csp=True)
    marker.tab.evaluate("() => document.querySelectorAll('details').forEach(box => { box.open = true; })")
    marker.wait("document.querySelector('#around').innerHTML !== ''")
    marker.type("1", "g", "c")
    for address in (marker.tab.url, f"{server.url}/marking/a/{ATTACKED}", f"{server.url}/marking"):
        if address != marker.tab.url:
            marker.tab.goto(address)
        for scheme in ("light", "dark"):
            marker.tab.emulate_media(color_scheme=scheme)
            found = Axe().run(marker.tab).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (scheme, address)
        assert marker.tab.evaluate("() => document.documentElement.scrollWidth") <= 900
    marker.tab.close()


def test_what_a_tired_marker_does_marks_nothing_unread(markers: Markers, server: Server) -> None:
    marker = markers.open("ann", TIRED)
    room = MarkingRoom(CourseFolder(server.root), TIRED)
    who = marker.tab.evaluate("() => shown.who")
    # a comment or a flag alone, kept while one looks elsewhere, is no mark of 0 points
    marker.type("g")
    marker.tab.fill("#comment", "Why?")
    marker.type("Escape", "ArrowRight")
    marker.wait(f"shown.who !== {who!r} && !busy")
    marker.type("ArrowLeft")
    marker.wait(f"shown.who === {who!r} && !busy")
    assert marker.tab.input_value("#comment") == "Why?"
    assert marker.text("#sum") == "–"
    # after a click on a row, Enter saves; held down, it does not save what comes next
    marker.tab.click("#rows button >> nth=0")
    marker.tab.keyboard.down("Enter")
    marker.wait(f"shown.who !== {who!r} && !busy")
    second = marker.tab.evaluate("() => shown.who")
    marker.tab.keyboard.down("1")
    for key in ("1", "1", "Enter", "Enter"):
        marker.tab.keyboard.down(key)  # down again without up: a repeated key
    # a save would have begun before the keys were dealt with
    assert marker.tab.evaluate("() => [busy, draft.ticked, shown.who]") == [False, [1], second]
    assert in_gradebook(room.folder, room.student(who), VARIANCE, TIRED)[0] == 0.2
    assert in_gradebook(room.folder, room.student(second), VARIANCE, TIRED)[0] is None
    # what is no number changes no row
    marker.tab.evaluate("() => { at('rubric-box').open = true; }")
    marker.tab.select_option("#row-id", "1")
    marker.tab.fill("#row-points", "0.1.2")
    marker.tab.click("#row-form button >> nth=0")
    marker.wait("said.textContent !== ''")
    assert "as a number" in marker.text("#said")
    # a file that a spreadsheet has not written as UTF-8 is told
    marker.tab.evaluate("() => { document.querySelector('#import-form').closest('details').open = true; }")
    file = {"name": "a.csv", "mimeType": "text/csv", "buffer": "item,für".encode("latin-1")}
    marker.tab.set_input_files("#import-file", [file])
    marker.tab.click("#import-form button")
    marker.wait("said.textContent.includes('UTF-8')")
    room.database.close()
    marker.tab.close()


def test_what_others_do_while_an_answer_is_open(markers: Markers, server: Server) -> None:
    """Another tab, a lease that ended, other rows, another hand-in, a student who was dropped: each is told."""
    folder = CourseFolder(server.root)
    room = MarkingRoom(folder, BUSY)
    item = room.item(NOTEBOOK, VARIANCE)
    marker, bo = markers.open("ann", BUSY), Client(server, "tab of bo", VARIANCE, "bo", BUSY)

    def student() -> str:
        return room.student(marker.tab.evaluate("() => shown.who"))

    def refused(*keys: str) -> str:
        marker.type(*keys)
        marker.wait("said.textContent !== '' && !busy")
        return marker.text("#said")

    def show_it() -> None:
        marker.tab.click("#said button")
        marker.wait("said.textContent === '' && !busy")

    # two tabs of one marker
    other = markers.open("ann", BUSY)
    first, second = student(), room.student(other.tab.evaluate("() => shown.who"))
    assert first != second
    assert "open in another tab" in other_said(other, first, room)
    other.tab.close()
    # the lease has ended: nobody else has the answer, so the mark is taken
    with room.database.transaction() as connection:
        connection.execute(update(MARKS).values(claimed_until=1.0))
    marker.type("1")
    marker.save()
    assert in_gradebook(folder, first, VARIANCE, BUSY)[0] == 0.2
    # it has ended, and somebody else has the answer now
    with room.database.transaction() as connection:
        connection.execute(update(MARKS).values(claimed_until=1.0))
    taken = student()
    shown = bo.ask("open", who=room.alias(taken)).json()
    assert "bo has it open now" in refused("2", "Enter")
    assert bo.save(shown, [3]).json()["saved"] == 0.25
    assert "bo gave 0.25 meanwhile" in refused("Enter")
    show_it()
    assert marker.text("#note") == "Marked by bo."
    assert bo.ask("leave").ok
    marker.type("s")
    marker.wait(f"shown.who !== {room.alias(taken)!r} && !busy")
    # another marker changes a row, and the mark scheme gets one more
    with room.database.transaction() as connection:
        change = RowChange(2, 0.1, "the variance")
        change_row(connection, room, item, change, states.Marker("bo", ""), "0 answers")
    path = room.work.source_path(item)
    path.write_text(path.read_text().replace("| 0.2 | the mean", "| 0.05 | a name |\\n| 0.2 | the mean"))
    assert "the rubric has changed" in refused("2", "Enter")
    show_it()
    assert marker.tab.evaluate("() => draft.ticked") == [2]
    assert marker.text("#sum") == "0.1"
    marker.tab.evaluate("() => { at('rubric-box').open = true; }")
    assert marker.tab.locator("#lacks button").all_text_contents() == [
        "0.05 a name",
        r"0.3 the variance of a product is $1 \cdot 1$",
    ]
    marker.tab.click("#lacks button >> nth=0")
    marker.tab.click("#row-form button >> nth=0")
    marker.wait("!document.querySelector('#row-agree').hidden")
    marker.tab.click("#row-agree")
    marker.wait("rubric.rows.length === 4 && !busy")
    # the student hands in again
    again = student()
    marking_class.hand_in(folder, again, {VARIANCE: "Another answer."}, BUSY)
    assert "another one now" in refused("1", "Enter")
    show_it()
    assert marker.text("#answer") == "Another answer."
    # the student is dropped
    room.work.graded_path(again, NOTEBOOK).unlink()
    assert "is gone: press S" in refused("1", "Enter")
    marker.type("s")
    marker.wait(f"shown === null || shown.who !== {room.alias(again)!r} && !busy")
    room.database.close()
    marker.tab.close()


def other_said(tab: Marker, student: str, room: MarkingRoom) -> str:
    """What a tab says that asks for this student's answer."""
    tab.tab.evaluate("who => open(who, 0)", room.alias(student))
    tab.wait("said.textContent !== '' && !busy")
    return tab.text("#said")
