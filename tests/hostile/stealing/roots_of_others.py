# Looks at the course through the root and the working folder of other processes.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import glob
import os

for path in [*glob.glob("/proc/[0-9]*/root"), *glob.glob("/proc/[0-9]*/cwd"), *glob.glob("/proc/[0-9]*/map_files")]:
    for place in ("@course@/canaries.json", "canaries.json", "nbgrader_config.py", "../canaries.json"):
        try:
            print(open(path + "/" + place).read())
        except OSError as error:
            pass
    try:
        print(path, os.listdir(path)[:50])
    except OSError as error:
        print(path, type(error).__name__)
print("tried")
