"""The data set's files (found, checked, replaced, never half-used) and the batches made of them."""

import errno
import gzip
import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler
from torchvision import datasets, transforms

from chainrule.datasets import fashion_mnist as fm
from chainrule.datasets.fashion_mnist import DataFolderError, FashionMNIST, prepare, whole_batch


@pytest.fixture(scope="session")
def full_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The full set as this machine can get it."""
    root = tmp_path_factory.mktemp("full")
    prepare(root)
    return root


@pytest.fixture(scope="session")
def quick_root(tmp_path_factory: pytest.TempPathFactory, full_root: Path) -> Path:
    root = tmp_path_factory.mktemp("quick")
    prepare(root, "quick", full_root)
    return root


@pytest.fixture
def official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> fm.Files:
    """A small world: sets of 400 + 200 (quick: 100 + 50) images, an "official" one in the Debian folder, and
    no network."""
    monkeypatch.setattr(fm, "SIZES", {"full": (400, 200), "quick": (100, 50)})
    with monkeypatch.context() as patch:
        patch.setattr(fm, "STAND_IN_SEED", 1)
        files = fm._generate()
    quick = fm._first_of_each_class(fm.DataSet("full", fm.REAL, files)).files
    monkeypatch.setattr(fm, "REAL_SHA256", {"full": fm._sha256(files), "quick": fm._sha256(quick)})
    debian = tmp_path / "debian"
    debian.mkdir()
    for name, content in files.items():
        (debian / f"{name}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(fm, "DEBIAN", debian)
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [])
    return files


@pytest.fixture
def nothing_but_stand_in(official: fm.Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fm, "DEBIAN", Path("nowhere"))


def raw(root: Path) -> Path:
    return root / "FashionMNIST" / "raw"


def contents(root: Path) -> fm.Files:
    return {name: (raw(root) / name).read_bytes() for name in fm.FILES}


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(p): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"")
        for p in sorted(root.rglob("*"))
    }


def plain(root: Path, train: bool) -> datasets.FashionMNIST:
    return datasets.FashionMNIST(str(root), train=train, transform=transforms.ToTensor())


# ---- batches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["full", "quick"])
def test_batches_are_those_of_the_plain_loader(profile: str, full_root: Path, quick_root: Path) -> None:
    root = full_root if profile == "full" else quick_root
    slow = DataLoader(plain(root, True), batch_size=128, shuffle=True)
    fast = DataLoader(FashionMNIST(root), batch_size=128, shuffle=True, collate_fn=whole_batch)
    assert isinstance(fast.sampler, RandomSampler)
    states, epochs = [], []
    for loader in (slow, fast):
        torch.manual_seed(480)
        epochs.append([list(loader), list(loader)])
        states.append(torch.get_rng_state())
    assert torch.equal(*states)
    for slow_epoch, fast_epoch in zip(*epochs, strict=True):
        for (images, labels), (ours, our_labels) in zip(slow_epoch, fast_epoch, strict=True):
            assert images.dtype == ours.dtype == torch.float32
            assert labels.dtype == our_labels.dtype == torch.int64
            assert torch.equal(images, ours)
            assert torch.equal(labels, our_labels)
    size = fm.SIZES["full" if profile == "full" else "quick"][0]
    assert epochs[1][0][-1][0].shape == (size % 128, 1, 28, 28)
    assert not torch.equal(epochs[1][0][0][1], epochs[1][1][0][1])  # the second epoch is another order


def test_test_batches_in_order(quick_root: Path) -> None:
    slow = DataLoader(plain(quick_root, False), batch_size=128, shuffle=False)
    fast = DataLoader(
        FashionMNIST(quick_root, train=False), batch_size=128, shuffle=False, collate_fn=whole_batch
    )
    for (images, labels), (ours, our_labels) in zip(slow, fast, strict=True):
        assert torch.equal(images, ours)
        assert torch.equal(labels, our_labels)


def test_items_and_attributes(quick_root: Path) -> None:
    ours, theirs = FashionMNIST(quick_root), plain(quick_root, True)
    assert len(ours) == len(theirs) == 6000
    assert ours.images.dtype == torch.uint8
    assert torch.equal(ours.images, theirs.data)
    assert ours.labels.dtype == torch.int64
    assert torch.equal(ours.labels, theirs.targets)
    assert ours.classes == theirs.classes
    for i in (0, 77, -1):
        (image, label), (expected, expected_label) = ours[i], theirs[i]
        assert image.shape == (1, 28, 28)
        assert torch.equal(image, expected)
        assert (label, type(label)) == (expected_label, int)
    with pytest.raises(IndexError):
        ours[6000]


def test_every_pixel_value_as_to_tensor() -> None:
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert torch.equal(torch.tensor(values).float().div_(255), transforms.ToTensor()(values)[0])


def test_worker_processes_give_the_same_batches(quick_root: Path) -> None:
    test_set = FashionMNIST(quick_root, train=False)
    here = DataLoader(test_set, batch_size=300, collate_fn=whole_batch)
    there = DataLoader(test_set, batch_size=300, collate_fn=whole_batch, num_workers=1)
    for (images, labels), (others, other_labels) in zip(here, there, strict=True):
        assert torch.equal(images, others)
        assert torch.equal(labels, other_labels)


def test_loader_is_faster(quick_root: Path) -> None:
    def seconds(loader: DataLoader) -> float:
        start = time.thread_time()  # of this thread's work, however busy the machine is
        for _ in loader:
            pass
        return time.thread_time() - start

    slow = DataLoader(plain(quick_root, True), batch_size=128, shuffle=True)
    fast = DataLoader(FashionMNIST(quick_root), batch_size=128, shuffle=True, collate_fn=whole_batch)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert seconds(slow) > 3 * min(
            seconds(fast) for _ in range(3)
        )  # bench/loader.py measures it properly
    finally:
        torch.set_num_threads(threads)


# ---- where the set comes from ------------------------------------------------------------------------------


def test_full_set_here(full_root: Path) -> None:
    files = contents(full_root)
    is_official = fm._sha256(files) == fm.REAL_SHA256["full"]
    assert prepare(full_root) == FashionMNIST(full_root).origin == (fm.REAL if is_official else fm.STAND_IN)
    if fm.DEBIAN.is_dir():
        assert is_official
    manifest = json.loads((raw(full_root) / "manifest.json").read_text())
    assert manifest["profile"] == "full"
    for name, content in files.items():
        assert manifest["files"][name] == {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }


def test_debian_first(official: fm.Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare(tmp_path) == "Fashion-MNIST"
    assert contents(tmp_path) == official
    assert capsys.readouterr().out.count("\n") == 1
    assert {path.name for path in raw(tmp_path).iterdir()} == {*fm.FILES, "manifest.json"}
    assert prepare(tmp_path) == "Fashion-MNIST"
    assert capsys.readouterr().out == ""


@pytest.fixture
def mirror(official: fm.Files, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A server for torchvision's download, in place of Debian's folder."""
    folder = fm.DEBIAN.rename(fm.DEBIAN.with_name("mirror"))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    sums = [
        (f"{name}.gz", hashlib.md5((folder / f"{name}.gz").read_bytes()).hexdigest()) for name in fm.FILES
    ]
    monkeypatch.setattr(datasets.FashionMNIST, "resources", sums)
    yield folder
    server.shutdown()
    server.server_close()


def test_download_second(mirror: Path, official: fm.Files, tmp_path: Path) -> None:
    assert prepare(tmp_path) == fm.REAL
    assert contents(tmp_path) == official
    assert socket.getdefaulttimeout() is None


def test_broken_download_gives_the_stand_in(mirror: Path, tmp_path: Path) -> None:
    (mirror / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"no such images"))
    assert prepare(tmp_path) == fm.STAND_IN
    assert socket.getdefaulttimeout() is None


def test_broken_debian_files_are_passed_over(official: fm.Files, tmp_path: Path) -> None:
    path = fm.DEBIAN / "train-images-idx3-ubyte.gz"
    for broken in (path.read_bytes()[:-100], b"no gzip", gzip.compress(b"no such images")):
        path.write_bytes(broken)
        assert fm._full_set().origin == fm.STAND_IN
    path.write_bytes(gzip.compress(official[fm.FILES[0]])[:50] + bytes(200))  # a broken stream in a good file
    assert fm._full_set().origin == fm.STAND_IN


def test_silent_server_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(
            datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{silent.getsockname()[1]}/"]
        )
        assert fm._from_download(seconds=0.3) is None  # without the limit this would never return


def test_set_of_torchvision_is_used_as_it_is(official: fm.Files, tmp_path: Path) -> None:
    raw(tmp_path).mkdir(parents=True)
    for name, content in official.items():
        (raw(tmp_path) / name).write_bytes(content)
    before = snapshot(tmp_path)
    assert prepare(tmp_path) == FashionMNIST(tmp_path).origin == fm.REAL
    assert snapshot(tmp_path) == before


# ---- the stand-in ------------------------------------------------------------------------------------------


def test_stand_in_says_so(
    nothing_but_stand_in: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(tmp_path) == "generated stand-in"
    assert "stand-in" in capsys.readouterr().out
    assert FashionMNIST(tmp_path).origin == prepare(tmp_path) == "generated stand-in"
    assert capsys.readouterr().out == ""


def test_stand_in_is_never_real(
    nothing_but_stand_in: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path)
    path, first = raw(tmp_path) / "manifest.json", contents(tmp_path)
    honest = path.read_text()
    for claim in (honest.replace(fm.STAND_IN, fm.REAL), honest.replace("full", "quick"), "[1", "7", None):
        path.unlink() if claim is None else path.write_text(claim)
        assert FashionMNIST(tmp_path).origin == fm.STAND_IN
        assert path.read_text() == honest
    assert contents(tmp_path) == first


def test_stand_in_is_deterministic_and_of_full_size() -> None:
    files = fm._generate()
    assert fm._profile(files) == "full"
    assert fm._sha256(files) == fm._sha256(fm._generate())
    for split, each in (("train", 6000), ("t10k", 1000)):
        images, labels = fm._arrays(files, split)
        assert np.bincount(labels).tolist() == [each] * 10
        assert np.bincount(labels[:1000]).min() > 60  # mixed, not sorted
        assert images.max() == 255


def test_stand_in_can_be_learnt_but_not_by_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fm, "SIZES", {"full": (20_000, 4_000)})
    (images, labels), (test_images, test_labels) = (
        [torch.tensor(a) for a in fm._arrays(fm._generate(), split)] for split in ("train", "t10k")
    )

    def accuracy(*layers: nn.Module) -> float:
        model = nn.Sequential(nn.Flatten(), *layers)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(6):
            for rows in torch.randperm(len(labels)).split(64):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(images[rows] / 255), labels[rows].long()).backward()
                optimizer.step()
        return (model(test_images / 255).argmax(1) == test_labels).float().mean().item()

    torch.manual_seed(480)
    line, mlp = accuracy(nn.Linear(784, 10)), accuracy(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    assert 0.7 < line < 0.9
    assert mlp > max(0.86, line)


# ---- the quick set -----------------------------------------------------------------------------------------


def test_quick_is_stratified(quick_root: Path, full_root: Path) -> None:
    assert prepare(quick_root, "quick") == prepare(full_root)
    for train, each in ((True, 600), (False, 200)):
        quick, full = FashionMNIST(quick_root, train), FashionMNIST(full_root, train)
        assert quick.labels.bincount().tolist() == [each] * 10
        assert quick.labels[:1000].bincount().min() > 60  # mixed, not sorted
        for c in range(10):
            assert torch.equal(quick.images[quick.labels == c], full.images[full.labels == c][:each])


def test_quick_is_deterministic_and_real(quick_root: Path, tmp_path: Path) -> None:
    if prepare(quick_root, "quick") == fm.REAL:
        assert fm._sha256(contents(quick_root)) == fm.REAL_SHA256["quick"]
    prepare(tmp_path, "quick")  # from the sources instead of a folder
    assert contents(tmp_path) == contents(quick_root)


def test_quick_of_real_needs_no_manifest(official: fm.Files, tmp_path: Path) -> None:
    assert prepare(tmp_path / "quick", "quick", tmp_path / "full") == fm.REAL
    assert contents(tmp_path / "full") == official  # the full set was made on the way
    (raw(tmp_path / "quick") / "manifest.json").unlink()
    assert FashionMNIST(tmp_path / "quick").origin == fm.REAL


def test_quick_of_stand_in_is_a_stand_in(nothing_but_stand_in: None, tmp_path: Path) -> None:
    assert prepare(tmp_path / "quick", "quick", tmp_path / "full") == fm.STAND_IN
    quick = FashionMNIST(tmp_path / "quick")
    assert (len(quick), quick.origin) == (100, fm.STAND_IN)
    assert json.loads((raw(tmp_path / "quick") / "manifest.json").read_text())["origin"] == fm.STAND_IN


def test_quick_never_replaces_full_but_full_quick(official: fm.Files, tmp_path: Path) -> None:
    prepare(tmp_path / "a")
    with pytest.raises(DataFolderError, match="another folder"):
        prepare(tmp_path / "a", "quick")
    with pytest.raises(DataFolderError, match="another folder"):
        prepare(tmp_path / "b", "quick", full_root=tmp_path / "b")
    assert contents(tmp_path / "a") == official
    prepare(tmp_path / "c", "quick")
    assert len(FashionMNIST(tmp_path / "c")) == 100
    prepare(tmp_path / "c")
    assert len(FashionMNIST(tmp_path / "c")) == 400


def test_unknown_profile(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'full' or 'quick'"):
        prepare(tmp_path, "medium")  # type: ignore[arg-type]


# ---- broken files ------------------------------------------------------------------------------------------


def flipped(content: bytes) -> bytes:
    return content[:-20] + bytes([content[-20] ^ 1]) + content[-19:]


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "missing": lambda content: None,
    "empty": lambda content: b"",
    "header only": lambda content: content[:6],
    "truncated": lambda content: content[: len(content) // 2],
    "one byte short": lambda content: content[:-1],
    "too long": lambda content: content + b"\0",
    "wrong magic": lambda content: b"\0\0\x0d" + content[3:],
    "wrong count": lambda content: content[:4] + (7).to_bytes(4, "big") + content[8:],
    "flipped bit": flipped,
}


@pytest.mark.parametrize("origin", [fm.REAL, fm.STAND_IN])
@pytest.mark.parametrize("name", [fm.FILES[0], fm.FILES[3]])
@pytest.mark.parametrize("damage", DAMAGE)
def test_broken_file_is_replaced(
    damage: str, name: str, origin: str, official: fm.Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if origin == fm.STAND_IN:
        monkeypatch.setattr(fm, "DEBIAN", Path("nowhere"))
    assert prepare(tmp_path) == origin
    good, path = contents(tmp_path), raw(tmp_path) / name
    broken = DAMAGE[damage](good[name])
    path.unlink() if broken is None else path.write_bytes(broken)
    assert fm.load(tmp_path) is None
    assert FashionMNIST(tmp_path).origin == origin
    assert contents(tmp_path) == good


def test_interrupted_preparation_is_taken_up(
    nothing_but_stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever step the process dies at, no half set is used and the next call makes it good."""
    replace = os.replace
    for steps in range(5):
        root, left = tmp_path / str(steps), iter(range(steps))

        def dying(source: Path, target: Path, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", dying)
            with pytest.raises(KeyboardInterrupt):
                prepare(root)
        assert fm.load(root) is None
        assert prepare(root) == fm.STAND_IN
        assert not list(raw(root).glob("*.part"))


# ---- the folder --------------------------------------------------------------------------------------------


def test_read_only_set_behind_a_symlink(
    official: fm.Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, mine = tmp_path / "shared", tmp_path / "mine"
    prepare(shared)
    mine.symlink_to(shared, target_is_directory=True)
    folders = (raw(shared), raw(shared).parent, shared)
    for folder in folders:
        folder.chmod(0o555)
    monkeypatch.setattr(fm, "_store", None)  # root may write anywhere, so that modes alone prove nothing
    monkeypatch.setattr(fm, "require_writable", None)
    before = snapshot(shared)
    assert prepare(mine) == FashionMNIST(mine).origin == fm.REAL
    assert snapshot(shared) == before
    for folder in folders:
        folder.chmod(0o755)


def test_files_may_be_read_by_others(official: fm.Files, tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "ordinary").touch()
    assert {p.stat().st_mode for p in raw(tmp_path).iterdir()} == {(tmp_path / "ordinary").stat().st_mode}


def test_root_that_is_a_file(official: fm.Files, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("my notes")
    for use in (prepare, FashionMNIST):
        with pytest.raises(DataFolderError, match=r"data/FashionMNIST/raw.*pass another folder as root"):
            use(tmp_path / "data")
    assert (tmp_path / "data").read_text() == "my notes"


@pytest.mark.parametrize(("where", "what"), [("mkdir", errno.EACCES), ("write_bytes", errno.ENOSPC)])
def test_unusable_root(
    where: str, what: int, official: fm.Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **named: object) -> None:
        raise OSError(what, os.strerror(what))

    monkeypatch.setattr(Path, where, fail)
    with pytest.raises(DataFolderError, match=f"{os.strerror(what)}.*pass another folder as root"):
        prepare(tmp_path / "data")


def test_threads_at_once_never_see_half_a_set(official: fm.Files, tmp_path: Path) -> None:
    start, seen = threading.Barrier(6), []

    def work() -> None:
        start.wait()
        seen.append(FashionMNIST(tmp_path).images)

    def damage() -> None:
        start.wait()
        for _ in range(3):  # fewer than the tries that each thread has
            time.sleep(0.01)
            (raw(tmp_path) / fm.FILES[1]).write_bytes(b"half a f")

    raw(tmp_path).mkdir(parents=True)
    threads = [threading.Thread(target=f) for f in (damage, *[work] * 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prepare(tmp_path) == fm.REAL
    assert contents(tmp_path) == official
    expected = FashionMNIST(tmp_path).images
    assert [torch.equal(images, expected) for images in seen] == [True] * 5


def test_processes_at_once(tmp_path: Path, full_root: Path) -> None:
    work = (
        "import sys; from chainrule.datasets.fashion_mnist import *; print(FashionMNIST(sys.argv[1]).origin)"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", work, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0].splitlines()[-1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert answers == [prepare(full_root)] * 3
    assert contents(tmp_path) == contents(full_root)
    shutil.rmtree(tmp_path)  # 55 MB
