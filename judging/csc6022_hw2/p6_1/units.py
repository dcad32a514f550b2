"""6.1g: how many hidden units."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor

from chainrule.lesson.calls import call, entry
from chainrule.lesson.checks import numbers
from chainrule.lesson.student import CheckFailed, Student
from judging.csc6022_hw2.p6_1.fit import median_error, network_in
from judging.csc6022_hw2.p6_1.reference import (
    LEARNT,
    case,
    forward,
    normalised_error,
    parameters,
    sample,
)
from judging.csc6022_hw2.p6_1.replaced import Known, agree, knowing

UNITS = tuple(range(1, 11))
USUAL = 1e-4  # the λ of the table
WELL = 0.15  # "does well", as the notebook defines it


def table_of(student: Student, draws: int = 1) -> dict[int, Tensor]:
    """The student's test errors by the number of hidden units.

    Raises:
        CheckFailed: there is none, it is not complete, or it has fewer draws.
    """
    table = student.unit_errors
    if not isinstance(table, Mapping) or not table:
        raise CheckFailed(
            "`unit_errors` is empty: finish `test_errors` and run the cell that fills the table"
        )
    errors = {}
    for units in UNITS:
        if units not in table:
            raise CheckFailed(f"`unit_errors` has no entry for {units} hidden units")
        values = numbers(table[units], f"the errors with {units} hidden units").flatten()
        if len(values) < draws:
            raise CheckFailed(
                f"with {units} hidden units there are errors of {len(values)} draws, fewer than {draws}"
            )
        errors[units] = values
    return errors


def expect_table(student: Student) -> None:
    """The table has errors of several draws, of a size that our training or the student's own `fit` gives.

    What is wrong about `hidden` or the draws in the function that fills it has lost its points there.
    """
    table = table_of(student, draws=5)
    if any(bool((values < 0).any()) for values in table.values()):
        raise CheckFailed("a test error is negative; a mean of squares is not")
    alike = any(float(values.std()) < 1e-6 * float(values.abs().max()) for values in table.values())
    if alike and confusion(student) != "draws":
        raise CheckFailed("the draws have the same error: each needs a data set and a start of its own")
    if few_medians(table) and confusion(student) != "hidden":
        raise CheckFailed("the errors do not depend on the number of hidden units: is it handed to `fit`?")
    one, ten = (float(table[units].quantile(0.5)) for units in (1, 10))
    if 0.35 < one < 1.1 and 0 < ten < WELL:
        return
    if confusion(student):
        return
    for units, median in ((1, one), (10, ten)):
        usual = median_error(student, units)
        if not (usual < LEARNT or units == 1) or not usual / 5 < median < 5 * usual:
            raise CheckFailed(
                f"the median with {units} hidden unit{'s' * (units > 1)} is {median:.3g}, and your `fit` gives "
                f"{usual:.3g} on other data: are these normalised errors on the test set?"
            )


def few_medians(table: Mapping[int, Tensor]) -> bool:
    """Whether the medians are the same for most sizes."""
    return len({round(float(values.quantile(0.5)), 9) for values in table.values()}) < 5


def asked_for(student: Student, hidden: int, draws: int) -> list[Tensor]:
    """For each draw what `test_errors` trains with: the number of the data set, `hidden`, λ, epochs and seed.

    Raises:
        CheckFailed: it does not call `data_set` and `fit` once for each draw.
    """
    (X, y), (X_test, y_test) = sample(6, 80), sample(7, 90)
    trained = [parameters(case(6, 2, hidden, 70)), {"train": [0.3, 0.2], "test": [0.5, 0.4]}]
    instead = {"data_set": [[X, y, X_test, y_test]], "fit": [trained]}
    _, calls = call(student.test_errors.call_with, instead, hidden, USUAL, draws)
    if not len(calls["data_set"]) == len(calls["fit"]) == draws:
        raise CheckFailed("`test_errors` does not call `data_set` and `fit` once for each draw")
    pairs = zip(calls["data_set"], calls["fit"], strict=True)
    return [numbers([*data, *training[4:]], "its arguments") for data, training in pairs]


def units_of(student: Student, hidden: int) -> int:
    """How many hidden units the network has that `fit` returns."""
    params = network_in(student, call(student.fit, *student.data_set(0), hidden, USUAL, 1, 0))
    return numbers(entry(params, "b", "fit"), "b").numel()


@cache
def confusion(student: Student) -> str:
    """What the student's functions leave out, if the table is what they give: "draws" if `test_errors` makes the same
    training for every draw, "hidden" if it or `fit` takes the same number of units for every size; otherwise ""."""
    table = table_of(student)
    try:
        own = numbers(call(student.test_errors, 1, USUAL, 2), "what `test_errors` returns").flatten()
        if not agree(table[1][:2], own):
            return ""
        (one, other), (larger, _) = (asked_for(student, hidden, 2) for hidden in (3, 5))
        if agree(one, other):
            return "draws"
        return "hidden" if agree(one, larger) or units_of(student, 3) == units_of(student, 5) else ""
    except CheckFailed:
        return ""


def expect_errors(student: Student) -> None:
    """The student's `test_errors` gives, for each draw, what `fit` does on this draw's data from this draw's start.

    It does so where all that it calls gives known values; or, if it goes about it in another way, with the student's
    own functions. With the second λ the error falls, then rises to 1 as the weights go to 0.
    """
    for lam, draws in ((3e-3, 2), (0.1, 1)):
        if not hands_on(student, 3, lam, draws):
            _expect_errors(student, 3, lam, draws)


def hands_on(student: Student, hidden: int, lam: float, draws: int) -> bool:
    """Whether `test_errors` calls `data_set` and `fit` for each draw, with what they should get, and returns the last
    error of the history or that of the parameters, whatever the student's own functions make of it."""
    epochs = int(numbers(student.EPOCHS, "EPOCHS"))
    known: Known = {name: [] for name in ("data_set", "fit", "forward", "normalised_error")}
    errors = []
    for draw in range(draws):
        (X, y), (X_test, y_test) = sample(6, 80 + draw), sample(7, 90 + draw)
        params = parameters(case(6, 2, hidden, 70 + draw))
        A, f = forward(params, X_test)
        errors.append(normalised_error(y_test, f))
        history = {
            "train": [errors[-1] / 4, errors[-1] / 5],
            "test": [2 * errors[-1], errors[-1] / 2, errors[-1]],
        }
        data = [X, y, X_test, y_test]
        known["data_set"].append(([draw], data))
        known["fit"].append(([*data, hidden, lam, epochs, draw], [params, history]))
        known["forward"].append(([params, X_test], [A, f]))
        known["normalised_error"].append(([y_test, f], errors[-1]))
    try:
        got = knowing(student.test_errors, known, hidden, lam, draws)
        return agree(numbers(got, "what `test_errors` returns").flatten(), torch.tensor(errors))
    except CheckFailed:
        return False


def _expect_errors(student: Student, hidden: int, lam: float, draws: int) -> None:
    own = numbers(call(student.test_errors, hidden, lam, draws), "what `test_errors` returns").flatten()
    if len(own) != draws:
        raise CheckFailed(f"for {draws} draws `test_errors` returns {len(own)} numbers")
    epochs = int(numbers(student.EPOCHS, "EPOCHS"))

    def history(data: int, seed: int, hidden: int = hidden, lam: float = lam) -> dict[str, Tensor]:
        pair = call(student.fit, *student.data_set(data), hidden, lam, epochs, seed)
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise CheckFailed("`fit` should return the parameters and a history")
        return {
            name: numbers(entry(pair[1], name, "fit"), f'the history "{name}"').flatten()
            for name in ("train", "test")
        }

    def near(got: Tensor, want: Tensor) -> bool:
        return bool((got - want).abs() <= 1e-6 * want.abs())

    rights = [history(draw, draw)["test"] for draw in range(draws)]
    if draws > 1 and all(near(right[-1], rights[0][-1]) for right in rights):
        raise CheckFailed("your `fit` ends with the same error on every data set: nothing follows from it")
    for draw, right in enumerate(rights):
        got = own[draw]
        if near(got, right[-1]):
            continue
        mistakes: dict[str, Callable[[int], Tensor]] = {
            "the smallest error of the training, and the last one is asked for": lambda d: history(d, d)[
                "test"
            ].min(),
            "an error on the training set": lambda d: history(d, d)["train"][-1],
            "the first error of the training, and the last one is asked for": lambda d: history(d, d)["test"][
                0
            ],
            "an error on data_set(0): every draw has a data set of its own": lambda d: history(0, d)["test"][
                -1
            ],
            "an error from the start with seed 0: every draw has a start of its own": (
                lambda d: history(d, 0)["test"][-1]
            ),
            "an error with ten hidden units, whatever `hidden` is": lambda d: history(d, d, hidden=10)[
                "test"
            ][-1],
            "an error without weight decay, whatever `lam` is": lambda d: history(d, d, lam=0)["test"][-1],
            "an error with λ = 0.0001, whatever `lam` is": lambda d: history(d, d, lam=1e-4)["test"][-1],
        }
        for meaning, wrong in mistakes.items():
            if near(got, wrong(draw)):
                raise CheckFailed(f"draw {draw}: this is {meaning}", cause=meaning)
        raise CheckFailed(
            f"draw {draw}: {got:.4g}, but the history of `fit(*data_set({draw}), {hidden}, {lam:g}, EPOCHS, {draw})` "
            f"ends at {right[-1]:.4g}"
        )


def expect_smallest(student: Student) -> None:
    """The number is the smallest one that does well in the student's own table."""
    value = student.smallest_number
    own = numbers(value, "`smallest_number`")
    if own.numel() != 1 or float(own.reshape(())) not in UNITS:
        raise CheckFailed("`smallest_number` should be a whole number from 1 to 10")
    number = int(own.reshape(()))
    medians = {units: float(values.quantile(0.5)) for units, values in table_of(student).items()}
    if few_medians(table_of(student)) and confusion(student) != "hidden":
        raise CheckFailed(
            "your table shows the same errors for all numbers of hidden units: nothing to choose by"
        )
    enough = [units for units in UNITS if medians[units] <= WELL]
    wanted = enough[0] if enough else None
    # torch.median takes the lower one of the two in the middle
    lower = [units for units, values in table_of(student).items() if float(values.median()) <= WELL]
    if number not in (wanted, *lower[:1]):
        if wanted is None:
            raise CheckFailed(f"in your table no number of hidden units has a median of {WELL:g} or less")
        where = "is not the first" if number in enough else f"has a median of {medians[number]:.3g}"
        raise CheckFailed(f"in your table {number} {where}: look for the first median of {WELL:g} or less")
