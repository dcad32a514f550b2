# Leaves links to the course, to devices and to itself where the grader cleans up, in folders it may not enter.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os

for home in (".", "/tmp", os.path.expanduser("~")):
    try:
        os.makedirs(home + "/trap/inner")
        for name, goal in {"a": "@course@/submitted", "b": "/", "c": "/dev/zero", "d": ".", "e": "@course@/home"}.items():
            os.symlink(goal, home + "/trap/" + name)
            os.symlink(goal, home + "/trap/inner/" + name)
        os.mkfifo(home + "/trap/pipe")
        os.chmod(home + "/trap/inner", 0)
        os.chmod(home + "/trap", 0o500)
    except OSError as error:
        print(error)
print("tried")
