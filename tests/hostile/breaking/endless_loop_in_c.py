# Loops for ever inside one call of a C function, where no Python interrupt arrives.
# base: right
# says: tried
# %% square-write
import itertools

print("tried", flush=True)
sum(itertools.repeat(0))
