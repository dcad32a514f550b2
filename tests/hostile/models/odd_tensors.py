# The logits are tensors without plain numbers: sparse, meta, quantised, complex, nested, of a new dtype.
# base: wrong
# in: linear
# scores: 0
# says: tried
# %% model-write
import itertools

KINDS = [
    lambda x: torch.zeros(len(x), 3).to_sparse(),
    lambda x: torch.zeros(len(x), 3, device="meta"),
    lambda x: torch.zeros(len(x), 3, dtype=torch.complex64),
    lambda x: torch.zeros(len(x), 3).to(torch.float8_e4m3fn),
    lambda x: torch.quantize_per_tensor(torch.zeros(len(x), 3), 1.0, 0, torch.qint8),
    lambda x: torch.nested.nested_tensor([torch.zeros(3)] * len(x)),
    lambda x: torch.zeros(len(x), 3).to_mkldnn(),
]
kinds = itertools.cycle(KINDS)
Model.forward = lambda self, x: next(kinds)(x)
print("tried")
