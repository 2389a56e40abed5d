"""A finished run, and registries of every kind: a folder, a store that fsspec opens, S3 as moto's server speaks it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import deepen
from deepen.registry.place import Place, open_place

MOTO = os.environ.get("DEEPEN_MOTO_SERVER") or shutil.which("moto_server")


@pytest.fixture(scope="session")
def finished(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a network; left as it is."""
    out = tmp_path_factory.mktemp("finished") / "mood"
    return deepen.train(two_class_csv, model=tiny_model, rungs=["majority", "lexical"], out=out).folder


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an S3 server, which is a process of its own."""
    if MOTO is None:
        pytest.skip("moto's server is not here; pip install 'moto[server,s3]' elsewhere, name it in DEEPEN_MOTO_SERVER")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = subprocess.DEVNULL
    server = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=nowhere, stderr=nowhere)
    try:
        for _ in range(300):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", "of-a-test")
            patch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
            yield f"127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def s3_url(s3_server: str) -> str:
    """A bucket of its own."""
    import pyarrow.fs

    bucket = f"bucket-{uuid.uuid4().hex}"
    made = pyarrow.fs.S3FileSystem(
        endpoint_override=s3_server, scheme="http", region="us-east-1", allow_bucket_creation=True
    )
    made.create_dir(bucket)
    return f"s3://{bucket}/models?endpoint_override={s3_server}&scheme=http&region=us-east-1"


@pytest.fixture(params=["folder", "fsspec", pytest.param("s3", marks=pytest.mark.services)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty registry of each kind."""
    made: dict[str, Callable[[], str]] = {
        "folder": lambda: str(tmp_path / "registry"),
        "fsspec": lambda: f"memory://{uuid.uuid4().hex}/models",
        "s3": lambda: request.getfixturevalue("s3_url"),
    }
    return made[request.param]()


@pytest.fixture
def place(url: str) -> Place:
    """The same, opened."""
    return open_place(url)
