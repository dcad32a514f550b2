"""A page tells a student what is meant for students, shows what they wrote, and obeys nobody's script."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from command_line import Typed, is_one_line
from nbconvert.exporters import HTMLExporter, templateexporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tiny_course import ASSERTS, FUTURE, PAST, TINY, marked, set_due

from chainrule.course import CONFIG, CourseFolder, failure_cause
from chainrule.feedback import Disarm, Redact
from chainrule.feedback.pdf import redacted
from chainrule.gradebook import ensure_tables, open_gradebook
from chainrule.lesson.results import RESULT_TYPE


def page(course: Path, student: str) -> BeautifulSoup:
    """A student's page, made now."""
    folder = CourseFolder(course)
    folder.succeed(folder.api.generate_feedback(TINY, student, force=True), "feedback")
    path = course / "feedback" / student / TINY / f"{TINY}.html"
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def cell_texts(soup: BeautifulSoup) -> str:
    """What a reader sees of the cells."""
    container = soup.find(id="notebook-container")
    assert container is not None
    return container.get_text(" ")


def points(soup: BeautifulSoup) -> list[list[str]]:
    """The cells of the first table of points, row by row."""
    table = soup.find("table", class_="points")
    assert isinstance(table, Tag)
    return [
        [" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])]
        for row in table.find_all("tr")
    ]


SECRETS = [
    "THE_SOLUTION",
    "THE-MARK-SCHEME",
    "THE-MODEL-ANSWER",
    "chainrule.judging",
    "NEVER-HINT",
    "squares 0.5",
]
LATE = ["LATE-HINT", "LATE-ANSWER", "squares -3", "square(-3) is -6, not 9"]


@pytest.mark.parametrize("due", [FUTURE, PAST])
@pytest.mark.parametrize("student", ["ann", "cy", "fay", "ed"])
def test_what_is_hidden_stays_hidden(graded_course: Path, student: str, due: str) -> None:
    set_due(graded_course, due)
    html = str(page(graded_course, student))
    for secret in [*SECRETS, "HIDDEN TESTS", "MARK SCHEME", "AFTER DUE"]:
        assert secret not in html


def test_late_hints_come_after_the_due_date(graded_course: Path) -> None:
    before = cell_texts(page(graded_course, "cy"))
    assert not any(late in before for late in LATE)
    assert "explained after the due date" in before
    set_due(graded_course, PAST)
    after = cell_texts(page(graded_course, "cy"))
    assert all(late in after for late in LATE)
    assert "explained after the due date" not in after
    assert before.count("a hidden check") == 2
    assert after.count("a hidden check") == 1


def test_a_student_cannot_have_an_answer_shown_as_ours(tmp_path: Path) -> None:
    """The markers mean something in the instructor's cells alone."""
    cell = new_markdown_cell("### BEGIN AFTER DUE\nmine")
    cell.metadata.nbgrader = {**marked(new_code_cell(), "why").metadata.nbgrader, "solution": True}
    ensure_tables(url := f"sqlite:///{tmp_path}/gradebook.db")
    where = {"db_url": url, "assignment": TINY, "student": "cy"}
    nb, _ = Redact().preprocess(new_notebook(cells=[cell]), {"nbgrader": where})
    assert nb.cells[0].source == "### BEGIN AFTER DUE\nmine"


def test_the_page_shows_scores_answers_and_open_hints(graded_course: Path) -> None:
    text = cell_texts(page(graded_course, "bo"))
    assert "0 of 4 points" in text
    assert "not written yet" in text
    assert "OPEN-HINT" in text
    ann = page(graded_course, "ann")
    assert "4 of 4 points" in cell_texts(ann)
    assert "Signs cancel." in cell_texts(ann)
    assert "With Bo." in cell_texts(ann)
    assert points(ann)[-1] == ["Total so far", "4", "5"]


def test_nothing_a_student_wrote_is_active(graded_course: Path) -> None:
    soup = page(graded_course, "cy")
    assert not soup.find_all(
        ["script", "iframe", "object", "embed", "form", "link", "base", "image", "foreignobject"]
    )
    assert {" ".join(svg.get_attribute_list("class")) for svg in soup.find_all("svg")} == {
        "formula",
        "glyphs",
    }
    container = soup.find(id="notebook-container")
    assert isinstance(container, Tag)
    for tag in container.find_all(True):
        assert not [name for name in tag.attrs if name.lower().startswith("on")], tag
        assert str(tag.get("href", "#")).startswith(("#", "https://")), tag
        assert str(tag.get("src", "data:image/png;")).startswith("data:image/png;"), tag


def test_what_a_student_wrote_is_still_there(graded_course: Path) -> None:
    soup = page(graded_course, "cy")
    container = soup.find(id="notebook-container")
    assert container is not None
    text = container.get_text()
    for written in (
        "<script>alert('TEXT')</script>",
        "<script>alert('STREAM')</script>",
        "alert('ERROR')",
        "[missing: an image that is not shown, because its cell has no such attachment or a damaged one]",
    ):
        assert written in text
    assert container.find("a", href="https://example.org/a?b=1&c=2")
    assert "[a cat: an image that is not shown, its data is incomplete]" in text
    assert [quote.get_text().strip() for quote in container.find_all("blockquote")] == ["a quote"] * 2


def test_formulas_are_drawn(graded_course: Path) -> None:
    soup = page(graded_course, "cy")
    drawn = [svg["aria-label"] for svg in soup.find_all("svg", role="img")]
    assert sorted(drawn) == sorted(["a<b", "b>c", "x_1 < y_2"] * 2 + ["a<b", r"x^2 \ge 0"])
    glyphs = {f"#{path['id']}" for path in soup.find_all("path", id=True)}
    assert {use["href"] for use in soup.find_all("use")} == glyphs
    text = soup.get_text()
    assert not [text for text in soup.find_all("p") if "$" in text.get_text()]
    assert "x<y" in text
    assert 'if a < b: print("<script>")' in text


def test_authors_may_use_html(graded_course: Path) -> None:
    path = graded_course / "autograded" / "ann" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = 'Line<br>break and <span class="author">colour</span>'
    path.chmod(0o644)
    nbformat.write(nb, path)
    assert page(graded_course, "ann").find("span", class_="author")


def test_a_grader_error_is_not_the_students(graded_course: Path) -> None:
    path = graded_course / "autograded" / "ann" / TINY / f"{TINY}.ipynb"
    nb = nbformat.read(path, as_version=4)
    cell = next(cell for cell in nb.cells if cell.id == "square-check")
    data = cell.outputs[0].data
    data["application/vnd.chainrule.item+json"]["grader_error"] = "NEVER-HINT in a traceback"
    path.chmod(0o644)
    nbformat.write(nb, path)
    html = str(page(graded_course, "ann"))
    assert "a person will look at this item" in html
    assert "NEVER-HINT" not in html


def test_formgrader_shows_harmless_pages_too(graded_course: Path) -> None:
    """Its exporter is an ordinary HTMLExporter with the course's configuration."""
    path = graded_course / "autograded" / "cy" / TINY / f"{TINY}.ipynb"
    soup = BeautifulSoup(
        HTMLExporter(config=CourseFolder(graded_course).config).from_filename(path)[0], "html.parser"
    )
    cells = soup.find_all(class_="jp-Cell")
    assert len(cells) > 5
    for cell in cells:
        assert not cell.find_all(["script", "iframe", "svg", "object", "embed", "form", "meta", "link"])
        assert not [tag for tag in cell.find_all(True) if any(name.startswith("on") for name in tag.attrs)]
    assert "1 of 4 points" in soup.get_text()


@pytest.mark.parametrize("url", ["https://example.org/x.png", "//example.org/x.png"])
def test_pictures_from_elsewhere_become_links(url: str) -> None:
    nb = new_notebook(cells=[new_markdown_cell(f"![seen]({url}) ![near](near.png)")])
    exporter = HTMLExporter(preprocessors=[Disarm])
    soup = BeautifulSoup(exporter.from_notebook_node(nb)[0], "html.parser")
    assert [image["src"] for image in soup.find_all("img")] == ["near.png"]
    assert "seen" in soup.get_text()


@pytest.mark.parametrize("record", [5, None, {"checks": 5}, {"grader_error": "mine"}])
def test_a_record_in_a_cell_without_points_is_no_result(record: object) -> None:
    cell = marked(new_code_cell("f()"), "show")
    cell.outputs = [new_output("display_data", {RESULT_TYPE: record, "text/plain": "4.0"})]
    nb = new_notebook(cells=[cell])
    nb, _ = Disarm().preprocess(nb, {})
    assert nb.cells[0].outputs[0].data == {"text/plain": "4.0"}


def test_plain_asserts_tell_nothing_hidden(tmp_path: Path) -> None:
    """A traceback has the failing line in it, and those around it."""
    cell = marked(new_code_cell(ASSERTS.strip()), "square-asserts", 2)
    shown = ["> 3 assert square(-3) == 9, 'HIDDEN-ASSERT'"]
    cell.outputs = [new_output("error", ename="AssertionError", evalue="HIDDEN-ASSERT", traceback=shown)]
    where = {"assignment": "plain", "student": "ann", "db_url": f"sqlite:///{tmp_path / 'gradebook.db'}"}
    ensure_tables(where["db_url"])
    nb, _ = Redact().preprocess(new_notebook(cells=[cell]), {"nbgrader": where})
    assert "HIDDEN" not in str(nb)
    assert nb.cells[0].outputs[0].text == "The checks stopped with: AssertionError"


@pytest.fixture
def no_templates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python whose Jupyter folders have no templates of nbconvert, as after `pip install --target`."""
    monkeypatch.setattr(
        templateexporter, "jupyter_path", lambda *subfolders: ["/there/jupyter", "/here/jupyter"]
    )


@pytest.mark.usefixtures("no_templates")
def test_pages_need_no_templates_of_nbconvert(graded_course: Path, chainrule: Callable[..., Typed]) -> None:
    assert chainrule("feedback", TINY, "--student", "ann", "--course", graded_course)[0] == 0
    assert "Feedback" in (graded_course / "feedback" / "ann" / TINY / f"{TINY}.html").read_text()


@pytest.mark.usefixtures("no_templates")
def test_an_exporter_without_its_templates_is_told_in_one_sentence(
    graded_course: Path, chainrule: Callable[..., Typed]
) -> None:
    with (graded_course / CONFIG).open("a") as config:
        config.write('c.GenerateFeedback.exporter_class = "nbconvert.exporters.HTMLExporter"\n')
    said = chainrule("feedback", TINY, "--student", "ann", "--course", graded_course)
    assert is_one_line(said)
    assert "feedback for ann failed: nbconvert's templates are in none of the folders" in said[2]
    assert (
        "install nbconvert anew, or name the folder above its nbconvert/templates in JUPYTER_PATH" in said[2]
    )


def test_a_failure_is_told_by_the_first_line_of_its_reason() -> None:
    error = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: not found in:\n\t/a\n\t/b\n'
    assert failure_cause({"error": error}) == "ValueError: not found in:"


def test_extra_credit_is_counted_once(graded_course: Path) -> None:
    folder = CourseFolder(graded_course)
    with open_gradebook(folder.directory.db_url) as gradebook:
        grade = gradebook.find_grade("why", TINY, TINY, "ann")
        grade.manual_score, grade.extra_credit, grade.needs_manual_grade = 1.0, 0.5, False
        gradebook.db.commit()
    path = graded_course / "autograded" / "ann" / TINY / f"{TINY}.ipynb"
    _, context = redacted(folder, TINY, "ann", path)
    assert context["points"].total == 5.5
