"""Fingerprints of answers: short sequences that stay the same when a text is copied and edited.

For code these are sequences of tokens without layout, comments and the author's own names; for prose, sequences of
words. Winnowing would keep only some of them, for speed. Answers are short, so all are kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator

from nbformat import NotebookNode
from pygments.lexers import PythonLexer
from pygments.token import Token

CODE_LENGTHS = (3, 4)  # tokens: short, so that reordered statements keep most of theirs
TEXT_LENGTHS = (2, 3)  # words
# Chinese and Japanese have no spaces: each of their characters is a word
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\\?[^\W_]+")
DROPPED = frozenset(",:;)]}")  # follow from the tokens around them
OWN_NAME = "name"

PlacedToken = tuple[str, int, int]  # a normalised token, its start and end in the text
Fingerprints = dict[
    tuple[str, ...], list[tuple[int, int]]
]  # fingerprint → start and end of its tokens in the text


def code_fingerprints(source: str, given: Collection[str]) -> Fingerprints:
    """Fingerprints of Python, valid or not.

    Args:
        given: names that all students have, such as imported modules and functions of the release.
    """
    return _sequences(list(_tokens(source, given)), CODE_LENGTHS)


def text_fingerprints(text: str) -> Fingerprints:
    """Fingerprints of prose, Markdown or TeX in any language."""
    return _sequences([(m[0].lower(), m.start(), m.end()) for m in WORD.finditer(text)], TEXT_LENGTHS)


def _sequences(tokens: list[PlacedToken], lengths: Iterable[int]) -> Fingerprints:
    prints: Fingerprints = {}
    for length in lengths:
        for i in range(len(tokens) - length + 1):
            sequence = tokens[i : i + length]
            positions = prints.setdefault(tuple(token for token, _, _ in sequence), [])
            positions += [(start, end) for _, start, end in sequence]
    return prints


def _tokens(source: str, given: Collection[str]) -> Iterator[PlacedToken]:
    """Tokens without comments and layout. Numbers and quotes are normalised, and the student's own names become one."""
    lexed = [
        (start, kind, text)
        for start, kind, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens_unprocessed(source)
        if text.strip() and kind not in Token.Comment and kind not in Token.Literal.String.Doc
    ]
    attributes = {
        text
        for (_, _, owner), (_, _, dot), (_, _, text) in zip(lexed, lexed[1:], lexed[2:], strict=False)
        if (owner, dot) == ("self", ".")
    }
    previous = ""
    for start, kind, text in lexed:
        normal = text
        if kind in Token.Name and kind not in Token.Name.Builtin:
            is_own = text in attributes if previous == "." else text not in given
            normal = OWN_NAME if is_own and not text.startswith("__") else text
        elif kind in Token.Literal.Number:
            normal = _number(text)
        elif kind in Token.Literal.String:
            normal = text.replace("'", '"')
        previous = text
        if text not in DROPPED:
            yield normal, start, start + len(text)


def _number(text: str) -> str:
    """One spelling for `1.`, `1.0` and `1`."""
    try:
        return repr(float(text.replace("_", "")))
    except ValueError:  # hexadecimal, imaginary
        return text


def given_names(release: Iterable[NotebookNode]) -> set[str]:
    """The names that a release imports or defines."""
    names: set[str] = set()
    for nb in release:
        for cell in nb.cells:
            if cell.cell_type == "code":
                names |= _defined_names(cell.source)
    return names


def _defined_names(source: str) -> set[str]:
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
