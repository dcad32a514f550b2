# One process fills its memory.
# base: right
# needs: sandbox
# %% square-write
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
hoard = []
while True:
    hoard.append(bytearray(b"x") * (64 << 20))
