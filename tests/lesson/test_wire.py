"""Data crosses between student code and checks as it was; objects, tricks and garbage do not cross at all."""

import collections
import enum
import math
import pickle
import random
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

from chainrule.lesson import wire
from chainrule.lesson.wire import Handle, WireError, pack, unpack


def same(a: Any, b: Any) -> bool:
    """Equal in type, value and dtype, NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


PLAIN: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**200),
    10**4000,
    0.1,
    -0.0,
    math.nan,
    math.inf,
    -math.inf,
    5e-324,
    "",
    "naïve 中文 😀 \0 \ud83d </script>",
    [],
    (),
    {},
    [1, [2.0, ["three", None]]],
    (1, (2,), [3]),
    {1, "two", (3, 4.0)},
    {"a": 1, 2: "b", (3, 4): [5], None: {}, 1.5: True},
    {"tensor": "0", "handle": [0, "model", "x"], "dict": []},
]


@pytest.mark.parametrize("value", PLAIN, ids=[type(value).__name__ for value in PLAIN])
def test_plain_data_arrives_as_it_was(value: Any) -> None:
    assert same(unpack(pack(value)), value)


DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool, torch.uint8]
DTYPES += [torch.int8, torch.int16, torch.int32, torch.int64, torch.uint16, torch.uint32, torch.uint64]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (2, 3)], ids=str)
def test_tensors_keep_dtype_and_shape(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    tensor = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    assert same(unpack(pack(tensor)), tensor)


@pytest.mark.parametrize("dtype", [*"?bhilBHILefd", ">f4", ">i8"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_arrays_keep_dtype_and_shape(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape)).reshape(shape).astype(dtype)
    got = unpack(pack(array))
    assert same(got, array.astype(array.dtype.newbyteorder("=")))


def test_tensors_that_are_views_of_others() -> None:
    base = torch.arange(24.0).reshape(2, 3, 4)
    views = [base.permute(2, 0, 1), base[:, ::2], base[0, 0, 1], base.expand(5, 2, 3, 4), base, base]
    views += [torch.complex(base, base).conj().imag, torch.zeros(3).expand(0, 3)]
    for got, view in zip(unpack(pack(views)), views, strict=True):
        assert same(got, view)
    array = np.arange(24.0).reshape(4, 6)
    for view in (array.T, array[::-1, ::2], np.broadcast_to(array[0], (3, 6))):
        assert same(unpack(pack(view)), np.ascontiguousarray(view))


def test_what_arrives_is_a_copy_without_history() -> None:
    parameter = torch.nn.Parameter(torch.ones(3))
    got = unpack(pack([parameter, parameter * 2]))
    assert [type(t) for t in got] == [torch.Tensor] * 2
    assert not any(t.requires_grad for t in got)
    got[0].zero_()
    assert parameter.sum() == 3


def test_numpy_scalars_and_text_become_plain() -> None:
    assert same(unpack(pack([np.float64(0.5), np.float32(0.5), np.int16(3)])), [0.5, 0.5, 3])
    assert same(unpack(pack([np.bool_(True), np.str_("a"), np.array(["a", "b"])])), [True, "a", ["a", "b"]])
    assert same(unpack(pack(np.array([1, None, "x"], dtype=object))), [1, None, "x"])


class LyingFloat(float):
    def __eq__(self, other: object) -> bool:
        return True

    def __float__(self) -> float:
        return 1.0

    def __repr__(self) -> str:
        return "1.0"

    __hash__ = float.__hash__


class LyingInt(int):
    def __int__(self) -> int:
        return 1

    __index__ = __int__
    __repr__ = __str__ = lambda self: "1"


class LyingStr(str):
    def __str__(self) -> str:
        return "right"

    __repr__ = __str__


class LyingList(list):
    def __iter__(self) -> Iterator[Any]:
        return iter(["right"])

    def __len__(self) -> int:
        return 1


class LyingTuple(tuple):
    __slots__ = ()

    def __iter__(self) -> Iterator[Any]:
        return iter(["right"])


class LyingSet(set):
    def __iter__(self) -> Iterator[Any]:
        return iter(["right"])


class LyingDict(dict):
    def items(self) -> Any:
        return {"right": "right"}.items()

    def __iter__(self) -> Iterator[Any]:
        return iter(["right"])


class LyingArray(np.ndarray):
    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.ones(2)

    def __array_finalize__(self, source: Any) -> None:
        self.right = True

    def tolist(self) -> Any:
        return "right"


class LyingTensor(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return torch.ones(2)

    def detach(self) -> Any:
        return torch.ones(2)


class Colour(enum.IntEnum):
    RED = 7


LIARS = [
    (LyingFloat(0.5), 0.5),
    (LyingInt(5), 5),
    (Colour.RED, 7),
    (LyingStr("wrong"), "wrong"),
    (LyingList([0, 0]), [0, 0]),
    (LyingTuple((0, 0)), (0, 0)),
    (LyingSet({0}), {0}),
    (LyingDict(a=0), {"a": 0}),
    (collections.OrderedDict(a=0), {"a": 0}),
    (collections.Counter("a"), {"a": 1}),
    (collections.namedtuple("Point", "x y")(1, 2), (1, 2)),
    (frozenset({0}), {0}),
    (np.zeros(2).view(LyingArray), np.zeros(2)),
    (np.ma.MaskedArray(np.zeros(2), [True, False]), np.zeros(2)),
    (torch.zeros(2).as_subclass(LyingTensor), torch.zeros(2)),
    (torch.nn.Parameter(torch.zeros(2)), torch.zeros(2)),
]


@pytest.mark.parametrize(("liar", "truth"), LIARS, ids=[type(liar).__name__ for liar, _ in LIARS])
def test_subclasses_arrive_as_their_plain_base(liar: Any, truth: Any) -> None:
    assert same(unpack(pack(liar)), truth)
    assert same(unpack(pack([liar]))[0], truth)


class Pretender:
    """Says of itself that it is a str."""

    __class__ = str  # type: ignore[assignment]


REFUSED: dict[str, Callable[[], Any]] = {
    "an object": object,
    "a function": lambda: print,
    "a class": lambda: int,
    "a module": lambda: sys,
    "bytes": lambda: b"x",
    "a complex number": lambda: 1j,
    "a generator": lambda: (i for i in "x"),
    "a model": lambda: torch.nn.Linear(1, 1),
    "a pretender": Pretender,
    "a mock": lambda: mock.MagicMock(spec=dict),
    "a complex tensor": lambda: torch.ones(2, dtype=torch.complex64),
    "a sparse tensor": lambda: torch.eye(3).to_sparse(),
    "a tensor without data": lambda: torch.ones(3, device="meta"),
    "dates": lambda: np.array(["2026-01-01"], dtype="M8[D]"),
    "records": lambda: np.zeros(2, dtype=[("a", "f4")]),
    "long doubles": lambda: np.zeros(2, dtype=np.longdouble),
    "an array of objects": lambda: np.array([object()], dtype=object),
    "an int of 10,000 digits": lambda: 10**10_000,
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_data_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(WireError):
        pack(make())
    with pytest.raises(WireError):
        pack({"deep": [(make(),)]})


def test_depth_has_a_limit() -> None:
    deep: Any = []
    for _ in range(wire.MAX_DEPTH):
        deep = [deep]
    assert unpack(pack(deep)) == deep
    circle: list[Any] = []
    circle.append(circle)
    for value in ([deep], ({"a": deep},), circle):
        with pytest.raises(WireError, match="deep"):
            pack(value)


def test_size_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    huge = torch.zeros(1).expand(10**12)  # four bytes that claim to be 4 TB
    with pytest.raises(WireError, match="more than 256 MiB"):
        pack(huge)
    monkeypatch.setattr(wire, "MAX_BYTES", 10_000)
    assert unpack(pack(torch.zeros(1000))).shape == (1000,)
    for large in (torch.zeros(3000), [torch.zeros(900)] * 3, np.zeros(1500), "x" * 10_000, list(range(5000))):
        with pytest.raises(WireError, match="of data"):
            pack(large)
    with pytest.raises(WireError, match="size"):
        unpack(b"x" * 20_000)


def test_what_is_no_array_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read back, empty lists take twenty times the memory they took in the message."""
    monkeypatch.setattr(wire, "MAX_TREE", 1000)
    assert unpack(pack([[]] * 100 + [np.zeros(5000)]))[:100] == [[]] * 100
    with pytest.raises(WireError, match="outside arrays"):
        pack([[]] * 1000)
    with pytest.raises(WireError, match="outside arrays"):
        unpack(message("[" + "[]," * 1000 + "[]]"))


@pytest.mark.parametrize("form", ['{"set": [%s]}', '{"dict": [%s]}'])
def test_numbers_that_share_a_hash_cost_no_time(form: str) -> None:
    numbers = [str(k * sys.hash_info.modulus) for k in range(200_000)]
    items = numbers if "set" in form else [f"[{number}, 0]" for number in numbers]
    with pytest.raises(WireError, match="numbers as keys"):
        unpack(message(form % ", ".join(items)))
    texts = {f"name {i}": i for i in range(20_000)}  # their hashes are nobody's to choose
    assert unpack(pack(texts)) == texts


def test_a_request_nobody_reads_ends_at_its_time_limit() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TimeoutError):
        wire.send_request(ours, bytes(10 << 20), 0.1)


def test_live_objects_travel_as_handles_only() -> None:
    thing = object()
    message = pack({"thing": thing}, lambda value: Handle(3, "object", type(value).__name__))
    assert unpack(message) == {"thing": Handle(3, "object", "object")}
    assert unpack(message, lambda handle: thing if handle.id == 3 else None)["thing"] is thing


def message(tree: str, tensors: bytes = b"\x02\0\0\0\0\0\0\0{}") -> bytes:
    """A message with this header and this block, however wrong they are."""
    header = tree.encode()
    return struct.pack("<Q", len(header)) + header + tensors


def block(header: str, data: bytes = b"") -> bytes:
    """A safetensors block with this header."""
    return struct.pack("<Q", len(header)) + header.encode() + data


GARBAGE = {
    "nothing": b"",
    "too short": b"1234567",
    "text": b"hello, world, how are you?",
    "a length beyond the end": struct.pack("<Q", 2**63) + b"{}",
    "no block": message("1", b""),
    "no JSON": message("{", block("{}")),
    "no UTF-8": struct.pack("<Q", 2) + b"\xff\xfe" + block("{}"),
    "nested a thousand times": message("[" * 1000 + "]" * 1000),
    "nested a hundred thousand times": message("[" * 100_000 + "]" * 100_000),
    "an int of 10,000 digits": message("9" * 10_000),
    "an unknown node": message('{"code": "print(1)"}'),
    "two nodes in one": message('{"tuple": [], "set": []}'),
    "a tensor that is not there": message('{"tensor": "0"}'),
    "a slot that is no name": message('{"tensor": [0]}'),
    "a tuple of no list": message('{"tuple": "ab"}'),
    "a dict of no pairs": message('{"dict": [[1, 2, 3]]}'),
    "a list as a key": message('{"dict": [[[1], 2]]}'),
    "a list in a tuple as a key": message('{"dict": [[{"tuple": [[1]]}, 2]]}'),
    "a list in a set": message('{"set": [[1]]}'),
    "a list in a tuple in a set": message('{"set": [{"tuple": [[1]]}]}'),
    "a handle of text": message('{"handle": ["0", "model", "x"]}'),
    "a short handle": message('{"handle": [0]}'),
    "an array NumPy has no dtype for": message(
        '{"array": "0"}', block('{"0":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}', b"\0\0")
    ),
    "an unknown dtype": message(
        '{"tensor": "0"}', block('{"0":{"dtype":"X9","shape":[1],"data_offsets":[0,1]}}', b"\0")
    ),
    "a packed dtype": message(
        '{"tensor": "0"}', block('{"0":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"\0")
    ),
    "a shape too large": message(
        '{"tensor": "0"}', block('{"0":{"dtype":"F32","shape":[99],"data_offsets":[0,4]}}', b"\0\0\0\0")
    ),
    "a shape of 2^80": message(
        '{"tensor": "0"}',
        block('{"0":{"dtype":"F32","shape":[1099511627776,1099511627776],"data_offsets":[0,0]}}'),
    ),
    "an empty shape of 2^80": message(
        '{"tensor": "0"}',
        block('{"0":{"dtype":"F32","shape":[0,1099511627776,1099511627776],"data_offsets":[0,0]}}'),
    ),
    "a pickle": pickle.dumps([1, 2]),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(WireError):
        unpack(garbage)


def test_a_damaged_message_is_a_value_or_refused() -> None:
    """Nothing but WireError ever leaves `unpack`: seeded mutations of a message that has everything."""
    rng = random.Random(480)
    whole = pack(
        {
            "numbers": [1, 2.5, math.nan, None, True],
            "tensors": [torch.rand(2, 3), torch.ones(2, dtype=torch.bfloat16), np.arange(4)],
            ("k", 1): {"a", "b"},
            "handle": Handle(0, "model", "MLP"),
        }
    )
    tokens = b'" { } [ ] , : -1 1e999 BF16 F64 array tensor set \xff'.split()
    refused = 0
    for _ in range(4000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(damaged))
            match rng.randrange(5):
                case 0:
                    damaged[place] = rng.randrange(256)
                case 1:
                    del damaged[place : place + rng.randint(1, 9)]
                case 2:
                    damaged[place:place] = rng.choice(tokens)
                case 3:
                    token = rng.choice(tokens)
                    damaged[place : place + len(token)] = token
                case 4:
                    del damaged[place:]
            if not damaged:
                break
        try:
            unpack(bytes(damaged))
        except WireError:
            refused += 1
    assert refused > 2000


def test_unpacking_never_pickles(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "dump", "dumps", "Pickler", "Unpickler"):
        monkeypatch.setattr(f"pickle.{name}", forbidden)
    value = [torch.rand(2), np.arange(3.0), {"a": (1, {2})}]
    assert same(unpack(pack(value)), value)


DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


@pytest.mark.parametrize("older", [False, True], ids=["this safetensors", "one that students may have"])
def test_tensors_of_every_kind_arrive_as_they_are(older: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if older:
        monkeypatch.delattr("safetensors.TensorSpec")
    kinds = [torch.arange(6).to(dtype).reshape(2, 3) for dtype in DTYPES]
    shapes = [torch.ones(()), torch.ones(0), torch.ones(3, 0, 2), torch.ones(4, 3).T, torch.ones(5)[::2]]
    shared = torch.arange(4.0)
    sent = [*kinds, *shapes, shared, shared[1:]]
    for before, after in zip(sent, unpack(pack(sent)), strict=True):
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert torch.equal(after, before)
