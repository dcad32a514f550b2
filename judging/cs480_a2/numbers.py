"""Assignment 2's numbers, the handout's or one student's own: see `chainrule release --variants`."""

from __future__ import annotations

from random import Random

from judging.cs480_a2 import question1, question2

SAME = "The network of Question 1.2, with the activations written out:"
ALIKE = "Like the network of Question 1.2, in other sizes, and with the activations written out:"


def draw(random: Random | None) -> dict[str, object]:
    """All numbers of questions 1 and 2 by name. Question 3 has no numbers that vary: all students
    train the handout's networks.

    Args:
        random: None for the handout's numbers.
    """
    sentence = {"q3_2_network": SAME if random is None else ALIKE}
    return {**question1.draw(random), **question2.draw(random), **sentence}
