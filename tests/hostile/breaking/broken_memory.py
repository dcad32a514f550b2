# Writes nonsense over Python's own objects: the numbers, the types, the interpreter's state.
# base: right
# scores: 1
# %% square-write
import ctypes

ctypes.memset(id(4) + 24, 255, 4)
ctypes.memset(id(True) + 24, 0, 4)
ctypes.memset(id(float), 65, 300)
