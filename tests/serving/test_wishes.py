"""What the server, or a request, wishes of answers: masked, explained, by a cascade, with few errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import PlantedRows, write_csv
from tests.serving.conftest import Server, until

import deepen
from deepen.core.files import read_object, write_json
from deepen.data.masking import mask
from deepen.serving.answering import Served, answered, open_served
from deepen.serving.bodies import Body
from deepen.serving.known import known_rows, wishes
from deepen.serving.problems import RefusedError
from deepen.serving.settings import Opening

NUMBER = "call 212-555-0187"


@pytest.fixture(scope="module")
def climbed(tiny_model: Path, planted_rows: PlantedRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose chosen rung is frozen; of lexical it is said that it costs a hundredth. Some rows hold a number."""
    folder = tmp_path_factory.mktemp("climbed")
    held = planted_rows(700, seed=1)
    held = [{**row, "text": f"{row['text']} {NUMBER}"} if at % 50 == 1 else row for at, row in enumerate(held)]
    data = {"train": write_csv(folder / "train.csv", planted_rows(300)), "held": write_csv(folder / "held.csv", held)}
    how: dict[str, Any] = {"model": tiny_model, "rungs": ["lexical", "frozen"], "out": folder / "run"}
    run = deepen.train(data["train"], validation=data["held"], **how).folder
    shutil.rmtree(run / "model")
    shutil.copytree(run / "rungs" / "frozen" / "model", run / "model")
    ladder = read_object(run / "ladder.json")
    for row in ladder["rungs"]:
        row["seconds_per_1000_predictions"] = {"lexical": 0.01, "frozen": 1.0}[row["rung"]]
    write_json(run / "ladder.json", ladder | {"chosen": "frozen"})
    return Path(run)


def new_rows(planted_rows: PlantedRows, num: int) -> list[dict[str, Any]]:
    return [{"text": row["text"]} for row in planted_rows(num, seed=5)]


def test_a_cascade_answers_as_predict_does_and_is_held_against_each_rung(
    climbed: Path, planted_rows: PlantedRows
) -> None:
    served = open_served(climbed, Opening(cascade=0.9))
    rows = new_rows(planted_rows, 100)
    wanted = deepen.load_cascade(climbed, agreement=0.9).predict(rows)
    told = [answered(line) for line in served.answers(rows)]
    assert [one["answered_by"] for one in told] == [one.answered_by for one in wanted]
    assert [one["output"] for one in told] == [one.output for one in wanted]
    assert {one["answered_by"] for one in told} == {"lexical", "frozen"}
    assert served.about()["promise"]["at_most"] == pytest.approx(0.1)
    known = known_rows(climbed, served)
    assert known.stored
    assert len(known.rows) == 16
    asked = {answered(line)["answered_by"] for line in served.answers(known.rows)}
    assert asked == {"lexical", "frozen"}


def test_a_promise_expires_over_what_clients_ask_and_not_over_known_rows(
    climbed: Path, planted_rows: PlantedRows
) -> None:
    served = open_served(climbed, Opening(cascade=0.9))
    same = new_rows(planted_rows, 1) * 600
    served.answers(same)
    assert served.expired is None
    [*told] = served.answers(same, [{}] * 600)
    assert "length" in str(served.expired) or "sure" in str(served.expired)
    assert answered(told[-1])["promise_expired"] == served.expired


def test_an_error_may_be_wished_for(climbed: Path, planted_rows: PlantedRows) -> None:
    served = open_served(climbed)
    rows = new_rows(planted_rows, 100)
    assert wishes(served, known_rows(climbed, served)) == ["explain", "max_error"]
    wanted = deepen.load_cascade(climbed, max_error=0.49).predict(rows)
    told = [answered(line) for line in served.answers(rows, [{"max_error": 0.49}] * 100)]
    assert [one["output"] for one in told] == [one.output for one in wanted]
    mixed = served.answers(rows[:2], [{}, {"max_error": 0.0001}])
    assert "output" in answered(mixed[0])
    refused = answered(mixed[1])
    assert refused["field"] == "max_error"
    assert "can't be promised" in refused["refused"]


def test_masking_comes_first_and_known_rows_are_those_that_it_leaves(climbed: Path) -> None:
    served = open_served(climbed, Opening(mask=True))
    known = known_rows(climbed, served)
    assert known.stored
    assert len(known.rows) == 16
    assert all(mask(row["text"]).text == row["text"] for row in known.rows)
    assert any(NUMBER in row["text"] for row in known_rows(climbed, open_served(climbed)).rows)
    plain = [{"text": "a film with <PHONE_NUMBER>"}, {"text": "a film with 212-555-0187"}]
    one, other = (answered(line)["probabilities"] for line in served.answers(plain))
    assert one == pytest.approx(other, abs=1e-6)


def test_a_body_says_what_may_be_wished() -> None:
    inputs = [{"name": "text", "kind": "text", "optional": False}]
    body = Body(inputs, 10, wishes=["explain", "max_error"])
    asked = json.dumps({"rows": [{"text": "a"}], "explain": True, "max_error": 0.05}).encode()
    assert body.read(asked) == ([{"text": "a"}], {"explain": True, "max_error": 0.05})
    assert body.read(b'{"rows": [{"text": "a"}]}') == ([{"text": "a"}], {})
    for more in ({"max_error": 0}, {"max_error": "0.1"}, {"explain": 1}, {"explian": True}):
        with pytest.raises(RefusedError) as caught:
            body.read(json.dumps({"rows": [{"text": "a"}], **more}).encode())
        assert caught.value.field == next(iter(more))
    with pytest.raises(RefusedError):
        Body(inputs, 10).read(asked)


def test_explained_over_http(server: Server) -> None:
    """By the server that all share; below is one that masks and asks a cascade."""
    path = "/v1/runs/classification/predict"
    with server.client() as client:
        answer = client.post(path, json={"rows": [{"text": "a good film"}], "explain": True})
        assert answer.status_code == 200, answer.text
        [told] = answer.json()["answers"]
        assert told["explanation"]["answers"][0]["output"] == told["output"]
        assert [word["text"] for word in told["explanation"]["answers"][0]["words"]] == ["a", "good", "film"]
        for body, field in (({"explain": True}, "explain"), ({"max_error": 0.00001}, "max_error")):
            refused = client.post(path, json={"rows": [{"text": "a film"}] * 11, **body})
            assert (refused.status_code, refused.json()["field"]) == (422, field)
        assert {run["name"]: run["wishes"] for run in client.get("/v1/runs").json()["runs"]}["classification"]


@pytest.mark.services
def test_explained_and_masked_over_http(climbed: Path, tmp_path: Path) -> None:
    """One server: what it explains, what it masks, what it keeps, what it refuses."""
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    words = [f"{climbed}=mood", "--port", "0", "--workers", "1", "--mask", "--cascade", "0.9", "--log", url]
    words += ["--set", "explained_rows=2", "--set", "stuck_seconds=30", "--set", "request_seconds=120"]
    row = {"text": f"a good film {NUMBER}"}
    with Server(words) as server, server.client() as client:
        path = "/v1/runs/mood/predict"
        until(lambda: server.status() == 200)
        answer = client.post(path, json={"rows": [row], "explain": True})
        assert answer.status_code == 200, answer.text
        told = answer.json()["answers"][0]
        assert told["explanation"]["answers"][0]["words"]
        assert told["explanation"]["answers"][0]["analogies"]
        assert "212" not in answer.text
        assert client.post(path, json={"rows": [row]}).json()["answers"][0]["answered_by"] in ("lexical", "frozen")
        for body, field in (({"explain": True}, "explain"), ({"max_error": 0.00001}, "max_error")):
            refused = client.post(path, json={"rows": [row] * 3, **body})
            assert (refused.status_code, refused.json()["field"]) == (422, field)
        assert client.get("/v1/runs").json()["runs"][0]["wishes"] == ["explain", "max_error"]
        assert 'deepen_promise_expired{run="mood"} 0.0' in client.get("/metrics").text
        assert server.stop() == 0
        assert "Traceback" not in server.text


def test_places_in_what_is_masked_come_with_it(runs: dict[str, Path]) -> None:
    served: Served = open_served(runs["tagging"], Opening(mask=True))
    told = answered(served.answers([{"tokens": "call 212-555-0187 or Mara"}])[0])
    assert "<PHONE_NUMBER>" in str(told["inputs"]["tokens"])
    read = told["inputs"]["tokens"]
    assert len(told["output"]) == len(read if isinstance(read, list) else read.split())
