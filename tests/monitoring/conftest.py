"""Logs of every kind: SQLite in a file, and PostgreSQL where its programs are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from deepen.monitoring.record import Record

pytest.importorskip("sqlalchemy", reason="the log needs SQLAlchemy: pip install 'deepen[serve]'")
pytest.importorskip("alembic", reason="the log needs Alembic: pip install 'deepen[serve]'")


def _program(name: str) -> str | None:
    there = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(there[-1]) if there else None)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a server of its own, without the name of a database."""
    pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg: pip install 'psycopg[binary]'")
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL's programs initdb and postgres are not here")
    folder = Path(tempfile.mkdtemp(prefix="deepen-postgres-"))  # short, since a socket's name must be
    own: dict[str, Any] = {}
    if os.geteuid() == 0:  # it refuses to run as root
        if (
            shutil.which("su") is None
            or subprocess.run(["id", "postgres"], capture_output=True, check=False).returncode
        ):
            pytest.skip("PostgreSQL does not run as root, and there is no account postgres")
        shutil.chown(folder, "postgres")
        own = {"user": "postgres"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **own}
    made = subprocess.run([initdb, "-D", folder / "data", "-U", "deepen", "-A", "trust"], check=False, **quiet)
    if made.returncode:
        pytest.skip("PostgreSQL could not make a database here")
    words = [server, "-D", folder / "data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
    process = subprocess.Popen(words, **quiet)
    try:
        import psycopg

        for _ in range(300):
            with suppress(psycopg.OperationalError), psycopg.connect(f"postgresql://deepen@127.0.0.1:{port}/postgres"):
                break
            time.sleep(0.1)
        yield f"postgresql://deepen@127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)  # ends at once, whoever is connected
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty log of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.sqlite'}"
    server, name = request.getfixturevalue("postgres"), f"log_{uuid.uuid4().hex}"
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture
def record() -> Callable[..., Record]:
    """`record(7)`: the seventh of a kind."""

    def made(number: int, **other: Any) -> Record:
        about = {"who": "ada", "run": "mood", "model": "f00", "rung": "full", "input_hash": "0" * 64, "answer": "{}"}
        return Record(**{"id": f"{number:032x}", "at": 1000.0 + number, **about, **other})

    return made
