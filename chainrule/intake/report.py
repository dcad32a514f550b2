"""The report of an intake of downloads: what happened to each file, and what each student has handed in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class SubmissionStatus:
    """What a student has handed in.

    Attributes:
        received: when the last file that was taken came in, ISO 8601 in UTC; None if the LMS doesn't say.
        late: by how many seconds; 0 for in time; None if that isn't known.
        files: the files in submitted/, with the time when each came in.
        missing: the files that the assignment asks for and that are not there.
        instead: what came in place of a missing PDF, such as a .docx: names by label. These files are unknown, too.
    """

    received: str | None = None
    late: float | None = None
    files: dict[str, str | None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    instead: dict[str, str] = field(default_factory=dict)


@dataclass
class DownloadReport:
    """Every file is in exactly one of the lists down to `ignored`, by its name in the download.

    Attributes:
        policy: c.Course.late for the assignment: "zero" or "report".
        taken: files as the assignment asks for them, with their paths in submitted/.
        repaired: files that were taken although something about them is not as the handout asks, with what that is.
        kept: earlier attempts, second copies and notes of the LMS, with their paths in intake/.
        refused: files that could be what was asked for, but can't be used, with the reason.
        unknown: files that nobody asked for, with the reason.
        ignored: files that operating systems and programs have added.
        remarks: sentences about the download.
        shared: of a team's files, the paths in submitted/ of the other members.
        students: by id, every student of whom something was taken.
        absent: ids of all others on the roster.
    """

    assignment: str
    policy: str = "report"
    taken: dict[str, str] = field(default_factory=dict)
    repaired: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    shared: dict[str, list[str]] = field(default_factory=dict)
    students: dict[str, SubmissionStatus] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """The report as text."""
        counts = [
            f"{len(getattr(self, name))} {name}"
            for name in ("taken", "repaired", "kept", "refused", "unknown")
        ]
        lines = [", ".join(counts)]
        files = [*self.taken, *self.repaired, *self.kept, *self.refused, *self.unknown]
        downloads = {file.partition("/")[0] for file in files}
        # the name of the only download says nothing
        own = (
            len(next(iter(downloads))) + 1
            if len(downloads) == 1 and all("/" in file for file in files)
            else 0
        )
        told = {label for status in self.students.values() for label in status.instead}
        for name in ("repaired", "refused", "unknown"):
            lines += [
                f"  {name} {file[own:]}: {reason}"
                for file, reason in sorted(getattr(self, name).items())
                if file not in told
            ]
        lines += [
            f"  a team's {file[own:]} → {', '.join(paths)}" for file, paths in sorted(self.shared.items())
        ]
        lines += [f"  {remark}" for remark in self.remarks]
        for student, status in self.students.items():
            if status.late:
                cost = "earns nothing" if self.policy == "zero" else "reported only"
                lines.append(f"  late {student}: by {duration(status.late)}, {cost}")
            if status.missing:
                instead = ", ".join(status.instead.values())
                came = f"; {instead} came, which is no PDF: ask for one" if instead else ""
                lines.append(f"  missing {student}: {', '.join(status.missing)}{came}")
        if any(status.late is None for status in self.students.values()):
            lines.append(
                "  late? The LMS doesn't say when some files came in, so late ones can't be seen here"
            )
        if self.absent:
            lines.append(f"  nothing from {', '.join(self.absent)}")
        return lines


def duration(seconds: float) -> str:
    """A time in words.

    >>> duration(90), duration(3 * 86400 + 3600)
    ('2 min', '3 d 1 h')
    """
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"{seconds:.0f} s"
