"""What every figure has: a limit of time, and enough pixels."""

from io import BytesIO
from typing import Any

import PIL.Image
import pytest
from matplotlib.figure import Figure

from chainrule.lesson import figures


def drawn(monkeypatch: pytest.MonkeyPatch, draw: Any) -> list[Any]:
    """What a figure displays."""
    shown: list[Any] = []
    monkeypatch.setattr(figures, "display", shown.append)
    figures.picture(draw)()
    return shown


def test_an_endless_loop_in_a_figure_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def draw() -> tuple[Figure, str]:
        while True:
            pass

    monkeypatch.setattr(figures, "DRAW_SECONDS", 0.2)
    assert drawn(monkeypatch, draw) == []
    said = capsys.readouterr().out
    assert said == "Nothing to draw yet: your code did not finish within 0.2 seconds: an endless loop.\n"


def test_a_figure_has_two_pixels_for_each_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw() -> tuple[Figure, str]:
        figure = figures.blank(200, "A title", "A subtitle")
        figure.add_axes((0.1, 0.1, 0.8, 0.6)).plot([0, 1, 4, 9])
        return figure, "a curve"

    (image,) = drawn(monkeypatch, draw)
    with PIL.Image.open(BytesIO(image.data)) as picture:
        assert picture.width == 2 * figures.WIDTH
    assert (image.width, image.alt) == (figures.WIDTH, "a curve")
    assert len(image.data) < 40_000
