# Removes the folder it works in, closes it to everybody, and puts links where folders were.
# base: right
# says: tried
# %% square-write
import os
import shutil

here = os.getcwd()
for path in ("deep/er", "closed"):
    os.makedirs(path)
os.chmod("deep", 0)
os.chmod("closed", 0)
os.symlink("@course@", "link")
os.symlink("/", "closed-link")
os.chdir("..")
for command in (
    lambda: os.chmod(here, 0),
    lambda: shutil.rmtree(here, ignore_errors=True),
    lambda: os.rename(here, here + "-gone"),
    lambda: os.symlink("@course@", here),
):
    try:
        command()
    except OSError as error:
        print(error)
print("tried")
