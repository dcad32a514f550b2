# Somebody connects to the referee and never reads, so that a large request fits into no buffer.
# base: wrong
# in: linear
# scores: 0
# says: tried
# %% model-write
import threading
import time

from chainrule.lesson import verbs


def never(line):
    time.sleep(1000)


verbs.receive_request = never
verbs.Worker.serve = lambda self, request, seconds: time.sleep(1000)
print("tried")
