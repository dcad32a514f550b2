"""The ranking as one HTML file without scripts, pairs side by side."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jinja2 import Environment
from markupsafe import Markup

from chainrule.similar.compare import MAX_EXPECTED, Comparison, Pair, QuestionMatch
from chainrule.similar.handins import Corpus, Handin, Question

MAX_SHOWN = 12_000  # characters of an answer in one pair, so that the file can be opened
MIN_SHARE = 0.02  # of a pair's evidence; questions with less are left out
RARE, COMMON = np.log(10) ** 2, np.log(2) ** 2  # weights of what a tenth and a half of the class has
BARS = 60
GAP = re.compile(r"[^\w#\n]+")  # between two marked words of a line, but not before a comment


class Side(NamedTuple):
    """One student's answer as HTML."""

    student: str
    text: Markup


def page(
    corpus: Corpus,
    comparison: Comparison,
    assignment: str,
    terms: Iterable[str] = (),
    names: Mapping[str, str] | None = None,
) -> str:
    """The page.

    Args:
        terms: the names of the past terms.
        names: of this term's students, by id.
    """
    ours = [handin for handin in corpus.handins if not handin.term]
    past = len(corpus.handins) - len(ours)
    pairs = [(pair, list(_questions(comparison, pair))) for pair in comparison.pairs]
    return PAGE.render(
        assignment=assignment,
        students=len(ours),
        past=past,
        terms=list(terms),
        count=len(comparison.evidence),
        chance=comparison.chance,
        standing_out=comparison.standing_out,
        pairs=pairs,
        histogram=_histogram(comparison.evidence, comparison.chance.threshold),
        unreadable=corpus.unreadable,
        cut=[(handin, question) for handin in corpus.handins for question in handin.cut],
        max_expected=MAX_EXPECTED,
        name=partial(name, names=names),
        printable=printable,
        strength=comparison.strength,
        by_chance=lambda pair: _expected_text(pair.expected),
        same_name=lambda pair: pair.first.student == pair.second.student,
    )


def _expected_text(expected: float) -> str:
    """The expected number of such pairs, with few digits, as it is an estimate."""
    if math.isnan(expected):
        return "–"
    return "many" if expected >= 10 else f"{expected:.2g}" if expected >= 1e-4 else "< 0.0001"


def name(handin: Handin, names: Mapping[str, str] | None = None) -> str:
    """The student of a hand-in, with the term if it is a past one, else with the name if `names` has it."""
    more = handin.term or (names or {}).get(handin.student)
    return printable(f"{handin.student} ({more})" if more else handin.student)


def printable(text: str) -> str:
    """The text without control characters, such as those that change the direction of writing."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)


def _questions(comparison: Comparison, pair: Pair) -> Iterator[tuple[QuestionMatch, list[Side]]]:
    for match in pair.questions:
        if match.evidence >= MIN_SHARE * pair.evidence:
            both = pair.first, pair.second
            yield match, [Side(name(each), _marked(comparison, match.question, each, both)) for each in both]


def _marked(
    comparison: Comparison, question: Question, handin: Handin, both: tuple[Handin, Handin]
) -> Markup:
    """The answer of `handin`, with marks on what both share; rare parts are marked more strongly."""
    text, weights = handin.answers[question], comparison.weights[question]
    first, second = (comparison.fingerprints_of(each, question) for each in both)
    levels = np.zeros(len(text), np.int8)
    positions = comparison.fingerprints_of(handin, question)
    for fingerprint in first.keys() & second.keys():
        weight = weights.get(fingerprint, 0.0)
        level = 2 if weight >= RARE else 1 if weight >= COMMON else 0
        for start, end in positions[fingerprint] if level else []:
            np.maximum(levels[start:end], level, out=levels[start:end])
    for gap in GAP.finditer(text):
        start, end = gap.span()
        if start > 0 and end < len(text):
            np.maximum(levels[start:end], min(levels[start - 1], levels[end]), out=levels[start:end])
    levels, cut = levels[:MAX_SHOWN], len(text) > MAX_SHOWN
    edges = [0, *(np.flatnonzero(np.diff(levels)) + 1).tolist(), len(levels)]
    html = Markup("")
    for start, end in pairwise(edges):
        if start < end:
            html += MARKS[int(levels[start])].format(printable(text[start:end]))
    return html + (Markup("<p>… The rest is in the notebook.</p>") if cut else Markup(""))


MARKS = (Markup("{}"), Markup('<mark class="some">{}</mark>'), Markup("<mark>{}</mark>"))


def _histogram(evidence: np.ndarray, threshold: float) -> Markup:
    """A histogram of all pairs by evidence, as SVG; heights are logarithmic, so that single pairs can be seen."""
    if not len(evidence) or evidence[0] <= 0:
        return Markup("")
    end = max(float(evidence[0]), threshold if np.isfinite(threshold) else 0.0) * 1.02
    counts, edges = np.histogram(evidence, BARS, (0, end))
    heights = np.log1p(counts) / np.log1p(counts.max()) * 90
    bars = Markup("").join(
        Markup(
            '<rect class="{}" x="{}" y="{:.1f}" width="9" height="{:.1f}"><title>{} pairs</title></rect>'
        ).format("out" if left >= threshold else "in", 10 * i, 100 - height, height, count)
        for i, (left, height, count) in enumerate(zip(edges, heights, counts, strict=False))
        if count
    )
    line = Markup("")
    if np.isfinite(threshold):
        x = threshold / end * 10 * BARS
        line = Markup('<line x1="{0:.0f}" x2="{0:.0f}" y1="0" y2="100"/>').format(x)
    return Markup(
        '<svg viewBox="0 0 {} 102" role="img" aria-label="All pairs by evidence, few to the right">{}{}</svg>'
    ).format(10 * BARS, bars, line)


PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Similar answers: {{ assignment }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 0 auto; padding: 1.5rem;
       max-width: 92rem }
h1 { margin: 0 0 .3em }
h1, h2, h3 { line-height: 1.2 }
.caution { border-left: 6px solid #a64b00; background: #fff6ec; padding: .6rem 1rem; max-width: 60rem }
p, ul { max-width: 60rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .25rem .8rem; border-bottom: 1px solid #ccc; vertical-align: top }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums }
.flag { color: #8a1c00; font-weight: 600 }
svg { width: 100%; max-width: 60rem; height: 8rem; display: block; border-bottom: 1px solid #777 }
rect.in { fill: #5b7a99 } rect.out { fill: #b3261e } line { stroke: #b3261e; stroke-dasharray: 4 3 }
details { border: 1px solid #bbb; border-radius: 6px; margin: .7rem 0; padding: 0 1rem }
details[open] { padding-bottom: 1rem }
summary { cursor: pointer; padding: .6rem 0 }
.sides { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem }
.sides h4 { margin: 0 0 .3rem }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f6f4; border: 1px solid #ddd; margin: 0;
      padding: .6rem; font: 13px/1.45 ui-monospace, Menlo, Consolas, monospace }
pre.words { font: 15px/1.5 system-ui, sans-serif }
mark { background: #ffd27a; color: #000; text-decoration: underline 2px #a64b00 }
mark.some { background: #fdf0d0; color: #000; text-decoration: none }
@media (max-width: 50rem) { .sides { grid-template-columns: 1fr } }
</style>
</head>
<body>
<main>
<h1>Similar answers: {{ assignment }}</h1>
<p>{{ students }} hand-ins{% if past %}, compared with one another and with {{ past }} of past terms
({{ terms | join(", ") }}){% endif %}: {{ count }} pairs.</p>
<div class="caution" role="note">
<strong>Evidence to read, not a verdict.</strong> A high rank says that two answers share what few others share. It
does not say why: working together where that is allowed, a common source, a tutor, or chance. Nor does it say who wrote
first. Read both sides, ask both people, and follow your institution's rules.
</div>
<h2>What is usual in this class</h2>
{{ histogram }}
{% if not chance.has_enough_pairs %}
<p>There are too few pairs to say what is usual. Only their order means something, and not much.</p>
{% else %}
<p>{% if standing_out %}<span class="flag">{{ standing_out }} of {{ count }} pairs stand out</span>{% else %}
<strong>No pair stands out</strong>: the top of the list is as similar as in an honest class{% endif %}.
Evidence is given as a multiple of the threshold above which a pair stands out (the dashed line; the heights are
logarithmic). The threshold comes from the class, by an exponential tail fitted to the top quarter of its pairs: about
{{ "%.0f" | format(100 * max_expected) }} in 100 honest classes like this one have a pair above it. “By chance” is the
expected number of pairs with at least this evidence.</p>
{% endif %}
<p>Texts and code of the release do not count, and what most students write counts very little. In code, names, comments
and layout are ignored. <mark>Marked like this</mark>: shared by both and by few others;
<mark class="some">like this</mark>: by both, and by many.</p>
<h2>Pairs</h2>
{% if not pairs %}
<p>No two hand-ins share anything worth showing.</p>
{% else %}
<table>
<thead><tr><th class="number" scope="col">Rank</th><th scope="col">Pair</th><th class="number" scope="col">Evidence</th>
<th class="number" scope="col">By chance</th><th scope="col">Mostly in</th></tr></thead>
<tbody>
{% for pair, questions in pairs %}
<tr><td class="number"><a href="#pair-{{ loop.index }}">{{ loop.index }}</a></td>
<td>{{ name(pair.first) }} · {{ name(pair.second) }}
{% if pair.stands_out %}<span class="flag">stands out</span>{% endif %}
{% if pair.second.term %}<em>past term{{ ", the same name" if same_name(pair) }}</em>{% endif %}</td>
<td class="number">{{ strength(pair) }}</td>
<td class="number">{{ by_chance(pair) }}</td>
<td>{% for match, sides in questions[:3] %}{{ match.question.name }} ({{ "%.0f" | format(100 * match.share) }} %)
{%- if not loop.last %}, {% endif %}{% endfor %}</td></tr>
{% endfor %}
</tbody></table>
<p>In brackets: how much of what distinguishes the shorter answer is also in the other one.</p>
<h2>Side by side</h2>
{% for pair, questions in pairs %}
<details id="pair-{{ loop.index }}"{{ " open" if loop.first }}>
<summary><strong>{{ loop.index }}. {{ name(pair.first) }} · {{ name(pair.second) }}</strong>
– evidence {{ strength(pair) }}{% if pair.stands_out %} <span class="flag">stands out</span>{% endif %}</summary>
{% if same_name(pair) %}<p>The same name in a past term: perhaps the same person, who repeats the course.</p>{% endif %}
{% for one in (pair.first, pair.second) if one.notes %}
<p>{{ name(one) }} writes: {% for text in one.notes %}“{{ printable(text) }}” {% endfor %}</p>
{% endfor %}
{% for match, sides in questions %}
<h3>{{ match.question.name }} – {{ "%.0f" | format(100 * match.share) }} %,
{{ "%.0f" | format(100 * match.evidence / pair.evidence) }} % of the evidence</h3>
<div class="sides">
{% for side in sides %}
<section><h4>{{ side.student }}</h4>
<pre{% if not match.question.is_code %} class="words"{% endif %}>{{ side.text }}</pre></section>
{% endfor %}
</div>
{% endfor %}
</details>
{% endfor %}
{% endif %}
{% if unreadable or cut %}
<h2>Not compared</h2>
<ul>
{% for path, reason in unreadable.items() %}<li>{{ printable(path) }}: {{ reason }}</li>
{% endfor %}
{% for handin, question in cut %}<li>{{ name(handin) }}, {{ question.name }}: only the beginning of a very long answer
was compared</li>
{% endfor %}
</ul>
{% endif %}
</main>
</body>
</html>
""")
