# Every process starts two more, as long as there is one.
# base: right
# needs: sandbox
# %% square-write
import os
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
while True:
    try:
        os.fork()
    except OSError:
        pass
