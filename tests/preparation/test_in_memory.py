"""A few rows in memory are answered without a file, and as if there were one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.worlds import WORLDS

from deepen import load, train
from deepen.core.errors import DataError
from deepen.data import load as loading
from deepen.data.load import DataSettings, load_table
from deepen.data.table import Table
from deepen.data.tokens import TokenTable, tokenise
from deepen.models.tokenizer import load_tokenizer
from deepen.preparation.catalog import load_task

ODD: dict[str, list[Any]] = {
    "texts": ["a ﬁne film", "a&amp;b \x00 c", " plain ", "x" * 900, "\ud83d", "e\u0301 今天", "a ﬁne film"],
    "some are no rows": [{"text": "good"}, None, {"text": ""}, {"text": 3}, {"text": "nan"}, {"text": float("nan")}],
}


def both(rows: Any, task: str, **settings: Any) -> tuple[Table, Table]:
    """A table held in memory and the same out of the cache."""
    found = []
    for keep in (False, True):
        table, columns = load_table(
            rows,
            load_task(task).needs,
            DataSettings(**settings),
            need_target=False,
            use="learn" if keep else "score",
        )
        found.append((table, columns))
    (held, its_columns), (kept, others) = found
    assert its_columns == others
    assert not held.kept
    assert kept.kept
    return held, kept


def assert_same(held: Table, kept: Table) -> None:
    """Equal in all but where they lie."""
    for field in dataclasses.fields(Table):
        if field.name not in ("arrow", "left", "kept", "made"):
            assert getattr(held, field.name) == getattr(kept, field.name), field.name
    assert held.arrow.equals(kept.arrow)
    assert held.left.equals(kept.left)
    assert held.left_out == kept.left_out


def assert_same_tokens(one: TokenTable, other: TokenTable) -> None:
    """Equal arrays, of equal types."""
    for field in dataclasses.fields(TokenTable):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            np.testing.assert_array_equal(a, b, err_msg=field.name)
        else:
            assert a == b, field.name


@pytest.mark.parametrize("task", WORLDS)
def test_rows_and_tokens_are_those_of_the_cache(task: str, tiny_model: Path) -> None:
    held, kept = both(WORLDS[task](60), task)
    assert_same(held, kept)
    encode = load_task(task).form.encoder(load_tokenizer(tiny_model), 16)
    assert_same_tokens(tokenise(held, encode, key=("x",)), tokenise(kept, encode, key=("x",)))


@pytest.mark.parametrize("name", ODD)
def test_odd_rows_are_cleaned_and_left_out_alike(name: str) -> None:
    assert_same(*both(ODD[name], "classification", bad_rows="drop"))


@pytest.mark.parametrize("rows", [["good", ""], [], [3], [{"text": None}], [""]])
def test_what_is_wrong_is_said_alike(rows: list[Any]) -> None:
    said, needs, settings = [], load_task("classification").needs, DataSettings(bad_rows="error")
    for keep in (False, True):
        with pytest.raises(DataError) as error:
            load_table(rows, needs, settings, need_target=False, use="learn" if keep else "score")
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.fixture(scope="module")
def run(two_class_csv: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "run"
    given: dict[str, Any] = {"model": tiny_model, "rungs": "lexical,frozen", "out": folder}
    train(two_class_csv, settings=["data.validation_at_least=60"], **given)
    return folder


@pytest.mark.parametrize("rung", ["lexical", "frozen"])
def test_answers_are_the_same_to_the_bit(run: Path, rung: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a good film", "a ﬁne film", *ODD["texts"]]
    model = load(run, rung=rung)
    held = [dataclasses.replace(answer, seconds=0.0) for answer in model.predict(texts)]
    monkeypatch.setattr(loading, "_SHORT_ROWS", -1)
    assert model.read(texts).table.kept
    assert held == [dataclasses.replace(answer, seconds=0.0) for answer in model.predict(texts)]


def test_nothing_is_written_for_a_text(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "no-such-folder"))
    model = load(run, rung="frozen")
    assert [model.predict([text])[0].output for text in ("a good film", "a bad film")]
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_text_is_tokenised_once(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from deepen.data import tokens

    model, calls = load(run, rung="frozen"), []
    whole = tokens._run
    monkeypatch.setattr(tokens, "_run", lambda *given: calls.append(1) or whole(*given))
    [answer] = model.predict(["a good film of the room"])
    assert answer.num_tokens
    assert calls == [1]


def test_a_long_list_is_kept_on_disk(run: Path) -> None:
    model = load(run)
    assert model.read(["a good film"] * 2049).table.kept
    assert not model.read(["a good film"] * 2048).table.kept
