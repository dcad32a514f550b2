"""The figures of the report as SVG, drawn by matplotlib: with the page's colours, light or dark, or with fixed ones."""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chainrule.report.statistics import Arrivals, ItemFigures, Mistake, Told, Totals

# Drawn with these, which are replaced by the page's variables. Each pair of neighbours differs in brightness, too.
COLOURS = {
    "#1c1c1e": "var(--text)",
    "#0b57a4": "var(--one)",
    "#b4621c": "var(--two)",
    "#8a8a91": "var(--three)",
}
TEXT, ONE, TWO, THREE = COLOURS
GROUND = "#fefefe"  # between two bars of a stack
WIDTH, ROW = 7.2, 0.34  # inches
MOST = 12  # bars of a figure; the table below it has all
LABEL = 44  # characters of a line beside a bar
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "hatch.linewidth": 0.6,
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Drawing:
    """A figure.

    Attributes:
        svg: an element for a page that defines --text, --one, --two, --three and --ground.
        plain: a file of its own, with letters as shapes and fixed colours.
        alt: what it shows, in words.
    """

    name: str
    svg: str
    plain: bytes
    alt: str


def distribution(totals: Totals) -> Drawing:
    """How many students have which share of the points; those with something that waits are marked."""
    edges = [step * totals.maximum / 10 for step in range(11)]

    def counts(waits: bool) -> list[int]:
        found = [0] * 10
        for student, points in totals.points.items():
            if bool(totals.waiting[student]) is waits:
                place = int(10 * points / totals.maximum + 1e-9) if totals.maximum else 0
                found[max(0, min(9, place))] += 1
        return found

    final, open_ones = counts(False), counts(True)

    def draw(axes: Axes) -> None:
        width = totals.maximum / 10
        places = [edge + width / 2 for edge in edges[:-1]]
        axes.bar(places, final, width * 0.92, color=ONE, label="final")
        if any(open_ones):
            axes.bar(
                places,
                open_ones,
                width * 0.92,
                final,
                color=TWO,
                hatch="///",
                edgecolor=GROUND,
                label="something waits",
            )
            axes.legend(frameon=False)
        axes.axvline(totals.quantiles()[1], color=TEXT, linewidth=1.2, linestyle="--")
        axes.set_xlabel(f"points of {totals.maximum:g} (dashed: the median)")
        axes.set_ylabel("students")
        axes.set_xlim(0, totals.maximum or 1)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    parts = [
        f"{edges[at]:g} to {edges[at + 1]:g}: {final[at] + open_ones[at]}"
        for at in range(10)
        if final[at] + open_ones[at]
    ]
    alt = (
        f"Histogram of {len(totals.points)} totals, median {totals.quantiles()[1]:.4g} of {totals.maximum:g}. "
        f"Students by points: {'; '.join(parts)}."
    )
    return drawn("distribution", draw, 2.9, alt)


def by_item(items: Sequence[ItemFigures]) -> Drawing:
    """The mean of each item as a share of its maximum."""
    shown = [each for each in items if each.done]
    labels = [each.title for each in shown]
    shares = [100 * each.difficulty for each in shown]

    def draw(axes: Axes) -> None:
        colours = [TWO if each.written else ONE for each in shown]
        bars(axes, labels, shares, colours, [f"{share:.0f} %" for share in shares])
        for each, bar in zip(shown, axes.patches, strict=True):
            if each.written:
                bar.set(hatch="///", edgecolor=GROUND)
        axes.set_xlim(0, 108)
        axes.set_xlabel("mean, % of the item's points (hatched: marked by people)")

    alt = "Mean of each item in per cent: " + "; ".join(
        f"{label} {share:.0f}" for label, share in zip(labels, shares, strict=True)
    )
    return drawn("items", draw, height(labels), f"{alt}.")


def by_mistake(mistakes: Sequence[Mistake], students: int) -> Drawing:
    """The kinds of mistakes that most students made."""
    shown = mistakes[:MOST]
    labels = [mistake.name for mistake in shown]
    counts = [len(mistake.students) for mistake in shown]

    def draw(axes: Axes) -> None:
        texts = [f"{count}  ({places_text(mistake)})" for count, mistake in zip(counts, shown, strict=True)]
        bars(axes, labels, counts, [ONE] * len(shown), texts)
        axes.set_xlim(0, max(students, 1) * 1.5)
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= students and tick == int(tick)])
        axes.set_xlabel(f"students, of {students}")

    alt = f"Mistakes by the number of students, of {students}: " + "; ".join(
        f"{label} {count}" for label, count in zip(labels, counts, strict=True)
    )
    return drawn("mistakes", draw, height(labels), f"{alt}.")


def places_text(mistake: Mistake, most: int = 3) -> str:
    """The items of a mistake by their labels: "1.3, 2 c and 2 more"."""
    labels = list(dict.fromkeys(title.partition(" · ")[0] for title in mistake.items))
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return ", ".join(labels[:most]) + more


def by_told(figures: Sequence[Told]) -> Drawing:
    """Of those who lost points in an item: how many a visible check had told."""
    shown = sorted(figures, key=lambda each: -each.lost)[:MOST]
    labels = [each.title for each in shown]
    parts = [
        ("a visible check had told", ONE, "", [each.told for each in shown]),
        ("no visible check had told", TWO, "///", [each.silent for each in shown]),
        ("handed in without outputs", THREE, "...", [each.unknown for each in shown]),
    ]

    def draw(axes: Axes) -> None:
        left = [0] * len(shown)
        places = list(range(len(shown)))
        for label, colour, hatch, counts in parts:
            if any(counts):
                axes.barh(places, counts, 0.7, left, color=colour, hatch=hatch, edgecolor=GROUND, label=label)
                left = [a + b for a, b in zip(left, counts, strict=True)]
        named(axes, labels)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("students who lost points to the item's checks")
        axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=3, fontsize=8.5)

    alt = "Students who lost points, and whether a visible check had told them: " + "; ".join(
        f"{each.title}: {each.told} told, {each.silent} not told, {each.unknown} unknown" for each in shown
    )
    return drawn("told", draw, height(labels) + 0.3, f"{alt}.")


def by_arrival(arrivals: Arrivals) -> Drawing:
    """When work came in, in hours before the due date."""
    hours = list(arrivals.hours.values())
    first, last = math.ceil(max(*hours, 1.0)), math.floor(min(*hours, -1.0))
    step = next((step for step in (1, 2, 3, 6, 12, 24, 48, 168) if (first - last) / step <= 30), 720)
    edges = [step * place for place in range(math.floor(last / step), math.ceil(first / step) + 1)]
    counts = [sum(low <= each < low + step for each in hours) for low in edges]

    def draw(axes: Axes) -> None:
        for low, count in zip(edges, counts, strict=True):
            late = low < 0
            axes.bar(
                low + step / 2,
                count,
                step * 0.92,
                color=TWO if late else ONE,
                hatch="///" if late else "",
                edgecolor=GROUND,
            )
        axes.axvline(0, color=TEXT, linewidth=1.2, linestyle="--")
        axes.set_xlim(edges[-1] + step, edges[0])
        axes.set_xlabel("hours before the due date (dashed); hatched: late")
        axes.set_ylabel("students")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))

    alt = (
        f"Histogram of when {len(hours)} hand-ins came in: {len(arrivals.late)} late; "
        f"{sum(0 <= each < 24 for each in hours)} in the last 24 hours before the due date."
    )
    return drawn("arrivals", draw, 2.3, alt)


# ---- common ------------------------------------------------------------------------------------------------------


def bars(
    axes: Axes, labels: Sequence[str], lengths: Sequence[float], colours: Sequence[str], texts: Sequence[str]
) -> None:
    """Horizontal bars, the first on top, each with its label before it and a text after it."""
    places = list(range(len(labels)))
    axes.barh(places, lengths, 0.7, color=colours)
    for place, length, text in zip(places, lengths, texts, strict=True):
        axes.annotate(text, (length, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    named(axes, labels)


def named(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [wrapped(label) for label in labels])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(labels) - 0.5, -0.5)


def wrapped(label: str) -> str:
    """A label in at most two lines."""
    return "\n".join(textwrap.wrap(label, LABEL, max_lines=2, placeholder="…"))


def height(labels: Sequence[str]) -> float:
    """Inches for horizontal bars."""
    return 0.75 + ROW * max(2, len(labels))


def drawn(name: str, draw: object, inches: float, alt: str) -> Drawing:
    """A figure in both forms."""
    assert callable(draw)
    files = []
    for fonts in ("none", "path"):
        with rc_context({**STYLE, "svg.fonttype": fonts, "svg.hashsalt": name}):
            figure = Figure((WIDTH, inches), layout="constrained")
            figure.patch.set_alpha(0)
            axes = figure.add_subplot()
            axes.patch.set_alpha(0)
            draw(axes)
            file = io.BytesIO()
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
            files.append(file.getvalue())
    return Drawing(name, as_element(files[0].decode(), name), files[1], alt)


def as_element(svg: str, name: str) -> str:
    """The file as an element of a page: with the page's colours, ids that no other figure has, and no fixed size."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg class="figure" aria-hidden="true" \1>', svg, count=1
    )
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for colour, variable in COLOURS.items():
        svg = svg.replace(colour, variable)
    return re.sub(r"<!--.*?-->", "", svg.replace(GROUND, "var(--ground)"), flags=re.DOTALL)
