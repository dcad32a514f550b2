"""intake/<assignment>/<student>/<time>/: what students handed in and what is not in submitted/ as it came."""

from __future__ import annotations

import filecmp
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path


def keep_copy(path: Path, archive: Path, seconds: float, name: str) -> Path:
    """Copy a file to the archive; with a number in its name, if another file of that name is there.

    Args:
        archive: the student's folder in it.
        seconds: when the file came in, since 1970.
    Returns:
        The copy's path.
    """
    folder = archive / f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d_%H-%M-%S}_UTC"
    folder.mkdir(parents=True, exist_ok=True)
    safe_name = re.sub(r"[^\w .()+-]", "_", name).lstrip(". ")[-100:] or "_"
    target, number = folder / safe_name, 1
    while target.exists() and not filecmp.cmp(target, path, shallow=False):
        number += 1
        target = folder / f"{number} {safe_name}"
    shutil.copyfile(path, target)
    return target
