# Starts threads until there are no more, and keeps them all busy.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import threading


def burn():
    while True:
        pass


threads = 0
try:
    for threads in range(100_000):
        threading.Thread(target=burn, daemon=True).start()
except RuntimeError as error:
    print("tried", threads, error, flush=True)
