"""Homework 2, problem 4: CNNs and Vision Transformers. Right answers, the reasons for them, and accepted readings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from chainrule.lesson.checks import expect
from chainrule.lesson.student import CheckFailed

CNN, VIT, BOTH, NEITHER = (
    "CNNs only",
    "Vision Transformers only",
    "Both architectures",
    "Neither architecture",
)


# ---- single choices ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """A question with its right letter, why it is right, and why each other is not."""

    about: str
    right: str
    reason: str
    wrong: Mapping[str, str]

    def expect(self, letter: str) -> None:
        """The letter is the right one.

        Raises:
            CheckFailed: it isn't; the message gives the reason.
        """
        if letter != self.right:
            raise CheckFailed(f"{letter} is not right: {self.wrong[letter]}")


CHOICES = {
    "operations": Choice(
        "the two main operations of a CNN",
        "B",
        "convolution finds a pattern anywhere, pooling keeps the largest (or the mean) of a neighbourhood",
        {
            "A": "every network multiplies and adds, a plain MLP too, so this is not what makes a CNN",
            "C": "self-attention and layer normalisation are what a Transformer is built from",
            "D": "these train a network, whatever its kind; they don't process an image",
        },
    ),
    "positions": Choice(
        "why a ViT needs positional encodings",
        "B",
        "attention sees a set: exchange two patches and the outputs are exchanged too, unless each says where it was",
        {
            "A": "the colours are in the patch's own numbers already",
            "C": "an encoding is added to every patch, which makes nothing quicker",
            "D": "a learned encoding adds parameters, and a fixed one leaves their number as it was",
        },
    ),
    "small data": Choice(
        "which one copes better with little data",
        "B",
        "locality and shared weights are built into a CNN; a ViT has to learn them from data",
        {
            "A": "a ViT has to learn from data that neighbours belong together, and needs far more of it",
            "C": "trained on little data alone, a ViT falls behind: it lacks the CNN's inductive bias",
            "D": "small CNNs work well on small data sets, MNIST with its digits for one",
        },
    ),
}


# ---- patches -------------------------------------------------------------------------------------------------


def expect_count(count: int, side: int, patch: int) -> None:
    """The number of patches of a side × side image is right."""
    row = side // patch
    expect(count, "patches").close_to(
        row * row,
        rtol=0,
        atol=0.01,
        mistakes={
            f"{row} is the number of patches in one row, and there are {row} rows": row,
            f"a patch has {patch} · {patch} pixels, not {patch}: divide both sides": side * side // patch,
            "this counts pixels, not patches": side * side,
            "a patch has height and width; its channels make no more patches": row * row * 3,
            "the class token is no patch of the image": row * row + 1,
            "rows and columns multiply, they don't add": row + row,
            "patches don't overlap: they are as far apart as they are wide": (side - patch + 1) ** 2,
        },
    )


def expect_length(length: int, side: int, patch: int) -> None:
    """The length of a flattened RGB patch is right."""
    expect(length, "length").close_to(
        patch * patch * 3,
        rtol=0,
        atol=0.01,
        mistakes={
            "the three colour channels are forgotten": patch * patch,
            f"a patch is {patch} high and {patch} wide: {patch} counts twice": patch * 3,
            "one number for a pixel's three channels, and only one row of the patch": patch,
            "this is the length of the whole image, not of a patch": side * side * 3,
            "height, width and channels multiply, they don't add": patch + patch + 3,
            "RGB has three channels, not four": patch * patch * 4,
        },
    )


def draw(random: Random | None) -> dict[str, object]:
    """Side of the image and of a patch, and the texts with them; the handout's if `random` is None."""
    side, patch = 224, 16
    if random is not None:
        patch = random.choice((8, 12, 16, 20, 32))
        side = patch * random.choice([row for row in range(9, 19) if row != patch])
    return {
        "p4_side": side,
        "p4_patch": patch,
        "p4_patches": f"({side} // {patch}) ** 2",
        "p4_length": f"{patch} * {patch} * 3",
    }


# ---- features ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Feature:
    """A feature, every label that can be defended with its reason, and why the other labels can't."""

    says: str
    readings: Mapping[str, str]
    otherwise: str

    @property
    def why(self) -> str:
        """The labels that count, each with its reason."""
        return "; or ".join(f"{label}, because {reading}" for label, reading in self.readings.items())


FEATURES = {
    "sequential": Feature(
        "processes image patches in sequential order",
        {
            NEITHER: "both compute all places at once; nothing waits for the patch before",
            VIT: "a ViT lines the patches up as a sequence, although it works on them all at once",
        },
        "a convolution's window is computed everywhere at once, in no order, and a CNN makes no sequence of patches",
    ),
    "parallel": Feature(
        "can handle patches in parallel",
        {
            VIT: "only a ViT cuts the image into patches, and attention takes them all at once",
            BOTH: "a convolution's windows don't depend on one another either",
        },
        "attention takes all patches in one matrix product, so a ViT certainly can",
    ),
    "sharing": Feature(
        "shares weights across places",
        {
            CNN: "sharing a filter across the image is the inductive bias of convolutions",
            BOTH: "a ViT's patch embedding and its layers use the same weights for every patch, too",
        },
        "a filter is used at every place of the image, so a CNN certainly does",
    ),
    "encoding": Feature(
        "requires positional encoding of patches",
        {VIT: "attention does not know where a patch was, a feature map is ordered by place"},
        "attention alone cannot tell where a patch was, while a CNN's feature maps are ordered by place",
    ),
    "local": Feature(
        "naturally preserves local spatial relationships",
        {CNN: "a filter sees neighbours as neighbours, and its output keeps their order"},
        "a filter looks at neighbours as neighbours; a ViT flattens its patches and learns what is near what",
    ),
    "global": Feature(
        "naturally preserves global spatial relationships",
        {
            VIT: "attention relates any two patches in a single layer, however far apart",
            NEITHER: "a CNN relates distant places only after many layers, and attention has no positions by itself",
        },
        "a convolution sees its window only; distant places are combined after many layers, if at all",
    ),
}


def expect_label(key: str, label: Callable[[str], str]) -> None:
    """The student's label of a feature can be defended.

    Args:
        label: the student's label by key of the feature; raises CheckFailed if there is none.
    """
    feature, given = FEATURES[key], label(key)
    if given not in feature.readings:
        raise CheckFailed(f"“{given}” is not right: {feature.otherwise}")
    if len(feature.readings) > 1 and {attempt(label, other) for other in FEATURES} == {given}:
        raise CheckFailed(
            f"“{given}” for every feature: a feature that may be read in two ways then earns no points"
        )


def attempt(label: Callable[[str], str], key: str) -> Any:
    """The label of a feature, None if there is none."""
    try:
        return label(key)
    except CheckFailed:
        return None
