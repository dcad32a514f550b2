"""How alike the answers of two students are, measured against how alike the class is.

A fingerprint is worth log²((N − 1)/(n − 1)) if n of the N students who answered have it: what everybody writes is
worth nothing (tf-idf, once for each of the two answers). The *evidence* of a pair in one question is the worth of what
they share, times the share it makes of the shorter answer: a long answer copied in part and a short one copied whole
both count, a coincidence in one line hardly does.

What is much is told by the class itself. Most pairs are honest; the upper quarter of their evidence falls off about
exponentially. In each question, only what goes beyond the other three quarters counts, in units of the square root of
how far it usually goes, so that questions with long answers don't drown the others; then it adds up over questions.
Of the sums, `expected` says how many pairs as alike as this one a class has by chance if it goes on falling off like
that (as with the E-values of sequence search).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from chainrule.similar.fingerprints import Prints, given_names, prints_of_code, prints_of_words
from chainrule.similar.handins import Collection, Handin, Question

STANDS_OUT = 0.05  # `expected` below this: an honest class has such a pair in one of twenty cases
ENOUGH_PAIRS = 45  # ten students; with fewer pairs there is no telling what is usual
BLOCK = 4096  # fingerprints per matrix product

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Part:
    """What two students share in one question: evidence, and its share of the shorter answer, 0 to 1."""

    question: Question
    evidence: float
    share: float


@dataclass(frozen=True)
class Pair:
    """Two hand-ins, the first of which is the class's, their evidence, and its parts from most to least."""

    first: Handin
    second: Handin
    evidence: float
    expected: float
    parts: list[Part]

    @property
    def stands_out(self) -> bool:
        return self.expected < STANDS_OUT


class Usual:
    """How much evidence pairs have by chance, learnt from the upper quarter of all pairs by its median.

    Args:
        evidence: every pair's, in any order.
    """

    def __init__(self, evidence: NDArray[np.float64]) -> None:
        self.enough = len(evidence) >= ENOUGH_PAIRS
        self.start = float(np.quantile(evidence, 0.75)) if self.enough else 0.0
        upper = evidence[evidence > self.start]
        self.count = len(upper)
        self.fall = float(np.median(upper - self.start)) / np.log(2) if len(upper) else 0.0

    def expected(self, evidence: float) -> float:
        """How many pairs with at least this much evidence are expected by chance: infinitely many below
        the upper quarter, NaN if there is no telling."""
        if not self.enough:
            return float("nan")
        if evidence <= self.start:
            return float("inf")
        return self.count * float(np.exp(-(evidence - self.start) / self.fall))

    @property
    def bar(self) -> float:
        """The evidence from which on a pair stands out."""
        if not self.enough:
            return float("inf")
        return self.start + self.fall * float(np.log(max(self.count, 1) / STANDS_OUT))


@dataclass
class Comparison:
    """All pairs ranked by evidence, and what the class has shown to be usual.

    Attributes:
        pairs: the top ones.
        evidence: every pair's, from most to least.
        usual: how much evidence pairs have by chance.
        worth: what a fingerprint is worth in a question; nothing if it is the release's.
        prints: the fingerprints of each answer, by its hand-in's id().
    """

    pairs: list[Pair]
    evidence: NDArray[np.float64]
    usual: Usual
    worth: dict[Question, dict[tuple[str, ...], float]] = field(default_factory=dict)
    prints: dict[tuple[int, Question], Prints] = field(default_factory=dict)

    @property
    def standing_out(self) -> int:
        """How many pairs stand out, shown or not."""
        return int(np.count_nonzero(self.evidence > self.usual.bar))

    def strength(self, pair: Pair) -> str:
        """A pair's evidence as a multiple of the bar, where there is one."""
        return f"{pair.evidence / self.usual.bar:.2f}" if self.usual.enough else f"{pair.evidence:.0f}"

    def of(self, handin: Handin, question: Question) -> Prints:
        """The fingerprints of an answer; none if there is no answer."""
        return self.prints.get((id(handin), question), {})


def compare(collection: Collection, top: int) -> Comparison:
    """Rank the pairs of the class, and of the class with past terms; pairs of past terms are left out."""
    handins = collection.handins
    given = given_names(collection.release.values())
    template = template_prints(collection, given)
    everyone = len(handins)
    found = Comparison([], np.zeros(0), Usual(np.zeros(0)))
    totals = np.zeros((everyone, everyone), np.float32)
    each: dict[Question, tuple[Matrix, Matrix]] = {}
    for question in tqdm(collection.questions, "comparing", leave=False, disable=None, unit=" questions"):
        rows = [i for i, handin in enumerate(handins) if question in handin.answers]
        for i in rows:
            text = handins[i].answers[question]
            own = prints_of_code(text, given) if question.is_code else prints_of_words(text)
            found.prints[id(handins[i]), question] = own
        answers = [found.of(handins[i], question) for i in rows]
        found.worth[question] = worth = worths(answers, template[question.is_code])
        evidence, share = shared(answers, worth)
        spread = np.zeros_like(totals), np.zeros_like(totals)
        for whole, part in zip(spread, (evidence, share), strict=True):
            whole[np.ix_(rows, rows)] = part
        each[question] = spread
        totals += spread[0]
    of_class = np.array([not handin.term for handin in handins], bool)
    firsts, seconds = np.triu_indices(everyone, 1)  # the class comes first
    firsts, seconds = firsts[of_class[firsts]], seconds[of_class[firsts]]
    evidence_of = totals[firsts, seconds].astype(float)
    order = np.argsort(-evidence_of, kind="stable")
    found.evidence = evidence_of[order]
    found.usual = usual = Usual(found.evidence)
    for at in order[:top]:
        i, j = int(firsts[at]), int(seconds[at])
        if not evidence_of[at]:
            break
        parts = [
            Part(question, float(evidence[i, j]), float(share[i, j]))
            for question, (evidence, share) in each.items()
            if evidence[i, j] > 0
        ]
        parts.sort(key=lambda part: -part.evidence)
        total = float(evidence_of[at])
        found.pairs.append(Pair(handins[i], handins[j], total, usual.expected(total), parts))
    return found


def template_prints(collection: Collection, given: set[str]) -> dict[bool, set[tuple[str, ...]]]:
    """Fingerprints of all that the release itself says: of its code (True) and of its text (False)."""
    found: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for nb in collection.release.values():
        for cell in nb.cells:
            if cell.cell_type == "code":
                found[True] |= prints_of_code(cell.source, given).keys()
            found[False] |= prints_of_words(cell.source).keys()
    return found


def worths(answers: list[Prints], template: set[tuple[str, ...]]) -> dict[tuple[str, ...], float]:
    """What each fingerprint is worth among these answers; those of the template are left out."""
    counts: Counter[Any] = Counter()
    for answer in answers:
        counts.update(answer.keys() - template)
    others = max(len(answers) - 1, 1)
    return {print_: float(np.log(others / max(count - 1, 1)) ** 2) for print_, count in counts.items()}


def shared(answers: list[Prints], worth: dict[tuple[str, ...], float]) -> tuple[Matrix, Matrix]:
    """For all pairs of n answers to one question: evidence, and the share of the shorter answer; both (n, n)."""
    sizes = np.array([sum(worth.get(p, 0.0) for p in sorted(answer)) for answer in answers], np.float32)
    counts = Counter(p for answer in answers for p in answer)
    columns = sorted(p for p, value in worth.items() if counts[p] > 1 and value > 0)
    common = np.zeros((len(answers), len(answers)), np.float32)
    for start in range(0, len(columns), BLOCK):  # so that huge answers don't take huge memory
        block = columns[start : start + BLOCK]
        has = np.array([[p in answer for p in block] for answer in answers], np.float32)
        common += (has * np.array([worth[p] for p in block], np.float32)) @ has.T
    shorter = np.minimum(sizes[:, None], sizes[None, :])
    share = np.divide(common, shorter, out=np.zeros_like(common), where=shorter > 0)
    evidence = common * share
    usual = Usual(evidence[np.triu_indices(len(answers), 1)].astype(float))
    single = np.log(max(len(answers) - 1, 3)) ** 2  # worth of one fingerprint that nobody else has
    return np.maximum(evidence - usual.start, 0) / np.sqrt(max(usual.fall, single)), share
