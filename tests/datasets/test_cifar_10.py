"""CIFAR-10's files: found, copied, cut, generated; read without running what they hold; answers kept apart."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import once
from torch.utils.data import DataLoader

from chainrule.cli import main
from chainrule.datasets import cifar_10 as cifar
from chainrule.datasets.cifar_10 import CIFAR10, normalised, prepare, whole_batch
from chainrule.datasets.fashion_mnist import DataFolderError
from chainrule.datasets.registry import DataSets


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small world: sets of 200 (quick: 100) pictures a file, 50 for validation, and no network."""
    monkeypatch.setattr(cifar, "SIZES", {"full": 200, "quick": 100})
    monkeypatch.setattr(cifar, "VALIDATION", 50)
    monkeypatch.setattr(cifar, "answers", lambda *_: False)


@pytest.fixture
def copy(small: None, tmp_path: Path) -> Path:
    """A "real" set in the standard layout, as somebody's script has written it."""
    folder = tmp_path / "somewhere" / cifar.FOLDER
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    for name in cifar.FILES:
        labels = rng.permutation(np.arange(200) % 10)
        images = rng.integers(0, 256, (200, 3072), dtype=np.uint8)
        images[:, 0] = labels  # the picture shows its class
        batch = {b"batch_label": name.encode(), b"labels": labels.tolist(), b"data": images}
        (folder / name).write_bytes(pickle.dumps(batch))
    return folder


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quick stand-in, as anybody without a network gets it."""
    return once(
        tmp_path_factory,
        "cifar-quick",
        lambda path: cifar._store(cifar._generate("quick"), path / cifar.FOLDER),
    )


# -- in memory ---------------------------------------------------------------------------------------------


def test_splits(quick: Path) -> None:
    train, val, test = (CIFAR10(quick, split) for split in ("train", "val", "test"))
    assert [len(part) for part in (train, val, test)] == [4000, 1000, 1000]
    for part in (train, val, test):
        assert part.images.shape == (len(part), 3, 32, 32)
        assert part.images.dtype == torch.uint8
        assert part.labels.dtype == torch.int64
        assert (part.profile, part.origin) == ("quick", "generated stand-in")
        assert torch.bincount(part.labels, minlength=10).min() > len(part) / 20
    assert train.classes[:2] == ["airplane", "automobile"]


def test_batches_are_normalised_pictures_in_order(quick: Path) -> None:
    data = CIFAR10(quick, "val")
    x, y = next(iter(DataLoader(data, batch_size=7, collate_fn=whole_batch)))
    assert torch.equal(y, data.labels[:7])
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (CIFAR10.MEAN, CIFAR10.STD))
    assert torch.allclose(x * std + mean, data.images[:7] / 255, atol=1e-6)
    single, label = data[3]
    assert torch.equal(single, x[3])
    assert label == y[3]
    assert torch.equal(normalised(data.images[:7]), x)


def test_stand_in_is_deterministic_and_no_two_files_are_alike(quick: Path) -> None:
    again = cifar._generate("quick")
    stored = cifar.load(quick)
    assert stored is not None
    for name in cifar.FILES:
        assert np.array_equal(again.batches[name].images, stored.batches[name].images)
    assert len({batch.images.tobytes() for batch in again.batches.values()}) == 6


def test_torchvision_reads_our_files(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    prepare(tmp_path / "data", copy=copy)
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr(datasets.CIFAR10, "_load_meta", lambda self: None)
    theirs = datasets.CIFAR10(tmp_path / "data", train=False)
    ours = CIFAR10(tmp_path / "data", "test")
    assert np.array_equal(theirs.data.transpose(0, 3, 1, 2), ours.images.numpy())
    assert theirs.targets == ours.labels.tolist()


# -- where a set comes from --------------------------------------------------------------------------------


def test_a_copy_is_taken_whatever_its_checksums(copy: Path, tmp_path: Path) -> None:
    for place in (copy, copy.parent):
        root = tmp_path / "data" / place.name
        assert prepare(root, copy=place) == "CIFAR-10, a copy with other checksums"
        images = CIFAR10(root, "train").images
        assert torch.equal(images[:, 0, 0, 0].long(), CIFAR10(root, "train").labels)


def test_a_copy_in_place_is_used_as_it_is(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    assert prepare(copy.parent) == cifar.COPY
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_a_copy_replaces_a_stand_in(copy: Path, tmp_path: Path) -> None:
    assert prepare(tmp_path / "data") == cifar.STAND_IN
    assert prepare(tmp_path / "data", copy=copy) == cifar.COPY


@pytest.mark.parametrize("broken", ["missing", "text", "short", "labels", "unbalanced"])
def test_what_is_no_cifar_10_is_refused(broken: str, copy: Path, tmp_path: Path) -> None:
    path = copy / "data_batch_3"
    batch = pickle.loads(path.read_bytes())
    match broken:
        case "missing":
            path.unlink()
        case "text":
            path.write_text("no pickle")
        case "short":
            batch[b"data"] = batch[b"data"][:-1]
        case "labels":
            batch[b"labels"][0] = 10
        case "unbalanced":
            batch[b"labels"] = [0] * 200
    if broken not in ("missing", "text"):
        path.write_bytes(pickle.dumps(batch))
    with pytest.raises(DataFolderError, match="holds no complete CIFAR-10"):
        prepare(tmp_path / "data", copy=copy)


class Attack:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.target,)


def test_a_file_runs_nothing(copy: Path, tmp_path: Path) -> None:
    (copy / "data_batch_3").write_bytes(pickle.dumps(Attack(tmp_path / "ran")))
    with pytest.raises(DataFolderError):
        prepare(tmp_path / "data", copy=copy)
    assert not (tmp_path / "ran").exists()


def test_without_anything_there_is_a_stand_in_that_says_so(
    small: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prepare(tmp_path) == "generated stand-in"
    assert "generating a stand-in" in capsys.readouterr().out
    assert prepare(tmp_path) == "generated stand-in"
    assert capsys.readouterr().out == ""
    manifest = json.loads((tmp_path / cifar.FOLDER / "manifest.json").read_text())
    assert manifest["origin"] == "generated stand-in"


def test_a_changed_stand_in_is_made_again(small: None, tmp_path: Path) -> None:
    prepare(tmp_path)
    path = tmp_path / cifar.FOLDER / "data_batch_1"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert cifar.load(tmp_path) is None
    prepare(tmp_path)
    assert path.read_bytes() == whole


def test_quick_is_cut_from_the_full_set(copy: Path, tmp_path: Path) -> None:
    assert prepare(tmp_path / "quick", "quick", tmp_path / "full", copy=copy) == cifar.COPY
    full, quick = cifar.load(tmp_path / "full"), cifar.load(tmp_path / "quick")
    assert full
    assert quick
    for name in cifar.FILES:
        assert np.array_equal(quick.batches[name].images, full.batches[name].images[:100])
    assert prepare(tmp_path / "other", "quick", tmp_path / "full") == cifar.COPY  # without the copy this time


def test_a_quick_set_never_replaces_a_full_one(small: None, tmp_path: Path) -> None:
    prepare(tmp_path)
    with pytest.raises(DataFolderError, match="another folder"):
        prepare(tmp_path, "quick")


def test_a_folder_that_cannot_be_used_is_told(small: None, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(DataFolderError, match="cannot be stored"):
        prepare(tmp_path / "data")


# -- what the referee alone has ----------------------------------------------------------------------------


def test_notebooks_see_no_test_labels(copy: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for profile in ("quick", "full"):
        DataSets().prepare(["cifar-10"], data, profile, copy=copy if profile == "quick" else None)
        seen = CIFAR10(data / profile, "test")
        assert seen.labels.tolist() == [-1] * len(seen)
        assert CIFAR10(data / profile, "train").labels.min() == 0
        everything = b"".join(path.read_bytes() for path in (data / profile).rglob("*") if path.is_file())
        whole = cifar.complete(data / profile, profile, data / "held-out")  # type: ignore[arg-type]
        assert whole
        labels = whole.batches[cifar.TEST].labels
        assert np.array_equal(labels, seen.images[:, 0, 0, 0].numpy())  # the right ones
        assert str(labels.tolist()[:20])[1:-1].encode() not in everything
        assert labels.astype(np.uint8).tobytes() not in everything
        assert pickle.dumps(labels.tolist(), protocol=2)[5:-3] not in everything


def test_prepared_again_nothing_changes(copy: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    DataSets().prepare(["cifar-10"], data, "quick", copy=copy)
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*")}
    for profile in ("quick", "full"):
        assert DataSets().prepare(["cifar-10"], data, profile) == {"cifar-10": cifar.COPY}
    assert {path: path.stat().st_mtime_ns for path in data.rglob("*")} == before


def test_lost_answers_are_made_again(small: None, tmp_path: Path) -> None:
    DataSets().prepare(["cifar-10"], tmp_path, "quick")
    path = tmp_path / "held-out" / "quick" / "cifar-10-test-labels.npy"
    labels = path.read_bytes()
    path.unlink()
    DataSets().prepare(["cifar-10"], tmp_path, "quick")
    assert path.read_bytes() == labels


def test_the_answers_are_for_their_owners_eyes(small: None, tmp_path: Path) -> None:
    DataSets().prepare(["cifar-10"], tmp_path, "quick")
    assert (tmp_path / "held-out").stat().st_mode & 0o077 == 0


def test_by_command(
    copy: Path, course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(course)
    monkeypatch.setattr("sys.argv", ["chainrule", "data", "cifar-10", "--from", str(copy)])
    main()
    told = capsys.readouterr().out
    assert told.count("CIFAR-10, a copy with other checksums") == 2
    monkeypatch.setattr("sys.argv", ["chainrule", "data", "fashion-mnist", "--from", str(copy)])
    with pytest.raises(SystemExit):
        main()
    assert "--from is for cifar-10" in capsys.readouterr().err
