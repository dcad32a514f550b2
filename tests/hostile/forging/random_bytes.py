# The answers are bytes that are no message, of every length.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import os
import struct

from chainrule.lesson import verbs

sizes = iter([0, 1, 7, 8, 9, 100, 5000] * 20)


def noise(self, request, seconds):
    size = next(sizes)
    return os.urandom(size) if size % 2 else struct.pack("<Q", size) + b'{"value": 4}' * size


verbs.Worker.serve = noise
print("tried")
