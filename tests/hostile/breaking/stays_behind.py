# A process leaves its family by forking twice, in a session of its own, to come back when everybody is gone.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import subprocess
import sys

LATER = """
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(300):
    time.sleep(0.1)
    for path in ("/tmp/@mark@-later", "@course@/submitted/@mark@", "/dev/shm/@mark@-later"):
        try: open(path, "w").write("later")
        except OSError: pass
"""
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 100)
            os.execv(sys.executable, [sys.executable, "-c", LATER, "@mark@"])
        os._exit(0)
subprocess.Popen(["nohup", "setsid", "sleep", "1000", "@mark@"], start_new_session=True)
os.system("(sleep 1000; echo @mark@) & disown; true")
print("tried")
