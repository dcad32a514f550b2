# Stops itself as ^Z does, so that it neither goes on nor ends.
# base: right
# says: tried
# %% square-write
import os
import signal
import time

print("tried", flush=True)
time.sleep(0.3)
os.kill(os.getpid(), signal.SIGSTOP)
