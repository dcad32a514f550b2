# A reply announces a thousand bytes and sends one a second.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import struct
import time

from chainrule.lesson import verbs


def drip(line, reply):
    line.sendall(struct.pack("<Q", 1000))
    for _ in range(1000):
        line.sendall(b"{")
        time.sleep(1)


verbs.send_reply = drip
print("tried")
