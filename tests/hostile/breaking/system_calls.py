# Calls what no notebook needs of the kernel: io_uring, bpf, perf, userfaultfd, new namespaces, sockets to the host.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import ctypes
import errno
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
numbers = {  # io_uring_setup, userfaultfd, bpf, perf_event_open, unshare, clone
    "x86_64": (425, 323, 321, 298, 272, 56),
    "aarch64": (425, 282, 280, 241, 97, 220),
}[os.uname().machine]
about = ctypes.create_string_buffer(256)
for name, number, *arguments in zip(
    ("io_uring", "userfaultfd", "bpf", "perf", "unshare", "clone"),
    numbers,
    (4, 1, 0, about, 0x10000000, 0x10000011),
    (about, 0, about, 0, 0, 0),
    (0, 0, 128, -1, 0, 0),
):
    result = libc.syscall(number, *arguments, -1, 0)
    if result == 0 and name == "clone":
        os._exit(0)
    failed = errno.errorcode[ctypes.get_errno()] if result < 0 else ""
    print(name, failed)
    if failed != "EPERM":
        print(f"canary-{name}")
for family in (*range(3, 10), *range(11, 16), *range(17, 46)):
    try:
        socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_DGRAM)
        print(f"canary-family-{family}")
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:
            print(f"canary-family-{family}-{error.errno}")
# another set of numbers: x86-64's x32, where `socket` has the same number with a bit set
program = "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 41, 40, 1, 0); print('canary-x32')"
if os.uname().machine == "x86_64":
    print(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout)
print("tried")
