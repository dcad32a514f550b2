# One process fills its memory.
# base: right
# needs: sandbox
# %% square-write
print("tried", flush=True)
hoard = []
while True:
    hoard.append(bytearray(b"x") * (64 << 20))
