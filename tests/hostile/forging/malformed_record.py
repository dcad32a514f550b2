# What looks like a check's record, but is none, stands among the outputs of a locked cell.
# base: wrong
# says: tried
# %% square-write
from IPython.display import display

from chainrule.lesson import checks

doubles = square


def square(x):
    for record in (5, None, {"checks": 5}, {"grader_error": "mine"}, {"grade_id": 1, "points": "x", "checks": [7]}):
        display({checks.RESULT_TYPE: record, "text/plain": "4.0"}, raw=True)
    return doubles(x)


print("tried")
