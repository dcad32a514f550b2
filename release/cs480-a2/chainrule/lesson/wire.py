"""What may pass between student code and checks: data, never objects.

A message is a tree of JSON-like values, arrays and tensors, packed as a JSON header and one
safetensors block. Nothing is pickled, so unpacking a message runs no code. Both ends of a check use it:
in a student's notebook and between the two processes of a grading run, a value looks the same.

Live objects (models, data loaders) stay where they are. Their place in a message is taken by a
`Handle`, a number that only the worker can turn back into the object.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch

MAX_BYTES = 1 << 28  # 256 MiB: a whole Fashion-MNIST test set in float64 is 63 MB
MAX_DEPTH = 32
_HEADER = struct.Struct("<Q")


class WireError(ValueError):
    """A value that cannot travel, or bytes that are not a message."""


@dataclass(frozen=True)
class Handle:
    """Stands for a live object of the worker. `kind` is "model" or "object", `label` names its type."""

    id: int
    kind: str
    label: str


def pack(value: Any, handle_for: Callable[[Any], Handle] | None = None) -> bytes:
    """Turn a value into bytes.

    Subclasses of str, int, float, list, dict, ndarray and Tensor travel as their plain base, so an overridden
    `__eq__` or `__float__` stays behind. Tensors arrive on the CPU, detached, with their dtype.

    Args:
        value: None, bool, int, float, str, list, tuple, set, dict, array, tensor, nested as you like.
        handle_for: asked for anything else; without it anything else raises.
    Raises:
        WireError: the value holds something that is no data, is nested too deeply, or is too large.
    """
    tensors: dict[str, torch.Tensor] = {}

    def tensor_slot(tensor: torch.Tensor) -> str:
        plain = torch.Tensor.detach(tensor).cpu().as_subclass(torch.Tensor)
        if plain.layout is not torch.strided or plain.dtype.is_complex or plain.is_quantized:
            raise WireError(f"a tensor of dtype {plain.dtype} and layout {plain.layout} is not plain numbers")
        name = str(len(tensors))
        # clone: safetensors refuses two tensors that share memory
        tensors[name] = plain.clone(memory_format=torch.contiguous_format)
        return name

    def walk(value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"nested more than {MAX_DEPTH} levels deep")
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Handle):
            return {"handle": [value.id, value.kind, value.label]}
        if isinstance(value, torch.Tensor):
            return {"tensor": tensor_slot(value)}
        if isinstance(value, np.ndarray | np.generic):
            plain = np.asarray(value)
            if plain.dtype.kind in "biuf" and plain.dtype.itemsize <= 8:
                if isinstance(value, np.generic):
                    return walk(plain.item(), depth)
                native = np.array(plain, dtype=plain.dtype.newbyteorder("="), order="C")
                return {"array": tensor_slot(torch.from_numpy(native))}
            if plain.dtype.kind in "OU":
                return walk(plain.tolist(), depth + 1)
            raise WireError(f"an array of dtype {plain.dtype} is not plain numbers")
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, list):
            return [walk(v, depth + 1) for v in list.__iter__(value)]
        if isinstance(value, tuple):
            return {"tuple": [walk(v, depth + 1) for v in tuple.__iter__(value)]}
        if isinstance(value, set | frozenset):
            return {"set": [walk(v, depth + 1) for v in value]}
        if isinstance(value, dict):
            return {"dict": [[walk(k, depth + 1), walk(v, depth + 1)] for k, v in dict.items(value)]}
        if handle_for is not None:
            return walk(handle_for(value), depth)
        raise WireError(f"a {type(value).__name__} is not data")

    header = json.dumps(walk(value, 0)).encode()
    block = safetensors.torch.save(tensors)
    if len(header) + len(block) > MAX_BYTES:
        raise WireError(f"more than {MAX_BYTES >> 20} MiB of data")
    return _HEADER.pack(len(header)) + header + block


def unpack(message: bytes, resolve: Callable[[Handle], Any] | None = None) -> Any:
    """The value in a message made by `pack`.

    Args:
        message: untrusted bytes.
        resolve: turns a handle into what this end shows for it; without it the `Handle` itself is returned.
    Raises:
        WireError: the bytes are not a message.
    """
    if not _HEADER.size <= len(message) <= MAX_BYTES + _HEADER.size:
        raise WireError("not a message: wrong size")
    (length,) = _HEADER.unpack_from(message)
    try:
        tree = json.loads(message[_HEADER.size : _HEADER.size + length])
        tensors = safetensors.torch.load(message[_HEADER.size + length :])
    except (ValueError, RecursionError, safetensors.SafetensorError) as error:
        raise WireError(f"not a message: {error}") from None

    def walk(node: Any, depth: int) -> Any:
        if depth > 3 * MAX_DEPTH:
            raise WireError("nested too deeply")
        if isinstance(node, list):
            return [walk(v, depth + 1) for v in node]
        if not isinstance(node, dict):
            return node
        match list(node.items()):
            case [("tensor", str(slot))] if slot in tensors:
                return tensors[slot]
            case [("array", str(slot))] if slot in tensors:
                return tensors[slot].numpy()
            case [("tuple", list(items))]:
                return tuple(walk(v, depth + 1) for v in items)
            case [("set", list(items))]:
                return set(hashable(walk(v, depth + 1)) for v in items)
            case [("dict", list(items))] if all(isinstance(pair, list) and len(pair) == 2 for pair in items):
                return {hashable(walk(k, depth + 1)): walk(v, depth + 1) for k, v in items}
            case [("handle", [int(id), str(kind), str(label)])]:
                handle = Handle(id, kind, label)
                return resolve(handle) if resolve else handle
        raise WireError("not a message: unknown node")

    def hashable(key: Any) -> Any:
        if isinstance(key, list | dict | set | torch.Tensor | np.ndarray):
            raise WireError("not a message: a key that cannot be one")
        return key

    return walk(tree, 0)
