# Blocks and ignores every signal there is, and waits.
# base: right
# says: tried
# %% square-write
import signal
import time

for number in signal.valid_signals():
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
signal.signal = signal.setitimer = lambda *args: None
print("tried", flush=True)
time.sleep(10_000)
