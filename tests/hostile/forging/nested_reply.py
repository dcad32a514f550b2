# A reply of brackets within brackets, a hundred thousand deep, as JSON and as an answer that contains itself.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import struct

from chainrule.lesson import verbs

serve = verbs.Worker.serve
asked = []


def square(x):
    endless = []
    endless.append(endless)
    return endless


def nest(self, request, seconds):
    asked.append(request)
    if len(asked) < 3:
        return serve(self, request, seconds)
    tree = b'{"dict":[["value",' * 30_000 + b"[" * 100_000
    return struct.pack("<Q", len(tree)) + tree


verbs.Worker.serve = nest
print("tried")
