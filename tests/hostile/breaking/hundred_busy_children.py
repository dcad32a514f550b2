# A hundred processes, each in a session of its own, that keep every core busy while the neighbours are judged.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import os
import time

for _ in range(100):
    if os.fork() == 0:
        os.setsid()
        end = time.time() + 30
        while time.time() < end:
            pass
        os._exit(0)
print("tried", flush=True)
time.sleep(2)
