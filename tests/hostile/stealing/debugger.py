# Attaches to every other process as a debugger does.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import ctypes
import glob
import os

libc = ctypes.CDLL(None, use_errno=True)
ATTACH, SEIZE, DETACH = 16, 0x4206, 17
for path in glob.glob("/proc/[0-9]*"):
    pid = int(path.split("/")[2])
    if pid != os.getpid():
        if libc.ptrace(ATTACH, pid, None, None) == 0:
            print("canary-traced", pid, open(f"/proc/{pid}/cmdline").read())
            libc.ptrace(DETACH, pid, None, None)
        local, remote = (ctypes.c_char * 64)(), 0x400000
        iovec = ctypes.c_void_p * 2
        libc.process_vm_readv(pid, iovec(ctypes.addressof(local), 64), 1, iovec(remote, 64), 1, 0)
print("tried")
