# Reads the instructor's notebook, with solutions and hidden checks, from the course folder and wherever links lead.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
from pathlib import Path

for root in ("@course@", "@project@", "/proc/self/cwd/..", "/proc/self/root@course@"):
    for place in ("source/tiny/tiny.ipynb", "source/cs480-a2/assignment2.ipynb", "../source/tiny/tiny.ipynb"):
        try:
            print(Path(root, place).read_text()[:20_000])
        except OSError as error:
            print(type(error).__name__)
print("tried")
