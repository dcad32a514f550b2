# Makes as many empty files and folders within folders as there can be.
# base: right
# needs: sandbox
# %% square-write
import os
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
count = 0
try:
    while True:
        open(f"{count}", "w").close()
        count += 1
except OSError as error:
    print(count, error)
for _ in range(100_000):
    os.mkdir("down")
    os.chdir("down")
