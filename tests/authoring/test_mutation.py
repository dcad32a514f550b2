"""Mutants are judged one by one, each in a process of its own, and what is known is not tried again."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from course_modules import COURSE

from chainrule.authoring import mutation
from chainrule.authoring.mutants import Mutant
from chainrule.authoring.mutation import Mutation, Outcome, in_processes, without


@pytest.fixture
def gradients(tmp_path: Path) -> Mutation:
    return Mutation(COURSE, "csc6022-hw2", "p2_two_layer_gradients", tmp_path / "kept")


def some(cell: str, change: str) -> Callable[[str, Mutant], bool]:
    """The mutants with these words in what they change."""
    return lambda name, mutant: name == cell and change in mutant.change


def test_a_slip_is_killed_by_its_own_item_alone(gradients: Mutation, classroom: Path) -> None:
    slip = some("p2_2b-functions", "→ return dz2[:, None] * dz2")
    (outcome,) = gradients.run(classroom, 1, slip)
    assert not outcome.survives
    assert outcome.noticed
    assert outcome.others == {}


def test_an_interrupted_run_goes_on(
    gradients: Mutation, classroom: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = some("p2_2b-functions", "")
    running = gradients.run(classroom, 1, wanted, across=False)
    first = [next(running) for _ in range(2)]
    running.close()
    gradients.kept.open("a").write('{"key": "torn')
    assert set(map(str, gradients.read().values())) == set(map(str, first))

    tried = []

    def fake(work: dict[str, Callable[[], object]], jobs: int) -> Iterator[tuple[str, object]]:
        if work.keys() <= {
            "",
            *gradients.cells,
        }:  # what the reference does, and what is missing without a cell
            yield from in_processes(work, jobs)
        else:
            tried.extend(work)

    monkeypatch.setattr(mutation, "in_processes", fake)
    again = list(gradients.run(classroom, 1, wanted, across=False))
    assert set(map(str, again)) == set(map(str, first))
    assert tried


def test_a_cell_of_which_no_check_speaks_is_named(tmp_path: Path, classroom: Path) -> None:
    """Its check asks only after a training run, which there is not here; such mutants are no survivors."""
    decay = Mutation(COURSE, "csc6022-hw2", "p6_1_mlp_weight_decay", tmp_path / "kept")
    assert list(decay.run(classroom, 1, some("p6_1g-number", ""), across=False)) == []
    assert decay.silent == ["p6_1g-number"]


def test_a_changed_check_is_tried_again(gradients: Mutation) -> None:
    gradients._keep("name", Outcome("cell", "kind", 1, "a → b"))
    assert gradients.read()
    gradients.key = "another"
    assert gradients.read() == {}


def test_an_error_of_ours_kills_nothing() -> None:
    assert Outcome("cell", "kind", 1, "a → b", stopped="KeyError: 'item'").survives
    assert not Outcome("cell", "kind", 1, "a → b", stopped="ended by signal 24").survives
    assert not Outcome("cell", "kind", 1, "a → b", own=0.5).survives


def test_why_a_mutant_is_equivalent(gradients: Mutation) -> None:
    gradients.equivalent = {"cell": {"h = z * (z > 0)… → …>= 0…": "no derivative at 0"}}
    outcome = Outcome("cell", "comparison", 1, "h = z * (z > 0) → h = z * ((z >= 0))")
    assert gradients.excuse(outcome) == "no derivative at 0"
    assert gradients.excuse(Outcome("cell", "name", 1, "h = z * (z > 0) → h = z * (z > z)")) == ""
    assert gradients.excuse(Outcome("other", "comparison", 1, outcome.change)) == ""


def test_a_slip_that_changes_no_value_is_excused(tmp_path: Path, classroom: Path) -> None:
    patches = Mutation(COURSE, "csc6022-hw2", "p4_cnn_vs_vit", tmp_path / "kept")
    (outcome,) = patches.run(classroom, 1, some("p4_4-patches-answer", "225 // 16"), across=False)
    assert outcome.survives
    assert patches.excuse(outcome) == "it gives the same values"
    (outcome,) = patches.run(classroom, 1, some("p4_4-patches-answer", "224 // 17"), across=False)
    assert not outcome.same


def test_values_of_several_entries_are_compared(tmp_path: Path) -> None:
    network = Mutation(COURSE, "cs480-a2", "assignment2", tmp_path / "kept")
    cell = "q2_2a-answers"
    source = network.rehearsal.sources[cell]

    def same(change: str) -> bool:
        assert "U @ h" in source
        return network._gives_the_same(cell, Mutant("name", 1, change, source.replace("U @ h", change)))

    assert same("U @ z")  # the neuron that is off has no weights
    assert not same("U @ h + 1")


def test_a_cell_of_values_that_stops_is_no_slip_at_other_parts(tmp_path: Path, classroom: Path) -> None:
    counts = Mutation(COURSE, "cs480-a2", "assignment2", tmp_path / "kept")
    (outcome,) = counts.run(classroom, 1, some("q1_2-count-table", "sum(layer_parameters) → pass"))
    assert outcome.others == {"q1_2-comparison": 0.15}
    assert outcome.stops  # the next cell divides by the total
    assert not outcome.spreads


def test_typed_answers_belong_to_the_next_graded_cell(tmp_path: Path) -> None:
    cells = Mutation(COURSE, "cs480-a2", "assignment2", tmp_path).cells
    assert cells["q2_2c-answers"] == ("q2_2c-output",)
    assert cells["q3_1-train"] == ("q3_1-training",)


def test_exercises_with_one_cell_judge_it_together(tmp_path: Path) -> None:
    cells = Mutation(COURSE, "csc6022-hw2", "p6_2_cnn_pytorch", tmp_path).cells
    assert {"p6_2e-network", "p6_2e-training"} in map(set, cells.values())
    assert {"p6_2d-network", "p6_2d-optimizer"} in map(set, cells.values())


@pytest.mark.parametrize(
    ("function", "item"), [("sequential_net", "p6_2d-network"), ("nesterov", "p6_2d-optimizer")]
)
def test_a_function_is_judged_by_the_items_that_need_it(
    function: str, item: str, tmp_path: Path, classroom: Path
) -> None:
    networks = Mutation(COURSE, "csc6022-hw2", "p6_2_cnn_pytorch", tmp_path / "kept")
    source = networks.rehearsal.sources["p6_2d-code"]
    line = next(i for i, text in enumerate(source.splitlines(), 1) if text.startswith(f"def {function}"))
    rest = without(source, line + 1)
    assert f"def {function}" not in rest
    assert networks._judges("p6_2d-code", rest, classroom, across=False) == ((item,), ())


def busy() -> None:
    while True:
        pass


def test_what_ends_or_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutation, "CPU_SECONDS", 1)
    work = {
        "value": lambda: {"a": 1},
        "error": lambda: 1 / 0,
        "exit": lambda: os.kill(os.getpid(), signal.SIGKILL),
        "busy": busy,
    }
    found = dict(in_processes(work, 2))
    assert found["value"] == {"a": 1}
    assert found["error"] == "ZeroDivisionError: division by zero"
    assert found["exit"] == f"ended by signal {signal.SIGKILL.value}"
    assert found["busy"] == f"ended by signal {signal.SIGXCPU.value}"
