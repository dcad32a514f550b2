"""bench/RESULTS.md: one section per benchmark, written by the scripts and never by hand.

record("Loader", [{"loader": "plain", "seconds": 9.1}, {"loader": "ours", "seconds": 0.4}])
"""

import os
import platform
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil  # comes with ipykernel
import torch

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
HEAD = "# Results\n\nWritten by the scripts in this folder; each section names the command that made it.\n"

Row = Mapping[str, object]  # a column's name and this row's value


def record(section: str, rows: Sequence[Row], note: str = "", path: Path = RESULTS) -> None:
    """Replace one section, with date, machine and command; the other sections stay as they are."""
    sections = _sections(path.read_text(encoding="utf-8")) if path.exists() else {}
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {machine()} · {versions()}  \n`{command()}`"
    sections[section] = "\n\n".join(part for part in (stamp, table(rows), note) if part)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    body = "".join(f"\n## {name}\n\n{text}\n" for name, text in sorted(sections.items()))
    part.write_text(HEAD + body, encoding="utf-8")
    os.replace(part, path)


def table(rows: Sequence[Row]) -> str:
    """A Markdown table with the first row's columns; columns of numbers are aligned to the right."""
    columns = list(rows[0])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    numeric = [all(re.fullmatch(r"[-+±\d.,]*", row[i]) for row in cells) for i in range(len(columns))]
    lines = [columns, ["--:" if right else ":--" for right in numeric], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """For example "AMD EPYC, 2 cores, 23 GiB memory, no GPU"."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    memory = psutil.virtual_memory().total / 2**30
    return f"{_cpu()}, {os.cpu_count()} cores, {memory:.0f} GiB memory, {gpu}"


def versions() -> str:
    return f"Python {platform.python_version()}, torch {torch.__version__}"


def command() -> str:
    """The running command as one types it in the repository's root. Of a path outside of it, only the name is shown."""
    script, *arguments = sys.argv
    shown = [_short(Path(script)), *(_short(Path(a)) if Path(a).is_absolute() else a for a in arguments)]
    return shlex.join(["python", *shown])


def _short(path: Path) -> str:
    path = path.resolve()
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _cpu() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or platform.machine()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _sections(text: str) -> dict[str, str]:
    _, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    split = (section.partition("\n") for section in sections)
    return {name.strip(): body.strip() for name, _, body in split}
