# Fills the disk wherever it may write: the working folder, /tmp, /dev/shm, the folder of the sockets.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os

written = {}
for folder in (".", "~", "/tmp", "/var/tmp", "/dev/shm", "/run/kernel", "/run/socket", "/run", "data", "/", "@course@"):
    path = os.path.join(os.path.expanduser(folder), "@mark@-disk")
    try:
        with open(path, "wb", 0) as file:
            for _ in range(4000):
                written[folder] = written.get(folder, 0) + file.write(b"x" * (1 << 20))
    except OSError as error:
        print(folder, error)
print("tried", written)
