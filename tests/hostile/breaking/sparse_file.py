# A file of an exabyte without content, for whoever copies or measures it.
# base: right
# needs: sandbox
# says: tried
# %% square-write
import os

for name in ("huge.ipynb", "/tmp/huge", "/dev/shm/huge"):
    for size in (1 << 60, 1 << 44, 1 << 34):
        try:
            with open(name, "wb") as file:
                os.truncate(file.fileno(), size)
        except OSError as error:
            print(error)
print("tried")
