# Stops itself as ^Z does, so that it neither goes on nor ends.
# base: right
# says: tried
# %% square-write
import os
import signal
import time

print("tried", flush=True)
time.sleep(1)
os.kill(os.getpid(), signal.SIGSTOP)
