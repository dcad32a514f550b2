"""What mistakes are called: the cause that a check names, and kinds of causes that go across items.

A check that knows a mistake says what it is called (`CheckFailed.cause`). Of any other failure the cause is its message
without its numbers. Causes of different items are put together by the words in which they speak of the same thing.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?<![\w.\[^_{])[-−+]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]?\d+)?(?![\w\]])")
SEVERAL = re.compile(r"(?:…\s*(?:[,x×]\s*)?){2,}")

# The first that fits names the kind. A cause that none fits is a kind of its own.
KINDS = {
    "not written yet": r"not written|no `\w+` yet|there is no .* yet|finish the cell",
    "the code raises an error": r"\braises?d?\b|exception|did not answer",
    "transposed": r"transpos|height and width come first|H and W|rows and columns",
    "the sign is turned": r"\bsign\b|\bsigns\b|minus|negative of|of −",
    "off by one": r"off by one|counted from 1|the next one|one too (?:many|few)|\bround(?:ed)? up\b",
    "rounded too early": r"\bround",
    "a bias or a constant is lost or counted wrongly": r"\bbias(?:es)?\b|γ and β",
    "an activation or its derivative": r"relu|sigmoid|σ|tanh|softmax|derivative|activation|logarithm|logits",
    "a factor too many or too few": (
        r"\bfactor|\bdivided|\bdivides|\btwice|doubled|\bhalf\b|\bmean\b|averag|\btimes\b|1/|\bnorm\b|squared?\b"
    ),
    "a sum or an axis": r"\bsum(?:med|s)?\b|\baxis\b|\bdimension\b|batch|flatten",
    "gradients that pile up or get lost": r"zero_grad|pile up|no gradient|detach|backward\(\)",
    "training and evaluation mode": r"eval(?:uation)? mode|train(?:ing)? mode|dropout|running statistics",
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
