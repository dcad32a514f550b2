"""Debian's PostgreSQL, started by the tests in a folder of their own and on a socket there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

USER = "postgres"


class Postgres:
    """A running server."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder, self.databases = programs, folder, 0

    def run(self, program: str, *words: str) -> None:
        command = [str(self.programs / program), *words]
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root; Debian's package has made this user
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        done = subprocess.run(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"

    def new_database(self, template: str = "template1") -> str:
        """The URL of a database of one's own, made like another one to which nobody is connected."""
        self.databases += 1
        name = f"gradebook{self.databases}"
        self.run("createdb", "-h", str(self.folder), "-U", USER, "-T", template, name)
        return f"postgresql+psycopg://{USER}@/{name}?host={self.folder}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server without TCP; each test makes its own database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    assert found, "install Debian's package postgresql (./setup.sh does)"
    with tempfile.TemporaryDirectory(prefix="chainrule-pg-") as made:  # a socket's path must be short
        folder = Path(made)
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        server = Postgres(found[-1], folder)
        server.run("initdb", "-D", "data", "-U", USER, "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        options = (
            f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off -c max_connections=50"
        )
        server.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")
        try:
            yield server
        finally:
            server.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")
