"""The design of the pages. Jinja2 escapes every value except those that the exporter marks as HTML."""

# Colours have a contrast of at least 4.5 to 1 with their backgrounds, and none is the only sign of something.
STYLE = """
:root { color-scheme: light }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; color: #1c1c1e; background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; margin: 1.4em 0 .5em }
h1 { font-size: 1.6rem; margin-top: 0 } h2 { font-size: 1.3rem } h3 { font-size: 1.15rem }
h4, h5, h6 { font-size: 1rem }
header p { margin: .3rem 0 } .course { color: #55555a } .sum { font-size: 1.15rem }
.first li { margin: .4rem 0 } .hint { color: #55555a }
.request { font-size: .9rem } .request pre { user-select: all; background: #f3f3f6 } .answered { background: #eef6ee }
a { color: #0b57a4 }
:focus-visible { outline: 3px solid #0b57a4; outline-offset: 2px }
pre { font: .85rem/1.45 ui-monospace, monospace; white-space: pre-wrap; margin: .5rem 0; padding: .5rem .7rem;
  border-radius: 3px }
code { font-family: ui-monospace, monospace; font-size: .9em }
.code, .highlight, pre.code { background: #f8f8f8 }
pre.out { background: none; border-left: 3px solid #c9c9ce }
pre.error { border-left-color: #b3261e; background: #fdf3f2 }
.scroll, .checks, .wide { overflow: auto hidden; max-width: 100% } .wide { display: inline-block }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #d5d5da; text-align: left; vertical-align: top }
table.points { min-width: 60%; margin: .5rem 0 1.5rem }
table.points caption { text-align: left; padding: .3rem 0 }
.points td, .points thead th + th { text-align: right; white-space: nowrap }
.points thead th, .points tbody tr:last-child > * { border-bottom: 2px solid #6b6b70 }
.points .part th { font-weight: normal; padding-left: 1.8rem } .points .total > * { font-weight: bold }
.item, .answer { border-left: 4px solid #0b57a4; padding-left: .9rem; margin: 1.2rem 0 }
.answer { border-left-color: #c9c9ce }
.label { margin: 0 0 .4rem } .note { color: #55555a; font-style: italic }
.comment { background: #fff7e0; padding: .6rem .8rem; margin: .7rem 0; border-radius: 3px }
.comment .label, .rows .label { font-weight: bold }
.rows td:first-child { white-space: nowrap }
blockquote { border-left: 3px solid #c9c9ce; margin: .5rem 0; padding-left: .9rem }
.checks caption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
.checks { position: relative }
img { max-width: 100%; height: auto }
.display { display: block; text-align: center; margin: .8rem 0 } .formula { overflow: visible; max-width: none }
.source { color: #a61b1b; background: #fff3f3; border: 1px solid #a61b1b; padding: 0 .2em; white-space: pre-wrap }
.glyphs { position: absolute; width: 0; height: 0 }
summary { cursor: pointer; color: #0b57a4 }
@media print { body { max-width: none } details, .label a { display: none } .item { break-inside: avoid-page } }
"""

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
"""

_FOOT = """
<tbody>
{% if points.deducted %}
<tr><th scope="row">Sum</th><td>{{ points_text(points.sum, points.maximum) }}</td>
<td>{{ points_text(points.maximum, points.maximum) }}</td></tr>
<tr><th scope="row">Taken off</th><td>−{{ points_text(points.deducted, points.maximum) }}</td><td></td></tr>
{% endif %}
<tr class="total"><th scope="row">Total{{ " so far" if points.waits }}</th>
<td>{{ points_text(points.total, points.maximum) }}</td><td>{{ points_text(points.maximum, points.maximum) }}</td></tr>
</tbody>
"""

_MACROS = """
{% macro cells(one) %}
<td>{{ "not marked yet" if one.waits and one.score == 0 else points_text(one.score, one.maximum) }}{{
" so far" if one.waits and one.score }}</td><td>{{ points_text(one.maximum, one.maximum) }}</td>
{% endmacro %}
{% macro rows(points, page, items) %}
{% for question in points.questions %}
{% set alone = question.items | length == 1 %}
<tr><th scope="row">
{% if alone %}{{ item(question.items[0].name, question.items[0].title or question.title, page, items) }}
{% else %}{{ question.title }}{% endif %}</th>
{{ cells(question.items[0] if alone else {"score": question.sum, "maximum": question.maximum, "waits": question.waits})
}}</tr>
{% if not alone %}{% for one in question.items %}
<tr class="part"><th scope="row">{{ item(one.name, one.called, page, items) }}</th>{{ cells(one) }}</tr>
{% endfor %}{% endif %}
{% endfor %}
{% endmacro %}
{% macro item(name, title, page, items) %}
{% if items is none or name in items %}<a href="{{ page }}#item-{{ name }}">{{ title }}</a>
{% else %}{{ title }}{% endif %}
{% endmacro %}
{% macro head(what) %}
<thead><tr><th scope="col">{{ what }}</th><th scope="col">Points</th><th scope="col">Out of</th></tr></thead>
{% endmacro %}
"""

_STUDENT = """
<p>{{ context.student_name or context.student }}{% if context.student_name %} ({{ context.student }}){% endif %}</p>
{% for sentence in context.told %}<p class="told">{{ sentence }}</p>{% endfor %}
"""

_SUM = """
<p class="sum"><strong>{{ points_text(points.total, points.maximum) }} of {{ counted(points_text(points.maximum,
points.maximum)) }}</strong>{% if points.waits %} so far: {{ points.waiting | length }} answer{{
"s" if points.waiting | length > 1 }} ({{ counted(points_text(points.waiting | sum(attribute="maximum"),
points.maximum)) }}) still wait{{ "s" if points.waiting | length == 1 }} for a marker{% endif
%}{% if points.deducted %}; {{ counted(points_text(points.deducted, points.maximum)) }} are taken off, as said
above{% endif %}.</p>
"""

_FIRST = """
{% set all = points.items | selectattr("has_all") | list %}
{% if all or first %}
<h2 id="first">In short</h2>
{% if all %}<p>All points in {% if all | length > 4 %}{{ all | length }} of {{ points.items | length }} items{% else
%}{{ all | map(attribute="called") | join("; ") }}{% endif %}.</p>{% endif %}
{% if first %}
<p>Look at this first:</p>
<ol class="first">
{% for advice in first %}
<li>{% for place in advice.places %}
{%- if place.notebook in graded %}<a href="{{ address(place) }}">{{ place.title }}</a>
{% else %}{{ place.title }}{% endif %}{{ ", " if not loop.last }}{% endfor %}
({{ counted(points_text(advice.lost, points.maximum)) }}): {{ advice.text }}
{% if advice.hint %}<span class="hint">Hint: {{ advice.hint }}</span>{% endif %}</li>
{% endfor %}
</ol>
{% endif %}
{% endif %}
"""

PAGE = (
    _MACROS
    + """{% set title = "Feedback: " ~ heading ~ ", " ~ context.student %}"""
    + _HEAD
    + """
<body>
{{ glyphs }}
<header>{% if context.head %}<p class="course">{{ context.head.course }}</p>{% endif %}
<h1>Feedback: {{ heading }}</h1>"""
    + _STUDENT
    + _SUM
    + """{% if index %}<p><a href="{{ index }}">All notebooks of {{ context.head.assignment if context.head else
context.assignment }}</a></p>{% endif %}
</header>
<main>"""
    + _FIRST
    + """
<h2 id="points">Points</h2>
<table class="points"><caption>Points by question</caption>
{{ head("Question") }}
<tbody>
{{ rows(points, "", items) }}
</tbody>"""
    + _FOOT
    + """
</table>
<h2>Your work</h2>
<div id="notebook-container">
{{ body }}
</div>
</main>
</body>
</html>
"""
)

INDEX = (
    _MACROS
    + """{% set points = total %}{% set title = "Feedback: " ~ heading ~ ", " ~ context.student %}"""
    + _HEAD
    + """
<body>
<header>{% if context.head %}<p class="course">{{ context.head.course }}</p>{% endif %}
<h1>Feedback: {{ heading }}</h1>"""
    + _STUDENT
    + _SUM
    + """</header>
<main>"""
    + _FIRST
    + """
<h2>Points</h2>
<table class="points"><caption>Points by notebook</caption>
{{ head("Notebook") }}
<tbody>
{% for one in notebooks %}
<tr><th scope="row">{% if one.title in graded %}<a href="{{ one.title | urlencode }}.html">{{ called(one) }}</a>
{% else %}{{ called(one) }}{% endif %}{{ " (doesn't count)" if not one.counts }}</th>
<td>{{ points_text(one.sum, one.maximum) }}{{ " so far" if one.waits }}</td>
<td>{{ points_text(one.maximum, one.maximum) }}</td></tr>
{% endfor %}
</tbody>
"""
    + _FOOT
    + """
</table>
{% for one in notebooks %}
<h2>{{ called(one) }}</h2>
{% if one.title not in graded %}<p class="note">Nothing that could be graded was handed in.</p>{% endif %}
<table class="points"><caption>Points by question in {{ called(one) }}</caption>
{{ head("Question") }}
<tbody>
{{ rows(one, (one.title | urlencode) ~ ".html", none if one.title in graded else ()) }}
</tbody></table>
{% endfor %}
</main>
</body>
</html>
"""
)

NOTHING = (
    """{% set title = "Feedback: " ~ head.assignment ~ ", " ~ student %}"""
    + _HEAD
    + """
<body>
<header><p class="course">{{ head.course }}</p>
<h1>Feedback: {{ head.assignment }}</h1>
<p>{{ name or student }}{% if name %} ({{ student }}){% endif %}</p>
</header>
<main><p class="sum">{{ reason }}</p></main>
</body>
</html>
"""
)
