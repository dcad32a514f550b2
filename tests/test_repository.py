"""What a fresh clone promises: the lock, the conda front door, the commands the README names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from course_modules import ROOT


def pins(text: str) -> dict[str, set[str]]:
    """Versions by package name; a universal lock may pin one per Python version."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_lock_pins_the_pair_that_runs_on_cpu_and_gpu(lock: str) -> None:
    assert pins(lock)["torch"] == {"2.12.1"}
    assert pins(lock)["torchvision"] == {"0.27.1"}


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-tensorflow.lock"])
def test_lock_hashes_everything_and_names_no_host(name: str) -> None:
    lock = (ROOT / name).read_text()
    lines = [line for line in lock.splitlines() if not line.lstrip().startswith("#")]
    requirements = re.split(r"\n(?=\S)", "\n".join(lines))
    assert all("--hash=sha256:" in requirement for requirement in requirements if "==" in requirement)
    assert "://" not in lock
    assert "index-url" not in lock


def test_locks_cover_what_pyproject_asks_for(lock: str) -> None:
    asked = re.findall(r'^    "([A-Za-z0-9-]+)[>=]=', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert len(asked) > 20
    assert {*asked} - pins(lock).keys() == {"tensorflow", "tensorflow-cpu"}
    other = pins((ROOT / "requirements-tensorflow.lock").read_text())
    assert {*asked} <= other.keys()
    assert {name: other[name] for name in pins(lock)} == pins(lock)


def test_environment_yml_is_a_valid_conda_environment_of_the_same_lock(lock: str) -> None:
    """What `conda env create --dry-run` accepts: known keys, string specs, one pip section beside pip itself."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert set(environment) <= {"name", "channels", "dependencies", "prefix", "variables"}
    assert environment["name"] == "chainrule"
    assert all(isinstance(channel, str) for channel in environment["channels"])
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (section,) = [entry for entry in environment["dependencies"] if not isinstance(entry, str)]
    assert "python=3.11" in conda
    assert "pip" in conda
    assert set(section) == {"pip"}
    assert "-e ." in section["pip"]
    (pinned,) = [ROOT / line.removeprefix("-r ") for line in section["pip"] if line.startswith("-r ")]
    assert pins(pinned.read_text()) == pins(lock)
    assert "--hash" not in pinned.read_text()  # pip takes no local folder beside hashes


def test_pip_reads_the_conda_section(tmp_path: Path) -> None:
    """pip itself parses what conda hands it; nothing is downloaded, since everything is installed already."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    section = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    handed = tmp_path / "handed.txt"
    handed.write_text("\n".join(line.replace("-r ", f"-r {ROOT}/") for line in section if line != "-e ."))
    command = ["python", "-m", "pip", "install", "--dry-run", "--no-deps", "--no-index", "-r", str(handed)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_readme_names_real_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(r"^chainrule ([a-z]+)", readme, re.MULTILINE))
    listed = subprocess.run(["chainrule", "--help"], capture_output=True, text=True).stdout
    assert len(named) >= 8
    assert all(re.search(rf"\b{command}\b", listed) for command in named)


@pytest.mark.parametrize("name", [".ci/run", "setup.sh"])
def test_scripts_run_as_they_are(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)
    assert subprocess.run([shutil.which("bash") or "bash", "-n", ROOT / name]).returncode == 0
