# Opens files, pipes and sockets until there are no more, and keeps them.
# base: right
# says: tried
# %% square-write
import os
import socket
import time

kept = []
print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
try:
    while True:
        kept.append(socket.socketpair())
except OSError as error:
    print(error)
try:
    while True:
        kept.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
    print(error)
