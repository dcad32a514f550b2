"""A page's points add up, its formulas and pictures are part of it, and everybody can read it."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbconvert.exporters import HTMLExporter
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook
from nbgrader.server_extensions.formgrader import handlers
from PIL import Image
from read_pdf import text_of
from test_feedback import SECRETS, page, points
from tiny_course import TINY, marked, type_command

import chainrule.config
from chainrule.course import CourseFolder
from chainrule.feedback import Disarm
from chainrule.feedback.page import index
from chainrule.feedback.page import page as page_of
from chainrule.feedback.points import ItemPoints, Points, question

SOME = Points(
    "work",
    (ItemPoints("q1_1-a", 1, 2), ItemPoints("q1_1-b", 0.25, 0.5), ItemPoints("q1_2-c", 0, 3, waits=True)),
)
ABOUT = {"student": "ann", "student_name": "Ann <b>Lee</b>", "assignment": "hw", "notebook": "work"}


def drawn(*cells: NotebookNode, folder: Path = Path("nowhere"), points: Points = SOME) -> BeautifulSoup:
    """The page of a notebook with these cells, which are a student's."""
    nb, _ = Disarm().preprocess(new_notebook(cells=list(cells)), {})
    about = {**ABOUT, "points": points, "all_points": [points]}
    return BeautifulSoup(page_of(nb, about, folder), "html.parser")


def written(markdown: str, **more: Any) -> Tag:
    """What a page makes of a student's text."""
    body = drawn(new_markdown_cell(markdown), **more).find(id="notebook-container")
    assert isinstance(body, Tag)
    return body


def png(width: int = 3, height: int = 2) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(data, "PNG")
    return data.getvalue()


# ---- points ------------------------------------------------------------------------------------------------


def test_points_stand_by_question() -> None:
    soup = drawn()
    assert points(soup) == [
        ["Question", "Points", "Out of"],
        ["Question 1.1", "1.25", "2.5"],
        ["q1_1-a", "1", "2"],
        ["q1_1-b", "0.25", "0.5"],
        ["Question 1.2", "not marked yet", "3"],
        ["Total so far", "1.25", "5.5"],
    ]
    assert "Ann <b>Lee</b> (ann)" in soup.get_text()


def test_late_penalty_and_a_graders_marks_are_in_the_table(graded_course: Path) -> None:
    folder = CourseFolder(graded_course)
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.find_grade("why", TINY, TINY, "ann").manual_score = 0.5
        comment = gradebook.find_comment("why", TINY, TINY, "ann")
        comment.manual_comment = "Nearly: $x<0$? <script>alert(1)</script>"
        gradebook.find_submission_notebook(TINY, TINY, "ann").late_submission_penalty = 1.25
        gradebook.db.commit()
    soup = page(graded_course, "ann")
    assert points(soup)[1:] == [
        ["square check", "4", "4"],
        ["Why", "0.5", "1"],
        ["Sum", "4.5", "5"],
        ["Taken off", "−1.25", ""],
        ["Total", "3.25", "5"],
    ]
    (told,) = soup.find_all(class_="comment")
    assert "Nearly" in told.get_text()
    assert told.find("svg", attrs={"aria-label": "x<0"})
    assert "<script>alert(1)</script>" in told.get_text()


@pytest.mark.parametrize(("penalty", "total"), [(0.0, "1.25"), (0.5, "0.75"), (99.0, "0")])
def test_the_table_adds_up(penalty: float, total: str) -> None:
    rows = points(drawn(points=Points("work", SOME.items, penalty)))
    numbers = {row[0]: row[1] for row in rows}
    assert numbers["Total so far"] == total
    taken = float(numbers.get("Taken off", "−0").replace("−", "-"))
    assert float(numbers.get("Sum", total)) + taken == float(total)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("q2_2b-logits", "Question 2.2b"),
        ("p5_4-written", "Problem 5.4"),
        ("q3-x", "Question 3"),
        ("why", "why"),
    ],
)
def test_an_item_names_its_question(item: str, name: str) -> None:
    assert question(item) == name


def test_several_notebooks_have_an_index(graded_course: Path) -> None:
    """Stock nbgrader writes it, too."""
    add_pair(graded_course)
    type_command(graded_course, "nbgrader", "generate_feedback", "pair")
    there = graded_course / "feedback" / "ann" / "pair"
    assert {path.name for path in there.iterdir()} == {"index.html", "one.html", "two.html"}
    soup = BeautifulSoup((there / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert points(soup)[1:] == [
        ["one", "1", "2"],
        ["three", "0", "2"],
        ["two", "2", "2"],
        ["Total", "3", "6"],
    ]
    links = {link["href"] for link in soup.find_all("a")}
    assert links == {"one.html", "one.html#item-one-item", "two.html", "two.html#item-two-item"}
    assert "Nothing that could be graded" in soup.get_text()
    assert 'href="index.html"' in (there / "one.html").read_text(encoding="utf-8")


def add_pair(root: Path) -> None:
    """An assignment of three notebooks, of which ann handed in two; graded without running anything."""
    folder = CourseFolder(root)
    with Gradebook(folder.directory.db_url) as gradebook:
        gradebook.add_assignment("pair")
        for name in ("one", "two", "three"):
            gradebook.add_notebook(name, "pair")
            gradebook.add_grade_cell(f"{name}-item", name, "pair", max_score=2, cell_type="code")
        gradebook.add_submission("pair", "ann")
        for name, score in {"one": 1, "two": 2, "three": 0}.items():
            grade = gradebook.find_grade(f"{name}-item", name, "pair", "ann")
            grade.auto_score, grade.needs_manual_grade = score, False
        gradebook.db.commit()
    for name in ("one", "two"):
        nb = new_notebook(cells=[marked(new_code_cell("2"), f"{name}-item", 2)])
        for place in (root / "source" / "pair", root / "autograded" / "ann" / "pair"):
            place.mkdir(parents=True, exist_ok=True)
            nbformat.write(nb, place / f"{name}.ipynb")


def test_a_page_of_the_index_without_points_is_no_trouble(tmp_path: Path) -> None:
    text = index({**ABOUT, "all_points": [Points("a<b", ()), SOME]}, tmp_path)
    assert "a&lt;b" in text


# ---- what a page is made of --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tex",
    [
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x}",
        r"\cssId{points}{x}",
        r"\class{label}{x}",
        r"\color{url(https://example.org)}{x}",
    ],
)
def test_a_formula_is_shapes_only(tex: str) -> None:
    body = written(f"${tex}$")
    for tag in body.select("svg.formula *"):
        assert tag.name in ("g", "use", "rect", "line", "text", "path")
        assert set(tag.attrs) <= {
            "transform",
            "fill",
            "stroke",
            "stroke-width",
            "href",
            "width",
            "height",
            "x",
            "y",
        }
        assert str(tag.get("href", "#glyph-")).startswith("#glyph-")
        assert "url" not in str(tag.attrs)
    assert body.select("svg.formula") or body.select("code.source")


def test_a_formula_that_cannot_be_drawn_is_shown_as_source() -> None:
    assert written(r"So $\frac{1$ is <i>it</i>").select_one("code.source").get_text() == r"$\frac{1$"  # type: ignore[union-attr]


def test_formulas_in_attributes_and_code_stay_text() -> None:
    body = written('[x](https://example.org/$a$ "$b<c$") and `$d$`\n\n    $e$\n\n<$f$>')
    link = body.find("a")
    assert isinstance(link, Tag)
    assert link["title"] == "$b<c$"
    assert [code.get_text().strip() for code in body.find_all("code")] == ["$d$", "$e$"]
    assert [svg["aria-label"] for svg in body.find_all("svg")] == ["f"]


def test_nobody_can_write_what_stands_for_a_formula() -> None:
    body = written('<span data-formula="0"></span> \ue0000\ue001 $x$')
    assert len(body.find_all("svg")) == 1
    assert '<span data-formula="0">' in body.get_text()


def test_pictures_become_part_of_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a b.png").write_bytes(png())
    (folder / "x.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'
    )
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    body = written("![one](<a b.png>) ![two](x.svg) ![out](../secret.png) ![link](link.png)", folder=folder)
    assert [image["alt"] for image in body.find_all("img")] == ["one", "two"]
    for image in body.find_all("img"):
        data = base64.b64decode(str(image["src"]).removeprefix("data:image/png;base64,"))
        assert Image.open(io.BytesIO(data)).format == "PNG"
    assert body.get_text().count("outside the notebook's folder") == 2


def test_drawings_become_pixels() -> None:
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload="alert(1)"><rect width="9"/></svg>'
    cell = new_code_cell("plot()")
    cell.outputs = [new_output("display_data", {"image/svg+xml": svg})]
    (image,) = drawn(cell).find_all("img")
    assert str(image["src"]).startswith("data:image/png;base64,")


def test_style_sheets_of_tables_are_no_text() -> None:
    cell = new_code_cell("table")
    table = "<table><tr><th></th><th>n</th></tr><tr><th>0</th><td>1</td></tr></table>"
    cell.outputs = [
        new_output("execute_result", {"text/html": f"<style scoped>.x {{color: red}}</style>{table}"})
    ]
    body = drawn(cell)
    assert "color: red" not in body.get_text()
    assert [(th.get_text(), th["scope"]) for th in body.select(".scroll table th")] == [
        ("n", "col"),
        ("0", "row"),
    ]


def test_headings_stand_below_the_pages_own() -> None:
    body = written("### deep\n\n# top\n\n### below\n\n## between\n\n#\n")
    assert [(tag.name, tag.get_text()) for tag in body.find_all(["h1", "h2", "h3", "h4", "h5"])] == [
        ("h3", "deep"),
        ("h3", "top"),
        ("h4", "below"),
        ("h4", "between"),
    ]


def test_pages_are_small_and_load_nothing(graded_course: Path) -> None:
    soup = page(graded_course, "ann")
    assert len(str(soup)) < 30_000
    assert not soup.find_all(["script", "link", "iframe"])
    assert "url(" not in str(soup)
    assert "default-src 'none'" in str(soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"}))


def test_control_characters_are_marked() -> None:
    cell = new_code_cell("x = '\x00'")
    cell.outputs = [new_output("stream", text="\x07bell \ud800 half")]
    text = drawn(cell, new_markdown_cell("a\x0bb")).get_text()
    assert not any(c in text for c in "\x00\x07\x0b\ud800")
    assert "bell" in text


# ---- for everybody -----------------------------------------------------------------------------------------


MESS = r"""
##### Deep heading

#

| a | |
|--|--|
| 1 | $\frac{1}{2}$ |

- [ ] list

1. one
   - two

[](https://example.org) [*](https://example.org/b) <https://example.org/c> ![](none.png)

$$\underbrace{a+b+c+d+e+f+g+h+i+j+k+l+m+n+o+p+q+r+s+t+u+v+w+x+y+z}_{\text{wide}} = \frac{1}{1+1+1+1+1+1+1+1+1+1+1+1+1}$$
"""


def messy_notebook() -> list[NotebookNode]:
    cell = new_code_cell("class A:\n    '''text'''  # comment\n    x = 1.5 + len('s') if True else None")
    table = "<table><tr><th></th><th>n</th></tr><tr><th>0</th><td>1</td></tr></table>"
    wide = "<table><tr>" + "<td>12345678</td>" * 40 + "</tr></table>"
    cell.outputs = [
        new_output("stream", text="out\n" * 3),
        new_output("stream", name="stderr", text="warning"),
        new_output(
            "display_data",
            {"text/html": f"<li>x</li><ul><b>y</b></ul><a href='https://e.org'></a>{table}{wide}"},
        ),
        new_output("display_data", {"image/png": base64.b64encode(png(900, 300)).decode()}),
        new_output("error", ename="E", evalue="x", traceback=["\x1b[31mred\x1b[0m"]),
    ]
    return [new_markdown_cell(MESS), cell, new_markdown_cell(MESS)]


@pytest.mark.parametrize("width", [1200, 400])
def test_axe_finds_nothing(chromium: Any, graded_course: Path, tmp_path: Path, width: int) -> None:
    """Nor does a page ask for anything, run anything, or become wider than the screen."""
    from axe_playwright_python.sync_playwright import Axe

    pages = {name: str(page(graded_course, name)) for name in ("ann", "bo", "cy", "ed")}
    pages["messy"] = str(drawn(*messy_notebook()))
    pages["index"] = index({**ABOUT, "all_points": [SOME, Points("b", SOME.items, 1.0)]}, tmp_path)
    context = chromium.new_context(bypass_csp=True, viewport={"width": width, "height": 800})
    for name, text in pages.items():
        path = tmp_path / f"{name}.html"
        path.write_text(text, encoding="utf-8")
        tab = context.new_page()
        heard: list[str] = []
        tab.on("dialog", lambda dialog, heard=heard: (heard.append("a dialog"), dialog.dismiss()))
        tab.on("request", lambda request, heard=heard: heard.append(request.url[:60]))
        tab.goto(path.as_uri())
        found = Axe().run(tab).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name
        assert [url for url in heard if not url.startswith(("data:", path.as_uri()[:60]))] == [], name
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        tab.close()
    context.close()


# ---- PDF ---------------------------------------------------------------------------------------------------


def test_the_pdf_tells_the_same(graded_course: Path) -> None:
    said = type_command(
        graded_course, "chainrule", "feedback", TINY, "--student", "cy", "--student", "ann", "--pdf"
    )
    assert "2 pages in" in said
    texts = {
        student: text_of(graded_course / "feedback" / student / TINY / f"feedback-{TINY}.pdf")
        for student in ("ann", "cy")
    }
    assert "4 of 4 points" in texts["ann"]
    assert "Signs cancel." in texts["ann"]
    assert "not marked yet" in texts["ann"]
    assert "a hidden check" in texts["cy"]
    assert "alert('STREAM')" in texts["cy"]
    for student, text in texts.items():
        assert not [secret for secret in [*SECRETS, "LATE-HINT", "HIDDEN TESTS"] if secret in text], student
    data = (graded_course / "feedback" / "cy" / TINY / f"feedback-{TINY}.pdf").read_bytes()
    assert not [word for word in (b"/JavaScript", b"/JS", b"/Launch", b"javascript:") if word in data]


def formgrader_page(*cells: NotebookNode) -> str:
    """A notebook with these cells as formgrader shows it."""
    config = chainrule.config.pipelines()
    config.HTMLExporter.template_name = "formgrade"
    config.HTMLExporter.extra_template_basedirs = [handlers.template_path]
    names = (
        "assignment_id",
        "notebook_id",
        "submission_id",
        "base_url",
        "student",
        "last_name",
        "first_name",
    )
    about = dict.fromkeys((*names, "notebook_path"), "x") | {"index": 0, "total": 1}
    html, _ = HTMLExporter(config=config).from_notebook_node(new_notebook(cells=list(cells)), resources=about)
    return str(html)


def test_formgrader_refuses_a_score_above_the_maximum(chromium: Any) -> None:
    """Its own script would save the maximum without a word."""
    html = formgrader_page(marked(new_markdown_cell("Because."), "why", 2.5, solution=True))
    shown = chromium.new_page()
    shown.route("**/*", lambda route: route.abort())  # formgrader's own scripts
    shown.set_content(html)
    shown.evaluate(
        "document.querySelector('.score').addEventListener('change', e => window.saved = e.target.value)"
    )
    for typed, saved in (("2.5", "2.5"), ("3", "2.5"), ("0.5", "0.5")):
        shown.fill(".score", typed)
        shown.dispatch_event(".score", "change")
        assert shown.evaluate("window.saved") == saved
        said = shown.locator("[role=alert]").all_text_contents()
        assert said == ([" 3 is more than 2.5: not saved. More is extra credit."] if typed == "3" else [])


def formgrader_file(route: Any) -> None:
    """nbgrader's own scripts, an empty gradebook, and nothing from the network."""
    path = urlsplit(route.request.url).path
    if "/formgrader/static/" in path:
        route.fulfill(path=Path(handlers.static_path) / path.partition("/formgrader/static/")[2])
    elif "/formgrader/api/" in path:
        route.fulfill(body="[]", content_type="application/json")
    else:
        route.abort("internetdisconnected")


def test_formgrader_needs_no_network(chromium: Any) -> None:
    """Formulas are shapes, mark schemes are tables, and its keys work; no student's formula gets into a tag."""
    scheme = "Why is $x^2 \\ge 0$?\n\n### BEGIN MARK SCHEME\n\n| Points | For |\n|--:|:--|\n| 1 | $|x|$ |\n"
    answer = "`$code$`, ![$alt$](attachment:none.png) [t](https://e.org '$t$') $$\\frac{a}{b}$$ "
    answer += "<b onclick='alert(1)'>$y$</b>"
    html = formgrader_page(
        marked(new_markdown_cell(scheme), "why-intro"),
        marked(new_markdown_cell(answer), "why", 2.5, solution=True),
    )
    shown = chromium.new_page()
    errors: list[str] = []
    shown.on("pageerror", lambda error: errors.append(str(error)))
    shown.route("**/*", formgrader_file)
    shown.route("http://formgrader.test/", lambda route: route.fulfill(body=html, content_type="text/html"))
    shown.goto("http://formgrader.test/")
    shown.wait_for_function("formgrader.loaded")
    assert errors == []
    assert shown.locator("svg.formula").count() == 5
    assert shown.locator("[title='$t$']").count() == 1
    assert shown.locator("table td svg.formula").count() == 1
    assert shown.locator("code").first.text_content() == "$code$"
    assert shown.locator("#notebook [onclick]").count() == 0
    shown.keyboard.press("Escape")
    shown.keyboard.press("Tab")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.matches('.tabbable')")
    shown.close()
