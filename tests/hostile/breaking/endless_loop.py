# Loops for ever and catches every interrupt.
# base: right
# says: tried
# %% square-write
print("tried", flush=True)
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
