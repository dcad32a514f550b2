# A hundred processes, each in a session of its own, that keep every core busy while the neighbours are judged.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import subprocess
import time

print("tried", flush=True)
for _ in range(100):
    subprocess.Popen(["sh", "-c", "while :; do :; done"], start_new_session=True)
time.sleep(3)
