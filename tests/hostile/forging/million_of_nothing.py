# A reply of 200 MB that becomes twenty times as much when it is read: empty lists, one after the other.
# base: wrong
# scores: 0
# says: tried
# %% square-write
import struct

import safetensors.torch

from chainrule.lesson import verbs

tree = b'{"dict":[["value",[' + b"[]," * (66 << 20) + b"[]]]]}"
message = struct.pack("<Q", len(tree)) + tree + safetensors.torch.save({})
verbs.Worker.serve = lambda self, request, seconds: message
print("tried")
