# Changes the grader's own package, the part that students import and the part they don't.
# base: wrong
# needs: sandbox
# says: tried
# %% square-write
import os

import chainrule

for folder in (*chainrule.__path__, "@project@/chainrule"):
    for place in ("lesson/checks.py", "lesson/__init__.py", "grading/judge.py", "worker/zygote.py", "lesson/hostile.py"):
        for change in (
            lambda: open(f"{folder}/{place}", "a").write("\n# @mark@"),
            lambda: os.replace("/dev/null", f"{folder}/{place}"),
            lambda: os.chmod(f"{folder}/{place}", 0o666),
        ):
            try:
                change()
                print("written", folder, place)
            except OSError as error:
                print(error)
print("tried")
