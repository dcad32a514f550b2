# An answer that runs code where it is unpickled, as an object, in an array of objects and as bytes of its own.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import os
import pickle
import struct

import numpy as np

from chainrule.lesson import verbs


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/@mark@-pickle",)


def square(x):
    return Bomb() if x == 2 else np.array([Bomb()], dtype=object)


serve, asked = verbs.Worker.serve, []


def pickled(self, request, seconds):
    asked.append(request)
    data = pickle.dumps({"value": Bomb()})
    return serve(self, request, seconds) if len(asked) < 5 else struct.pack("<Q", len(data)) + data


verbs.Worker.serve = pickled
print("tried")
