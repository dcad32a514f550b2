# One output of 300 MB, as text, as a value, as an error, and one line of nothing but colours.
# base: right
# says: tried
# %% square-write
import time

from IPython.display import display

print("tried", flush=True)
time.sleep(1)  # flushing returns before it is sent
text = "hostile " * 40_000_000
print(text)
display({"text/plain": text, "text/html": text}, raw=True)
print("\x1b[31m" * 5_000_000)

# %% last
raise ValueError("hostile " * 40_000_000)
