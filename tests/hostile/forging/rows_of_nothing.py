# An answer of 10**11 rows without an entry, and a list of them.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import torch

square = lambda x: [torch.zeros(10**5, 10**6, 0)] * 3 if x else torch.zeros(1, 0).expand(10**12, 0)
print("tried")
