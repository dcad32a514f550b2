"""What builds on functions of earlier parts is judged with the student's own, or with right ones.

`upon_warm_up` is for what uses the functions of part a, `upon_accuracy` for what uses `accuracy` of part c.
"""

from __future__ import annotations

from chainrule.judging.apart import apart_from

upon_warm_up = apart_from(flatten="rows", random_weight="weight", zero_bias="zeros")
upon_accuracy = apart_from(accuracy="share right")
