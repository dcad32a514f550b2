# Aborts, as if a C library had found a broken heap.
# base: right
# %% square-write
import os

os.abort()
