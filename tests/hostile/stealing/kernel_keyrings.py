# Looks for keys that whoever started the grader, or another notebook, has left in the kernel, and leaves one.
# base: right
# says: tried
# on every tier: yes
# %% square-write
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
keyctl, add_key, request_key = {"x86_64": (250, 248, 249), "aarch64": (219, 217, 218)}[os.uname().machine]
buffer = ctypes.create_string_buffer(65536)
for name in ("hostile", "@key@"):
    for keyring in range(-5, 0):
        key = libc.syscall(keyctl, 10, keyring, b"user", name.encode(), 0)  # search
        if key >= 0 and libc.syscall(keyctl, 11, key, buffer, 65536) >= 0:  # read
            print("canary-key", buffer.value)
    key = libc.syscall(request_key, b"user", name.encode(), None, -3)
    if key >= 0 and libc.syscall(keyctl, 11, key, buffer, 65536) >= 0:
        print("canary-key", buffer.value)
for keyring in range(-5, 0):
    if libc.syscall(add_key, b"user", b"hostile", b"canary-neighbour", 16, keyring) >= 0:
        print("canary-left")
try:
    if os.path.isdir("/run/kernel"):  # with bubblewrap
        print(open("/proc/keys").read().replace("@key@", "canary-listed"))
except OSError as error:
    print(error)
print("tried")
