"""What print can't show is boxed and told; nothing vanishes, and nothing is boxed that can be shown."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from read_pdf import is_accessible, letters_of, text_of

from chainrule.handin.markup import in_pixels, printable
from chainrule.handin.notebook import final_screen, merged
from chainrule.handin.outputs import best_form
from chainrule.handin.pdf import write_pdf
from chainrule.handin.widgets import VIEW, Widgets

STYLER = (
    "<style type='text/css'>\n#T_a th {font-weight: bold}\n#T_a_r0c0, #T_a_r1c0 {background-color: #440154;"
    " color: #f1f1f1}\n#T_a tbody td.col1 {color: red}</style><table id='T_a'><caption>A caption</caption><thead><tr>"
    "<th>$\\alpha$</th><th>cost in $</th></tr></thead><tbody><tr><td id='T_a_r0c0'>one</td><td class='col1'>$5 and $6"
    "</td></tr><tr><td id='T_a_r1c0'>two</td><td style='color: white'>three</td></tr></tbody></table>"
)
COLAB_FRAME = (
    "<div id='df-1' class='colab-df-container'><div><style scoped>.x {}</style><table class='dataframe'><tr><th></th>"
    "<th>a</th></tr><tr><th>0</th><td>1</td></tr></table></div><div class='colab-df-buttons'>"
    "<button style='display:none;'>"
    "<svg viewBox='0 0 1 1'><path d='M0 0h1'/></svg></button><script>const b = 1;</script></div></div>"
)
SKLEARN = (
    "<style>#sk {}</style><div id='sk' class='sk-top-container'><div"
    " class='sk-text-repr-fallback'><pre>LinearRegression()"
    "</pre><b>In a Jupyter environment</b></div><div hidden><input type='checkbox'>"
    "<label>LinearRegression</label></div></div>"
)
FOLIUM = "<div><span>Make this Notebook Trusted</span><iframe srcdoc='&lt;html&gt;leaflet.js'></iframe></div>"


def shows(*bundles: dict[str, Any], folder: Path) -> tuple[str, list[str]]:
    """The text of the PDF of a cell with these outputs, and the warnings."""
    outputs = [new_output("display_data", data=data) for data in bundles]
    nb = new_notebook(cells=[new_code_cell("show()", outputs=outputs), new_markdown_cell("the end")])
    (folder / "hw.ipynb").write_text(json.dumps(nb), encoding="utf-8")
    warnings = write_pdf([folder / "hw.ipynb"], folder / "hw.pdf")
    return " ".join(text_of(folder / "hw.pdf").split()), warnings


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"application/vnd.plotly.v1+json": {}, "text/plain": "Figure({...})"}, "a Plotly figure"),
        (
            {
                "application/vnd.plotly.v1+json": {},
                "text/html": "<div><div id='p'></div><script>Plotly.newPlot()</script></div>",
                "text/plain": "Figure({...})",
            },
            "a Plotly figure",
        ),
        ({"application/vnd.vegalite.v5+json": {}, "text/plain": "alt.Chart(...)"}, "an Altair (Vega) chart"),
        ({"application/javascript": "", "application/vnd.bokehjs_exec.v0+json": ""}, "a Bokeh plot"),
        ({VIEW: {"model_id": "x"}, "text/plain": "IntSlider(value=3)"}, "a widget"),
        ({"text/html": FOLIUM, "text/plain": "<folium.folium.Map at 0x7f9ac>"}, "a map (iframe)"),
        ({"text/plain": "<folium.folium.Map at 0x7f9ac>"}, "<folium.folium.Map at 0x7f9ac>"),
        ({"text/plain": "<__main__.Model object at 0x7f9ac>"}, "<__main__.Model object at 0x7f9ac>"),
        ({"text/plain": "<Figure size 640x480 with 1 Axes>"}, "<Figure size 640x480 with 1 Axes>"),
        (
            {"application/javascript": "x()", "text/plain": "<IPython.core.display.Javascript object>"},
            "what a script does",
        ),
        ({"text/html": "<script>draw()</script>"}, "a drawing made by a script"),
        ({"video/mp4": "AAAA", "text/plain": "<IPython.core.display.Video object>"}, "a video"),
        ({"audio/wav": "AAAA"}, "a sound"),
        ({"application/pdf": "AAAA"}, "a PDF document"),
        ({"image/bmp": "AAAA"}, "image/bmp"),
        ({"application/x-unknown": "?"}, "application/x-unknown"),
        (
            {"text/html": "<iframe src='https://www.youtube.com/embed/x'></iframe>"},
            "https://www.youtube.com/embed/x",
        ),
        *(
            ({"text/html": f"<p>before</p><{tag}>other</{tag}>", "text/plain": "<x at 0x1>"}, f"({tag}")
            for tag in ("iframe", "video", "audio", "canvas", "object", "select", "model-viewer")
            if tag != "model-viewer"
        ),
        ({"text/html": "<model-viewer src='x.glb'></model-viewer>"}, "model-viewer"),
        ({"text/html": "<embed src='u.swf'>"}, "embed: u.swf"),
        ({"text/html": "<input type='range' value='3'>"}, "“3”"),
        ({"text/html": "<div style='display:none'>answer</div>"}, "a part that the page hides"),
        ({"text/html": "<img id='later'>"}, "an image without an address"),
        (
            {
                "text/html": "<table><tr><td style='background: linear-gradient(90deg, red 40%,"
                " transparent 40%)'>1</td></tr></table>"
            },
            "bars and other patterns",
        ),
    ],
)
def test_what_print_cannot_show_is_boxed_and_told(data: dict[str, Any], named: str, tmp_path: Path) -> None:
    text, warnings = shows(data, folder=tmp_path)
    assert named.replace(" ", "") in letters_of(tmp_path / "hw.pdf")
    assert "Figure({" not in text.replace("json; Figure({", "")
    assert len(warnings) == 1, warnings
    assert warnings[0].startswith("hw.ipynb, cell 1: Print cannot show ")
    assert named in warnings[0]
    assert re.search(r"[.] (?:Save|Show|Take|Print|Say|If you meant)", warnings[0])  # what to do


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"text/html": COLAB_FRAME, "text/plain": "   a"}, "a01"),
        ({"text/html": SKLEARN, "text/plain": "LinearRegression()"}, "LinearRegression()"),
        ({"text/html": "<p>hello <b>you</b></p>", "text/plain": "Foo()"}, "helloyou"),
        ({"text/plain": "<torch._C.Generator at 0x7f9ac>"}, "<torch._C.Generatorat0x7f9ac>"),
        ({"text/plain": "[<matplotlib.lines.Line2D at 0x7f>]"}, "[<matplotlib.lines.Line2Dat0x7f>]"),
        (
            {"text/html": "<progress value='3' max='10'></progress> 30%", "text/plain": "[== ] 3/10"},
            "███░░░░░░░30%",
        ),
        ({VIEW: {"model_id": "x"}, "text/plain": "  0%|     | 0/10 [00:00<?]"}, "0%||0/10"),
        ({"application/json": {"a": [1, 2]}, "text/plain": "<IPython.core.display.JSON object>"}, '"a":['),
        (
            {
                "text/html": "<svg width='90' height='30'><text y='20'>drawn</text></svg>",
                "text/plain": "<X at 0x1>",
            },
            "drawn",
        ),
    ],
)
def test_what_can_be_shown_is_not_boxed(data: dict[str, Any], shown: str, tmp_path: Path) -> None:
    _, warnings = shows(data, folder=tmp_path)
    assert warnings == []
    assert shown in letters_of(tmp_path / "hw.pdf")


def test_a_styled_table_has_its_caption_colours_and_formulas(tmp_path: Path) -> None:
    text, warnings = shows(
        {"text/html": STYLER, "text/plain": "<pandas.io.formats.style.Styler>"}, folder=tmp_path
    )
    assert warnings == []
    assert "A caption" in text
    assert "alpha" not in text  # it is drawn
    assert "$5 and $6" in text
    assert "three" in text
    page = printable(STYLER, formulas=True).html
    assert page.count("background-color:#440154") == 2
    assert page.count("color:#f1f1f1") == 2
    assert "color:#ff0000" in page
    assert "color:#ffffff" not in page  # white on white paper
    subprocess.run(
        ["pdftoppm", "-r", "60", "-png", "-f", "2", "-l", "2", tmp_path / "hw.pdf", tmp_path / "p"],
        check=True,
    )
    with Image.open(next(tmp_path.glob("p*.png"))) as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24) or ()}
    assert (0x44, 0x01, 0x54) in colours


def test_parts_of_a_wide_table_have_one_type_size(tmp_path: Path) -> None:
    names = "".join(f"<th>column_{n:02d}</th>" for n in range(24))
    values = "".join(f"<td>{n}.25</td>" for n in range(24))
    shows(
        {"text/html": f"<table><tr><th></th>{names}</tr><tr><td>0</td>{values}</tr></table>"}, folder=tmp_path
    )
    layout = subprocess.run(
        ["pdftotext", "-bbox", tmp_path / "hw.pdf", "-"], capture_output=True, check=True, text=True
    ).stdout
    heights = {
        round(float(bottom) - float(top), 1)
        for top, bottom in re.findall(r'yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">column_', layout)
    }
    assert len(heights) == 1


def test_an_image_has_the_size_that_the_notebook_gives(tmp_path: Path) -> None:
    assert [in_pixels(x) for x in ("50px", "50", "50%", "1in", "2em", "auto", "0", "calc(1px)")] == [
        "50", "50", "50%", "96", "28", None, None, None,
    ]  # fmt: skip
    Image.new("RGB", (400, 200), "navy").save(tmp_path / "a b.png")
    cell = new_markdown_cell(
        "<img src='a b.png' style='width:50px'> <img src='a b.png' width=60 height=60> <img src='a b.png' height='20'>"
        "\n\n<img src='a b.png' style='width: 50%'>"
    )
    (tmp_path / "hw.ipynb").write_text(json.dumps(new_notebook(cells=[cell])), encoding="utf-8")
    assert write_pdf([tmp_path / "hw.ipynb"], tmp_path / "hw.pdf") == []
    listing = subprocess.run(
        ["pdfimages", "-list", tmp_path / "hw.pdf"], capture_output=True, check=True, text=True
    ).stdout
    inches = [
        (round(int(row[3]) / int(row[12]), 2), round(int(row[4]) / int(row[13]), 2))
        for row in (line.split() for line in listing.splitlines()[2:])
        if row[2] == "image"
    ]
    pixel = 0.66 / 72
    wanted = [(50, 25), (60, 60), (40, 20)]
    for (width, height), (wide, tall) in zip(inches, wanted, strict=False):
        assert width == pytest.approx(wide * pixel, abs=0.02)
        assert height == pytest.approx(tall * pixel, abs=0.02)
    assert inches[3][0] == pytest.approx(493 / 2 / 72, abs=0.05)


def test_headings_of_outputs_are_no_chapters_and_formulas_are_titles(tmp_path: Path) -> None:
    outputs = [
        new_output("display_data", data={"text/html": "<h1>From HTML</h1>", "text/plain": "<x at 0x1>"}),
        new_output("display_data", data={"text/markdown": "## From Markdown"}),
    ]
    cells = [
        new_markdown_cell("# One\n\n## $\\alpha^2$\n\nabc\u202edef"),
        new_code_cell("show()", outputs=outputs),
    ]
    (tmp_path / "hw.ipynb").write_text(json.dumps(new_notebook(cells=cells)), encoding="utf-8")
    assert write_pdf([tmp_path / "hw.ipynb"], tmp_path / "hw.pdf") == []
    first, second = text_of(tmp_path / "hw.pdf").split("\f")[:2]
    assert "From" not in first
    assert "From HTML" in second
    assert "From Markdown" in second
    assert "\u202e" not in second
    assert "def" in second
    assert is_accessible(tmp_path / "hw.pdf")  # a heading without a title is not


def test_reads_html_as_people_write_it() -> None:
    page = printable("<ul><li>a<li>b</ul><p>c<p>d<center>e</center>")
    assert page.boxed == []
    assert re.sub(r"<[^>]*>", "", page.html) == "abcde"
    assert "<li>a</li><li>b</li>" in page.html


def test_a_page_of_many_elements_is_shown_as_text() -> None:
    form = best_form({"text/html": "<b>" * 50_000, "text/plain": "its text"})
    assert (form.kind, form.text) == ("text", "its text")
    assert "plain text" in form.warning


# Progress bars and widgets


def test_a_bar_goes_on_where_it_stopped() -> None:
    def piece(name: str, text: str) -> dict[str, str]:
        return {"output_type": "stream", "name": name, "text": text}

    bars = [
        piece("stderr", "\r 0%"),
        piece("stdout", "loss 1\n"),
        piece("stderr", "\r50%"),
        piece("stdout", "loss 2\n"),
    ]
    done = [
        *bars,
        piece("stderr", "\r99%\n"),
        piece("stderr", "a warning\n"),
        piece("stdout", "end\n"),
        piece("stderr", "!"),
    ]
    assert [(each["name"], final_screen(each["text"])) for each in merged(done)] == [
        ("stderr", "99%\n"),
        ("stdout", "loss 1\nloss 2\n"),
        ("stderr", "a warning\n"),
        ("stdout", "end\n"),
        ("stderr", "!"),
    ]


def test_a_widget_shows_what_jupyter_saved() -> None:
    models = {
        "bar": {"_model_name": "HBoxModel", "children": ["IPY_MODEL_a", "IPY_MODEL_b", "IPY_MODEL_c"]},
        "a": {"_model_name": "HTMLModel", "value": "100%"},
        "b": {"_model_name": "FloatProgressModel", "value": 10.0, "min": 0.0, "max": 10.0},
        "c": {"_model_name": "HTMLModel", "value": " 10/10 [00:00&lt;00:00]"},
        "out": {
            "_model_name": "OutputModel",
            "outputs": [new_output("error", ename="E", evalue="v", traceback=["E: v"])],
        },
        "itself": {"_model_name": "VBoxModel", "children": ["IPY_MODEL_itself"]},
        "slider": {"_model_name": "IntSliderModel", "value": 3},
    }

    def shown(name: str) -> list[Any]:
        view = {"output_type": "display_data", "metadata": {}, "data": {VIEW: {"model_id": name}}}
        return list(Widgets(models).replaced([view]))

    assert shown("bar")[0]["text"] == "100% ██████████ 10/10 [00:00<00:00]\n"
    assert shown("out") == [{"output_type": "stream", "name": "stdout", "text": "E: v\n"}]
    views = [{"output_type": "display_data", "metadata": {}, "data": {VIEW: {"model_id": "many"}}}] * 1000
    models["many"] = {"_model_name": "OutputModel", "outputs": views}
    assert len(shown("many")) < 400_000  # and not 1000 in each of 1000 in each of 1000
    for unknown in ("slider", "itself", "absent"):
        assert VIEW in shown(unknown)[0]["data"]
