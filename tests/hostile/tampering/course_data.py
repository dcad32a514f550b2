# Writes into the data of the course, through ./data and by the names it has outside.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os
import shutil

for folder in ("data", os.path.realpath("data"), "@course@/data/quick", "@course@/data/full"):
    for change in (
        lambda: open(folder + "/numbers.txt", "w").write("hostile"),
        lambda: open(folder + "/@mark@", "w").write("x"),
        lambda: os.chmod(folder, 0o777),
        lambda: os.unlink(folder + "/numbers.txt"),
        lambda: os.rename(folder, folder + "-gone"),
        lambda: os.symlink("/", "data"),
    ):
        try:
            change()
        except OSError as error:
            print(folder, error)
print("tried")
