"""Answers as fingerprints: short runs of what stays the same when a text is copied and touched up.

Of code these are runs of tokens without layout, comments and the names its author chose; of prose, runs of words.
(Winnowing thins fingerprints out for speed. Answers are short, so all are kept and nothing can slip through.)
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from nbformat import NotebookNode
from pygments.lexers import PythonLexer
from pygments.token import Token

CODE_RUNS = (3, 4)  # tokens: short, so that statements in another order keep most of theirs
WORD_RUNS = (2, 3)  # words
WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\\?[^\W_]+"
)  # CJK has no spaces: a character each
DROPPED = frozenset(",:;)]}")  # say nothing that the tokens around them don't
OWN_NAME = "name"

Piece = tuple[str, int, int]  # a normalised token, and where it begins and ends in the text
Prints = dict[tuple[str, ...], list[tuple[int, int]]]  # fingerprint → where its tokens are in the text


def prints_of_code(source: str, given: Collection[str]) -> Prints:
    """Fingerprints of Python, valid or not.

    Args:
        given: names that are everybody's, such as imported modules and functions of the release.
    """
    return _runs(list(_tokens(source, given)), CODE_RUNS)


def prints_of_words(text: str) -> Prints:
    """Fingerprints of prose, Markdown or TeX in any language."""
    return _runs([(m[0].lower(), m.start(), m.end()) for m in WORD.finditer(text)], WORD_RUNS)


def _runs(pieces: list[Piece], lengths: Iterable[int]) -> Prints:
    found: Prints = {}
    for length in lengths:
        for i in range(len(pieces) - length + 1):
            run = pieces[i : i + length]
            places = found.setdefault(tuple(token for token, _, _ in run), [])
            places += [(start, end) for _, start, end in run]
    return found


def _tokens(source: str, given: Collection[str]) -> Iterator[Piece]:
    """Tokens without comments and layout, numbers and quotes in one spelling, the student's own names as one."""
    lexed = [
        (place, kind, text)
        for place, kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens_unprocessed(source)
        if text.strip() and kind not in Token.Comment and kind not in Token.Literal.String.Doc
    ]
    attributes = {
        text
        for (_, _, owner), (_, _, dot), (_, _, text) in zip(lexed, lexed[1:], lexed[2:], strict=False)
        if (owner, dot) == ("self", ".")
    }
    before = ""
    for place, kind, text in lexed:
        normal = text
        if kind in Token.Name and kind not in Token.Name.Builtin:
            is_own = text in attributes if before == "." else text not in given
            normal = OWN_NAME if is_own and not text.startswith("__") else text
        elif kind in Token.Literal.Number:
            normal = _number(text)
        elif kind in Token.Literal.String:
            normal = text.replace("'", '"')
        before = text
        if text not in DROPPED:
            yield normal, place, place + len(text)


def _number(text: str) -> str:
    """`1.`, `1.0` and `1` are one number."""
    try:
        return repr(float(text.replace("_", "")))
    except ValueError:  # hexadecimal, imaginary
        return text


def given_names(release: Iterable[NotebookNode]) -> set[str]:
    """Names that a release imports or defines for everybody."""
    names: set[str] = set()
    for nb in release:
        for cell in nb.cells:
            if cell.cell_type == "code":
                names |= _bound(cell.source)
    return names


def _bound(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic of IPython
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
    return names
