# The process does not end when it is told to: exit handlers, destructors and threads that sleep.
# base: right
# says: tried
# %% square-write
import atexit
import signal
import threading
import time


class Sleeper:
    def __del__(self):
        time.sleep(10_000)


sleeper = Sleeper()
atexit.register(time.sleep, 10_000)
threading.Thread(target=time.sleep, args=(10_000,)).start()
signal.signal(signal.SIGTERM, lambda *args: time.sleep(10_000))
get_ipython().kernel.do_shutdown = lambda restart: time.sleep(10_000)
print("tried")
