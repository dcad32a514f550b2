"""What a late hand-in costs, as `c.Course.late` says it: "10% per day, at most 50%, grace 15 minutes"."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import timedelta

FORM = "'zero', 'report', or a rule such as '10% per day, at most 50%, zero after 5 days, grace 15 minutes'"

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
NUMBER, UNIT = r"(\d+(?:\.\d+)?)", r"(minute|hour|day)s?"


class LateRuleError(ValueError):
    """A rule that cannot be read. The message says what to write."""


@dataclass(frozen=True)
class LateRule:
    """A rule about late hand-ins. Shares are of the assignment's maximum, from 0 to 1.

    They are of the maximum, so that points that a person gives later do not change what lateness costs.

    Attributes:
        share: what each started `period` costs.
        period: None: `share` is taken once.
        most: the highest share that `period`s can add up to.
        grace: up to this lateness nothing is taken; a later hand-in counts from the due date.
        nothing_after: from this lateness on, the hand-in earns nothing.
    """

    share: float = 0.0
    period: timedelta | None = None
    most: float = 1.0
    grace: timedelta = timedelta(0)
    nothing_after: timedelta | None = None

    @classmethod
    def parse(cls, text: str) -> LateRule:
        """Read a rule.

        Raises:
            LateRuleError: it is none.
        """
        first, *more = (" ".join(part.lower().split()) for part in text.split(","))
        if found := re.fullmatch(rf"{NUMBER} ?% per (?:started )?(hour|day)", first):
            rule = cls(share=_share(found[1]), period=UNITS[found[2]])
        elif first in ("zero", "report"):
            rule = cls(share=1.0 if first == "zero" else 0.0)
        else:
            raise LateRuleError(f"{text!r} is no rule about late hand-ins: write {FORM}")
        for part in more:
            if found := re.fullmatch(rf"grace {NUMBER} {UNIT}", part):
                rule = replace(rule, grace=float(found[1]) * UNITS[found[2]])
            elif rule.period and (found := re.fullmatch(rf"at most {NUMBER} ?%", part)):
                rule = replace(rule, most=_share(found[1]))
            elif first != "zero" and (found := re.fullmatch(rf"zero after {NUMBER} {UNIT}", part)):
                rule = replace(rule, nothing_after=float(found[1]) * UNITS[found[2]])
            else:
                raise LateRuleError(f"{part!r} in {text!r} is not understood: write {FORM}")
        return rule

    def cost(self, late: timedelta) -> float:
        """The share of the maximum that a hand-in loses which is so late."""
        if late <= max(self.grace, timedelta(0)):
            return 0.0
        if self.nothing_after is not None and late > self.nothing_after:
            return 1.0
        if self.period is None:
            return self.share
        return min(self.most, self.share * math.ceil(late / self.period))

    def sentence(self) -> str:
        """The rule, for students."""
        grace = f"; up to {duration(self.grace)} late costs nothing" if self.grace and self.costs else ""
        if not self.costs:
            return "Late hand-ins are noted, and lose no points by themselves."
        if self.period is None and self.share:
            return f"Late hand-ins get 0 points{grace}."
        parts = []
        if self.period:
            unit = "day" if self.period == UNITS["day"] else "hour"
            most = f", at most {_percent(self.most)}" if self.most < 1 else ""
            parts.append(f"lose {_percent(self.share)} of the points per started {unit}{most}")
        if self.nothing_after is not None:
            parts.append(f"get 0 points after {duration(self.nothing_after)}")
        return f"Late hand-ins {', and '.join(parts)}{grace}."

    @property
    def costs(self) -> bool:
        """Whether any hand-in loses points by it."""
        return bool(self.share or self.nothing_after is not None)


def _share(percent: str) -> float:
    share = float(percent) / 100
    if not 0 <= share <= 1:
        raise LateRuleError(f"{percent}% is not between 0% and 100%")
    return share


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def duration(length: timedelta) -> str:
    """A length of time in words: "2 days 3 hours"."""
    seconds = round(length.total_seconds())
    if 0 < seconds < 60:
        return _count(seconds, "second")
    minutes = seconds // 60
    parts = [(minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute")]
    return " ".join(_count(number, unit) for number, unit in parts if number) or "0 minutes"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}{'s' * (number != 1)}"
