"""Compares the answers of all pairs of students, relative to how similar the class is.

A fingerprint that n of the N students with an answer have weighs log²((N − 1)/(n − 1)), so what everybody writes weighs
nothing (tf-idf, once for each of the two answers). The *evidence* of a pair in one question is the weight of the
fingerprints that they share, times the fraction of the shorter answer that these are. A long answer copied in part and
a short one copied completely both count; a coincidence in one line counts very little.

The threshold comes from the class: an exponential tail fitted to the top quarter of pair scores. Most pairs are honest.
In each question only the evidence above the lower three quarters counts, divided by the square root of the tail's
scale, so that questions with long answers do not outweigh the others. The sum over questions is a pair's evidence.
`expected` is the number of pairs with at least this evidence that the tail predicts for the class (compare the
E-values of sequence search).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from chainrule.similar.fingerprints import Fingerprints, code_fingerprints, given_names, text_fingerprints
from chainrule.similar.handins import Corpus, Handin, Question

MAX_EXPECTED = 0.05  # of a pair that stands out: one in twenty honest classes has such a pair
MIN_PAIRS = 45  # ten students; fewer pairs are too few to fit the tail
BLOCK = 4096  # fingerprints per matrix product, to limit memory

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class QuestionMatch:
    """What two students share in one question.

    Attributes:
        share: the shared fraction of the shorter answer, 0 to 1.
    """

    question: Question
    evidence: float
    share: float


@dataclass(frozen=True)
class Pair:
    """Two hand-ins; the first is always from this class.

    Attributes:
        expected: the number of pairs with at least this evidence that are expected by chance.
        questions: what they share in each question, from most to least evidence.
    """

    first: Handin
    second: Handin
    evidence: float
    expected: float
    questions: list[QuestionMatch]

    @property
    def stands_out(self) -> bool:
        return self.expected < MAX_EXPECTED


class ChanceModel:
    """The evidence that pairs have by chance: an exponential tail fitted to the top quarter of all pairs.

    Args:
        evidence: that of every pair, float, shape (pairs,), in any order.
    """

    def __init__(self, evidence: NDArray[np.float64]) -> None:
        self.has_enough_pairs = len(evidence) >= MIN_PAIRS
        self.start = float(np.quantile(evidence, 0.75)) if self.has_enough_pairs else 0.0
        tail = evidence[evidence > self.start]
        self.count = len(tail)
        self.scale = float(np.median(tail - self.start)) / np.log(2) if len(tail) else 0.0

    def expected(self, evidence: float) -> float:
        """The number of pairs with at least this evidence that are expected by chance.

        Infinity below the top quarter; NaN if there are too few pairs.
        """
        if not self.has_enough_pairs:
            return float("nan")
        if evidence <= self.start:
            return float("inf")
        return self.count * float(np.exp(-(evidence - self.start) / self.scale))

    @property
    def threshold(self) -> float:
        """The evidence above which a pair stands out; infinity if there are too few pairs."""
        if not self.has_enough_pairs:
            return float("inf")
        return self.start + self.scale * float(np.log(max(self.count, 1) / MAX_EXPECTED))


@dataclass
class Comparison:
    """All pairs ranked by evidence.

    Attributes:
        pairs: the pairs with the most evidence.
        evidence: that of every pair, descending, float, shape (pairs,).
        chance: the evidence that pairs have by chance.
        weights: the weight of each fingerprint in a question; those of the release have none.
        fingerprints: those of each answer, by id(hand-in) and question.
    """

    pairs: list[Pair]
    evidence: NDArray[np.float64]
    chance: ChanceModel
    weights: dict[Question, dict[tuple[str, ...], float]] = field(default_factory=dict)
    fingerprints: dict[tuple[int, Question], Fingerprints] = field(default_factory=dict)

    @property
    def standing_out(self) -> int:
        """The number of pairs that stand out, also beyond `pairs`."""
        return int(np.count_nonzero(self.evidence > self.chance.threshold))

    def strength(self, pair: Pair) -> str:
        """A pair's evidence as a multiple of the threshold; the evidence itself if there is no threshold."""
        if not self.chance.has_enough_pairs:
            return f"{pair.evidence:.0f}"
        return f"{pair.evidence / self.chance.threshold:.2f}"

    def fingerprints_of(self, handin: Handin, question: Question) -> Fingerprints:
        """The fingerprints of an answer; none if there is no answer."""
        return self.fingerprints.get((id(handin), question), {})


def compare(corpus: Corpus, top: int) -> Comparison:
    """Rank all pairs within the class and between the class and past terms; `top` of them become `pairs`."""
    handins = corpus.handins
    given = given_names(corpus.release.values())
    released = release_fingerprints(corpus, given)
    count = len(handins)
    comparison = Comparison([], np.zeros(0), ChanceModel(np.zeros(0)))
    totals = np.zeros((count, count), np.float32)
    matrices: dict[Question, tuple[Matrix, Matrix]] = {}
    for question in tqdm(corpus.questions, "comparing", leave=False, disable=None, unit=" questions"):
        rows = [i for i, handin in enumerate(handins) if question in handin.answers]
        for i in rows:
            text = handins[i].answers[question]
            prints = code_fingerprints(text, given) if question.is_code else text_fingerprints(text)
            comparison.fingerprints[id(handins[i]), question] = prints
        answers = [comparison.fingerprints_of(handins[i], question) for i in rows]
        comparison.weights[question] = weights = fingerprint_weights(answers, released[question.is_code])
        full = np.zeros_like(totals), np.zeros_like(totals)
        for matrix, values in zip(full, shared(answers, weights), strict=True):
            matrix[np.ix_(rows, rows)] = values
        matrices[question] = full
        totals += full[0]
    in_class = np.array([not handin.term for handin in handins], bool)
    firsts, seconds = np.triu_indices(count, 1)  # the class comes before past terms
    firsts, seconds = firsts[in_class[firsts]], seconds[in_class[firsts]]
    pair_evidence = totals[firsts, seconds].astype(float)
    order = np.argsort(-pair_evidence, kind="stable")
    comparison.evidence = pair_evidence[order]
    comparison.chance = ChanceModel(comparison.evidence)
    for index in order[:top]:
        i, j = int(firsts[index]), int(seconds[index])
        if not pair_evidence[index]:
            break
        matches = [
            QuestionMatch(question, float(evidence[i, j]), float(share[i, j]))
            for question, (evidence, share) in matrices.items()
            if evidence[i, j] > 0
        ]
        matches.sort(key=lambda match: -match.evidence)
        total = float(pair_evidence[index])
        expected = comparison.chance.expected(total)
        comparison.pairs.append(Pair(handins[i], handins[j], total, expected, matches))
    return comparison


def release_fingerprints(corpus: Corpus, given: set[str]) -> dict[bool, set[tuple[str, ...]]]:
    """The fingerprints of the release itself: of its code (True) and of its text (False)."""
    prints: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for nb in corpus.release.values():
        for cell in nb.cells:
            if cell.cell_type == "code":
                prints[True] |= code_fingerprints(cell.source, given).keys()
            prints[False] |= text_fingerprints(cell.source).keys()
    return prints


def fingerprint_weights(
    answers: list[Fingerprints], released: set[tuple[str, ...]]
) -> dict[tuple[str, ...], float]:
    """The weight of each fingerprint among these answers, without those of the release."""
    counts: Counter[Any] = Counter()
    for answer in answers:
        counts.update(answer.keys() - released)
    others = max(len(answers) - 1, 1)
    return {print_: float(np.log(others / max(count - 1, 1)) ** 2) for print_, count in counts.items()}


def shared(answers: list[Fingerprints], weights: dict[tuple[str, ...], float]) -> tuple[Matrix, Matrix]:
    """The evidence and the shared fraction of the shorter answer, for all pairs of answers to one question.

    Both are float32 of shape (n, n) for n answers.
    """
    sizes = np.array([sum(weights.get(p, 0.0) for p in sorted(answer)) for answer in answers], np.float32)
    counts = Counter(p for answer in answers for p in answer)
    columns = sorted(p for p, weight in weights.items() if counts[p] > 1 and weight > 0)
    common = np.zeros((len(answers), len(answers)), np.float32)
    for start in range(0, len(columns), BLOCK):
        block = columns[start : start + BLOCK]
        has = np.array([[p in answer for p in block] for answer in answers], np.float32)
        common += (has * np.array([weights[p] for p in block], np.float32)) @ has.T
    shorter = np.minimum(sizes[:, None], sizes[None, :])
    share = np.divide(common, shorter, out=np.zeros_like(common), where=shorter > 0)
    evidence = common * share
    chance = ChanceModel(evidence[np.triu_indices(len(answers), 1)].astype(float))
    single = np.log(max(len(answers) - 1, 3)) ** 2  # weight of one fingerprint of a single student
    return np.maximum(evidence - chance.start, 0) / np.sqrt(max(chance.scale, single)), share
