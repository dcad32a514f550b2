r"""TeX formulas: where they stand in Markdown, and what they look like.

JupyterLab takes formulas out of a Markdown cell before it reads the Markdown, so that `a_1 * b_1` inside
dollars is not taken for emphasis, and hands them to MathJax. We do both the same way, so the PDF shows what
the notebook showed.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LONGEST = 5_000  # characters; MathJax takes two seconds over these, and nobody writes more by hand


class FormulaError(ValueError):
    """A formula that MathJax cannot typeset; the message says why."""


@dataclass(frozen=True)
class Formula:
    """A typeset formula. Lengths are in em of the text around it.

    `baseline` is how far the baseline lies above the lower edge. A formula that only defines macros has no
    width.
    """

    svg: str
    width: float
    height: float
    baseline: float


_OPERATORS = ["exp", "log", "ln", "sin", "cos", "tan", "cot", "sec", "csc"]
_OPERATORS += ["sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan"]

# Said to MathJax before the first formula. quickjax always loads the `physics` package, which takes \div, \Re
# and \Im over and reads \log[x] as a power; here they mean again what they mean in Jupyter. Equation numbers
# become part of the formula (`Labels`): MathJax would otherwise set them at the edge of a page that it does not know.
_DEFINITIONS = [
    *(rf"\DeclareMathOperator{{\{name}}}{{{name}}}" for name in _OPERATORS),
    *(rf"\DeclareMathOperator*{{\{name}}}{{{name}}}" for name in ("det", "Pr")),
    r"\def\div{\mathbin{÷}} \def\Re{\mathord{ℜ}} \def\Im{\mathord{ℑ}}",
    r"\def\require#1{} \def\bm#1{\boldsymbol{#1}} \def\bold#1{\mathbf{#1}}",
    r"\def\mathbbm#1{\mathbb{#1}} \def\mathds#1{\mathbb{#1}} \def\hfill{\quad}",
    r"\newcommand{\smash}[2][]{#2}",  # what sticks out of its box would be cut off
]


_DEFINES = re.compile(r"\\(?:def|let|(?:re)?new(?:command|environment)|Declare\w+|label)\b")
_MULTLINE = re.compile(r"\\(begin|end)\{multline\*?\}")
_REFERENCE = re.compile(r"\\(?P<parentheses>eq)?ref\s*\{(?P<label>[^{}]*)\}")


# What numbers the rows of an equation: LaTeX's numbered environments, row ends, tags and labels.
_NUMBERED = ("equation", "align", "alignat", "flalign", "gather", "eqnarray")
_NUMBERING = re.compile(
    r"""
      \\(?P<edge>begin|end)\s*\{(?P<name>[a-zA-Z]+)\*?\}
    | (?P<row>\\\\)
    | \\label\s*\{(?P<label>[^{}]*)\}
    | \\tag(?P<bare>\*?)\s*\{(?P<tag>(?:[^{}]|\{[^{}]*\})*)\}
    """,
    re.VERBOSE,
)


class Labels:
    r"""The numbers of a notebook's equations: what `\ref` shows for a `\label`, wherever the two stand.

    A row's number is its `\tag`; a row with a label and no tag gets the next number that is nobody's tag.
    MathJax, which sees one formula at a time and not the page, can do neither.
    """

    def __init__(self, formulas: Iterable[str] = ()) -> None:
        rows = [row for tex in formulas for row in self._rows(tex)]
        taken = {tag.strip("()") for _, tag in rows}
        numbers = (str(number) for number in itertools.count(1) if str(number) not in taken)
        self._numbers: dict[str, str] = {}
        for labels, tag in rows:
            if labels and not tag:
                tag = f"({next(numbers)})"
            for label in labels:
                self._numbers.setdefault(label, tag)

    def resolved(self, tex: str) -> str:
        """`tex` with numbers for its labels, tags and references; an unknown label is shown itself."""
        return _REFERENCE.sub(self._reference, self._numbered(tex))

    def _reference(self, match: re.Match[str]) -> str:
        shown = self._numbers.get(match["label"], match["label"].replace("_", r"\_"))
        bare = shown[1:-1] if shown.startswith("(") and shown.endswith(")") else shown
        return rf"\text{{({bare})}}" if match["parentheses"] else rf"\text{{{bare}}}"

    def _numbered(self, tex: str) -> str:
        """`tex` with each row's number as text at the row's end, whatever place its tag or label has."""
        written: list[str] = []
        for piece, labels, tag in self._pieces(tex):
            if not tag and labels:
                tag = self._numbers.get(labels[0], "")
            written += [rf"\qquad\text{{{tag}}}"] if tag else []
            written.append(piece)
        return "".join(written)

    def _rows(self, tex: str) -> Iterator[tuple[list[str], str]]:
        for _, labels, tag in self._pieces(tex):
            if labels or tag:
                yield labels, tag

    @staticmethod
    def _pieces(tex: str) -> Iterator[tuple[str, list[str], str]]:
        """`tex` without labels and tags; where a row ends, they are told before the piece that ends it."""
        opened: list[str] = []
        labels: list[str] = []
        tag, end = "", 0
        for token in _NUMBERING.finditer(tex):
            yield tex[end : token.start()], [], ""
            end = token.end()
            if token["label"] is not None:
                labels.append(token["label"])
            elif token["tag"] is not None:
                tag = token["tag"] if token["bare"] else f"({token['tag']})"
            else:
                ends = all(name in _NUMBERED for name in opened) and token["edge"] != "begin"
                yield (token[0], labels, tag) if ends else (token[0], [], "")
                if ends:
                    labels, tag = [], ""
                if token["edge"] == "begin":
                    opened.append(token["name"])
                elif token["edge"] and opened:
                    opened.pop()
        yield tex[end:], [], ""
        yield "", labels, tag


class MathJax:
    """Typesets formulas in order; a macro that one of them defines is known to the later ones.

    Raises `ImportError` where quickjax is not installed.
    """

    def __init__(self, labels: Labels | None = None) -> None:
        from quickjax import MathJaxRenderer  # here, so that the browser's route works without it

        self._labels = labels or Labels()
        self._renderer = MathJaxRenderer()
        for definition in _DEFINITIONS:
            self._renderer.render(definition)

    def to_svg(self, tex: str, display: bool) -> Formula:
        """Typeset `tex`, which has no dollars around it; raises `FormulaError`."""
        if len(tex) > LONGEST:
            raise FormulaError(f"longer than {LONGEST} characters")
        # MathJax copies the source into the SVG, where a control character would be no XML.
        tex = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]", " ", tex)
        tex = self._labels.resolved(tex)
        tex = _MULTLINE.sub(
            r"\\\1{gathered}", tex
        )  # which MathJax makes as wide as a page, and it knows no page
        try:
            svg = self._renderer.render(tex, display=display)
        except Exception as error:  # of quickjax, or of the JavaScript engine below it
            raise FormulaError(f"MathJax gives up ({error.__cause__ or error})") from error
        if problem := _problem(svg):
            raise FormulaError(problem)
        box = re.match(r'<svg[^>]*? viewBox="\S+ (\S+) (\S+) (\S+)"', svg)
        if not box:
            raise FormulaError("MathJax gives no size for it")
        top, width, height = (float(number) / 1000 for number in box.groups())  # 1000 units are 1 em
        if "<use" not in svg and width <= 0.016:  # MathJax's least size: nothing to see
            if not _DEFINES.search(tex):
                raise FormulaError("it shows nothing")
            return Formula("", 0, 0, 0)
        return Formula(_drawable(svg), width, height, baseline=top + height)


_BREAKS = re.compile(
    r"""
      (?P<open>\{|\\left\b|\\begin\b) | (?P<close>\}|\\right\b|\\end\b) | (?P<rows>\\\\|&)
    | (?P<sign>[-+=<>]|\\(?:le|leq|ge|geq|approx|equiv|sim|propto|times|cdot|pm|to|implies|iff|quad|qquad)\b)
    | \\.
    """,
    re.VERBOSE | re.DOTALL,
)


def in_lines(tex: str, lines: int) -> str | None:
    """A formula that is too wide, in about so many lines, broken at its signs; None if it has none outside braces
    and environments, or is an array at heart."""
    signs, depth = [], 0
    for token in _BREAKS.finditer(tex):
        if token["rows"] and not depth:
            return None
        depth += bool(token["open"]) - bool(token["close"])
        if token["sign"] and not depth and tex[: token.start()].strip():
            signs.append(token.start())
    ends = [0]
    for line in range(1, lines):
        due = len(tex) * line / lines
        ahead = [sign for sign in signs if sign > ends[-1]]
        if ahead:
            ends.append(min(ahead, key=lambda sign: abs(sign - due)))
    if len(ends) == 1:
        return None
    pieces = [tex[start:end] for start, end in itertools.pairwise([*ends, len(tex)])]
    return r"\begin{aligned} &" + r" \\ &\qquad {}".join(pieces) + r"\end{aligned}"


def _problem(svg: str) -> str | None:
    """What MathJax says only in the picture: a syntax error, or an undefined macro's name in red."""
    if error := re.search(r'data-mjx-error="([^"]*)"', svg):
        return html.unescape(error[1])
    # A red colour that the author asked for stands on an element around the text, never on the text itself.
    if macro := re.search(r'<g data-mml-node="mtext" fill="red"[^>]*>((?:<use data-c="\w+"[^>]*>)+)', svg):
        letters = re.findall(r'data-c="(\w+)"', macro[1])
        return "undefined macro " + "".join(chr(int(code, 16)) for code in letters)
    return None


def _drawable(svg: str) -> str:
    """The SVG as a drawing on its own: MathJax leaves lines in arrays to the web page's style sheet."""
    svg = re.sub(r' (?:style|width|height)="[^"]*"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    svg = re.sub(r"<(line|rect) data-(line|frame)=", r'<\1 stroke-width="60" fill="none" data-\2=', svg)
    svg = re.sub(r'(<(?:line|rect) [^>]*class="mjx-dashed")', r'\1 stroke-dasharray="140"', svg)
    svg = re.sub(r"MJX-\d+-", "MJX-", svg)  # so that equal formulas are equal files
    return svg.replace("currentColor", "black")


# What begins, ends or hides a formula. Code comes first: its dollars are dollars, and so are escaped ones.
_TOKEN = re.compile(
    r"""
      (?P<code>
          ^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(?P<fence>`{3,}|~{3,})[^\n`]*\n
             (?:.*?^[ \t>]*(?P=fence)[`~]*[ \t]*$ | .*\Z)
        | (?<!`)(?P<ticks>`++)(?:(?!\n[ \t]*\n).){1,2000}?(?<!`)(?P=ticks)(?!`)
      )
    | (?P<gap>\n[ \t]*\n)
    | (?P<mark>\$\$? | \\\\[()\[\]] | \\(?:begin|end)\{[a-zA-Z]*\*?\})
    | (?P<reference>\\(?:eq)?ref\{[^{}\n]*\})
    | \\.
    """,
    re.VERBOSE | re.MULTILINE | re.DOTALL,
)
_CLOSED_BY = {"$": "$", "$$": "$$", r"\\(": r"\\)", r"\\[": r"\\]"}
# "$5 and $6" is money, though Jupyter takes it for the formula "5 and": a digit behind both dollars, or a
# space before the second one and a word or a formula behind it.
_MONEY = re.compile(r"\$\d[^$]*(?:\$\d|\s\$[\w\\{(])")
_PLACE = re.compile("\ue000(\\d+)\ue001")  # private-use characters: no Markdown, no letters of anybody's


@dataclass(frozen=True)
class Found:
    """A formula in a Markdown text: its TeX, whether it has a line of its own, and how it was written."""

    tex: str
    display: bool
    source: str


def formulas(markdown: str) -> Iterator[tuple[int, Found]]:
    """Each formula, after the position where it begins. An empty line ends a formula that nothing closed."""
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(markdown):
        mark = token[0]
        if token["gap"]:
            opened = None
        elif token["reference"] and not opened:
            yield token.start(), Found(mark, False, mark)
        elif token["mark"] and not opened:
            opened = token if mark in _CLOSED_BY or mark.startswith(r"\begin") else None
        elif opened and mark == _CLOSED_BY.get(opened[0], opened[0].replace("begin", "end")):
            if mark == "$" and _MONEY.fullmatch(markdown, opened.start(), token.end() + 1):
                opened = token
                continue
            source = markdown[opened.start() : token.end()]
            bare = opened[0].startswith(r"\begin")  # an environment is its own delimiter
            tex = source if bare else markdown[opened.end() : token.start()]
            if tex.strip():
                yield opened.start(), Found(tex, opened[0] not in ("$", r"\\("), source)
            opened = None


class Places:
    """A Markdown text without its formulas: `text` has a mark in the place of each."""

    def __init__(self, markdown: str) -> None:
        markdown = re.sub("[\ue000\ue001]", "\ufffd", markdown)
        self._found: list[Found] = []
        self.text = ""
        end = 0
        for start, found in formulas(markdown):
            self.text += f"{markdown[end:start]}\ue000{len(self._found)}\ue001"
            self._found.append(found)
            end = start + len(found.source)
        self.text += markdown[end:]

    def split(self, text: str) -> Iterator[str | Found]:
        """A stretch of `text`, cut at its marks."""
        for odd, piece in enumerate(_PLACE.split(text)):
            if odd % 2:
                yield self._found[int(piece)]
            elif piece:
                yield piece

    def restore(self, text: str) -> str:
        """A stretch of `text` as it was written, for code and addresses, which hold no formulas."""
        return _PLACE.sub(lambda match: self._found[int(match[1])].source, text)
