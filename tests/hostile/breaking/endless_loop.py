# Loops for ever and catches every interrupt.
# base: right
# says: tried
# %% square-write
import time

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
