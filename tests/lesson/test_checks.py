"""A graded cell: what it is worth, what it tells whom, and what it leaves as it was."""

import json
import random
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import numpy as np
import pytest
import torch
from IPython.display import display

from chainrule.lesson import Item, expect, progress
from chainrule.lesson.results import RESULT_TYPE, CheckResult, Result, last_results
from chainrule.lesson.student import CheckFailed, connect
from chainrule.lesson.verbs import Worker
from chainrule.metadata import judged_record, result_of
from chainrule.validation import RecordError

SCRIPT = "<script>alert('x')</script>&amp;<b>"


@pytest.fixture(autouse=True)
def namespace() -> Iterator[dict[str, Any]]:
    """The student's names."""
    names: dict[str, Any] = {}
    connect(Worker(names).serve)
    yield names
    connect(None)


def score(*checks: tuple[float, Callable[[Any], None]], points: float = 4.0) -> Result:
    """The result of an item whose checks are called a, b, …"""
    item = Item("q1", points=points)
    for name, (share, check) in zip("abcdef", checks, strict=False):
        item.check(name, points=share, hint=f"hint {name}")(check)
    return item.score()


def right(student: Any) -> None:
    pass


def wrong(student: Any) -> None:
    raise CheckFailed("not so")


def text(html: str) -> str:
    """What a reader sees of HTML, tags as spaces."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


# ---- the sum -----------------------------------------------------------------------------------------------


def test_the_score_is_the_sum_of_the_passed_shares() -> None:
    result = score((0.1, right), (0.2, right), (1.5, wrong), points=2)
    assert result.score == float(result) == 0.3
    assert repr(result) == "0.3"  # what nbgrader reads
    assert [check.passed for check in result.checks] == [True, True, False]


def test_a_result_survives_json() -> None:
    result = score((1, right), (2, wrong))
    assert result_of(judged_record(json.loads(json.dumps(result.to_dict())))) == result
    bundle = result._repr_mimebundle_()
    assert bundle["text/plain"] == "1.0"
    assert bundle[RESULT_TYPE] == result.to_dict()


def test_the_same_mistake_has_the_same_cause_in_all_answers() -> None:
    """Whatever the message says of one answer's names and values."""

    def compare(value: Any) -> Callable[[Any], None]:
        return lambda student: expect(value, "dW").close_to(
            [[1.0, 2.0]], mistakes={"it is doubled": [[2.0, 4.0]]}
        )

    result = score(
        (1, compare([[2.0, 4.0]])), (1, compare([[1.0], [2.0]])), (1, compare([[1.0, 2.5]])), (1, right)
    )
    assert [check.cause for check in result.checks] == [
        "it is doubled",
        "it is the transpose of the right answer",
        "another value, which no known mistake explains",
        "",
    ]
    assert result_of(judged_record(result.to_dict())).checks[0].cause == "it is doubled"


def test_older_records_are_read() -> None:
    record = score((1, lambda student: 1 / 0)).to_dict()
    (check,) = record["checks"]
    older = {**record, "checks": [{**check, "trouble": check["internal_error"]}]}
    del older["checks"][0]["internal_error"]
    assert judged_record(older) == judged_record(record)


@pytest.mark.parametrize(
    "damage",
    [
        {"checks": None},
        {"checks": [1]},
        {"checks": [{}]},
        {"checks": [{"name": "a", "points": 1, "passed": True, "code": "x"}]},
        {"checks": [{"name": 5, "points": 1, "passed": True}]},
        {"checks": [{"name": "a", "points": "1", "passed": True}]},
        {"checks": [{"name": "a", "points": 1, "passed": "no"}]},
        {"checks": [{"name": "a", "points": 1, "passed": True, "message": ["x"]}]},
        {"checks": [{"name": "a", "points": 1, "passed": True, "disclose": "perhaps"}]},
        {"points": "many"},
        {"points": None},
        {"grade_id": None},
    ],
)
def test_a_malformed_record_is_refused(damage: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match=next(iter(damage))):
        judged_record({**score((1, right)).to_dict(), **damage})


def test_authors_are_told_of_their_mistakes() -> None:
    for points in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="points must be positive"):
            Item("q1", points=points)
    item = Item("q1", points=1)
    for points in (-0.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="impossible points"):
            item.check("a", points=points)
    item.check("a", points=0.6)(right)
    with pytest.raises(ValueError, match="two checks are called 'a'"):
        item.check("a", points=0.1)
    item.check("b", points=0.6)(right)
    with pytest.raises(ValueError, match=r"share 1\.2 points, the item has 1"):
        item.score()


def test_shares_that_add_up_but_for_rounding_are_fine() -> None:
    result = score(*[(0.1, right)] * 3, points=0.3)
    assert result.score == 0.3
    assert "more" not in text(result.table())


# ---- the table ---------------------------------------------------------------------------------------------


def test_every_text_in_the_table_is_escaped() -> None:
    failed = CheckResult(SCRIPT, 1, False, hint=SCRIPT, message=SCRIPT)
    html = Result(SCRIPT, 2, [failed, CheckResult(f"{SCRIPT} too", 1, True)]).table()
    assert "<script" not in html
    assert "<b>" not in html.replace(f"<b>{escape(SCRIPT)}</b>", "")
    assert html.count(escape(SCRIPT)) == 5


def test_a_students_error_is_escaped(namespace: dict[str, Any]) -> None:
    def f() -> None:
        raise ValueError(SCRIPT)

    namespace["f"] = f
    html = score((1, lambda student: student.f())).table()
    assert "<script" not in html
    assert "your code raised ValueError: <script>alert" in html.replace("&lt;", "<").replace("&gt;", ">")


@pytest.mark.parametrize(
    ("disclose", "due", "told"),
    [
        ("always", False, True),
        ("always", True, True),
        ("after due", False, False),
        ("after due", True, True),
        ("never", False, False),
        ("never", True, False),
    ],
)
def test_disclosure(disclose: Any, due: bool, told: bool) -> None:
    failed = CheckResult("the name", 1, False, "the hint", disclose, "the message")
    passed = CheckResult("another name", 1, True, "another hint", disclose)
    html = Result("q1", 2, [failed, passed]).table(due=due, graded=True)
    for secret in ("the name", "the hint", "the message", "another name"):
        assert (secret in html) == told
    assert "another hint" not in html
    assert html.count("a hidden check") == (0 if told else 2)
    assert ("explained after the due date" in html) == (disclose == "after due" and not due)
    assert text(html).startswith("q1 : 1 of 2 points")


def test_the_notebook_shows_what_is_disclosed_now() -> None:
    item = Item("q1", points=3)
    item.check("open", points=1)(wrong)
    item.check("secret", points=1, disclose="after due")(wrong)
    html = item.score()._repr_mimebundle_()["text/html"]
    assert "open" in html
    assert "secret" not in html
    assert "0 of 2 points, and 1 more for checks that run at grading" in html


def test_a_check_without_points_only_informs() -> None:
    html = score((0, right), (0, wrong), points=1.5).table()
    assert text(html) == (
        "q1 : 1.5 points for checks that run at grading; no visible check touches them Check Points Result "
        "a – ✓ passed b – ✗ not yet not so Hint hint b"
    )
    assert "q1 : 0 of 0 points" not in text(html)
    assert text(score((0, right), (2, right), points=2).table()).startswith("q1 : 2 of 2 points Check")


def visible(*means: Any, untouched: float | None = None) -> Item:
    """An item of 2 points with visible checks a, b, … that mean this, of which the last fails."""
    item = Item("q1", points=2, untouched=untouched)
    for name, meaning in zip("abcdef", means, strict=False):
        item.visible_check(name, means=meaning, hint=f"hint {name}")(
            wrong if name == "abcdef"[len(means) - 1] else right
        )
    return item


def test_a_tick_says_what_it_means() -> None:
    html = visible("right form", "consistent", "right", "right").score().table()
    assert [f"✓ {meaning}" in text(html) for meaning in ("right form", "consistent", "right")] == [True] * 3
    assert "d – ✗ not yet not so" in text(html)


@pytest.mark.parametrize(
    ("means", "untouched", "said"),
    [
        (["right form"], None, "no visible check touches them"),
        (["right form", "consistent"], None, "visible checks touch all of them"),
        (["right"], 0.5, "no visible check touches 0.5 of them"),
        (["right"], 2.0, "no visible check touches them"),
    ],
)
def test_the_caption_says_what_no_visible_check_touches(
    means: list[Any], untouched: float | None, said: str
) -> None:
    html = visible(*means, untouched=untouched).score().table()
    assert f"2 points for checks that run at grading; {said} Check" in text(html)


def test_the_hint_is_a_second_press_away() -> None:
    failed = CheckResult("a", 0, False, hint="look there", message="not so")
    assert "<summary>Hint</summary>look there" in Result("q1", 1, [failed]).table()
    assert "<details" not in Result("q1", 1, [failed]).table(graded=True)  # on paper nobody can press


def test_a_grading_run_leaves_visible_checks_out(namespace: dict[str, Any]) -> None:
    item = visible("right", "right")
    item.check("z", points=2)(right)
    connect(Worker(namespace).serve, visible_checks=False)
    assert [check.name for check in item.score().checks] == ["z"]


def luminance(colour: str) -> float:
    """WCAG's relative luminance of "#rrggbb"."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_signs_can_be_read_on_any_page() -> None:
    html = score((0, right), (0, wrong)).table()
    signs = re.findall(r"background:(#\w{6});color:(#\w{6})", html)
    assert len(set(signs)) == 2
    for ground, ink in signs:
        assert (luminance(ink) + 0.05) / (luminance(ground) + 0.05) >= 4.5
    assert "color" not in re.sub(r"background:#\w{6};color:#\w{6}", "", html)  # the rest is in the page's own


def test_the_caption_names_the_place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = {
        "places": {"q1": ["2.2 (c)", "(c) The output layer"]},
        "checked": {"hw.ipynb": ["q1"]},
        "defines": {},
    }
    (tmp_path / "handin.json").write_text(json.dumps(table))
    monkeypatch.chdir(tmp_path)
    assert text(score((1, right)).table()).startswith("2.2 (c) :")
    (tmp_path / "handin.json").write_text("{")
    assert text(score((1, right)).table()).startswith("q1 :")


def test_progress_says_where_to_go_on(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"q1": ["2.2 (c)", "(c) The output layer"], "q2": ["7.3", "7.3 · Heads & <b>"]}
    table = {"places": places, "checked": {"hw.ipynb": ["q1", "q2"]}, "defines": {}}
    (tmp_path / "handin.json").write_text(json.dumps(table))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "folder/hw.ipynb")
    visible("right", "right").score()
    assert repr(progress()) == "visible: 1 of 2 checks ✓; open: 2.2 (c) (1 of 2); not run yet: 7.3"
    html = progress()._repr_html_()
    assert '<a href="#checks-q1">2.2 (c)</a> (1 of 2)' in html
    assert 'id="checks-q1"' in last_results()["q1"].table()
    assert "<b>" not in html.removeprefix("<p><b>")


# ---- what a check may do -----------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:careful")
def test_what_a_check_prints_warns_or_displays_does_not_reach_the_cell(
    namespace: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    def noisy(*args: Any) -> int:
        print("out")
        print("err", file=sys.stderr)
        warnings.warn("careful", stacklevel=1)
        display("shown")
        return 1

    namespace["f"] = noisy
    result = score((1, noisy), (1, lambda student: expect(student.f()).equals(1)))
    assert result.score == 2
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_random_states_are_untouched(namespace: dict[str, Any]) -> None:
    def draw(*args: Any) -> None:
        random.seed(1)
        np.random.seed(1)
        torch.manual_seed(1)
        random.random(), np.random.rand(), torch.rand(1)

    def fail(student: Any) -> None:
        draw()
        raise CheckFailed("after drawing")

    def states() -> tuple[Any, ...]:
        return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()

    namespace["f"] = draw
    before = states()
    score((1, draw), (1, fail), (1, lambda student: student.f()))
    assert states() == before


def test_a_check_that_crashes_costs_nothing_by_itself_and_has_a_trace_for_its_author() -> None:
    result = score((1, lambda student: 1 / 0), (1, right))
    failed, passed = result.checks
    assert result.score == 1
    assert not failed.passed
    assert failed.message == "this check itself stopped with an error (ZeroDivisionError)"
    assert result.reviews == [
        "its check 'a' stopped with an error of its own: ZeroDivisionError: division by zero"
    ]
    assert "1 / 0" in failed.internal_error
    assert passed.passed
    assert "Traceback" not in result.table()
    assert "tell your instructor" in result.table()
    assert "a person is looking at it" in result.table(graded=True)
    assert "not yet" not in result.table(graded=True)


@pytest.mark.parametrize(
    ("value", "check", "says"),
    [
        (None, lambda student: student.f(2), "`f` is None, not a function"),
        (3, lambda student: student.f(2), "`f` is an int, not a function"),
        (torch.ones(2), lambda student: student.f(2), "`f` is a Tensor, not a function"),
        (torch.nn.ReLU(), lambda student: student.f(2), "`f` is a ReLU, not a function"),
        (None, lambda student: student.f.expect_by_hand(2), "`f` is None, not a function"),
        ("text", lambda student: student.f.forward(2), "`f` is a str, not a network"),
        (torch.nn.ReLU, lambda student: student.f.forward(2), "`f` is a function or a class, not a network"),
        (
            lambda: None,
            lambda student: student.f().forward(2),
            "`f` returns nothing (is a `return` missing?), not a network",
        ),
        (lambda: [1], lambda student: student.f().layers(2), "`f` returns a list, not a network"),
        ([1], lambda student: student.f.used(2), "`f` is a list, not a function or a network"),
    ],
)
def test_something_else_in_the_place_of_a_function_is_named(
    namespace: dict[str, Any], value: Any, check: Any, says: str
) -> None:
    namespace["f"] = value
    (failed,) = score((1, check)).checks
    assert (failed.message, failed.internal_error) == (says, "")


def test_a_failure_without_words_is_a_failure() -> None:
    def silent(student: Any) -> None:
        raise CheckFailed("")

    assert score((1, silent)).score == 0


def test_an_interrupt_goes_through() -> None:
    def interrupted(student: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score((1, interrupted))


def test_checks_need_a_notebook() -> None:
    connect(None)
    with pytest.raises(RuntimeError, match="in a notebook"):
        score((1, right))


# ---- what checks say about values --------------------------------------------------------------------------

W = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


ROWS = [[np.array(row) for row in W], tuple(map(torch.tensor, W))]


@pytest.mark.parametrize("rows", ROWS, ids=["arrays", "tensors"])
def test_a_list_of_arrays_is_an_array(rows: Any) -> None:
    expect(rows, "dW").close_to(torch.tensor(W))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        ([True, None], "[True, None]"),
        ((1, 2), "(1, 2)"),
        ("Übung", '"Übung"'),
        (torch.ones(2, 1), "tensor([[1.], [1.]])"),
        (abs, "a function or a class"),
        ([torch.nn.ReLU()], "[a ReLU]"),
    ],
)
def test_a_value_is_shown_as_python_writes_it(namespace: dict[str, Any], value: Any, shown: str) -> None:
    namespace["x"] = value
    (failed,) = score((1, lambda student: expect(student.x, "x").equals(7))).checks
    assert failed.message == f"x is {shown}, not 7"


@pytest.mark.parametrize("form", [list, tuple, np.array, torch.tensor, lambda w: torch.tensor(w).half()])
def test_equal_numbers_are_close_in_every_form(form: Callable[[Any], Any]) -> None:
    expect(form(W)).close_to(torch.tensor(W, dtype=torch.float64))
    expect(form(W)).has_shape(2, 3)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, 2.0], r"dW has shape \(2,\), not \(2, 3\)$"),
        (np.array(W).T, r"shape \(3, 2\), not \(2, 3\): it is the transpose of the right answer"),
        (np.array(W).T + 1, r"shape \(3, 2\), not \(2, 3\)$"),
        (np.array(W) + 0.5 * np.eye(2, 3, 1), r"dW is 2\.5 at index \(0, 1\), off by 0\.5"),
        (np.array(W) * float("nan"), "dW contains NaN or infinity"),
        (np.array(W) * float("inf"), "dW contains NaN or infinity"),
        ([[1, 2], [3]], "dW is not a rectangular array of numbers"),
        (10**400, "dW is not a rectangular array of numbers"),
        (np.array(["a"]), "dW is not a rectangular array of numbers"),
        ([None], "dW is not a rectangular array of numbers"),
        ([np.ones(2), torch.ones(3)], "dW is not a rectangular array of numbers"),
        ([np.ones((2, 3))], r"dW has shape \(1, 2, 3\), not \(2, 3\)"),
        ("one", 'dW has the text "one", which is no number'),
        (None, "dW is None, expected numbers"),
        (True, "dW is a bool, expected numbers"),
        ({}, "dW is a dict, expected numbers"),
    ],
)
def test_what_is_wrong_is_said(value: Any, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        expect(value, "dW").close_to(torch.tensor(W))


def test_single_numbers() -> None:
    expect(0.1 + 0.2).close_to(0.3)
    with pytest.raises(CheckFailed, match=r"^loss is 0\.7, off by 0\.4$"):
        expect(0.7, "loss").close_to(0.3)
    expect(0.88, "accuracy").at_least(0.88)
    with pytest.raises(CheckFailed, match=r"accuracy is 0\.8799, below 0\.88"):
        expect(torch.tensor(0.8799), "accuracy").at_least(0.88)


def test_the_tolerance_scales_with_the_largest_entry() -> None:
    expect([1000.0, 0.05]).close_to([1000.0, 0.0], rtol=1e-4)
    expect([1.0, 1e-7]).close_to([1.0, 0.0], rtol=0)
    with pytest.raises(CheckFailed, match="at index 1"):
        expect([1000.0, 0.2]).close_to([1000.0, 0.0], rtol=1e-4)
    with pytest.raises(CheckFailed, match="at index 0"):
        expect([2e-6, 0.0]).close_to([0.0, 0.0])


def test_known_mistakes_are_named() -> None:
    right = torch.tensor([1.0, 2.0])
    mistakes = {
        "the factor 2 is lost": right / 2,
        "rows are summed": lambda: right.sum(),
        "no mistake": right,
    }
    with pytest.raises(CheckFailed, match=r"^dx: the factor 2 is lost$"):
        expect([0.5, 1.0], "dx").close_to(right, mistakes=mistakes)
    with pytest.raises(CheckFailed, match=r"^dx: rows are summed$"):
        expect(3.0, "dx").close_to(right, mistakes=mistakes)
    with pytest.raises(CheckFailed, match="off by"):
        expect([7.0, 7.0], "dx").close_to(right, mistakes=mistakes)
    expect(right).close_to(right, mistakes=mistakes)


def test_mistakes_may_be_pairs_with_equal_texts() -> None:
    mistakes = [("divided by the variance", 0.25), ("divided by the variance", 0.26)]
    for wrong in (0.25, 0.26):
        with pytest.raises(CheckFailed, match=r"^z: divided by the variance$"):
            expect(wrong, "z").close_to(0.5, rtol=0, mistakes=mistakes)


def test_other_expectations() -> None:
    expect([1, "a"]).equals([1, "a"])
    with pytest.raises(CheckFailed, match=r"^sizes is \[1, 2\], not \[1, 3\]$"):
        expect([1, 2], "sizes").equals([1, 3])
    with pytest.raises(CheckFailed, match="…"):
        expect(list(range(1000))).equals([])
    expect(1 < 2).is_true("never said")
    with pytest.raises(CheckFailed, match=r"^the weights did not move$"):
        expect(1 > 2).is_true("the weights did not move")
    with pytest.raises(CheckFailed, match="not "):
        expect(torch.rand(2, 3)).has_shape(3, 2)
    expect(torch.zeros(0, 3)).close_to(np.zeros((0, 3)))
