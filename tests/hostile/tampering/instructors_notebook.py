# Writes its own points and checks into the instructor's notebook, the release, and the course's configuration.
# base: wrong
# needs: sandbox
# says: tried
# %% square-write
import glob
import os
from pathlib import Path

os.makedirs("@course@/source/tiny", exist_ok=True)
for path in ("source/tiny/tiny.ipynb", "release/tiny/tiny.ipynb", "source/tiny/helper.py", "nbgrader_config.py"):
    try:
        path = Path("@course@", path)
        path.write_text((path.read_text() if path.exists() else "") + "\n# @mark@")
        print("written", path)
    except OSError as error:
        print(error)
print("tried", glob.glob("@course@/*"))
