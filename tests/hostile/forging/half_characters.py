# Halves of characters, which JSON can spell and no file can hold, in an error's message and in an output.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import json

from chainrule.lesson import verbs, wire

half = json.loads('"\\ud800"')


def complain(self, request, seconds):
    return wire.pack({"error": {"type": half, "message": half, "where": half}})


verbs.Worker.serve = complain
print("tried")
session = get_ipython().kernel.session
session.pack = lambda content: json.dumps(content, default=str).encode()
print("half of one:", half)
