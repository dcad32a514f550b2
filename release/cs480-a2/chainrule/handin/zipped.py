"""Zips whose bytes depend on nothing but what is in them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip knows


def write_zip(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files under these names (with / for folders) as a zip, all or nothing."""
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(part, "w") as archive:
        for name in sorted(files):
            about = zipfile.ZipInfo(name, EPOCH)
            about.create_system = 3  # as on Linux, wherever it is made
            about.external_attr = 0o100644 << 16
            archive.writestr(about, files[name], zipfile.ZIP_DEFLATED, 9)
    part.replace(target)
