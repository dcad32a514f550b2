"""`nbgrader zip_collect` with the conventions of `chainrule intake`."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from chainrule.course import CourseError, CourseFolder
from chainrule.intake.download import Piece, lms_of, opened_files, plan_intake
from chainrule.intake.roster import read_roster
from chainrule.intake.unpack import Found, files, is_zip


class SafeExtractor(ExtractorPlugin):
    """Unpacks what was downloaded, and the zips in it; what is hostile is left out, with a warning."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack each zip of a folder, and copy each folder, into one of its name."""
        for download in sorted(Path(archive_path).iterdir()):
            if not download.is_dir() and not is_zip(download.name):
                self.log.warning("Left out %r: no zip and no folder", download.name)
                continue
            folder = Path(extracted_path) / (download.name if download.is_dir() else download.stem)
            with tempfile.TemporaryDirectory(prefix="chainrule-extract-") as scratch:
                for found in opened_files(download, Path(scratch)):
                    reason = found.refused or self._write(found, folder)
                    if reason:
                        self.log.warning("Left out %r: %s", found.label, reason)

    @staticmethod
    def _write(found: Found, folder: Path) -> str:
        """Write a file there; why it can't be."""
        assert found.path is not None
        target = folder.joinpath(*found.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file, found.path.open("rb") as source:
                shutil.copyfileobj(source, file)
            os.utime(target, (found.modified, found.modified))
        except OSError as error:
            return f"it cannot be written ({error.strerror})"
        return ""


class DownloadCollector(FileNameCollectorPlugin):
    """Says whose each file is, what it is and when it came, as `chainrule intake` does."""

    @cached_property
    def chosen(self) -> dict[Path, Piece]:
        """The files to collect, by their paths in the folder that everything was extracted to."""
        app = self.parent
        assignment = app.coursedir.assignment_id
        course = CourseFolder(Path(app.coursedir.root))
        course.require(assignment)
        structure = app.collect_directory_structure.format(
            downloaded=app.downloaded_directory,
            assignment_id=assignment,
            collect_step=app.extracted_directory,
        )
        with tempfile.TemporaryDirectory() as scratch:
            opened = []
            for download in sorted((course.root / structure).iterdir()):
                found = files(download, Path(scratch))
                if not (recognition := lms_of(found)):
                    raise CourseError(f"{download} was not downloaded from an LMS that is known here")
                opened.append((found, *recognition))
            people = read_roster(course.root / course.course.roster)
            plan = plan_intake(course, assignment, opened, people)
        for kind in ("refused", "unknown"):
            for name, reason in getattr(plan.report, kind).items():
                self.log.warning("%s %r: %s", kind.capitalize(), name, reason)
        for piece, told in plan.chosen:
            assert piece.placed is not None
            if repairs := [*piece.placed.repairs, *told]:
                self.log.warning("Repaired %r: %s", piece.found.label, "; ".join(repairs))
        return {piece.path.resolve(): piece for piece, _ in plan.chosen}

    def collect(self, submitted_file: str) -> dict[str, Any] | None:
        """Student, name and time of a file; None if it isn't to be collected."""
        piece = self.chosen.get(Path(submitted_file).resolve())
        if piece is None:
            return None
        if piece.path.suffix != Path(piece.target).suffix:  # nbgrader lets files keep their own
            self.log.warning("Left out %r: only `chainrule intake` takes it as %s", piece.name, piece.target)
            return None
        told = {"student_id": piece.person.id, "file_id": piece.target}
        return told | ({"timestamp": f"{piece.moment:%Y-%m-%d %H:%M:%S} UTC"} if piece.moment else {})
