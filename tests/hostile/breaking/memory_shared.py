# Memory that belongs to no process: shared mappings, anonymous files, pipes and sockets filled to the brim.
# base: right
# needs: sandbox
# %% square-write
import mmap
import os
import socket
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
kept = []
while True:
    try:
        kept.append(mmap.mmap(-1, 64 << 20))
        kept[-1].write(b"x" * (64 << 20))
        descriptor = os.memfd_create("x")
        os.write(descriptor, b"x" * (64 << 20))
        kept.append(socket.socketpair())
        kept[-1][0].setblocking(False)
        kept[-1][0].send(b"x" * 200_000)
    except (OSError, MemoryError):
        pass
