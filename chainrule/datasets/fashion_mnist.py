"""Fashion-MNIST on disk, checked, and in memory, fast.

`prepare` puts the data set's four files where torchvision expects them; `FashionMNIST` holds one half of them
in memory and hands whole batches to PyTorch's own `DataLoader`:

    train_set = FashionMNIST("./data", train=True)
    train_loader = DataLoader(train_set, batch_size=128, shuffle=True, collate_fn=whole_batch)

The batches are bit for bit those of torchvision's data set with `ToTensor`, and in the same order for the
same seed.
"""

import contextlib
import gzip
import hashlib
import json
import math
import os
import socket
import tempfile
import threading
import urllib.request
import uuid
import zlib
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset

from chainrule.datasets.origins import STAND_IN, note_origin
from chainrule.errors import ChainruleError

Profile = Literal["full", "quick"]
Batch = TypeVar("Batch")
Files = dict[str, bytes]  # a file's name and its content

REAL = "Fashion-MNIST"
CLASSES = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
]
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
MANIFEST = "manifest.json"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # Debian's and Ubuntu's package dataset-fashion-mnist
STAND_IN_SEED = 480

# Images for training and for testing; both profiles have as many of each class.
SIZES: dict[Profile, tuple[int, int]] = {"full": (60_000, 10_000), "quick": (6_000, 2_000)}

# SHA-256 of FILES. A set is the real one if its content is; the names of files and the manifest don't matter.
REAL_SHA256: dict[Profile, tuple[str, ...]] = {
    "full": (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
    "quick": (
        "cf313073c7eb485392848071d5c433571d7166043e971e3345b095cc30518084",
        "097b93fbcf9bd5bc648b1a457ddc55c9e4ab49afb33f9ecae8ce068399a75e3a",
        "15a92dd1e9b16ea361928086e77df4dfa890c255c00b5a8c8162c1040ce8eef1",
        "234596aeb6eb48133ec99a62541f90bc0728c9559a681f1e0638037462458f2c",
    ),
}


class DataFolderError(ChainruleError, RuntimeError):
    """The folder for the data cannot be used; the message says what to do."""


class DataSet(NamedTuple):
    """A complete, checked set: all four files as they lie (or will lie) in the folder."""

    profile: Profile
    origin: str  # REAL or STAND_IN
    files: Files


# ---- the files ---------------------------------------------------------------------------------------------


def prepare(
    root: str | Path = "./data", profile: Profile = "full", full_root: str | Path | None = None
) -> str:
    """Make sure that `<root>/FashionMNIST/raw` holds a valid set of `profile`; returns its origin.

    The set is the first of: what is already there, Debian's package, torchvision's download, and a generated
    stand-in of the same format and sizes. "quick" is the first 600 + 200 images of each class, cut from the
    full set in `full_root` (prepared there if missing), or from the sources above if `full_root` is None. A
    full set replaces a quick one in its folder, never the reverse.

    Returns "Fashion-MNIST" or "generated stand-in". Broken files are replaced; a valid folder is only read.
    Raises DataFolderError if the folder cannot be used.
    """
    return _prepared(root, profile, full_root).origin


def load(root: str | Path) -> DataSet | None:
    """The valid set in `<root>/FashionMNIST/raw`, of either profile; None if there is none.

    Each file is read once, and the bytes that are checked are returned. So it doesn't matter if another process is
    writing there at the same time.
    """
    raw = _raw_folder(root)
    try:
        files = {name: (raw / name).read_bytes() for name in FILES}
    except OSError:
        return None
    profile = _profile(files)
    if profile is None:
        return None
    if _sha256(files) == REAL_SHA256[profile]:
        return DataSet(profile, REAL, files)
    # A stand-in is known by our manifest, which is written last.
    stand_in = DataSet(profile, STAND_IN, files)
    with contextlib.suppress(OSError, ValueError):
        if json.loads((raw / MANIFEST).read_text()) == _manifest(stand_in):
            return stand_in
    return None


def _prepared(root: str | Path, profile: Profile, full_root: str | Path | None = None) -> DataSet:
    if profile not in SIZES:
        raise ValueError(f"profile is 'full' or 'quick', not {profile!r}")
    raw = _raw_folder(root)
    shared = full_root is not None and _raw_folder(full_root).resolve() == raw.resolve()
    made = None
    for _ in range(5):
        # After storing comes checking: another process may have stored its own, equally good, set in between.
        present = load(root)
        if present and present.profile == profile:
            return present
        if profile == "quick" and (present or shared):  # never overwrite somebody's full set
            raise DataFolderError(
                f"'{raw}' is for the full set. Pass another folder as root for the quick set."
            )
        try:
            require_writable(raw)  # before the slow part
            made = made or _make(profile, full_root)
            _store(made, raw)
        except OSError as error:
            raise DataFolderError(
                f"The data cannot be stored in '{raw}': {error.strerror or error}. Make that folder writable "
                "(or remove the file in its place, or free disk space), or pass another folder as root."
            ) from error
    raise DataFolderError(f"The files in '{raw}' keep changing. Stop what else writes there and try again.")


def _make(profile: Profile, full_root: str | Path | None) -> DataSet:
    if profile == "full":
        return _full_set()
    full = _full_set() if full_root is None else _prepared(full_root, "full")
    return _first_of_each_class(full)


def _full_set() -> DataSet:
    for source in (_from_debian, _from_download):
        files = source()
        if files and _sha256(files) == REAL_SHA256["full"]:
            return DataSet("full", REAL, files)
    print("Fashion-MNIST cannot be reached: generating a stand-in (to try again, delete the data folder) ...")
    return DataSet("full", STAND_IN, _generate())


def _from_debian() -> Files | None:
    if not DEBIAN.is_dir():
        return None
    print(f"Fashion-MNIST: unpacking {DEBIAN} ...")
    try:
        return {name: gzip.decompress((DEBIAN / f"{name}.gz").read_bytes()) for name in FILES}
    except (OSError, EOFError, zlib.error):  # a file missing or broken
        return None


def _from_download(seconds: float = 5.0) -> Files | None:
    """torchvision's download (30 MB) in a temporary folder; offline, None after `seconds` at most."""
    from torchvision import datasets  # a second to import, and only needed here

    if not any(answers(mirror + f"{FILES[-1]}.gz", seconds) for mirror in datasets.FashionMNIST.mirrors):
        return None
    print("Fashion-MNIST: downloading 30 MB ...")
    before = socket.getdefaulttimeout()
    # The limit is for each answer of the server: a slow download may take longer in all.
    socket.setdefaulttimeout(seconds)
    try:
        with tempfile.TemporaryDirectory() as folder:
            datasets.FashionMNIST(folder, download=True)
            return {name: (_raw_folder(folder) / name).read_bytes() for name in FILES}
    except Exception as error:  # whatever it is, the lesson can go on without
        print(f"Fashion-MNIST: the download failed ({error}).")
        return None
    finally:
        socket.setdefaulttimeout(before)


def answers(url: str, seconds: float) -> bool:
    """Whether the server answers. In a thread, since looking up its name may take minutes."""
    answered = threading.Event()

    def ask() -> None:
        with contextlib.suppress(Exception):
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=seconds).close()
            answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return answered.is_set()


def _first_of_each_class(full: DataSet) -> DataSet:
    """The quick set: the first images of each class in their order, which is mixed already."""
    files: Files = {}
    for split, size in zip(("train", "t10k"), SIZES["quick"], strict=True):
        images, labels = _arrays(full.files, split)
        firsts = [np.flatnonzero(labels == c)[: size // len(CLASSES)] for c in range(len(CLASSES))]
        keep = np.sort(np.concatenate(firsts))
        files |= _idx_files(split, images[keep], labels[keep])
    return DataSet("quick", full.origin, files)


def _raw_folder(root: str | Path) -> Path:
    return Path(root).expanduser() / "FashionMNIST" / "raw"


def require_writable(raw: Path) -> None:
    raw.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=raw).close()


def _store(data: DataSet, raw: Path) -> None:
    """Write the files, each in one step, and last the manifest that vouches for them."""
    manifest = json.dumps(_manifest(data), indent=2).encode()
    for name, content in (*data.files.items(), (MANIFEST, manifest)):
        part = raw / f"{name}.{uuid.uuid4().hex}.part"
        try:
            part.write_bytes(content)
            os.replace(part, raw / name)
        finally:
            part.unlink(missing_ok=True)


def _manifest(data: DataSet) -> dict[str, object]:
    sums = zip(data.files.items(), _sha256(data.files), strict=True)
    files = {name: {"bytes": len(content), "sha256": digest} for (name, content), digest in sums}
    return {"origin": data.origin, "profile": data.profile, "files": files}


def _sha256(files: Files) -> tuple[str, ...]:
    return tuple(hashlib.sha256(files[name]).hexdigest() for name in FILES)


# ---- IDX: 0, 0, 8 for uint8, the number of dimensions, each big-endian uint32, then the values -------------


def _idx(array: np.ndarray) -> bytes:
    sizes = np.array(array.shape, dtype=">u4")
    return bytes([0, 0, 8, array.ndim]) + sizes.tobytes() + array.astype(np.uint8).tobytes()


def _shape(idx: bytes) -> tuple[int, ...] | None:
    """The shape that an IDX file of uint8 announces; None if it is none or has not as many values."""
    if len(idx) < 4 or idx[:3] != b"\0\0\x08" or len(idx) < 4 + 4 * idx[3]:
        return None
    shape = tuple(np.frombuffer(idx, ">u4", count=idx[3], offset=4).tolist())
    return shape if len(idx) == 4 + 4 * len(shape) + math.prod(shape) else None


def _profile(files: Files) -> Profile | None:
    shapes = [_shape(files[name]) for name in FILES]
    for profile, (train, test) in SIZES.items():
        if shapes == [(train, 28, 28), (train,), (test, 28, 28), (test,)]:
            return profile
    return None


def _arrays(files: Files, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) and labels (N,), both uint8 and read-only views of the checked files."""
    images = np.frombuffer(files[f"{split}-images-idx3-ubyte"], np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(files[f"{split}-labels-idx1-ubyte"], np.uint8, offset=8)


def _idx_files(split: str, images: np.ndarray, labels: np.ndarray) -> Files:
    return {f"{split}-images-idx3-ubyte": _idx(images), f"{split}-labels-idx1-ubyte": _idx(labels)}


# ---- the stand-in: silhouettes of many sizes; some could be of two classes, as in the real set -------


# Per label the spans of sleeve length, half width, flare, hem and the darkness of the line down the front.
TOPS = {
    0: ((0.1, 0.55), (0.34, 0.5), (-0.05, 0.05), (0.65, 0.85), (0.0, 0.15)),  # T-shirt/top
    2: ((1.1, 1.6), (0.34, 0.5), (-0.05, 0.05), (0.6, 0.8), (0.0, 0.2)),  # pullover
    3: ((-0.2, 0.35), (0.16, 0.34), (0.0, 0.22), (0.75, 0.95), (0.0, 0.15)),  # dress
    4: ((1.1, 1.6), (0.3, 0.46), (-0.04, 0.1), (0.7, 0.95), (0.3, 0.9)),  # coat
    6: ((0.4, 1.35), (0.3, 0.46), (-0.04, 0.08), (0.65, 0.9), (0.1, 0.45)),  # shirt
}
# Per label the spans of shaft height and of the darkness between the straps.
SHOES = {
    5: ((-0.1, 0.5), (0.4, 1.0)),  # sandal
    7: ((0.0, 0.4), (0.0, 0.4)),  # sneaker
    9: ((0.35, 0.9), (0.0, 0.3)),  # ankle boot
}


def _generate() -> Files:
    """A full set of drawn garments; the same bytes on every run with the same NumPy."""
    rng = np.random.default_rng(STAND_IN_SEED)
    files: Files = {}
    for split, size in zip(("train", "t10k"), SIZES["full"], strict=True):
        each = size // len(CLASSES)
        order = rng.permutation(size)
        images = np.concatenate([_draw(c, each, rng) for c in range(len(CLASSES))])
        labels = np.repeat(np.arange(len(CLASSES), dtype=np.uint8), each)
        files |= _idx_files(split, images[order], labels[order])
    return files


def _draw(label: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` images (n, 28, 28) uint8 of one class.

    A shape is an array that is positive inside and negative outside: min(a, b) is the part inside both shapes,
    max(a, b) the part inside either, and -a is what is outside a.
    x and y run over the image from -1 to 1, to the right and downwards.
    """

    def vary(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)

    def all_of(*fields: np.ndarray) -> np.ndarray:
        smallest: np.ndarray = np.minimum.reduce(np.broadcast_arrays(*fields))
        return smallest

    grid = np.linspace(-1, 1, 28, dtype=np.float32)
    scale = vary(0.8, 1.1)
    x = (grid[None, None, :] - vary(-0.12, 0.12)) / scale
    y = (grid[None, :, None] - vary(-0.12, 0.12)) / scale
    x = x + vary(-0.08, 0.08) * y  # a slant
    out = np.abs(x)  # how far from the middle
    shade = np.float32(1)

    if label in TOPS:  # a body, two sleeves, perhaps a line down the front
        sleeve, half, flare, hem, front = (vary(*span) for span in TOPS[label])
        top = y + 0.8
        body = all_of(half + flare * top - out, top - 0.2 * out, hem - y)
        arm = all_of(0.14 - np.abs(out - half - 0.12 - 0.14 * top), top - 0.4 * (out - half), sleeve - top)
        neck = vary(0.1, 0.22) - np.sqrt(x**2 + top**2)
        shape = all_of(np.maximum(body, arm), -neck)
        shade = 1 - front * (out < 0.06)
    elif label == 1:  # trousers: two legs
        half = vary(0.26, 0.42)
        shape = all_of(half - out, y + 0.9, 0.9 - y, out - vary(0.06, 0.16) * (y + vary(0.2, 0.6)))
    elif label == 8:  # a bag: a box under a handle
        top = vary(-0.4, 0.1)
        box = all_of(vary(0.5, 0.85) - out, y - top, vary(0.5, 0.85) - y)
        handle = 0.07 - np.abs(np.sqrt(x**2 + (y - top) ** 2) - vary(0.2, 0.5))
        shape = np.maximum(box, handle)
    else:  # a shoe, toe to the left: a sole, an upper that rises towards the heel, a shaft
        shaft, straps = (vary(*span) for span in SHOES[label])
        ground, long = vary(0.4, 0.55), vary(0.75, 0.9)
        sole = all_of(long - out, y - ground, ground + vary(0.1, 0.2) - y)
        upper = all_of(long - out, y - ground + vary(0.1, 0.25) + 0.22 * (x + long), ground - y)
        leg = all_of(long - x, x - vary(-0.15, 0.25), y - ground + 0.35 + shaft, ground - y)
        shape = np.maximum(np.maximum(upper, leg), sole)
        gaps = np.sin(vary(6, 11) * (x + vary(-0.5, 0.5) * y) + vary(0, 6)) > 0
        shade = 1 - straps * (gaps & (y < ground))

    weave = 1 - vary(0.0, 0.35) * (np.sin(vary(2, 12) * x + vary(2, 12) * y + vary(0, 6)) > 0)
    light = vary(0.3, 1.0) * shade * weave * np.clip(8 * shape + 0.5, 0, 1)
    light = light + 0.08 * rng.standard_normal(light.shape, dtype=np.float32)
    images: np.ndarray = (255 * np.clip(light, 0, 1)).astype(np.uint8)
    return images


# ---- in memory ---------------------------------------------------------------------------------------------


class FashionMNIST(Dataset[tuple[torch.Tensor, int]]):
    """One half of the set in `<root>/FashionMNIST/raw` (full or quick; prepared if there is none), in memory.

    images: uint8 (N, 28, 28), as stored; labels: int64 (N,); classes: the names of labels 0 to 9;
    origin: "Fashion-MNIST" or "generated stand-in". Raises DataFolderError as `prepare` does.
    """

    def __init__(self, root: str | Path = "./data", train: bool = True) -> None:
        data = load(root) or _prepared(root, "full")
        images, labels = _arrays(data.files, "train" if train else "t10k")
        self.images = torch.tensor(images)
        self.labels = torch.tensor(labels, dtype=torch.int64)
        self.classes = CLASSES
        self.origin = data.origin
        note_origin(data.origin)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        """Image float32 (1, 28, 28) in [0, 1] and its label."""
        return self.images[i, None].float() / 255, int(self.labels[i])

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Images float32 (B, 1, 28, 28) in [0, 1] and labels int64 (B,); DataLoader calls it per batch."""
        rows = torch.tensor(indices)
        images = self.images.index_select(0, rows)  # ten times as fast as images[rows]
        return images[:, None].float().div_(255), self.labels[rows]


def whole_batch(batch: Batch) -> Batch:
    """The `collate_fn` for FashionMNIST, whose batches are whole already: nothing is left to collate."""
    return batch
