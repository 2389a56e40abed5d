"""The log in SQL: each id once, read back as it was, forgotten when its time is over."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deepen.core.errors import DataError, SettingError
from deepen.core.types import Prediction
from deepen.monitoring.record import Record, input_hash, record_of
from deepen.monitoring.store import migrations, open_store

Make = Callable[..., Record]


def test_each_id_is_kept_once_and_read_back(url: str, record: Make) -> None:
    store = open_store(url)
    some = [record(number, text=None if number % 2 else "名 'x'; --") for number in range(10)]
    for part in (some[:6], some, []):
        store.put(part)
    assert list(store.read()) == some
    assert [one.at for one in store.read(since=1005, most=2)] == [1005, 1006]
    assert list(store.read(model="another")) == []
    assert store.models() == [(some[0].run, some[0].model)]
    assert list(store.read(model=some[0].model)) == some
    store.close()
    assert open_store(url).count() == 10, "what is there stays there, with its tables as they are"


def test_what_is_older_than_its_time_is_forgotten(url: str, record: Make) -> None:
    store = open_store(url)
    store.put([record(number, text=f"secret-{number}") for number in range(10)])
    assert store.forget(1004, texts_only=True) == 4
    assert store.forget(1004, texts_only=True) == 0
    assert [one.text for one in store.read(most=5)] == [*[None] * 4, "secret-4"]
    assert store.forget(1006) == 6
    assert [one.at for one in store.read()] == [1006, 1007, 1008, 1009]


def test_what_is_forgotten_is_not_in_the_file_either(tmp_path: Path, record: Make) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'log.sqlite'}")
    store.put([record(number, text=f"secret-{number}") for number in range(300)])
    store.forget(1200)
    store.forget(1300, texts_only=True)
    store.close()
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"secret" not in content


def test_those_who_open_and_write_at_once(url: str, record: Make) -> None:
    def put(start: int) -> None:
        store = open_store(url)
        for number in range(start, start + 20):
            store.put([record(number)])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(put, (0, 10, 20, 30)))
    assert open_store(url).count() == 50


def test_a_reader_waits_for_no_writer(tmp_path: Path, record: Make) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'log.sqlite'}")
    store.put([record(0)])
    with store.engine.begin() as writing:
        writing.execute(store.table.delete())
        assert store.count() == 1


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nothing", "the log's URL is none"),
        ("mysql://host/x", "'mysql' is no kind of log"),
        ("sqlite://", "name a file"),
        ("postgresql://ada:secret@host/x", "the URL holds a password.*PGPASSWORD"),
        ("postgresql://ada@127.0.0.1:9/x?connect_timeout=2", "can't be reached or written"),
        ("sqlite:////dev/null/log.sqlite", "can't be reached or written"),
    ],
)
def test_what_can_not_be_a_log(url: str, said: str) -> None:
    if "127.0.0.1" in url:
        pytest.importorskip("psycopg", reason="PostgreSQL needs psycopg")
    with pytest.raises(SettingError, match=said) as error:
        open_store(url)
    assert "secret" not in str(error.value)


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingError, match=r"psycopg is missing: pip install 'psycopg\[binary\]'"):
        open_store("postgresql://ada@127.0.0.1/x")


def test_a_log_of_a_later_release(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.sqlite'}"
    open_store(url).close()
    with sqlite3.connect(tmp_path / "log.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="a later release of Deepen has written it"):
        open_store(url)


def test_a_log_of_an_earlier_release_is_brought_up_to_date_with_all_it_holds(url: str, record: Make) -> None:
    from alembic import command
    from sqlalchemy import inspect, text

    store = open_store(url)
    with store.engine.begin() as connection:
        command.downgrade(migrations(connection), "0001")
    before = inspect(store.engine).get_indexes("predictions")
    assert [index["name"] for index in before] == ["predictions_at"], "as the first release made it"
    some = [record(number) for number in range(5)]
    store.put(some)
    store.close()
    again = open_store(url)
    assert {index["name"] for index in inspect(again.engine).get_indexes("predictions")} == {
        "predictions_at",
        "predictions_model_at",
    }
    assert list(again.read()) == some
    with again.engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0002"


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_text("text " * 1000, encoding="utf-8")
    with pytest.raises(SettingError, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'log.sqlite'}")


def test_the_migrations_make_the_table_that_is_used(tmp_path: Path) -> None:
    from sqlalchemy import inspect

    store = open_store(f"sqlite:///{tmp_path / 'log.sqlite'}")
    made = {column["name"] for column in inspect(store.engine).get_columns("predictions")}
    assert made == {column.name for column in store.table.columns} == set(Record.__dataclass_fields__)


INPUTS = {"text": "I am jo@example.com"}


def prediction(**other: object) -> Prediction:
    return Prediction(**{"id": "x", "output": "good", "rung": "full", "probabilities": {"good": 1.0}, **other})  # type: ignore[arg-type]


def test_a_record_has_no_text_unless_asked_and_then_masked() -> None:
    pytest.importorskip("stdnum", reason="masking needs python-stdnum")
    about = {"who": "k1", "run": "mood", "model": "f00", "inputs": INPUTS}
    plain = record_of(prediction(), **about)  # type: ignore[arg-type]
    assert (plain.text, plain.answer) == (None, '{"output": "good", "probabilities": {"good": 1.0}}')
    assert plain.input_hash == input_hash(dict(reversed(INPUTS.items())))
    kept = record_of(prediction(), keep_text=True, **about)  # type: ignore[arg-type]
    assert kept.text == '{"text": "I am <EMAIL_ADDRESS>"}'
    entities = [{"start": 5, "end": 19, "label": "WHO", "text": "jo@example.com", "score": 0.9}]
    tagged = record_of(prediction(output=["O"], probabilities=None, entities=entities), **about)  # type: ignore[arg-type]
    answered = record_of(prediction(output="jo@example.com", probabilities=None), **about)  # type: ignore[arg-type]
    skipped = record_of(prediction(skipped="row 'jo@example.com' is empty"), **about)  # type: ignore[arg-type]
    for made in (tagged, answered, skipped):
        assert "jo@" not in made.answer
    said = record_of(prediction(output="ask jo@example.com", probabilities=None), keep_text=True, **about)  # type: ignore[arg-type]
    assert '"output": "ask <EMAIL_ADDRESS>"' in said.answer


def test_what_a_database_does_not_take_is_written_otherwise(url: str) -> None:
    store = open_store(url)
    made = record_of(prediction(output=1.5), who="a\0\ud800", run="r", model="m", inputs={"text": "\0\ud800"})
    store.put([made])
    assert next(store.read()).who == "a\\x00\\ud800"
