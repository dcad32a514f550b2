"""The visible checks of problem 3. They say whether a table can be read and whether its entries fit each other, never
whether one is right."""

from __future__ import annotations

from contextlib import suppress
from math import isqrt, prod

from chainrule.lesson import Item
from chainrule.lesson.answers import entry, flat, volume, whole_number
from chainrule.lesson.checks import expect
from chainrule.lesson.student import CheckFailed, Student

LAYERS = ("conv1", "pool1", "conv2", "pool2", "fc")
Volume = tuple[int, int, int]


def written(student: Student, layer: str) -> Volume:
    """The volume (height, width, channels) that the student wrote.

    Raises:
        CheckFailed: there is none that can be read.
    """
    name = f'volumes["{layer}"]'
    value = entry(student.volumes, layer, "volumes")
    return flat(value, name) if layer == "fc" else volume(value, name)


def volumes(
    item: Item, *, side: int, depth: int, kernel: int, filters: tuple[int, int], outputs: int
) -> None:
    """Visible checks of `volumes`.

    Args:
        side, depth, kernel, filters, outputs: the network, as the notebook describes it.
    """

    @item.visible_check(
        "five volumes, each (height, width, channels)",
        means="right form",
        hint='"conv1": (…, …, …) with whole numbers, the channels last; this does not say they are right',
    )
    def _(student: Student) -> None:
        for layer in LAYERS:
            height, width, _ = written(student, layer)
            expect(layer == "fc" or height == width).is_true(
                f'volumes["{layer}"] is {height} high and {width} wide, but a square picture stays square here: '
                "are the channels last?"
            )

    @item.visible_check(
        "both pooling layers keep the channels, and leave fewer numbers",
        means="consistent",
        hint="each channel is pooled by itself: what becomes smaller, and what stays?",
    )
    def _(student: Student) -> None:
        for pool, before in (("pool1", "conv1"), ("pool2", "conv2")):
            expect_pooled(pool, written(student, before), written(student, pool))

    @item.visible_check(
        "both pooling layers do the same to height and width",
        means="consistent",
        hint="they have the same windows and the same stride, so they divide the sides by the same number",
    )
    def _(student: Student) -> None:
        expect_same_pooling(student)

    @item.visible_check(
        "both convolutions do the same to height and width",
        means="consistent",
        hint="they have the same filter size, stride and padding, so as many rows are lost in both: how many?",
    )
    def _(student: Student) -> None:
        expect_same_convolution(student, side)

    @item.visible_check(
        "the channels of both convolutions fit each other",
        means="consistent",
        hint="what decides how many channels a convolution makes? The same rule holds for both",
    )
    def _(student: Student) -> None:
        expect_same_channels(student, filters)

    @item.visible_check(
        "fc: neurons, without height and width, and fewer than the numbers they see",
        means="consistent",
        hint="one number for each neuron: what is flattened before is what they look at",
    )
    def _(student: Student) -> None:
        height, width, neurons = written(student, "fc")
        expect(height == width == 1).is_true(
            f'volumes["fc"] has {height} rows and {width} columns, and a layer of neurons has none'
        )
        before = prod(written(student, "pool2"))
        expect(neurons < before).is_true(f'volumes["fc"] is {neurons}, and pool2 leaves {before} numbers')


def expect_pooled(pool: str, before: Volume, after: Volume) -> None:
    """A pooling layer keeps the channels and leaves fewer numbers.

    Raises:
        CheckFailed: it doesn't.
    """
    channels = f'volumes["{pool}"] has {after[2]} channels, and the volume before it {before[2]}'
    expect(after[2] == before[2]).is_true(channels)
    numbers = f'volumes["{pool}"] has {prod(after)} numbers, and the volume before it {prod(before)}'
    expect(prod(after) < prod(before)).is_true(numbers)


def expect_same_pooling(student: Student) -> None:
    """Both pooling layers divide the sides by the same whole number, rounded down.

    Raises:
        CheckFailed: they don't.
    """
    pairs = [(written(student, conv)[0], written(student, pool)[0]) for conv, pool in POOLED]
    same = any(all(after == before // by for before, after in pairs) for by in range(1, pairs[0][0] + 1))
    text = " and ".join(f"{before} becomes {after}" for before, after in pairs)
    expect(same).is_true(
        f"from conv1 to pool1 and from conv2 to pool2: {text}, not divided by the same number"
    )


POOLED = (("conv1", "pool1"), ("conv2", "pool2"))


def expect_same_convolution(student: Student, side: int) -> None:
    """Both convolutions take as many rows away.

    Raises:
        CheckFailed: they don't.
    """
    lost = [side - written(student, "conv1")[0], written(student, "pool1")[0] - written(student, "conv2")[0]]
    expect(lost[0] == lost[1]).is_true(
        f"conv1 has {lost[0]} rows less than the volume before it, conv2 has {lost[1]} less"
    )


def expect_same_channels(student: Student, filters: tuple[int, int]) -> None:
    """Both convolutions make as many channels for each of their filters.

    Raises:
        CheckFailed: they don't.
    """
    first, second = written(student, "conv1")[2], written(student, "conv2")[2]
    expect(first * filters[1] == second * filters[0]).is_true(
        f"conv1 makes {first} channels with {filters[0]} filters, and conv2 makes {second} with {filters[1]}"
    )


# -- parameters ------------------------------------------------------------------------------------------


def parameters(
    item: Item, *, side: int, depth: int, kernel: int, filters: tuple[int, int], outputs: int
) -> None:
    """Visible checks of `parameters`.

    Args:
        side, depth, kernel, filters, outputs: the network, as the notebook describes it.
    """
    units = {
        "conv1": filters[0],
        "pool1": filters[0],
        "conv2": filters[1],
        "pool2": filters[1],
        "fc": outputs,
    }

    def count(student: Student, layer: str) -> int:
        return whole_number(entry(student.parameters, layer, "parameters"), f'parameters["{layer}"]')

    def weights_each(student: Student, layer: str) -> int:
        """What is left for a filter or neuron without its bias."""
        return count(student, layer) // units[layer] - 1

    def own(student: Student, layer: str) -> Volume | None:
        """The student's volume of a layer, if their volumes fit each other."""
        with suppress(CheckFailed):
            for pool, conv in (("pool1", "conv1"), ("pool2", "conv2")):
                expect_pooled(pool, written(student, conv), written(student, pool))
            expect_same_pooling(student)
            expect_same_convolution(student, side)
            expect_same_channels(student, filters)
            return written(student, layer)
        return None

    @item.visible_check(
        "five whole numbers",
        means="right form",
        hint='"conv1": 7 * 7 * 3, or "7*7*3" as a text; this does not say they are right',
    )
    def _(student: Student) -> None:
        for layer in LAYERS:
            count(student, layer)

    @item.visible_check(
        "every filter and every neuron has as many parameters as its neighbours",
        means="consistent",
        hint="a layer's count can be divided by its number of filters or neurons; each has weights, and biases?",
    )
    def _(student: Student) -> None:
        for layer in LAYERS:
            total, n = count(student, layer), units[layer]
            text = f'parameters["{layer}"] is {total}, which cannot be shared out among {n}'
            expect(total % n == 0).is_true(text)

    @item.visible_check(
        "both pooling layers have as many parameters",
        means="consistent",
        hint="they do the same; which numbers of a maximum could training adjust?",
    )
    def _(student: Student) -> None:
        first, second = count(student, "pool1"), count(student, "pool2")
        expect(first == second).is_true(f"pool1 has {first}, pool2 has {second}")

    @item.visible_check(
        "a filter: one bias, and a square of weights for every channel that it sees",
        means="consistent",
        hint="weights + biases: write the count as a sum of products, and ask of every factor what it counts",
    )
    def _(student: Student) -> None:
        for layer in ("conv1", "conv2"):
            each = weights_each(student, layer)
            expect(each > 0 and each % kernel**2 == 0).is_true(
                f'parameters["{layer}"] / {units[layer]} − 1, a filter without one bias, is {each}: '
                f"not a number of {kernel} × {kernel} squares"
            )

    @item.visible_check(
        "conv2: its filters fit your volume before it",
        means="consistent",
        hint="how deep is a filter? As deep as what it looks at. One of the two has a slip",
    )
    def _(student: Student) -> None:
        each, before = weights_each(student, "conv2"), own(student, "pool1")
        if before is not None:
            expect(each == kernel**2 * before[2]).is_true(
                f'parameters["conv2"] has filters of {each} weights, and your pool1 has {before[2]} channels'
            )

    @item.visible_check(
        "fc: its neurons fit your volume before it",
        means="consistent",
        hint="a neuron has a weight for every number it sees, and one bias. One of the two has a slip",
    )
    def _(student: Student) -> None:
        each, before = weights_each(student, "fc"), own(student, "pool2")
        if before is not None:
            expect(each == prod(before)).is_true(
                f'parameters["fc"] has neurons of {each} weights, and your pool2 leaves {prod(before)} numbers'
            )
        else:  # then a square picture in channels, whatever its size
            channels = {filters[1]}
            with suppress(CheckFailed):
                channels.add(written(student, "pool2")[2])
            fits = any(each % c == 0 and isqrt(each // c) ** 2 * c == each > c for c in channels)
            expect(fits).is_true(f'parameters["fc"] has neurons of {each} weights, which is no square volume')
