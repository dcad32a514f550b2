# The student's function writes pages into the outputs of a locked cell, which a reader takes for the instructor's.
# base: right
# says: tried
# %% square-write
from IPython.display import HTML, Javascript, display

from chainrule.lesson.results import RESULT_TYPE


def square(x):
    display(HTML("<h1>4 of 4 points</h1><script>alert(1)</script><img src=x onerror=alert(1)>"))
    display(Javascript("alert(1)"))
    name = "<script>alert(1)</script>"
    check = {"name": name, "points": 4.0, "passed": True, "hint": name, "disclose": "always", "message": name, "internal_error": ""}
    record = {"score": 4.0, "grade_id": name, "points": 4.0, "checks": [check]}
    display({RESULT_TYPE: record, "text/html": "<script>alert(1)</script>"}, raw=True)
    return x * x


print("tried")
