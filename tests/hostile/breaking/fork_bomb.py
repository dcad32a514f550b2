# Every process starts two more, as long as there is one.
# base: right
# needs: sandbox
# %% square-write
import os

print("tried", flush=True)
while True:
    try:
        os.fork()
    except OSError:
        pass
