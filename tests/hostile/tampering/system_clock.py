# Sets the clock, the name and the limits of the machine, to be early or to have more time.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import resource
import socket
import time

for change in (
    lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
    lambda: socket.sethostname("@mark@"),
    lambda: resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY,) * 2),
    lambda: resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY,) * 2),
    lambda: os.nice(-20),
    lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(99)),
    lambda: os.write(os.open("/sys/fs/cgroup/memory/cgroup.procs", os.O_WRONLY), b"0"),
    lambda: os.write(os.open("/sys/fs/cgroup/cgroup.procs", os.O_WRONLY), b"0"),
):
    try:
        change()
        print("canary-changed", change.__code__.co_firstlineno)
    except (OSError, ValueError, OverflowError) as error:
        print(error)
print("tried")
