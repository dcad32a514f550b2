# Loops for ever inside one call of a C function, where no Python interrupt arrives.
# base: right
# says: tried
# %% square-write
import itertools
import time

print("tried", flush=True)
time.sleep(1)  # or the loop keeps even this from being sent
sum(itertools.repeat(0))
