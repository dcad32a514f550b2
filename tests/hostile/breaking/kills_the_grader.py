# Kills its parent, its session, its process group and every process by number, with every signal.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import signal
import time

own = {os.getpid()}
print("tried", flush=True)
time.sleep(1)
for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
    for pid in [os.getppid(), 0, -os.getsid(0), *range(1, 70_000)]:
        try:
            if pid not in own and pid not in (0,):
                os.kill(pid, number)
        except (OSError, OverflowError):
            pass
