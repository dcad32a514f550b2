r"""TeX formulas: finding them in Markdown and typesetting them.

JupyterLab takes formulas out of a Markdown cell before it reads the Markdown, so that `a_1 * b_1` inside
dollars does not become emphasis, and passes them to MathJax. We do both in the same way, so the PDF shows what
the notebook showed.
"""

import html
import itertools
import math
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from chainrule.errors import ChainruleError

MAX_CHARACTERS = 5_000  # MathJax needs two seconds for these, and nobody writes more by hand


# All formulas of a notebook, each as many characters as it has and a few for itself: five times a long write-up.
MAX_ALL, FOR_EACH = 60_000, 20


class FormulaError(ChainruleError, ValueError):
    """A formula that MathJax cannot typeset; the message says why."""


class TooManyFormulas(FormulaError):
    """A formula that is not typeset because of how many there were before it."""


@dataclass(frozen=True)
class TypesetFormula:
    """A formula as SVG. Lengths are in em of the text around it.

    Attributes:
        width: 0 for a formula that only defines macros.
        baseline: the distance of the baseline from the lower edge.
    """

    svg: str
    width: float
    height: float
    baseline: float


_OPERATORS = ["exp", "log", "ln", "sin", "cos", "tan", "cot", "sec", "csc"]
_OPERATORS += ["sinh", "cosh", "tanh", "coth", "arcsin", "arccos", "arctan"]

# Sent to MathJax before the first formula. quickjax always loads the `physics` package, which redefines \div, \Re
# and \Im and reads \log[x] as a power; this restores their meaning in Jupyter. Equation numbers
# become part of the formula (`Labels`): MathJax would otherwise set them at the edge of a page that it does not know.
_DEFINITIONS = [
    *(rf"\DeclareMathOperator{{\{name}}}{{{name}}}" for name in _OPERATORS),
    *(rf"\DeclareMathOperator*{{\{name}}}{{{name}}}" for name in ("det", "Pr")),
    r"\def\div{\mathbin{÷}} \def\Re{\mathord{ℜ}} \def\Im{\mathord{ℑ}}",
    r"\def\require#1{} \def\bm#1{\boldsymbol{#1}} \def\bold#1{\mathbf{#1}}",
    r"\def\mathbbm#1{\mathbb{#1}} \def\mathds#1{\mathbb{#1}} \def\hfill{\quad}",
    r"\newcommand{\smash}[2][]{#2}",  # otherwise the parts outside its box would be cut off
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
    r"""The numbers of a notebook's equations: what `\ref` shows for each `\label`.

    A row's number is its `\tag`. A row with a label and no tag gets the next number that is not a tag. MathJax
    sees one formula at a time, so it cannot number them.
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
        """`tex` with numbers for its labels, tags and references; an unknown label is shown as it is."""
        return _REFERENCE.sub(self._reference, self._numbered(tex))

    def _reference(self, match: re.Match[str]) -> str:
        number = self._numbers.get(match["label"], match["label"].replace("_", r"\_"))
        bare = number[1:-1] if number.startswith("(") and number.endswith(")") else number
        return rf"\text{{({bare})}}" if match["parentheses"] else rf"\text{{{bare}}}"

    def _numbered(self, tex: str) -> str:
        """`tex` with each row's number as text at the row's end, wherever its tag or label was."""
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
        """`tex` in pieces without labels and tags. The piece that ends a row comes with the row's labels and tag."""
        open_environments: list[str] = []
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
                ends_row = all(name in _NUMBERED for name in open_environments) and token["edge"] != "begin"
                yield (token[0], labels, tag) if ends_row else (token[0], [], "")
                if ends_row:
                    labels, tag = [], ""
                if token["edge"] == "begin":
                    open_environments.append(token["name"])
                elif token["edge"] and open_environments:
                    open_environments.pop()
        yield tex[end:], [], ""
        yield "", labels, tag


# Commands that change MathJax for the formulas after them, also those of the next student.
_CHANGES_ENGINE = re.compile(
    r"\\(?:[a-z]*def|(?:future)?let|global|long|[nN]ew|renew|provide|Declare|define|require|label|csname|catcode"
    r"|begingroup|endgroup|char|usetagform|mathtoolsset|setOptions)(?![a-z]*(?:line|eq)\b)"
)


class Engine:
    """MathJax, which takes half a second to start, and is started for the first formula.

    All formulas of a process share one, which remembers what it has typeset. An engine of its own follows with the
    first formula that defines something, so that no macro gets into another student's notebook, or at which MathJax
    gives up.

    Raises `ImportError` if quickjax is not installed.
    """

    def __init__(self) -> None:
        import quickjax  # noqa: F401  # here, so that printing by a browser works without it

        self._own: Callable[..., str] | None = None

    def render(self, tex: str, display: bool) -> str:
        """The formula as SVG. Raises what quickjax or its JavaScript engine raises."""
        if self._own is None and _CHANGES_ENGINE.search(tex):
            self._own = _start()
        if self._own is not None:
            return self._own(tex, display=display)
        if not hasattr(_of_thread, "render"):
            _of_thread.render = lru_cache(8192)(_start())
        try:
            return str(_of_thread.render(tex, display=display))
        except Exception:  # nobody knows what state it is in
            del _of_thread.render
            self._own = _start()
            return self._own(tex, display=display)


_of_thread = threading.local()  # a JavaScript engine works in the thread that has started it


def _start() -> Callable[..., str]:
    """Start MathJax; returns the function that typesets a formula."""
    from quickjax import MathJaxRenderer

    engine = MathJaxRenderer()
    for definition in _DEFINITIONS:
        engine.render(definition)
    render: Callable[..., str] = engine.render
    return render


class MathJax:
    """Typesets formulas in order. A macro that one of them defines can be used in later ones.

    Args:
        budget: how much is typeset in all: the characters of the formulas, and a few for each.

    Raises `ImportError` if quickjax is not installed.
    """

    def __init__(self, labels: Labels | None = None, *, budget: int = MAX_ALL) -> None:
        self._labels = labels or Labels()
        self._left = budget
        self._engine = Engine()

    def to_fit(self, tex: str, display: bool, max_width: float) -> TypesetFormula:
        """As `to_svg`, but in several lines if the formula is much wider than `max_width` (in em) and can be broken."""
        formula = self.to_svg(tex, display)
        ratio = formula.width / max_width
        if ratio > 1.3 and (in_several := in_lines(tex, math.ceil(ratio * 1.1))):
            with suppress(FormulaError):  # if it must not be broken there, keep one line
                broken = self.to_svg(in_several, display=True)
                if broken.width < formula.width:
                    return broken
        return formula

    def to_svg(self, tex: str, display: bool) -> TypesetFormula:
        """Typeset `tex`, without dollars around it; raises `FormulaError`."""
        if len(tex) > MAX_CHARACTERS:
            raise FormulaError(f"longer than {MAX_CHARACTERS} characters")
        self._left -= len(tex) + FOR_EACH
        if self._left < 0:
            raise TooManyFormulas("the notebook has more formulas than are typeset")
        # MathJax copies the source into the SVG, where a control character is not valid XML.
        tex = re.sub(r"[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]", " ", tex)
        tex = self._labels.resolved(tex)
        tex = _MULTLINE.sub(r"\\\1{gathered}", tex)  # MathJax would make it as wide as a page
        try:
            svg = self._engine.render(tex, display)
        except Exception as error:  # from quickjax or from its JavaScript engine
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
            return TypesetFormula("", 0, 0, 0)
        return TypesetFormula(_standalone(svg), width, height, baseline=top + height)


_BREAKS = re.compile(
    r"""
      (?P<open>\{|\\left\b|\\begin\b) | (?P<close>\}|\\right\b|\\end\b) | (?P<rows>\\\\|&)
    | (?P<sign>[-+=<>]|\\(?:le|leq|ge|geq|approx|equiv|sim|propto|times|cdot|pm|to|implies|iff|quad|qquad)\b)
    | \\.
    """,
    re.VERBOSE | re.DOTALL,
)


def in_lines(tex: str, lines: int) -> str | None:
    """A formula that is too wide, broken at its signs into about `lines` lines.

    None if it has no signs outside braces and environments, or if it is an array.
    """
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
    """An error that MathJax reports only in the image: a syntax error, or an undefined macro's name in red."""
    if error := re.search(r'data-mjx-error="([^"]*)"', svg):
        return html.unescape(error[1])
    # A red colour that the author asked for is on an element around the text, never on the text itself.
    if macro := re.search(r'<g data-mml-node="mtext" fill="red"[^>]*>((?:<use data-c="\w+"[^>]*>)+)', svg):
        letters = re.findall(r'data-c="(\w+)"', macro[1])
        return "undefined macro " + "".join(chr(int(code, 16)) for code in letters)
    return None


def _standalone(svg: str) -> str:
    """The SVG for use outside a web page, whose style sheet would show the lines in arrays."""
    svg = re.sub(r' (?:style|width|height)="[^"]*"', "", svg[: svg.index(">")]) + svg[svg.index(">") :]
    svg = re.sub(r"<(line|rect) data-(line|frame)=", r'<\1 stroke-width="60" fill="none" data-\2=', svg)
    svg = re.sub(r'(<(?:line|rect) [^>]*class="mjx-dashed")', r'\1 stroke-dasharray="140"', svg)
    svg = re.sub(r"MJX-\d+-", "MJX-", svg)  # so that equal formulas are equal files
    return svg.replace("currentColor", "black")


# What begins, ends or hides a formula. Code comes first: dollars in it, and escaped ones, are only dollars.
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
# "$5 and $6" is money, though Jupyter shows a formula "5 and": a digit after both dollars, or a space before the
# second one and a word or a formula after it.
_MONEY = re.compile(r"\$\d[^$]*(?:\$\d|\s\$[\w\\{(])")
_MARK = re.compile("\ue000(\\d+)\ue001")  # private-use characters, which no Markdown and no text uses


@dataclass(frozen=True)
class FormulaSource:
    """A formula in a Markdown text.

    Attributes:
        tex: without delimiters.
        display: whether it has a line of its own.
        source: as it was written, with delimiters.
    """

    tex: str
    display: bool
    source: str


def formulas(markdown: str) -> Iterator[tuple[int, FormulaSource]]:
    """The position and source of each formula. An empty line ends a formula that is not closed."""
    opened: re.Match[str] | None = None
    for token in _TOKEN.finditer(markdown):
        mark = token[0]
        if token["gap"]:
            opened = None
        elif token["reference"] and not opened:
            yield token.start(), FormulaSource(mark, False, mark)
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
                yield opened.start(), FormulaSource(tex, opened[0] not in ("$", r"\\("), source)
            opened = None


class MaskedMarkdown:
    """A Markdown text with a mark in place of each formula: `text`."""

    def __init__(self, markdown: str) -> None:
        markdown = re.sub("[\ue000\ue001]", "\ufffd", markdown)
        self._formulas: list[FormulaSource] = []
        self.text = ""
        end = 0
        for start, formula in formulas(markdown):
            self.text += f"{markdown[end:start]}\ue000{len(self._formulas)}\ue001"
            self._formulas.append(formula)
            end = start + len(formula.source)
        self.text += markdown[end:]

    def split(self, text: str) -> Iterator[str | FormulaSource]:
        """The text and the formulas in a part of `text`, in order."""
        for odd, piece in enumerate(_MARK.split(text)):
            if odd % 2:
                yield self._formulas[int(piece)]
            elif piece:
                yield piece

    def restore(self, text: str) -> str:
        """A part of `text` with the original source in place of its marks, for code and addresses."""
        return _MARK.sub(lambda match: self._formulas[int(match[1])].source, text)
