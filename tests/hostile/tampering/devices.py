# Makes device files: the disk, the memory, the terminal of whoever grades; writes to those that are there.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import fcntl
import glob
import os
import stat
import termios

for kind, number in ((stat.S_IFBLK, (254, 0)), (stat.S_IFBLK, (8, 0)), (stat.S_IFCHR, (1, 1)), (stat.S_IFCHR, (5, 0))):
    for folder in (".", "/tmp", "/dev/shm", "@course@"):
        try:
            os.mknod(f"{folder}/@mark@-{number[0]}", kind | 0o666, os.makedev(*number))
            print("canary-device", folder, number)
        except OSError as error:
            print(error)
for path in [*glob.glob("/dev/[a-z]*"), *glob.glob("/dev/pts/*")]:
    if path.split("/")[-1] not in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm"):
        try:
            line = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            print("opened", path)
            fcntl.ioctl(line, termios.TIOCSTI, b"\n")
        except OSError as error:
            print(path, error)
print("tried")
