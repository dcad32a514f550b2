"""Problems 3 and 4 of Homework 2: points, numbers that vary, and the figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import nbformat
import pytest
import torch
from course_modules import HW2, ROOT, hw2
from IPython.display import Image
from nbformat import NotebookNode

from chainrule.authoring.rehearse import rehearse
from chainrule.lesson.results import Result
from chainrule.modules import load
from chainrule.release.numbers import Draw, draw_texts, fill_template, templates, with_numbers

patch_plots = load(HW2, "figures.patches")
volume_plots = load(HW2, "figures.volumes")
p3_cnn = load(HW2, "judging.csc6022_hw2.p3_cnn")
p4_vit = load(HW2, "judging.csc6022_hw2.p4_vit")

torch.set_num_threads(1)

FOLDER = ROOT / "source" / "csc6022-hw2"
P4_ANSWERS = hw2("p4")
P3, P4 = FOLDER / "p3_cnn_arithmetic.ipynb", FOLDER / "p4_cnn_vs_vit.ipynb"
POINTS = {
    "p3_1-volumes": 5.5,
    "p3_1-parameters": 6.5,
    "p4_1-choices": 3,
    "p4_4-patches": 1,
    "p4_5-features": 6,
}


def test_the_same_label_everywhere_earns_little(tmp_path: Path) -> None:
    for label in ("CNN", "ViT", "both", "neither"):
        names = P4_ANSWERS.problem.checks["p4_5-features"]
        source = f"features = dict.fromkeys({names}, {label!r})"
        failed = P4_ANSWERS.failed(["p4_5-features"], {"p4_5-features-answer": source}, tmp_path)
        assert sum(check.points for check in failed["p4_5-features"].values()) >= POINTS["p4_5-features"] - 1


def test_points(tmp_path: Path) -> None:
    auto, manual, maximum = 0.0, 0.0, {}
    for path in (P3, P4):
        for cell in nbformat.read(path, as_version=4).cells:
            about = cell.metadata.get("nbgrader", {})
            if about.get("grade"):
                maximum[about["grade_id"]] = about["points"]
                auto += about["points"] if cell.cell_type == "code" else 0
                manual += about["points"] if cell.cell_type == "markdown" else 0
    assert (auto, manual) == (22, 3)
    for item, points in POINTS.items():  # the reference solution gets all of them
        assert maximum[item] == points
        assert hw2(item[:2]).failed([item], {}, tmp_path)[item] == {}


# ---- numbers that vary ---------------------------------------------------------------------------------------

DRAWS: dict[Path, Draw] = {P3: p3_cnn.draw, P4: p4_vit.draw}


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", DRAWS, ids=lambda path: path.stem)
def test_the_handouts_numbers_give_back_the_source(path: Path) -> None:
    numbers, notebook = draw_texts(DRAWS[path], None), read(path)
    marked = [(snippet, template) for cell in notebook.cells for snippet, template in templates(cell).items()]
    assert len(marked) >= 5
    for snippet, template in marked:
        assert fill_template(template, numbers, "cell") == snippet
    assert [cell.source for cell in with_numbers(notebook, numbers).cells] == [
        cell.source for cell in notebook.cells
    ]


def results(notebook: NotebookNode, tmp_path: Path) -> Iterator[Result]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and "nbgrader" in cell.metadata]
    sources = {cell.metadata.nbgrader.grade_id: cell.source for cell in code}
    items = [cell.metadata.nbgrader.grade_id for cell in code if cell.metadata.nbgrader.grade]
    run = [name for name in sources if name not in items and not name.endswith("look")]
    yield from rehearse(HW2, sources, run, items, tmp_path, visible_checks=True).values()


@pytest.mark.parametrize("path", DRAWS, ids=lambda path: path.stem)
def test_other_numbers_have_their_own_answers(path: Path, tmp_path: Path) -> None:
    notebook, handout, drawn = read(path), draw_texts(DRAWS[path], None), set()
    for seed in range(20):
        numbers = draw_texts(DRAWS[path], Random(seed))
        assert numbers.keys() == handout.keys()
        drawn.add(tuple(numbers.values()))
        for result in results(with_numbers(notebook, numbers), tmp_path):
            assert [check.message for check in result.checks if not check.passed] == []
    assert len(drawn) > 10


def test_no_two_numbers_of_a_variant_are_exchanged_unseen() -> None:
    for seed in range(200):
        net = p3_cnn.random_network(Random(seed))
        sizes = [net.side, net.side // 2, net.side // 4, *net.filters, net.outputs]
        assert len(set(sizes)) == len(sizes)
        assert net.side % 4 == 0
        assert net.kernel % 2 == 1


# ---- the figure ----------------------------------------------------------------------------------------------

RIGHT = {
    "conv1": (32, 32, 10),
    "pool1": (16, 16, 10),
    "conv2": (16, 16, 10),
    "pool2": (8, 8, 10),
    "fc": (10,),
}


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[Image]:
    """Every picture that is displayed."""
    pictures: list[Image] = []
    monkeypatch.setattr("chainrule.lesson.figures.display", pictures.append)
    return pictures


@pytest.mark.parametrize(
    "volumes",
    [
        RIGHT,
        {"conv1": "28x28x10"},
        {**RIGHT, "fc": 10, "pool1": None},
        {**RIGHT, "conv2": (16, 16, 4000)},
        {name: (1, 1, 1) for name in RIGHT},
    ],
)
def test_figure_draws_what_there_is(
    volumes: dict[str, Any], shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    volume_plots.boxes((32, 32, 1), volumes)
    assert capsys.readouterr().out == ""
    (image,) = shown
    assert "input 32 × 32 × 1, conv1 " in image.alt


def test_figure_tells_sizes_in_its_alt_text(shown: list[Image]) -> None:
    volume_plots.boxes((32, 32, 1), {"conv1": (30, 30, 7)})
    assert "conv1 30 × 30 × 7, pool1 ?, conv2 ?" in shown[0].alt


@pytest.mark.parametrize(
    ("volumes", "says"),
    [
        (None, "fill in `volumes`"),
        ({}, "fill in `volumes`"),
        ({"conv1": None}, "fill in `volumes`"),
        ([(32, 32, 10)], "should be a dict"),
        ({"conv1": (32, 32)}, "is 2 numbers"),
        ({"conv1": 10240}, "one number"),
        ({"conv1": "?"}, "no number"),
        ({"conv1": (32, 32, 0)}, "from 1 on"),
        ({"conv1": object()}, "an object"),
        ({"fc": 6_400_000}, "too large"),
    ],
)
def test_figure_says_what_to_do_first(
    volumes: Any, says: str, shown: list[Image], capsys: pytest.CaptureFixture[str]
) -> None:
    volume_plots.boxes((32, 32, 1), volumes)
    told = capsys.readouterr().out
    assert told.startswith("Nothing to draw yet: ")
    assert says in told
    assert shown == []


@pytest.mark.parametrize(
    ("patch", "says"),
    [
        (4, "6 rows of 16 numbers. Two pixels that touch are at row 1, column 13 and row 4, column 1"),
        (2, "24 rows"),
    ],
)
def test_figure_of_patches(patch: int, says: str, shown: list[Image]) -> None:
    patch_plots.matrix(patch=patch)
    assert says in shown[0].alt
    image = patch_plots.hill()
    rows = patch_plots.flattened(image, patch)
    across = image.shape[1] // patch
    for number, row in enumerate(rows):
        y, x = divmod(number, across)
        assert (row == image[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch].flatten()).all()


def test_figure_of_patches_that_do_not_fit(shown: list[Image], capsys: pytest.CaptureFixture[str]) -> None:
    patch_plots.matrix(patch=5)
    assert capsys.readouterr().out == "Nothing to draw yet: `patch` should be 2 or 4 here.\n"
    assert shown == []
