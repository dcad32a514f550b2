# Loops for ever inside one call of a C function, where no Python interrupt arrives.
# base: right
# says: tried
# %% square-write
import re

print("tried", flush=True)
re.match(r"(a|a)*$", "a" * 60 + "b")
