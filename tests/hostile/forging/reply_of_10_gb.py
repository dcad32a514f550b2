# A reply announces ten gigabytes and starts to send them.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import struct

from chainrule.lesson import verbs


def flood(line, reply):
    line.sendall(struct.pack("<Q", 10 << 30))
    block = bytes(1 << 20)
    for _ in range(10 << 10):
        line.sendall(block)


verbs.send_reply = flood
print("tried")
