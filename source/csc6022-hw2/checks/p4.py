"""The visible checks of problem 4. They say whether answers can be read and fit each other, never whether one is
right."""

from __future__ import annotations

from math import isqrt
from typing import Any

from chainrule.lesson import Item
from chainrule.lesson.answers import chosen, entry, whole_number
from chainrule.lesson.checks import expect
from chainrule.lesson.student import CheckFailed, Student

OPTIONS = {
    "operations": {
        "A": ["matrix multiplication and addition", "multiplying matrices and adding"],
        "B": ["convolution and pooling"],
        "C": ["self-attention and layer normalization", "self-attention and layer normalisation"],
        "D": ["gradient descent and backpropagation"],
    },
    "positions": {
        "A": ["to add color information to patches", "to give the patches information about colour"],
        "B": [
            "to remember where each image patch came from",
            "to keep track of where in the image each patch came from",
        ],
        "C": ["to reduce computation time", "to compute in less time"],
        "D": ["to make the model smaller", "to get a smaller model"],
    },
    "small data": {
        "A": ["ViT", "vision transformer"],
        "B": ["CNN"],
        "C": ["both", "both equally well", "both work equally well"],
        "D": ["neither", "neither works well", "neither of them works well"],
    },
}


def letter(student: Student, question: str) -> str:
    """The letter of the option chosen in a question.

    Raises:
        CheckFailed: none of the options is chosen.
    """
    value = entry(student.choices, question, "choices")
    return chosen(value, OPTIONS[question], f'choices["{question}"]')


def choices(item: Item) -> None:
    """The visible check of the single choices."""

    @item.visible_check(
        "three letters",
        means="right form",
        hint='choices["operations"] and so on, each "A", "B", "C" or "D"; this does not say they are right',
    )
    def _(student: Student) -> None:
        for question in OPTIONS:
            letter(student, question)


def number(value: Any, name: str) -> int:
    """A whole number.

    Raises:
        CheckFailed: there is none.
    """
    if value is None:
        raise CheckFailed(f"there is no `{name}` yet: finish the cell that defines it and run it")
    return whole_number(value, name)


COLOURS = 3  # of an RGB image


def patches(item: Item, side: int) -> None:
    """Visible checks of `patches` and `length`, for a square image with this side."""

    @item.visible_check(
        "two whole numbers",
        means="right form",
        hint="one number for `patches`, one for `length`; this does not say they are right",
    )
    def _(student: Student) -> None:
        number(student.patches, "patches")
        number(student.length, "length")

    @item.visible_check(
        "`patches` can be laid out as a square, and rows of them fit the image",
        means="consistent",
        hint="the image is square and so are the patches: as many stand in a row as there are rows",
    )
    def _(student: Student) -> None:
        count = number(student.patches, "patches")
        row = isqrt(count)
        expect(count > 0 and row**2 == count).is_true(f"{count} patches don't make a square")
        expect(side % row == 0).is_true(f"rows of {row} patches side by side are not as wide as the image")

    @item.visible_check(
        "`length` can be shared out among the colours, and squares of it fit the image",
        means="consistent",
        hint="a patch is square, and flattening throws nothing away: which colours does an RGB image have?",
    )
    def _(student: Student) -> None:
        total = number(student.length, "length")
        expect(total > 0 and total % COLOURS == 0).is_true(
            f"{total} numbers cannot be shared out among all colours"
        )
        each = total // COLOURS
        row = isqrt(each)
        expect(row**2 == each).is_true(f"{each} numbers for each colour don't make a square")
        expect(side % row == 0).is_true(f"squares with {row} numbers in a row don't fill the image")

    @item.visible_check(
        "all patches together: no more numbers than the image has, and no small part of them",
        means="consistent",
        hint="side by side and without overlap the patches hold every number of the RGB image once",
    )
    def _(student: Student) -> None:
        # Bounds, not an equation: that would tell one of the numbers once the other is right.
        total, whole = (
            number(student.patches, "patches") * number(student.length, "length"),
            COLOURS * side**2,
        )
        expect(total <= whole).is_true(f"patches · length is {total}, more than the image has")
        expect(total >= whole / 10).is_true(f"patches · length is {total}, less than a tenth of the image")


FEATURES = ("sequential", "parallel", "sharing", "encoding", "local", "global")
LABELS = {
    "CNNs only": ["CNN", "ConvNet", "convolutional network", "convolutional neural network"],
    "Vision Transformers only": ["ViT", "vision transformer", "vision transformer ViT", "transformer"],
    "Both architectures": ["both", "both of them", "CNN and ViT", "ViT and CNN", "both CNN and ViT"],
    "Neither architecture": ["neither", "neither of them", "none", "none of them", "neither CNN nor ViT"],
}


def label(student: Student, feature: str) -> str:
    """The label given to a feature.

    Raises:
        CheckFailed: it has none of the labels.
    """
    return chosen(entry(student.features, feature, "features"), LABELS, f'features["{feature}"]')


def features(item: Item) -> None:
    """The visible check of the labels."""

    @item.visible_check(
        "six labels",
        means="right form",
        hint='features["local"] and so on, each "CNN", "ViT", "both" or "neither"; this does not say they are right',
    )
    def _(student: Student) -> None:
        for feature in FEATURES:
            label(student, feature)
