"""What became of each file of a download, and what each student has handed in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Receipt:
    """What a student has handed in.

    Attributes:
        received: when the last file that was taken came, ISO 8601 in UTC; None if the LMS doesn't tell.
        late: by how many seconds; 0 for in time; None if that isn't known.
        files: in submitted/, with the time each came.
        missing: what isn't there of what the assignment asks for.
    """

    received: str | None = None
    late: float | None = None
    files: dict[str, str | None] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass
class Report:
    """Every file is in exactly one of five lists, by its name in the download.

    Attributes:
        taken: as handed in, with its place in submitted/.
        repaired: taken, with what was not as the handout asks.
        kept: an earlier attempt, a second copy or a note of the LMS, with its place in intake/.
        refused: could be what was asked for, but can't be used, with the reason.
        unknown: what nobody asked for.
        students: by id, everybody something of whom was taken.
        absent: ids of everybody else on the roster.
    """

    assignment: str
    policy: str = "report"
    taken: dict[str, str] = field(default_factory=dict)
    repaired: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    students: dict[str, Receipt] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    def lines(self) -> list[str]:
        """It as text for people."""
        counts = [
            f"{len(getattr(self, name))} {name}"
            for name in ("taken", "repaired", "kept", "refused", "unknown")
        ]
        told = [", ".join(counts)]
        for name in ("repaired", "refused", "unknown"):
            told += [f"  {name} {file}: {why}" for file, why in sorted(getattr(self, name).items())]
        for student, receipt in self.students.items():
            if receipt.late:
                costs = "earns nothing" if self.policy == "zero" else "reported only"
                told.append(f"  late {student}: by {_span(receipt.late)}, {costs}")
            if receipt.missing:
                told.append(f"  missing {student}: {', '.join(receipt.missing)}")
        if any(receipt.late is None for receipt in self.students.values()):
            told.append("  late? The LMS tells no times for some: who was late can't be seen here")
        if self.absent:
            told.append(f"  nothing from {', '.join(self.absent)}")
        return told


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or f"{seconds:.0f} s"
