# Writes finished runs with full scores where the grader keeps them, and other students' submissions.
# base: wrong
# needs: sandbox
# says: tried
# %% square-write
import glob
import os

for folder in ("@course@/runs/tiny", "@course@/submitted/m-mistaken/tiny", "@course@/autograded/tampering"):
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        print(error)
    for path in [*glob.glob(folder + "/*"), folder + "/@mark@.ipynb", folder + "/tiny.ipynb"]:
        try:
            open(path, "w").write('{"cells": []}')
        except OSError as error:
            print(error)
print("tried")
