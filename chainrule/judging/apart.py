"""What builds on a student's earlier parts is judged apart from them: one slip costs once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from chainrule.lesson.student import CheckFailed, Student, TimeLimit

Judge = Callable[..., None]  # of the student, and more


def apart_from(**stubs: str) -> Callable[[Judge], Judge]:
    """A judge of what builds on other parts: with these, or with stubs in their place, see `Student.with_stubs`. So an
    earlier part that raises or gives nonsense, which has cost its points, costs nothing further on."""

    def decorate(judge: Judge) -> Judge:
        @wraps(judge)
        def either(student: Student, *args: Any) -> None:
            try:
                judge(student, *args)
            except TimeLimit:  # it would take as long again
                raise
            except CheckFailed as failure:
                with student.with_stubs(**stubs):
                    try:
                        judge(student, *args)
                    except CheckFailed:
                        raise failure from None

        return either

    return decorate
