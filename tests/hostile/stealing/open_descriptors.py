# Reads whatever is open: file descriptors inherited from the grader, and those of other processes.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import glob
import os

for descriptor in {*range(3, 1024), int("@fd@")}:
    try:
        print(descriptor, os.readlink(f"/proc/self/fd/{descriptor}"), os.pread(descriptor, 5000, 0))
    except OSError:
        pass
for path in glob.glob("/proc/[0-9]*/fd/*"):
    if str(os.getpid()) not in path:
        try:
            print(path, os.readlink(path), os.path.isfile(path) and open(path, "rb").read(5000))
        except OSError as error:
            print(path, type(error).__name__)
print("tried")
