# Reads where there is no memory.
# base: right
# %% square-write
import ctypes

ctypes.string_at(8)
