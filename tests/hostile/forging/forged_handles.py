# The answers are handles of objects that do not exist, with labels full of markup.
# base: wrong
# scores: 0
# says: tried
# %% square-write
from chainrule.lesson import verbs, wire

handles = iter([("model", -1), ("object", 10**300), ("<script>alert(1)</script>", 0), ("model", True)] * 20)


def forged(self, request, seconds):
    kind, number = next(handles)
    return wire.pack({"value": {"value": wire.Handle(number, kind, "\x1b[31m<img src=x onerror=alert(1)>" * 50)}})


verbs.Worker.serve = forged
print("tried")
