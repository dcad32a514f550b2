"""A release as students download it: one zip with all its files."""

from __future__ import annotations

from pathlib import Path

from chainrule.course import CourseFolder
from chainrule.handin.zipped import write_zip

LEFTOVERS = {"__pycache__", ".ipynb_checkpoints"}  # folders that Python and Jupyter make


def write_kit(folder: CourseFolder, assignment: str) -> Path:
    """Zip release/<assignment>/ into kits/<assignment>.zip; the same release gives the same bytes."""
    release = folder.folder("release", ".", assignment)
    names = {path: path.relative_to(release.parent) for path in release.rglob("*") if path.is_file()}
    target = folder.root / "kits" / f"{assignment}.zip"
    write_zip(
        target,
        {
            name.as_posix(): path.read_bytes()
            for path, name in names.items()
            if not LEFTOVERS.intersection(name.parts)
        },
    )
    return target
