# Prints as fast as it can, into both streams and past IPython.
# base: right
# %% square-write
import os
import sys

block = "hostile " * 20_000 + "\n"
while True:
    print(block)
    print(block, file=sys.stderr)
    os.write(1, block.encode())
    os.write(2, block.encode())
