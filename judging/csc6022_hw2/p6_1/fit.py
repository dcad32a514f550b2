"""6.1e: the training loop, its history, and how well the network learns."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from chainrule.judging.derivation import alike
from chainrule.lesson.calls import as_arrays, call, entry
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, Student, StudentError
from judging.csc6022_hw2.p6_1.loop import loop
from judging.csc6022_hw2.p6_1.moves import moves
from judging.csc6022_hw2.p6_1.network import expect_vector
from judging.csc6022_hw2.p6_1.reference import (
    DRAWS,
    EPOCHS,
    FAINT,
    HIDDEN,
    LAM,
    LEARNT,
    PARAMETERS,
    THRESHOLD,
    forward,
    normalised_error,
)
from judging.csc6022_hw2.p6_1.replaced import gradients_are_wrong, own_or_right
from judging.csc6022_hw2.p6_1.steps import (
    FEW,
    MANY,
    calls_step,
    data_set,
    equal,
    repeats_steps,
    same_steps,
    step_is_wrong,
    steps,
)

RETURNS = "`fit` should return the parameters and a history"


def network_in(student: Student, returned: Any) -> Any:
    """The trained parameters in what `fit` returned. The check of its history judges whether they come first, and with
    a history.

    Raises:
        CheckFailed: there are none.
    """
    parts = returned if isinstance(returned, list | tuple) else [returned]
    networks = [part for part in parts if isinstance(part, Mapping) and set(PARAMETERS) <= part.keys()]
    if not networks:
        raise CheckFailed(RETURNS)
    if len(networks) > 1:  # one is a velocity
        with suppress(CheckFailed):
            return parts[loop(student).place or 0]
    return networks[0]


class Fit:
    """What the student's `fit` returns for one of our data sets.

    Attributes:
        data: as from `data_set`.
        params: the student's parameters after training, in their shapes, of as many hidden units as they have.
    """

    def __init__(self, student: Student, seed: int, hidden: int = HIDDEN, epochs: int = EPOCHS) -> None:
        self.data = data_set(seed)
        self.epochs = epochs
        self.returned = call(student.fit, *self.data, hidden, LAM, epochs, seed)
        params = network_in(student, self.returned)
        units = numbers(
            entry(params, "b", "fit"), 'after training "b"'
        ).numel()  # `expect_arguments` judges it
        self.params = {}
        for name, shape in {"W": (units, 2), "b": (units,), "v": (units,), "c": (1,)}.items():
            value = alike(numbers(entry(params, name, "fit"), f'after training "{name}"'), torch.empty(shape))
            if tuple(value.shape) != shape:
                raise CheckFailed(f'the parameter "{name}" has shape {tuple(value.shape)}, not {shape}')
            self.params[name] = value

    @property
    def history(self) -> Any:
        """The second of the two that `fit` should return.

        Raises:
            CheckFailed: it returns something else.
        """
        if not isinstance(self.returned, list | tuple) or len(self.returned) != 2:
            raise CheckFailed(RETURNS)
        return self.returned[1]

    def errors(self) -> tuple[float, float]:
        """The network's normalised errors on the training and the test set."""
        X, y, X_test, y_test = self.data
        return (
            normalised_error(y, forward(self.params, X)[1]),
            normalised_error(y_test, forward(self.params, X_test)[1]),
        )

    def own_error(self, student: Student) -> float:
        """The test error by the student's own `forward`, which another check judges; infinite if that fails."""
        X, y = self.data[2:]
        try:
            f = call(student.forward, self.params, X)[1]
            return normalised_error(y, expect_vector(numbers(f, "f"), len(X), "f"))
        except (CheckFailed, TypeError, LookupError):
            return math.inf


def expect_history(student: Student) -> None:
    """The history tells the errors, with the student's own functions or with right ones."""
    own_or_right(
        lambda repaired: loop(student).expect_history() if repaired else expect_own_history(student),
        partial(gradients_are_wrong, student),
    )


def expect_own_history(student: Student) -> None:
    """The history ends at the errors of the network that `fit` returns, by our functions or by the student's own.

    With a wrong `step` the weights may diverge: then it is enough that the history is right after few epochs.
    """
    try:
        _expect_history(
            student, 60
        )  # the outputs still vary less than the targets, so each tells its variance
    except CheckFailed as failure:
        try:
            _expect_history(student, 20)
        except CheckFailed:
            raise failure from None
        if "NaN" not in str(failure) and not step_is_wrong(student):
            raise


def _expect_history(student: Student, epochs: int) -> None:
    fit = Fit(student, 74, hidden=4, epochs=epochs)
    if _length(fit) > 2 and _length(fit) == _length(Fit(student, 74, hidden=4, epochs=2 * epochs)):
        if _length(Fit(student, 74, hidden=4, epochs=epochs // 2)) < _length(fit):
            raise CheckFailed(
                f"the history ends early: it is as long after {epochs} epochs as after {2 * epochs}"
            )
        raise CheckFailed(
            f"the history is as long after {epochs} epochs as after {2 * epochs}: is the argument `epochs` used?"
        )
    ends = {}
    for name in ("train", "test"):
        values = numbers(entry(fit.history, name, "fit"), f'the history "{name}"')
        due = epochs // 10
        if values.ndim != 1 or not due <= len(values) <= epochs + 2:
            raise CheckFailed(
                f'the history "{name}" should have an entry for every tenth epoch, here {due}; '
                f"yours has shape {tuple(values.shape)}"
            )
        ends[name] = float(values[-1])
    right = dict(zip(("train", "test"), fit.errors(), strict=True))
    sizes = {"train": len(fit.data[1]), "test": len(fit.data[3])}
    unbiased = {name: error * (sizes[name] - 1) / sizes[name] for name, error in right.items()}
    known = [right, unbiased]
    for form in (list, as_arrays):  # a variance may have N in arrays and N − 1 in tensors
        with suppress(CheckFailed, TypeError, LookupError, RuntimeError):
            own = {}
            for name, data in {"train": fit.data[:2], "test": fit.data[2:]}.items():
                X, y = form(list(data))
                f = call(student.forward, fit.params, X)[1]
                own[name] = float(numbers(call(student.normalised_error, y, f), "the error").reshape(()))
                own[name] = own[name] if float(numbers(f, "f").std()) > FAINT else math.nan
            known.append(own)  # other checks judge `forward` and `normalised_error`
    for errors in known:
        if matching(ends, errors):
            return
        if matching(ends, dict(zip(("test", "train"), errors.values(), strict=True))):
            raise CheckFailed("the histories of training and test set are exchanged")
        if matching(ends, {"train": errors["train"], "test": errors["train"]}):
            raise CheckFailed('the history "test" holds errors on the training set')
    name = max(ends, key=lambda name: abs(ends[name] - right[name]))
    raise CheckFailed(
        f'the history "{name}" ends at {ends[name]:.3g}; the network returned has an error of {right[name]:.3g}'
    )


def _length(fit: Fit) -> int:
    """How many entries the history of the training set has; 0 if there is none."""
    try:
        return numbers(entry(fit.history, "train", "fit"), "the history").numel()
    except CheckFailed:
        return 0


def matching(ends: Mapping[str, float], known: Mapping[str, float]) -> bool:
    """Whether a history ends at these errors, which it may round to two decimals or more."""

    def tells(end: float, error: float) -> bool:
        rounded = any(abs(end - round(error, digits)) < 1e-7 for digits in (2, 3, 4))
        return rounded or abs(end - error) <= 0.002 * abs(error)

    return all(tells(ends[name], known[name]) for name in ends)


@cache
def median_error(student: Student, hidden: int = HIDDEN) -> float:
    """Train the student's network on `DRAWS` data sets; return the median of the normalised test errors."""
    errors = []
    for draw in range(DRAWS):
        try:
            fit = Fit(student, 100 + draw, hidden)
            error = fit.errors()[1]
            errors.append(error if error <= THRESHOLD else min(error, fit.own_error(student)))
        except StudentError:
            raise
        except CheckFailed as failure:
            if "NaN" not in str(failure):
                raise
            errors.append(math.inf)
    return float(torch.tensor(errors).quantile(0.5))


def expect_accuracy(student: Student) -> None:
    """The network learns, or `fit` hands on what right functions give.

    If it makes its steps, each from where the one before ended, and what else is wrong about it has lost its points in
    another check, it need not learn.
    """
    try:
        own_or_right(
            lambda repaired: loop(student).expect_steps() if repaired else expect_own_accuracy(student),
            partial(gradients_are_wrong, student),
        )
    except CheckFailed:
        if not (passes(lambda: loop(student).expect_steps()) and found_elsewhere(student)):
            raise


def passes(expect: Callable[[], None]) -> bool:
    """Whether a check finds nothing."""
    try:
        expect()
    except CheckFailed:
        return False
    return True


def found_elsewhere(student: Student) -> bool:
    """Whether the check of the history or that of the arguments finds something."""
    return not (passes(partial(expect_history, student)) and passes(partial(expect_arguments, student)))


def expect_own_accuracy(student: Student) -> None:
    """The network learns. If it doesn't because of a mistake in `step` or before, it is enough that the training loop
    is right and learns anything."""
    median = median_error(student)
    if median <= THRESHOLD:
        return
    message = f"the median of the test errors over {DRAWS} data sets is {median:.3g}, above {THRESHOLD:g}"
    if not (repeats_steps(student) and step_is_wrong(student)):
        if not median < math.inf:
            message = f"in most of {DRAWS} trainings the weights run away to NaN or infinity"
        raise CheckFailed(message)
    if not (median < LEARNT or all(move.aligned() for move in moves(student) if not move.lam)):
        raise CheckFailed(f"{message}: nothing is learnt")


def expect_arguments(student: Student) -> None:
    """`fit` uses what it is given, with the student's own functions or with right ones.

    If every step gets what it should, what else is wrong about `fit` is left to the check that finds it.
    """
    try:
        own_or_right(
            lambda repaired: loop(student).expect_arguments() if repaired else expect_own_arguments(student),
            partial(gradients_are_wrong, student),
        )
    except CheckFailed:
        others = (expect_history, expect_own_accuracy)
        if not passes(lambda: loop(student).expect_arguments()) or all(
            passes(partial(other, student)) for other in others
        ):
            raise


def expect_own_arguments(student: Student) -> None:
    """`fit` trains on the training set alone, with λ, from the start that the seed gives, and hands the velocity on.

    An optimizer of the student's own may do this, too. If the student's `step` makes nothing of λ, its check has lost
    the points, and `fit` may ignore it, too.
    """
    X, y, X_test, y_test = data_set(75, 60)
    other_test = data_set(76, 40)[2:]

    def trained(
        test: tuple[Tensor, Tensor] = (X_test, y_test), lam: float = LAM, seed: int = 9, epochs: int = FEW
    ) -> dict[str, Tensor]:
        params = network_in(student, call(student.fit, X, y, *test, 4, lam, epochs, seed))
        return {name: numbers(entry(params, name, "fit"), f'after training "{name}"') for name in PARAMETERS}

    base = trained()
    if len(base["b"]) != 4:
        raise CheckFailed(f"with `hidden` = 4 the network has {len(base['b'])} hidden units")
    if not equal(base, trained()):
        raise CheckFailed("the same call twice ends at other weights: start from `initial(hidden, seed)`")
    if not equal(base, trained(test=other_test)):
        raise CheckFailed("with another test set the weights are others: train on X and y alone")
    if equal(base, trained(seed=10)):
        raise CheckFailed("two seeds give the same weights: start from `initial(hidden, seed)`")
    if equal(base, {name: numbers(value, name) for name, value in student.initial(4, 9).items()}):
        raise CheckFailed(
            "the weights that come back are those of the start: a step's result goes into the next one"
        )
    if equal(base, trained(lam=0.5)) and not equal(steps(student, X, y), steps(student, X, y, lam=0.5)):
        raise CheckFailed("with another λ the weights are the same: is `lam` handed to every step?")
    if not equal(base, steps(student, X, y)):
        for made in (FEW - 1, FEW + 1, 2 * FEW):
            if equal(base, steps(student, X, y, count=made)):
                raise CheckFailed(f"{FEW} epochs are {made} steps: each is one step")
    resting = steps(student, X, y, keep=False)
    if resting and equal(base, resting) and not equal(base, steps(student, X, y)):
        raise CheckFailed("the velocity is 0 again in every step: hand on the one that `step` returned")
    # on the second test set errors rise while the network learns, so whoever looks at them ends early
    long, rising = trained(epochs=MANY), trained(test=(X_test, -y_test), epochs=MANY)
    if not equal(long, rising):
        raise CheckFailed(
            "which weights come back depends on the test set: train and choose on X and y alone"
        )
    if not calls_step(student, (X, y, X_test, y_test)) or any(same_steps(student, X, y, long, MANY)):
        return
    if any(same_steps(student, X, y, base, FEW)):
        raise CheckFailed(
            f"the first {FEW} epochs are right, and not all of {MANY}: every epoch is the same step, on all of X and "
            "y, with the velocity handed on"
        )
    try:
        loop(student).expect_arguments()
        more = ""
    except CheckFailed as failure:
        more = f": {failure}"
    raise CheckFailed(
        f"{FEW} epochs are not {FEW} steps on all of X and y with `LEARNING_RATE` and `MOMENTUM` from "
        f"`initial(hidden, seed)`{more}"
    )
