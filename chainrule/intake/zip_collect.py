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
from chainrule.intake.download import Upload, lms_of, open_download, plan_intake
from chainrule.intake.roster import read_roster
from chainrule.intake.teams import read_teams
from chainrule.intake.unpack import DownloadedFile, is_zip, list_files


class SafeExtractor(ExtractorPlugin):
    """Unpacks downloads and the zips in them. Unsafe files are left out, with a warning."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack each zip and copy each folder of `archive_path` to a folder of the same name in `extracted_path`."""
        for download in sorted(Path(archive_path).iterdir()):
            if not download.is_dir() and not is_zip(download.name):
                self.log.warning("Left out %r: no zip and no folder", download.name)
                continue
            folder = Path(extracted_path) / (download.name if download.is_dir() else download.stem)
            with tempfile.TemporaryDirectory(prefix="chainrule-extract-") as scratch:
                for file in open_download(download, Path(scratch)):
                    reason = file.refused or self._write(file, folder)
                    if reason:
                        self.log.warning("Left out %r: %s", file.label, reason)

    @staticmethod
    def _write(file: DownloadedFile, folder: Path) -> str:
        """Copy a file to `folder`. Returns why that is impossible, or ""."""
        assert file.path is not None
        target = folder.joinpath(*file.parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as copy, file.path.open("rb") as source:
                shutil.copyfileobj(source, copy)
            os.utime(target, (file.modified, file.modified))
        except OSError as error:
            return f"it cannot be written ({error.strerror})"
        return ""


class DownloadCollector(FileNameCollectorPlugin):
    """Finds each file's student, name and time, as `chainrule intake` does."""

    @cached_property
    def chosen(self) -> dict[Path, Upload]:
        """The files to collect, by their paths in the folder of extracted files."""
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
                files = list_files(download, Path(scratch))
                if not (recognition := lms_of(files)):
                    raise CourseError(f"{download} was not downloaded from an LMS that is known here")
                opened.append((files, *recognition))
            people = read_roster(course.root / course.course.roster)
            plan = plan_intake(course, assignment, opened, people, read_teams(None, people))
        for kind in ("refused", "unknown"):
            for name, reason in getattr(plan.report, kind).items():
                self.log.warning("%s %r: %s", kind.capitalize(), name, reason)
        for upload, more_repairs in plan.chosen:
            assert upload.match is not None
            if repairs := [*upload.match.repairs, *more_repairs]:
                self.log.warning("Repaired %r: %s", upload.label, "; ".join(repairs))
        return {upload.path.resolve(): upload for upload, _ in plan.chosen if not upload.shared}

    def collect(self, submitted_file: str) -> dict[str, Any] | None:
        """Student, name and time of a file; None if it is not collected."""
        upload = self.chosen.get(Path(submitted_file).resolve())
        if upload is None:
            return None
        if upload.path.suffix != Path(upload.target).suffix:  # nbgrader doesn't change suffixes
            self.log.warning(
                "Left out %r: only `chainrule intake` takes it as %s", upload.name, upload.target
            )
            return None
        result = {"student_id": upload.person.id, "file_id": upload.target}
        if upload.received:
            result["timestamp"] = f"{upload.received:%Y-%m-%d %H:%M:%S} UTC"
        return result
