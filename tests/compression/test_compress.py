"""A smaller run is a run, says what it costs, and is not written where the wish can't be met."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from tests.contracts.conftest import call
from tests.worlds import some

import deepen
from deepen.compression import compress
from deepen.compression.compress import wish
from deepen.compression.judge import Judge
from deepen.compression.student import spread, with_layers
from deepen.core.errors import SettingError
from deepen.core.types import Interval
from deepen.models.tokenizer import load_tokenizer
from deepen.models.vocabulary import _likeliest, trim


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_layers_and_vocabulary_make_a_run_that_every_command_takes(small_run: Path, alone: Path) -> None:
    answer = call("compress", small_run, "--ways", "layers,vocabulary", "--max-drop", "60", "--out", "small", "--json")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["kept"] == ["vocabulary", "layers"]
    assert [row["way"] for row in record["ways"]] == ["vocabulary", "vocabulary+layers"]
    one, two = record["ways"]
    assert two["bytes"] < one["bytes"] <= record["before"]["bytes"]
    assert two["score"]["name"] == "accuracy"
    assert json.loads((alone / "small" / "compression.json").read_text(encoding="utf-8")) == record
    with safe_open(alone / "small" / "model" / "model.safetensors", "pt") as weights:
        kinds = {name: weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118 - it is no dict
    assert [name for name, kind in kinds.items() if kind == "F16"] == ["embeddings.word_embeddings.weight"]
    config = json.loads((alone / "small" / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["num_hidden_layers"] == 1
    small = deepen.load("small")
    assert small.predict("a lovely film")[0].output in ("good", "bad")
    assert {score.name for score in small.evaluate([{"text": "a poor room", "label": "bad"}])} >= {"accuracy"}
    assert deepen.report("small").is_file()
    assert (alone / "small" / "rungs" / "full" / "predictions-validation.jsonl").is_file()


def test_a_vocabulary_that_the_rows_use_reads_them_as_before(tiny_model: Path, alone: Path) -> None:
    whole = load_tokenizer(tiny_model)
    text = "the film was lovely and the phone is great"
    used = whole.encode([text], max_tokens=64).ids_T
    small, old = trim(whole, Counter(used.tolist()), alone / "tokenizer", first=1, most=0)
    assert [old[at] for at in small.encode([text], max_tokens=64).ids_T] == used.tolist()


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_other_kinds_of_vocabularies_too(kind: str, alone: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    texts = ["the cat sat on the mat", "cats and mats and rats", "a rat ate the catnip"] * 20
    model, trainer = {
        "Unigram": (
            models.Unigram(),
            trainers.UnigramTrainer(vocab_size=60, special_tokens=["<unk>"], unk_token="<unk>"),
        ),
        "BPE": (models.BPE(unk_token="<unk>"), trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>"])),
    }[kind]
    made = Tokenizer(model)
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(texts, trainer)
    (alone / "whole").mkdir()
    made.save(str(alone / "whole" / "tokenizer.json"))
    whole = load_tokenizer(alone / "whole")
    used = whole.encode(texts[:1], max_tokens=64).ids_T
    small, old = trim(whole, Counter(used.tolist()), alone / "small", first=1, most=0)
    assert len(old) < whole.backend.get_vocab_size()
    assert [old[at] for at in small.encode(texts[:1], max_tokens=64).ids_T] == used.tolist()
    assert small.encode(["catnip rats"], max_tokens=64).ids_T.max() < len(old)


def test_of_other_tokens_those_stay_that_are_likely_beside_these_rows() -> None:
    pieces = {"<unk>": 0, "▁the": 1, "▁film": 2, "▁of": 3, "电影": 4, "很好": 5, "▁THE": 6}
    assert _likeliest(pieces, {4: 90, 2: 10}, {0, 4, 2}) == [5, 1, 3, 6]
    assert _likeliest(pieces, {2: 90, 4: 1}, {0, 4, 2})[:2] == [1, 3]


def test_layers_that_are_left_are_those_of_the_whole(small_run: Path) -> None:
    network: Any = deepen.load(small_run).predictor
    half = with_layers(network.network, spread(2, 1))
    assert half.encoder.num_layers == half.encoder.config.num_hidden_layers == 1
    assert network.network.encoder.num_layers == 2
    for a, b in zip(half.encoder.layers[0].parameters(), network.network.encoder.layers[1].parameters(), strict=True):
        assert (a == b).all()


def test_wishes_that_are_none() -> None:
    with pytest.raises(SettingError, match=r"unknown way 'heads'"):
        wish("int8,heads", None, 0.5)
    with pytest.raises(SettingError, match=r"did you mean 'layers'"):
        wish("layer", None, 0.5)
    with pytest.raises(SettingError, match=r"--ways: name at least one"):
        wish(",", None, 0.5)
    with pytest.raises(SettingError, match=r"either --target or --ways"):
        wish("int8", "4x", 0.5)
    for target in ("1x", "fast", "0"):
        with pytest.raises(SettingError, match=r"as in 4x"):
            wish(None, target, 0.5)
    with pytest.raises(SettingError, match=r"points above 0"):
        wish(None, None, 0.0)


@pytest.mark.parametrize("ways", some(["vocabulary,layers", ",".join(compress.shelf())], "vocabulary,layers"))
def test_what_cannot_be_met_leaves_nothing(
    ways: str, small_run: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: way for name, way in compress.shelf().items() if name in ways.split(",")}
    monkeypatch.setattr(compress, "shelf", lambda: few)
    names = "--target", "9999x", "--max-drop", "60"
    line = call("compress", small_run, *names, "--out", "small").failed("SettingError")
    assert line.startswith("--target 9999x can't be reached with at most 60 points lost: ")
    assert os.listdir() == []
    (alone / "taken").mkdir()
    assert "exists already" in call("compress", small_run, "--out", "taken").failed("SettingError")
    assert "is not a run" in call("compress", "nowhere").failed("DataError")


def test_a_damaged_run_is_one_line(small_run: Path, alone: Path) -> None:
    spoilt = Path(shutil.copytree(small_run, alone / "spoilt"))
    (spoilt / "model" / "model.safetensors").unlink()
    (spoilt / "model" / "model.safetensors").write_bytes(b"x")
    call("compress", spoilt, "--out", "small").failed("ModelError")
    assert os.listdir() == ["spoilt"]


def _judged(low: float, value: float, high: float, *, worse: Any = (), upper: float = 1.0, drop: float = 1.0) -> Any:
    judge: Any = Judge.__new__(Judge)
    judge.max_drop, judge.rows = drop / 100, np.zeros(400)
    judge.model = type("Model", (), {"task": type("Task", (), {"score_name": "accuracy"})})
    return judge._verdict(Interval(value, low, high), list(worse), upper)


def test_three_words() -> None:
    assert _judged(-0.009, 0, 0.009)[0] == "kept"
    assert _judged(-0.05, -0.03, -0.011)[0] == "harmful"
    assert _judged(-0.009, 0, 0.009, worse=["label x"])[0] == "harmful"
    verdict, reason, needed = _judged(-0.02, 0, 0.02)
    assert (verdict, needed) == ("not shown", 1600)
    assert "some 1,600 rows" in reason
    assert _judged(-0.04, -0.015, 0.01)[2] is None
    assert _judged(-0.02, 0, 0.02, upper=0.008)[0] == "kept"
