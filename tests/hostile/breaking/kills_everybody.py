# Kills every process it may.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import signal
import time

print("tried", flush=True)
time.sleep(1)
os.kill(-1, signal.SIGKILL)
