# The message of an error is 50 MB long, and full of what terminals and pages obey.
# base: wrong
# scores: 0
# says: tried
# %% square-write
from chainrule.lesson import verbs, wire

text = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\r\n" * 1_200_000


def complain(self, request, seconds):
    return wire.pack({"error": {"type": text, "message": text, "where": [text[:99]]}})


verbs.Worker.serve = complain
print("tried")
