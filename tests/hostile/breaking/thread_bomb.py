# Starts threads until there are no more, and wakes them all the time.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import threading
import time


def burn():
    while True:
        time.sleep(0.01)


threads = 0
try:
    for threads in range(100_000):
        threading.Thread(target=burn, daemon=True).start()
except RuntimeError as error:
    print("tried", threads, error, flush=True)
