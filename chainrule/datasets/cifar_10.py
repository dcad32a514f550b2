"""CIFAR-10 on disk, checked, and in memory, fast.

`prepare` puts the data set's files where torchvision expects them; `CIFAR10` holds one split of them in memory and
hands whole batches to PyTorch's own `DataLoader`:

    train_set = CIFAR10("./data", "train")
    train_loader = DataLoader(train_set, batch_size=64, shuffle=True, collate_fn=whole_batch)

The files of CIFAR-10 are pickles, which can contain code. They are read by an unpickler that makes only arrays,
numbers and texts.
"""

import contextlib
import hashlib
import io
import json
import os
import pickle
import socket
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from chainrule.datasets.fashion_mnist import DataFolderError, Profile, answers, require_writable, whole_batch
from chainrule.datasets.origins import STAND_IN, note_origin

__all__ = ["CIFAR10", "normalised", "prepare", "whole_batch"]

Split = Literal["train", "val", "test"]

REAL = "CIFAR-10"
COPY = "CIFAR-10, a copy with other checksums"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
FOLDER = "cifar-10-batches-py"
TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
TEST = "test_batch"
FILES = [*TRAIN, TEST]
META = "batches.meta"
MANIFEST = "manifest.json"
ANSWERS = "cifar-10-test-labels.npy"
WITHHELD = -1  # in place of a label that only the grader has
STAND_IN_SEED = 231

# Pictures in each file: five for training, one for testing. The last of the training pictures are for validation.
SIZES: dict[Profile, int] = {"full": 10_000, "quick": 1_000}
VALIDATION = 1_000

# What torchvision.datasets.CIFAR10 checks, too.
REAL_MD5 = dict(
    zip(
        FILES,
        (
            "c99cafc152244af753f735de768cd75f",
            "d4bba439e000b95fd0a9bffe97cbabec",
            "54ebc095f3ab1f0389bbae665268c751",
            "634d18415352ddfa80567beed471001a",
            "482c414d41f54cd18b22e5b47cb7c3cb",
            "40351d587109b95175f43aff81a1287e",
        ),
        strict=True,
    )
)


class Batch(NamedTuple):
    """One file: pictures uint8 (N, 3, 32, 32) and labels int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray


class DataSet(NamedTuple):
    """A complete, checked set: a batch for each of FILES."""

    profile: Profile
    origin: str  # REAL, COPY or STAND_IN
    batches: dict[str, Batch]


# ---- the files ---------------------------------------------------------------------------------------------


def prepare(
    root: str | Path = "./data",
    profile: Profile = "full",
    full_root: str | Path | None = None,
    *,
    copy: str | Path | None = None,
    held_out: str | Path | None = None,
) -> str:
    """Make sure that `<root>/cifar-10-batches-py` holds a valid set of `profile`; returns its origin.

    The set is the first of: `copy`, what is already there, torchvision's download, and a generated stand-in of the
    same format and sizes. "quick" is the first tenth of each file of the full set, which is kept in `full_root` if
    that is given; where no full set can be had, it is a stand-in of its own.

    Args:
        copy: a folder with the set in the standard Python layout, itself or in `cifar-10-batches-py`. Its checksums
            may differ from the original's.
        held_out: where to keep the labels of the test pictures, as `<held_out>/<profile>/cifar-10-test-labels.npy`;
            in `root` they are then all -1.
    Raises:
        DataFolderError: the folder cannot be used, or `copy` is no CIFAR-10.
    """
    if profile not in SIZES:
        raise ValueError(f"profile is 'full' or 'quick', not {profile!r}")
    folder = Path(root).expanduser() / FOLDER
    present = load(root)
    if present and present.profile == "full" and profile == "quick":
        raise DataFolderError(
            f"'{folder}' is for the full set. Pass another folder as root for the quick set."
        )
    data = None if copy else complete(root, profile, held_out)
    if data and present and withheld(present) == (held_out is not None):
        return data.origin
    try:
        require_writable(folder)  # before the slow part
        data = data or _make(profile, full_root, copy, held_out)
        if held_out is not None:
            answers_file = _answers_file(held_out, profile)
            answers_file.parent.mkdir(parents=True, exist_ok=True)
            Path(held_out).expanduser().chmod(
                0o700
            )  # where notebooks run as another user, that alone keeps them
            _write(answers_file, _npy(data.batches[TEST].labels))
            data = _without_answers(data)
        _store(data, folder)
    except OSError as error:
        raise DataFolderError(
            f"The data cannot be stored in '{folder}': {error.strerror or error}. Make that folder writable "
            "(or remove the file in its place, or free disk space), or pass another folder as root."
        ) from error
    return data.origin


def load(root: str | Path) -> DataSet | None:
    """The valid set in `<root>/cifar-10-batches-py`, of either profile; None if there is none."""
    folder = Path(root).expanduser() / FOLDER
    try:
        stamps = tuple((s.st_size, s.st_mtime_ns) for s in (os.stat(folder / name) for name in FILES))
        if _last.get("key") != (folder.resolve(), stamps):  # all three splits are in these files
            _last.update(data=_read(folder), key=(folder.resolve(), stamps))
    except OSError:
        return None
    found: DataSet | None = _last["data"]
    return found


_last: dict[str, Any] = {}


def complete(root: str | Path, profile: Profile, held_out: str | Path | None) -> DataSet | None:
    """The set in `root` with the labels of its test pictures, wherever they are kept; None if there is none."""
    data = load(root)
    if data is None or data.profile != profile or not withheld(data):
        return data if data and data.profile == profile else None
    try:
        labels = np.load(_answers_file(held_out or root, profile), allow_pickle=False)
    except (OSError, ValueError):
        return None
    images = data.batches[TEST].images
    return (
        data._replace(batches=data.batches | {TEST: Batch(images, labels)})
        if len(labels) == len(images)
        else None
    )


def withheld(data: DataSet) -> bool:
    """Whether the labels of the test pictures are kept elsewhere."""
    return bool((data.batches[TEST].labels == WITHHELD).all())


def _make(
    profile: Profile, full_root: str | Path | None, copy: str | Path | None, held_out: str | Path | None
) -> DataSet:
    if profile == "full" or full_root is None:
        found = _from_copy(copy) if copy else _from_download()
        if found:
            return found if profile == "full" else _cut(found)
        print("CIFAR-10 cannot be reached: generating a stand-in (to try again, delete the data folder) ...")
        return _generate(profile)
    full = None if copy else complete(full_root, "full", held_out)
    if full is None and (found := _from_copy(copy) if copy else _from_download()):
        _store_full(found, full_root, held_out)
        full = found
    if full is None:
        print("CIFAR-10 cannot be reached: generating a stand-in (to try again, delete the data folder) ...")
    return _cut(full) if full and full.origin != STAND_IN else _generate("quick")


def _store_full(data: DataSet, root: str | Path, held_out: str | Path | None) -> None:
    _store(data, Path(root).expanduser() / FOLDER)
    prepare(root, "full", held_out=held_out)


def _cut(full: DataSet) -> DataSet:
    """The quick set: the first pictures of each file."""
    n = SIZES["quick"]
    batches = {name: Batch(batch.images[:n], batch.labels[:n]) for name, batch in full.batches.items()}
    return DataSet("quick", full.origin, batches)


def _without_answers(data: DataSet) -> DataSet:
    images, labels = data.batches[TEST]
    return data._replace(batches=data.batches | {TEST: Batch(images, np.full_like(labels, WITHHELD))})


def _read(folder: Path) -> DataSet | None:
    contents = {name: (folder / name).read_bytes() for name in FILES}
    try:
        batches = {name: _unpickled(content) for name, content in contents.items()}
    except ValueError:
        return None
    sizes = {len(batch.labels) for batch in batches.values()}
    profile = next((profile for profile, size in SIZES.items() if sizes == {size}), None)
    if profile is None:
        return None
    if {name: hashlib.md5(content).hexdigest() for name, content in contents.items()} == REAL_MD5:
        return DataSet(profile, REAL, batches)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # what we wrote says what it is
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["files"] == _sha256(contents) and manifest["origin"] in (REAL, COPY, STAND_IN):
            return DataSet(profile, manifest["origin"], batches)
    found = DataSet(profile, COPY, batches)
    return found if profile == "full" and _is_balanced(found) else None


def _is_balanced(data: DataSet) -> bool:
    """Whether there are as many pictures of each class as CIFAR-10 has: 5,000 for training and 1,000 for testing."""
    train = np.concatenate([data.batches[name].labels for name in TRAIN])
    counts = [np.bincount(labels[labels >= 0], minlength=10) for labels in (train, data.batches[TEST].labels)]
    return [set(count) for count in counts] == [{SIZES["full"] // 2}, {SIZES["full"] // 10}]


def _from_copy(folder: str | Path) -> DataSet:
    place = Path(folder).expanduser()
    found = load(place.parent if place.name == FOLDER else place)
    if found is None or found.profile != "full" or withheld(found):
        raise DataFolderError(
            f"'{folder}' holds no complete CIFAR-10: name the folder with {FOLDER}/, in it {', '.join(FILES)}"
        )
    return found


def _from_download(seconds: float = 5.0) -> DataSet | None:
    """torchvision's download (170 MB) in a temporary folder; offline, None after `seconds` at most."""
    from torchvision import datasets  # a second to import, and only needed here

    if not answers(datasets.CIFAR10.url, seconds):
        return None
    print("CIFAR-10: downloading 170 MB ...")
    before = socket.getdefaulttimeout()
    # The limit is for each answer of the server: a slow download may take longer in all.
    socket.setdefaulttimeout(seconds)
    try:
        with tempfile.TemporaryDirectory() as place:
            datasets.CIFAR10(place, download=True)
            return load(place)
    except Exception as error:  # whatever it is, the lesson can go on without
        print(f"CIFAR-10: the download failed ({error}).")
        return None
    finally:
        socket.setdefaulttimeout(before)


def _store(data: DataSet, folder: Path) -> None:
    """Write the files, each in one step, and last the manifest that vouches for them."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {name: _pickled(_layout(name, batch)) for name, batch in data.batches.items()}
    meta = {
        b"num_cases_per_batch": SIZES[data.profile],
        b"label_names": [c.encode() for c in CLASSES],
        b"num_vis": 3072,
    }
    manifest = {"origin": data.origin, "profile": data.profile, "files": _sha256(contents)}
    for name, content in contents.items():
        _write(folder / name, content)
    _write(folder / META, _pickled(meta))
    _write(folder / MANIFEST, json.dumps(manifest, indent=2).encode())


def _write(path: Path, content: bytes) -> None:
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _sha256(contents: dict[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _answers_file(held_out: str | Path, profile: Profile) -> Path:
    return Path(held_out).expanduser() / profile / ANSWERS


def _npy(labels: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, labels, allow_pickle=False)
    return content.getvalue()


# ---- the standard Python layout: a pickled dict for each batch -----------------------------------------------


class _Python2(pickle._Pickler):
    """Writes bytes as Python 2 did, so that our files read like the originals, as `b"data"` or as `"data"`."""

    dispatch: ClassVar[dict[type, Any]] = dict(pickle._Pickler.dispatch)

    def save_bytes(self, content: bytes) -> None:
        short = len(content) < 256
        head = pickle.SHORT_BINSTRING if short else pickle.BINSTRING
        self.write(head + len(content).to_bytes(1 if short else 4, "little") + content)  # type: ignore[attr-defined]
        self.memoize(content)  # type: ignore[attr-defined]

    dispatch[bytes] = save_bytes


def _pickled(content: dict[bytes, object]) -> bytes:
    written = io.BytesIO()
    _Python2(written, protocol=2).dump(content)
    return written.getvalue()


def _layout(name: str, batch: Batch) -> dict[bytes, object]:
    rows = np.ascontiguousarray(batch.images).reshape(-1, 3072)
    return {b"batch_label": name.encode(), b"labels": batch.labels.tolist(), b"data": rows}


class _Arrays(pickle.Unpickler):
    """Makes only the types that CIFAR-10's files have, so that a file from an unknown place cannot run code."""

    ALLOWED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in CIFAR-10")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _unpickled(content: bytes) -> Batch:
    """One file's pictures and labels.

    Raises:
        ValueError: it is none.
    """
    try:
        found = _Arrays(io.BytesIO(content), encoding="bytes").load()
        images, labels = found[b"data"], np.array(found[b"labels"])
        if images.dtype != np.uint8 or images.shape != (len(labels), 3072) or labels.dtype.kind != "i":
            raise ValueError(f"pictures {images.dtype} {images.shape}, labels {labels.dtype}")
        if labels.min() < WITHHELD or labels.max() >= len(CLASSES):
            raise ValueError("labels are 0 to 9")
    except Exception as error:  # a broken pickle may raise anything
        raise ValueError(f"no file of CIFAR-10: {error}") from None
    return Batch(images.reshape(-1, 3, 32, 32), labels.astype(np.int64))


# ---- the stand-in: silhouettes in front of a coloured sky and ground -----------------------------------------

# Each class is a union of ellipses "o" and boxes "x": middle (right, down) and half widths, the picture being -1 to 1.
SHAPES: list[list[tuple[str, float, float, float, float]]] = [
    [("o", 0, 0, 0.85, 0.14), ("x", 0.05, 0, 0.13, 0.6), ("x", -0.7, -0.15, 0.08, 0.25)],  # airplane
    [
        ("x", 0, 0.15, 0.8, 0.18),
        ("o", 0, -0.05, 0.45, 0.3),
        ("o", -0.45, 0.35, 0.17, 0.17),
        ("o", 0.45, 0.35, 0.17, 0.17),
    ],
    [
        ("o", 0, 0.1, 0.5, 0.22),
        ("o", 0.5, -0.15, 0.17, 0.17),
        ("o", -0.1, -0.25, 0.15, 0.4),
        ("x", 0.05, 0.5, 0.04, 0.25),
    ],
    [("o", 0, 0.1, 0.5, 0.5), ("x", -0.38, -0.45, 0.12, 0.3), ("x", 0.38, -0.45, 0.12, 0.3)],  # cat
    [
        ("o", 0, 0.05, 0.5, 0.2),
        ("x", -0.35, 0.5, 0.06, 0.35),
        ("x", 0.35, 0.5, 0.06, 0.35),
        ("x", 0.5, -0.5, 0.04, 0.4),
        ("x", 0.3, -0.6, 0.25, 0.04),
    ],
    [("o", 0, 0, 0.42, 0.5), ("o", -0.5, 0.1, 0.14, 0.4), ("o", 0.5, 0.1, 0.14, 0.4)],  # dog
    [("o", 0, 0.3, 0.7, 0.32), ("o", -0.35, -0.1, 0.17, 0.17), ("o", 0.35, -0.1, 0.17, 0.17)],  # frog
    [
        ("o", -0.1, 0, 0.6, 0.24),
        ("x", -0.45, 0.5, 0.09, 0.4),
        ("x", 0.25, 0.5, 0.09, 0.4),
        ("x", 0.55, -0.35, 0.14, 0.4),
    ],
    [("x", 0, 0.45, 0.8, 0.16), ("x", 0.1, 0.15, 0.35, 0.2), ("x", 0, -0.35, 0.04, 0.5)],  # ship
    [
        ("x", -0.2, -0.05, 0.55, 0.4),
        ("x", 0.6, 0.12, 0.22, 0.24),
        ("o", -0.5, 0.45, 0.16, 0.16),
        ("o", 0.5, 0.45, 0.16, 0.16),
    ],
]


def _generate(profile: Profile) -> DataSet:
    """A set of drawn pictures; the same on every run with the same NumPy."""
    rng = np.random.default_rng([STAND_IN_SEED, SIZES[profile]])
    batches = {}
    for name in FILES:
        labels = rng.permutation(np.arange(SIZES[profile]) % len(CLASSES))
        images = np.empty((len(labels), 3, 32, 32), np.uint8)
        for label in range(len(CLASSES)):
            images[labels == label] = _draw(label, int((labels == label).sum()), rng)
        batches[name] = Batch(images, labels.astype(np.int64))
    return DataSet(profile, STAND_IN, batches)


def _draw(label: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """`n` pictures (n, 3, 32, 32) uint8 of one class, in any colours, places and sizes, some mirrored."""

    def vary(low: float, high: float, channels: int = 1) -> np.ndarray:
        return rng.uniform(low, high, (n, channels, 1, 1)).astype(np.float32)

    grid = np.linspace(-1, 1, 32, dtype=np.float32)
    size, mirrored = vary(0.75, 1.05), np.sign(vary(-1, 1))
    x = mirrored * (grid[None, None, None, :] - vary(-0.2, 0.2)) / size
    y = (grid[None, None, :, None] - vary(-0.2, 0.2)) / size
    y = y + vary(-0.15, 0.15) * x  # a slant
    inside = np.full((n, 1, 32, 32), -1.0, np.float32)
    for kind, right, down, width, height in SHAPES[label]:
        u, v = (x - right) / (width * vary(0.8, 1.2)), (y - down) / (height * vary(0.8, 1.2))
        part = 1 - np.sqrt(u * u + v * v) if kind == "o" else 1 - np.maximum(np.abs(u), np.abs(v))
        inside = np.maximum(inside, min(width, height) * part)
    horizon = np.clip(6 * (grid[None, None, :, None] - vary(-0.3, 0.7)) + 0.5, 0, 1)
    behind = (1 - horizon) * vary(0, 1, 3) + horizon * vary(0, 1, 3)
    texture = 1 - vary(0, 0.4) * (np.sin(vary(2, 14) * x + vary(2, 14) * y + vary(0, 6)) > 0)
    mask = np.clip(10 * inside + 0.5, 0, 1)
    picture = (1 - mask) * behind + mask * texture * vary(0, 1, 3)
    picture = picture + 0.06 * rng.standard_normal(picture.shape, dtype=np.float32)
    images: np.ndarray = (255 * np.clip(picture, 0, 1)).astype(np.uint8)
    return images


# ---- in memory ---------------------------------------------------------------------------------------------


class CIFAR10(Dataset[tuple[torch.Tensor, int]]):
    """One split of the set in `<root>/cifar-10-batches-py` (full or quick; prepared if there is none), in memory.

    The last 1,000 of the training pictures are the split "val". While a submission is graded, the labels of
    "test" are all -1.

    images: uint8 (N, 3, 32, 32), as stored; labels: int64 (N,); classes: the names of labels 0 to 9; profile: "full"
    or "quick"; origin: where the set is from; kind: "stand-in", or else the profile.
    Raises DataFolderError as `prepare` does.
    """

    # Of the training pictures' channels, values 0 to 1.
    MEAN = (0.4914, 0.4822, 0.4465)
    STD = (0.2470, 0.2435, 0.2616)

    def __init__(self, root: str | Path = "./data", split: Split = "train") -> None:
        data = load(root)
        if data is None:
            prepare(root)
            data = load(root)
        if data is None:
            raise DataFolderError(
                f"The files in '{root}' keep changing. Stop what else writes there and try again."
            )
        parts = [data.batches[name] for name in (FILES[-1:] if split == "test" else TRAIN)]
        images, labels = (torch.from_numpy(np.concatenate(columns)) for columns in zip(*parts, strict=True))
        keep = {
            "train": slice(None, -VALIDATION),
            "val": slice(-VALIDATION, None),
            "test": slice(None),
        }[split]
        self.images, self.labels = images[keep], labels[keep]
        self.classes, self.profile, self.origin = CLASSES, data.profile, data.origin
        note_origin(data.origin)
        self.kind = "stand-in" if data.origin == STAND_IN else data.profile

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        """Normalised picture float32 (3, 32, 32) and its label."""
        return normalised(self.images[i]), int(self.labels[i])

    def __getitems__(self, indices: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised pictures float32 (B, 3, 32, 32) and labels int64 (B,); DataLoader calls it per batch."""
        rows = torch.tensor(indices)
        return normalised(self.images.index_select(0, rows)), self.labels[rows]


def normalised(images: torch.Tensor) -> torch.Tensor:
    """Pictures as a network wants them, float32 of mean about 0 and variance about 1; from uint8 (…, 3, 32, 32)."""
    mean, std = (
        torch.tensor(values, device=images.device).reshape(3, 1, 1) for values in (CIFAR10.MEAN, CIFAR10.STD)
    )
    return (images / 255).sub_(mean).div_(std)
