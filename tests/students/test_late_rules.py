"""What late hand-ins cost by each form of rule."""

from datetime import timedelta

import pytest

from chainrule.students.late_rules import LateRule, LateRuleError, duration

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
COSTS = [
    ("zero", timedelta(seconds=1), 1),
    ("zero", timedelta(0), 0),
    ("report", 9 * DAY, 0),
    ("zero, grace 15 minutes", 15 * MINUTE, 0),
    ("zero, grace 15 minutes", 16 * MINUTE, 1),
    ("10% per day", timedelta(seconds=1), 0.1),
    ("10% per day", DAY, 0.1),
    ("10% per day", DAY + MINUTE, 0.2),
    ("10% per day", 99 * DAY, 1),
    ("10 % per started day, at most 50%", 99 * DAY, 0.5),
    ("2.5% per hour, grace 1 hour", HOUR, 0),
    ("2.5% per hour, grace 1 hour", HOUR + MINUTE, 0.05),
    ("10% per day, at most 30%, zero after 5 days", 4 * DAY, 0.3),
    ("10% per day, at most 30%, zero after 5 days", 5 * DAY + MINUTE, 1),
    ("report, zero after 2 days", DAY, 0),
    ("report, zero after 2 days", 3 * DAY, 1),
]


@pytest.mark.parametrize(("text", "late", "cost"), COSTS)
def test_what_a_rule_costs(text: str, late: timedelta, cost: float) -> None:
    assert LateRule.parse(text).cost(late) == pytest.approx(cost)


@pytest.mark.parametrize(
    "text",
    ["", "10%", "10% a week", "10% per day at most 50%", "110% per day", "zero, at most 5%", "none", "zero,"],
)
def test_what_is_no_rule_is_told(text: str) -> None:
    with pytest.raises(LateRuleError, match=r"write '|between 0% and 100%"):
        LateRule.parse(text)


def test_students_read_the_rule() -> None:
    rule = LateRule.parse("10% per day, at most 50%, zero after 5 days, grace 15 minutes")
    assert rule.sentence() == (
        "Late hand-ins lose 10 % of the points per started day, at most 50 %, and get 0 points after 5 days; "
        "up to 15 minutes late costs nothing."
    )
    assert LateRule.parse("zero").sentence() == "Late hand-ins get 0 points."
    assert LateRule.parse("report").sentence() == "Late hand-ins are noted, and lose no points by themselves."


def test_lengths_of_time_in_words() -> None:
    assert duration(2 * DAY + 3 * HOUR + MINUTE) == "2 days 3 hours 1 minute"
    assert duration(timedelta(seconds=1)) == "1 second"
