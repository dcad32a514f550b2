"""What mistakes are called: the cause that a check names, and kinds of causes that go across items.

A check that knows a mistake says what it is called (`CheckFailed.cause`). Of any other failure the cause is its message
without its numbers. Causes of different items are put together by the words in which they speak of the same thing.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?<![\w.\[^_{])[-−+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w\]])")
SEVERAL = re.compile(r"(?:…\s*(?:[,x×]\s*)?){2,}")

# The first that fits names the kind; they are narrow, so that what is put together is one mistake. A cause that none
# fits is a kind of its own.
KINDS = {
    "not written yet": r"not written|no `\w+` yet|there is no .* yet|finish the cell",
    "the code raises an error": r"\b(?:code|it) raise[sd]\b|did not answer",
    "entries of a batch or a picture are mixed up": r"\bflatten|\bmixes the\b|\bget mixed\b",
    "transposed": r"transpos|height and width (?:come first|are exchanged)|rows and columns are exchanged",
    "the sign is turned": r"\bsigns? (?:is|are|of .*) (?:turned|lost)|the overall sign|wrong sign|\bminus sign\b",
    "off by one": r"\boff by one\b|counted from 1|\bround(?:ed)? up\b",
    "rounded too early": r"\brounded\b",
    "a bias is missing": r"\bbias(?:es)?\b.* (?:missing|not added|forgotten)|leaves? out .*\bbias",
    "averaged where it is a sum, or the other way round": r"\baverag|\b1/[Nn]\b|summed, not|not summed",
    "the derivative of an activation is missing or misplaced": (
        r"(?:derivative|σ′|g′).* (?:missing|taken|not)|without σ′"
    ),
    "over the wrong axis": r"\b(?:softmax|argmax|sum|summed|mean|normalised)\b.* over (?:the|both)\b|wrong axis",
    "gradients pile up": r"pile up|gradients are cleared once",
    "training and evaluation mode": r"\beval(?:uation)? mode|\btraining mode|running statistics",
    "another shape": r"\bshape",
    "another value, which no known mistake explains": r"no known mistake|does not follow|off by …",
}
_KINDS = [(kind, re.compile(words, re.IGNORECASE)) for kind, words in KINDS.items()]


UNNAMED = {"not written yet", "the code raises an error", "another value, which no known mistake explains"}


def without_numbers(message: str) -> str:
    """A message without the numbers that differ from answer to answer.

    >>> without_numbers("dW2 is 0.25 at index (0, 1), off by 1.5e-3")
    'dW2 is … at index (…), off by …'
    >>> without_numbers("delta[1] of 3 layers")
    'delta[1] of … layers'
    """
    text = NUMBER.sub("…", " ".join(message.split()))
    return SEVERAL.sub(lambda found: "…" + " " * found[0].endswith(" "), text)


def cause_of(cause: str, message: str) -> str:
    """What a failed check's mistake is called.

    Args:
        cause, message: of its record; "" if it has none.
    """
    return cause or without_numbers(message) or "the check does not say"


def kind_of(cause: str) -> str:
    """The kind of a cause, the same for the same mistake in different items.

    >>> kind_of("this is the transpose"), kind_of("V is not transposed"), kind_of("λ for 2λ")
    ('transposed', 'transposed', 'λ for 2λ')
    """
    return next((kind for kind, words in _KINDS if words.search(cause)), cause)
