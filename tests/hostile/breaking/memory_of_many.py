# Many processes each fill as much memory as one may have.
# base: right
# needs: sandbox
# %% square-write
import os
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
for _ in range(30):
    if os.fork() == 0:
        hoard = []
        while True:
            try:
                hoard.append(bytearray(b"x") * (32 << 20))
            except MemoryError:
                pass
os.wait()
