# Closes all its file descriptors, the kernel's sockets among them.
# base: right
# says: tried
# %% square-write
import os

print("tried", flush=True)
import time

time.sleep(1)
os.closerange(0, 65536)
