"""`nbgrader zip_collect` with the conventions of `chainrule intake`."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any

from nbgrader.plugins import ExtractorPlugin, FileNameCollectorPlugin

from chainrule.course import CourseError, CourseFolder
from chainrule.errors import ChainruleError
from chainrule.intake.download import Upload, lms_of, open_download, plan_intake
from chainrule.intake.roster import read_roster
from chainrule.intake.teams import read_teams
from chainrule.intake.unpack import DownloadedFile, is_zip, list_files

OTHER_NAMES = (
    "If the names are not an LMS's, set c.FileNameCollectorPlugin.named_regexp; see docs/instructors.md."
)
ONLY_ZIPS = (
    "c.ExtractorPlugin.zip_ext has no effect: .zip files are unpacked, other files are copied. Remove it, or set "
    "c.ZipCollectApp.extractor_plugin = 'nbgrader.plugins.ExtractorPlugin', which checks nothing"
)


class SafeExtractor(ExtractorPlugin):
    """Unpacks downloads and the zips in them, and copies single files. Unsafe files are left out, with a warning."""

    def extract(self, archive_path: str, extracted_path: str) -> None:
        """Unpack each zip of `archive_path` to a folder of its name in `extracted_path`, and copy all else there."""
        if set(self.zip_ext) not in ({".zip"}, {".zip", ".gz"}):  # the second is nbgrader's default
            self.parent.fail(ONLY_ZIPS)
            return
        for download in sorted(Path(archive_path).iterdir()):
            folder = Path(extracted_path) / (download.stem if is_zip(download.name) else download.name)
            with tempfile.TemporaryDirectory(prefix="chainrule-extract-") as scratch:
                try:
                    if download.is_dir() or is_zip(download.name):
                        files = open_download(download, Path(scratch))
                    else:
                        folder, files = Path(extracted_path), single_files([download])
                        if download.suffix in self.zip_ext:  # nbgrader would unpack it
                            self.log.warning(
                                "%r is copied as it is: only .zip files are unpacked", download.name
                            )
                except ChainruleError as error:
                    self.parent.fail(str(error))
                    return
                for file in files:
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


def single_files(paths: Sequence[Path]) -> list[DownloadedFile]:
    """Files that lie beside the downloads, as if they were a download of their own."""
    return [
        DownloadedFile(
            (path.name,),
            path if path.is_file() and not path.is_symlink() else None,
            "" if path.is_file() and not path.is_symlink() else "not an ordinary file",
            path.lstat().st_mtime,
            path.name,
        )
        for path in paths
    ]


class DownloadCollector(FileNameCollectorPlugin):
    """Finds each file's student, name and time, as `chainrule intake` does.

    With `c.FileNameCollectorPlugin.named_regexp`, that decides, as in nbgrader. `valid_ext`, if it is set, decides in
    both cases.
    """

    @cached_property
    def chosen(self) -> dict[Path, Upload]:
        """The files to collect, by their paths in the folder of extracted files; none if the course doesn't fit."""
        try:
            return self._choose()
        except ChainruleError as error:  # as nbgrader says why it collects a file or not
            self.log.error("Nothing is collected: %s %s", error, OTHER_NAMES)
            return {}

    def _choose(self) -> dict[Path, Upload]:
        app = self.parent
        assignment, root = app.coursedir.assignment_id, Path(app.coursedir.root)
        options = deepcopy(app.config)  # as nbgrader read it, wherever from
        options.CourseDirectory.root = str(root)
        course = CourseFolder(root, options)
        structure = app.collect_directory_structure.format(
            downloaded=app.downloaded_directory,
            assignment_id=assignment,
            collect_step=app.extracted_directory,
        )
        paths = sorted((course.root / structure).iterdir())
        with tempfile.TemporaryDirectory() as scratch:
            downloads = [list_files(path, Path(scratch)) for path in paths if path.is_dir()]
            downloads.append(single_files([path for path in paths if not path.is_dir()]))
            opened = [(files, *lms) for files in downloads if files and (lms := lms_of(files))]
            if not opened:
                raise CourseError("no file has a name as in the downloads of an LMS that is known here.")
            course.require(assignment)
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
        if self.named_regexp:
            found: dict[str, Any] | None = super().collect(submitted_file)
            return found
        upload = self.chosen.get(Path(submitted_file).resolve())
        is_set = self.valid_ext != self.trait_defaults("valid_ext")  # by default, all that is asked for
        if upload is None or (is_set and upload.path.suffix not in self.valid_ext):
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
