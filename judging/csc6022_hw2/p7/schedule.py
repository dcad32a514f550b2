"""Part 9: the learning rate's schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from chainrule.lesson.checks import expect, numbers
from chainrule.lesson.student import Student
from judging.csc6022_hw2.p7.probes import RTOL


def learning_rate(step: int, d_model: int, warmup: int, factor: float = 1.0) -> float:
    """Vaswani et al. 2017, equation 3, times a factor; step 0 counts as step 1."""
    step = max(step, 1)
    value: float = factor * d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)
    return value


def rate(student: Student, step: int, d_model: int, warmup: int, factor: float = 1.0) -> float:
    """What the student's `learning_rate` returns.

    Raises:
        CheckFailed: it is not a single number.
    """
    value = numbers(student.learning_rate(step, d_model, warmup, factor), "the learning rate")
    expect(value.numel(), "the number of its entries").equals(1)
    return float(value.reshape(()))


Rule = Callable[[float, float], float]  # of step and warmup
SCHEDULES: dict[str, Rule] = {
    "max stands for min": lambda n, w: max(n**-0.5, n * w**-1.5),
    "warmup has the exponent −0.5, not −1.5": lambda n, w: min(n**-0.5, n * w**-0.5),
    "there is no warm-up; is the exponent of warmup −1.5?": lambda n, w: n**-0.5,
    "it is counted one step further": lambda n, w: min((n + 1) ** -0.5, (n + 1) * w**-1.5),
    "warmup has the exponent −1, not −1.5": lambda n, w: min(n**-0.5, n / w),
    "warmup has the exponent −2, not −1.5": lambda n, w: min(n**-0.5, n * w**-2),
    "it never falls": lambda n, w: n,
    "it stays constant after the warm-up": lambda n, w: min(n, w),
    "it falls like 1/step after the warm-up": lambda n, w: min(1 / n, n * w**-2),
    "the learning rate is constant": lambda n, w: 1.0,
}


def expect_schedule(student: Student) -> None:
    """The learning rate is right relative to the one at the end of the warm-up."""
    for d_model, warmup in ((24, 40), (96, 250)):
        steps = [1, warmup // 5, warmup // 2, warmup, 2 * warmup, 9 * warmup]
        rates = torch.tensor([rate(student, step, d_model, warmup) for step in steps], dtype=torch.float64)
        expect(bool(rates[3] > 0)).is_true("the learning rate is 0 at the end of the warm-up, or negative")

        def relative(rule: Rule, steps: Sequence[int] = steps, warmup: float = float(warmup)) -> Tensor:
            values = torch.tensor([rule(float(step), warmup) for step in steps], dtype=torch.float64)
            return values / values[3]

        expect(rates / rates[3], f"the learning rate, relative to step {warmup} = warmup,").close_to(
            relative(lambda n, w: min(n**-0.5, n * w**-1.5)),
            mistakes={meaning: relative(rule) for meaning, rule in SCHEDULES.items()},
        )


def expect_scale(student: Student) -> None:
    """The factors before the minimum are right, by ratios; and so is the size, at some step at least."""
    step, warmup = 30, 50
    base = rate(student, step, 24, warmup)
    expect(base > 0).is_true(f"the learning rate is {base:g}")
    expect(rate(student, step, 96, warmup) / base, "the change from d_model = 24 to 96").close_to(
        0.5,
        mistakes={
            "there is no d_model in it": 1.0,
            "√d_model multiplies, it should divide": 2.0,
            "d_model divides, its square root should": 0.25,
            "d_model multiplies, 1/√d_model should": 4.0,
        },
    )
    expect(rate(student, step, 24, warmup, 2.5) / base, "the change from factor 1 to 2.5").close_to(
        2.5,
        mistakes={"the argument factor is not used": 1.0, "the factor divides": 0.4, "it is squared": 6.25},
    )
    steps = (10, warmup, 450)
    ratios = [rate(student, n, 24, warmup) / learning_rate(n, 24, warmup) for n in steps]
    expect(any(abs(ratio - 1) < 2e-3 for ratio in ratios)).is_true(
        f"at step {warmup} = warmup it is {ratios[1]:.4g} times what it should be"
    )


def expect_step_zero(student: Student) -> None:
    """Step 0 has the learning rate of step 1, by the student's own rule."""
    first = rate(student, 1, 24, 40)
    expect(first > 1e-6 and abs(rate(student, 3, 24, 40) - first) > 1e-3 * first).is_true(
        "there is no schedule to ask for step 0: the rates of steps 1 and 3 are the same, or 0"
    )
    zeroth = rate(student, 0, 24, 40)
    if abs(zeroth / learning_rate(1, 24, 40) - 1) < RTOL:  # as in a schedule that counts one step further
        return
    expect(zeroth, "the learning rate of step 0").close_to(
        first, atol=0, mistakes={"it is 0, so the first step is lost": 0.0}
    )
