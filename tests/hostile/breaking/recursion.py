# Recurses without end, in Python and where C calls Python.
# base: right
# %% square-write
import sys
import time

sys.setrecursionlimit(10**9)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __repr__(self):
        return repr([self])


print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
repr(Deep())
