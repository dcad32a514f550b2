"""Messages between student code and checks: data, never objects.

A message is a tree of JSON-like values, arrays and tensors, packed as a JSON header and one safetensors block. Nothing
is pickled, so unpacking a message runs no code. The same messages are used inside a student's notebook and between the
two processes of a grading run.

Objects (models, data loaders) stay in the worker. In a message there is a `Handle` instead, a number that only the
worker can turn back into the object.
"""

from __future__ import annotations

import contextlib
import json
import math
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

MAX_BYTES = 1 << 28  # 256 MiB: a whole Fashion-MNIST test set in float64 is 63 MB
MAX_TREE = 1 << 24  # 16 MiB of JSON, which may take twenty times as much memory; arrays don't count
MAX_DEPTH = 32
MAX_EMPTY = 1 << 20  # rows of nothing, such as the 10⁶ of shape (1000, 1000, 0): they take no bytes, but time
# In sets and dicts, apart from texts: numbers can be chosen so that all their hashes are equal.
MAX_KEYS = 10_000
# Libraries whose numbers are sent as floats. The `__float__` of a student's own class is never called.
EXACT = {"fractions", "decimal", "sympy", "mpmath", "pandas"}
TOO_LARGE = "more than {} MiB of data"
TOO_EMPTY = f"more than {MAX_EMPTY} rows without entries"
_HEADER = struct.Struct("<Q")


class WireError(ValueError):
    """A value that cannot be packed, or bytes that are not a message.

    >>> pack(print)
    Traceback (most recent call last):
    chainrule.lesson.wire.WireError: a value of the type builtin_function_or_method is not data
    """


@dataclass(frozen=True)
class Handle:
    """An object of the worker in a message.

    Attributes:
        id: the object's number in the worker.
        kind: "model" or "object".
        label: the name of its type.

    >>> unpack(pack([1, Handle(0, "model", "Linear")]))
    [1, Handle(id=0, kind='model', label='Linear')]
    """

    id: int
    kind: str
    label: str


def pack(value: Any, handle_for: Callable[[Any], Handle] | None = None) -> bytes:
    """Turn a value into bytes.

    Instances of subclasses of str, int, float, list, dict, ndarray and Tensor arrive as instances of the base class,
    without overridden methods such as `__eq__`. Tensors arrive on the CPU, detached, with their dtype.

    Args:
        value: None, bool, int, float, str, list, tuple, set, dict, array, tensor, nested as you like; numbers
            and matrices of the libraries in `EXACT` are sent as floats and arrays.
        handle_for: makes handles for other objects; without it they raise.
    Raises:
        WireError: the value contains something that is not data, is nested too deeply, or is too large.

    >>> unpack(pack({"x": (1, 2.5), "y": torch.ones(2)}))
    {'x': (1, 2.5), 'y': tensor([1., 1.])}
    """
    packer = _Packer(handle_for)
    try:
        header = json.dumps(packer.node(value, 0)).encode()
    except ValueError as error:  # WireError, and Python's refusal of integers with thousands of digits
        raise WireError(str(error)) from None
    if len(header) > MAX_TREE:
        raise WireError(f"{TOO_LARGE.format(MAX_TREE >> 20)} outside arrays and tensors")
    block = _block(packer.tensors)
    if len(header) + len(block) > MAX_BYTES:
        raise WireError(TOO_LARGE.format(MAX_BYTES >> 20))
    return _HEADER.pack(len(header)) + header + block


def _block(tensors: dict[str, torch.Tensor]) -> bytes:
    """What `safetensors.torch.save` gives for tensors of our own, in a tenth of its time: on the CPU, contiguous, each
    with a memory of its own. Students may have a version that can't be given places in memory."""
    if not hasattr(safetensors, "TensorSpec"):
        return safetensors.torch.save(tensors)
    specs = {
        name: safetensors.TensorSpec(
            dtype=str(tensor.dtype).removeprefix("torch."),
            shape=tensor.shape,
            data_ptr=(tensor if tensor.numel() else _SOMEWHERE).data_ptr(),  # an empty one has no memory
            data_len=tensor.nbytes,
        )
        for name, tensor in tensors.items()
    }
    return bytes(safetensors.serialize(specs))


_SOMEWHERE = torch.zeros(1)


class _Packer:
    """Turns a value into a tree of JSON values, and collects its tensors."""

    def __init__(self, handle_for: Callable[[Any], Handle] | None) -> None:
        self.handle_for = handle_for
        self.tensors: dict[str, torch.Tensor] = {}
        self.size = 0  # bytes of the tensors

    def node(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise WireError(f"nested more than {MAX_DEPTH} levels deep")
        kind: type = type(value)
        if value is None or kind is str or kind is int or kind is float or kind is bool:
            return value

        def is_a(*kinds: type) -> bool:
            return issubclass(kind, kinds)  # isinstance asks the object's __class__, which may lie

        if is_a(Handle):
            return {"handle": [value.id, value.kind, value.label]}
        if is_a(torch.Tensor):
            return self.tensor_node(value)
        if is_a(np.ndarray, np.generic):
            return self.array_node(np.asarray(value), is_a(np.generic), depth)
        if is_a(str):
            return str.__str__(value)
        if is_a(int):
            return int.__int__(value)
        if is_a(float):
            return float.__float__(value)
        if is_a(list):
            return [self.node(v, depth + 1) for v in list.__iter__(value)]
        if is_a(tuple):
            return {"tuple": [self.node(v, depth + 1) for v in tuple.__iter__(value)]}
        if is_a(set, frozenset):
            base = set if is_a(set) else frozenset
            return {"set": [self.node(v, depth + 1) for v in base.__iter__(value)]}
        if is_a(dict):
            items = dict.items(value)
            return {"dict": [[self.node(k, depth + 1), self.node(v, depth + 1)] for k, v in items]}
        return self.other_node(value, depth)

    def tensor_node(self, value: torch.Tensor) -> dict[str, Any]:
        with torch._C.DisableTorchFunctionSubclass():  # no method of a subclass runs
            tensor = torch.Tensor.detach(value)
            if (
                tensor.layout is not torch.strided
                or tensor.is_complex()
                or tensor.is_quantized
                or tensor.is_meta
            ):
                raise WireError(
                    "complex numbers, where real ones are expected"
                    if tensor.is_complex()
                    else f"a {tensor.layout} tensor of {tensor.dtype} on {tensor.device} is not plain numbers"
                )
            if tensor.nbytes + self.size > MAX_BYTES:
                raise WireError(TOO_LARGE.format(MAX_BYTES >> 20))
            _refuse_emptiness(tensor)
            rows = len(tensor) if tensor.ndim and tensor.stride(0) == 0 else 1  # `expand` repeats one row
            tensor = tensor[:1] if rows > 1 else tensor
            name = str(len(self.tensors))
            # clone: safetensors refuses two tensors that share memory
            self.tensors[name] = tensor.cpu().clone(memory_format=torch.contiguous_format)
            self.size += self.tensors[name].nbytes
        return {"rows": [name, rows]} if rows > 1 else {"tensor": name}

    def array_node(self, array: np.ndarray, scalar: bool, depth: int) -> Any:
        if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
            if scalar:
                return self.node(array.item(), depth)
            native = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
            return {"array": self.tensor_node(torch.from_numpy(native))["tensor"]}
        if array.dtype.kind in "OU":
            return self.node(array.tolist(), depth + 1)
        if array.dtype.kind == "c":
            raise WireError("complex numbers, where real ones are expected")
        raise WireError(f"an array of dtype {array.dtype} is not plain numbers")

    def other_node(self, value: Any, depth: int) -> Any:
        """Numbers and matrices of the libraries in `EXACT`, then handles."""
        if type(value).__module__.partition(".")[0] in EXACT:
            if hasattr(value, "__float__"):
                with contextlib.suppress(TypeError, ValueError, ArithmeticError):
                    return float.__float__(float(value))
            if hasattr(value, "__array__"):
                with contextlib.suppress(TypeError, ValueError):
                    return self.node(np.array(value), depth + 1)
        if self.handle_for is not None:
            return self.node(self.handle_for(value), depth)
        raise WireError(f"a value of the type {type(value).__name__} is not data")


def _refuse_emptiness(tensor: torch.Tensor) -> None:
    """Raise WireError for a tensor without entries that has very many rows.

    >>> _refuse_emptiness(torch.zeros(10**5, 10**6, 0))
    Traceback (most recent call last):
    chainrule.lesson.wire.WireError: more than 1048576 rows without entries
    """
    if not tensor.numel() and math.prod(max(1, size) for size in tensor.shape) > MAX_EMPTY:
        raise WireError(TOO_EMPTY)


def unpack(message: bytes, resolve: Callable[[Handle], Any] | None = None) -> Any:
    """The value in a message made by `pack`.

    Args:
        message: untrusted bytes.
        resolve: called with each handle; its result is in the returned value in the handle's place. Without it the
            `Handle` itself is.
    Raises:
        WireError: the bytes are not a message.

    >>> unpack(b"not packed")
    Traceback (most recent call last):
    chainrule.lesson.wire.WireError: more than 16 MiB of data outside arrays and tensors
    """
    if not _HEADER.size <= len(message) <= MAX_BYTES + _HEADER.size:
        raise WireError("not a message: wrong size")
    (length,) = _HEADER.unpack_from(message)
    if length > MAX_TREE:
        raise WireError(f"{TOO_LARGE.format(MAX_TREE >> 20)} outside arrays and tensors")
    keys = memory = 0

    def repeated(row: torch.Tensor, rows: int) -> torch.Tensor:
        nonlocal memory
        memory += row.nbytes * rows
        if memory > MAX_BYTES:
            raise WireError(TOO_LARGE.format(MAX_BYTES >> 20))
        whole = row.expand(rows, *row.shape[1:])
        _refuse_emptiness(whole)
        return whole.contiguous()

    def key(node: Any, depth: int) -> Any:
        nonlocal keys
        keys += not isinstance(node, str)
        if keys > MAX_KEYS:
            raise WireError(f"more than {MAX_KEYS} numbers as keys")
        return walk(node, depth)

    try:
        tree = json.loads(message[_HEADER.size : _HEADER.size + length])
        tensors = safetensors.torch.load(message[_HEADER.size + length :])
    except Exception as error:  # whatever the two parsers raise
        raise WireError(f"not a message: {error}") from None
    for tensor in tensors.values():
        _refuse_emptiness(tensor)

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
            case [("rows", [str(slot), int(rows)])] if slot in tensors and len(tensors[slot]) == 1 <= rows:
                return repeated(tensors[slot], rows)
            case [("array", str(slot))] if slot in tensors:
                return tensors[slot].numpy()
            case [("tuple", list(items))]:
                return tuple(walk(v, depth + 1) for v in items)
            case [("set", list(items))]:
                return set(key(v, depth + 1) for v in items)
            case [("dict", list(items))] if all(isinstance(pair, list) and len(pair) == 2 for pair in items):
                return {key(k, depth + 1): walk(v, depth + 1) for k, v in items}
            case [("handle", [int(id), str(kind), str(label)])]:
                handle = Handle(id, kind, label)
                return resolve(handle) if resolve else handle
        raise WireError("not a message: unknown node")

    try:
        return walk(tree, 0)
    except TypeError as error:  # a list as a key, bfloat16 as an array
        raise WireError(f"not a message: {error}") from None


# -- messages over a socket ------------------------------------------------------------------------------

_REQUEST = struct.Struct("<Qd")  # bytes that follow, seconds the request may take
_REPLY = struct.Struct("<Q")  # bytes that follow


def send_request(
    line: socket.socket, request: bytes, seconds: float, clock: Callable[[], float] = time.monotonic
) -> None:
    """Send a packed request.

    Args:
        line: a connected socket.
        seconds: the time the request may take; the same time is the limit for sending it.
        clock: that counts them.
    Raises:
        TimeoutError: the other end does not read.

    >>> ours, theirs = socket.socketpair()
    >>> send_request(ours, b"a request", seconds=5.0)
    >>> receive_request(theirs)
    (b'a request', 5.0)
    """
    left, deadline = memoryview(_REQUEST.pack(len(request), seconds) + request), clock() + seconds
    while left:
        with _waiting(line, deadline, clock):
            left = left[line.send(left) :]


def receive_request(line: socket.socket) -> tuple[bytes, float] | None:
    """The next request and the seconds it may take; None when the other end has closed the socket.

    >>> ours, theirs = socket.socketpair()
    >>> ours.close()
    >>> receive_request(theirs) is None
    True
    """
    try:
        length, seconds = _REQUEST.unpack(receive(line, _REQUEST.size))
    except ConnectionError:
        return None
    return receive(line, length), seconds


def send_reply(line: socket.socket, reply: bytes) -> None:
    """Send a packed reply.

    >>> ours, theirs = socket.socketpair()
    >>> send_reply(theirs, b"a reply")
    >>> receive_reply(ours, seconds=5.0)
    b'a reply'
    """
    line.sendall(_REPLY.pack(len(reply)) + reply)


def receive_reply(line: socket.socket, seconds: float, clock: Callable[[], float] = time.monotonic) -> bytes:
    """The reply to a request.

    Args:
        clock: that counts the seconds.
    Raises:
        TimeoutError: it was not complete within `seconds`.
        ConnectionError: the other end closed the socket.
        WireError: it is larger than a message may be.

    >>> ours, theirs = socket.socketpair()
    >>> receive_reply(ours, seconds=0.01)
    Traceback (most recent call last):
    TimeoutError
    """
    deadline = clock() + seconds
    (length,) = _REPLY.unpack(receive(line, _REPLY.size, deadline, clock))
    if length > MAX_BYTES + _HEADER.size:
        raise WireError(TOO_LARGE.format(MAX_BYTES >> 20))
    return receive(line, length, deadline, clock)


def receive(
    line: socket.socket,
    count: int,
    deadline: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """Exactly `count` bytes.

    Raises:
        TimeoutError: the clock showed `deadline` before.
        ConnectionError: the other end closed the socket.

    >>> ours, theirs = socket.socketpair()
    >>> theirs.sendall(b"some bytes")
    >>> receive(ours, 4)
    b'some'
    """
    parts: list[bytes] = []
    while count:
        with _waiting(line, deadline, clock):
            part = line.recv(min(count, 1 << 20))
            if not part:
                raise ConnectionError("the other end closed the socket")
            parts.append(part)
            count -= len(part)
    return b"".join(parts)


@contextlib.contextmanager
def _waiting(line: socket.socket, deadline: float, clock: Callable[[], float]) -> Iterator[None]:
    """Wait for the other end in the block until the deadline; if it takes so long by another clock, go on after it.

    Raises:
        TimeoutError: the deadline is over.
    """
    left = deadline - clock()
    if left <= 0:
        raise TimeoutError
    line.settimeout(None if math.isinf(left) else max(left, 0.01))
    with contextlib.suppress(TimeoutError):
        yield
