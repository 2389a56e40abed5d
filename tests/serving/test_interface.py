"""The interface is frozen: what it says of itself changes only with tests/serving/openapi.json.

`UPDATE_GOLDEN=1 pytest tests/serving/test_interface.py` writes it anew.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.serving.conftest import Server

from deepen.serving.bodies import Body
from deepen.serving.interface import openapi

FROZEN = Path(__file__).with_name("openapi.json")
ROOT = Path(__file__).resolve().parents[2]


def inputs(**kinds: str) -> list[dict[str, object]]:
    return [{"name": name, "kind": kind.rstrip("?"), "optional": kind.endswith("?")} for name, kind in kinds.items()]


ABOUTS = {
    "reviews": {"task": "classification", "rung": "frozen", "inputs": inputs(text="text")},
    "names": {"task": "tagging", "rung": "full", "inputs": inputs(tokens="tokens")},
    "pairs": {"task": "relation", "rung": "lexical", "inputs": inputs(text="text", head="text?", tail="text?")},
    "faq": {"task": "ranking", "rung": "lexical", "inputs": inputs(query="text", documents="texts?")},
}


def test_the_interface_is_as_it_was() -> None:
    bodies = {run: Body(about["inputs"], 1_000) for run, about in ABOUTS.items()}  # type: ignore[arg-type]
    told = openapi(ABOUTS, bodies, keys=True)
    told["info"]["version"] = "VERSION"
    if os.environ.get("UPDATE_GOLDEN"):
        FROZEN.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    assert told == json.loads(FROZEN.read_text())


def test_every_route_is_in_the_interface_and_its_example_answered(server: Server) -> None:
    with server.client() as client:
        told = client.get("/openapi.json").json()
        for path in ("/predict", "/embed", "/v1/mask"):
            body = told["paths"][path]["post"]["requestBody"]["content"]["application/json"]
            assert client.post(path, json=body["example"]).status_code == 200, path
        body = told["paths"]["/rerank"]["post"]["requestBody"]["content"]["application/json"]["example"]
        assert client.post("/rerank", json=body | {"model": "ranking"}).status_code == 200


def test_the_image_runs_as_nobody_and_sees_whether_it_is_ready(server: Server) -> None:
    lines = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", lines, re.MULTILINE)
    assert lines.index("USER ") < lines.index("ENTRYPOINT")
    assert not re.search(r"^ARG|deepen_[0-9a-f]{16}|--no-keys", lines, re.MULTILINE)
    words = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])$", lines, re.MULTILINE | re.DOTALL)[1])  # type: ignore[index]
    own = urlsplit(server.url)
    code = words[2].replace("127.0.0.1:8080", f"{own.hostname}:{own.port}")
    assert subprocess.run([sys.executable, *words[1:2], code], capture_output=True).returncode == 0
    assert subprocess.run([sys.executable, *words[1:]], capture_output=True).returncode != 0  # nobody is there
