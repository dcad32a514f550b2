# Reads what others have handed in, what they got, and the finished runs of the grader.
# base: right
# needs: sandbox
# says: tried
# worked against: no sandbox
# %% square-write
import glob

for folder in ("submitted", "autograded", "feedback", "runs", "release"):
    for name in glob.glob(f"@course@/{folder}/**", recursive=True):
        try:
            print(name, open(name).read()[:30_000])
        except OSError as error:
            print(name, type(error).__name__)
print("tried")
