# Ends the process without a word.
# base: right
# %% square-write
import os

os._exit(0)
