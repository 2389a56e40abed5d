"""Answers without a network, saved and read again."""

from __future__ import annotations

from pathlib import Path

from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.preparation.catalog import load_task
from deepen.shallow.texts import Memory, Says, commonest, lead, load_memory, load_says

SOURCES = ["Cats sleep. Dogs run. Birds sing.", "Rain falls. It is cold. We stay.", "A red car. It stops. We wait."]


def part(texts: list[str]) -> object:
    rows = [{"document": text, "summary": "x y"} for text in texts]
    return load_table(rows, load_task("summarisation").needs, DataSettings())[0].all_rows()


def test_as_many_first_sentences_as_answers_have(tmp_path: Path) -> None:
    made = lead(["One. Two.", "One. Two.", "One."])
    assert made.predict(part(SOURCES[:1])).texts == ("Cats sleep. Dogs run.",)
    made.save(tmp_path)
    assert load_says(tmp_path).predict(part(SOURCES)).texts == made.predict(part(SOURCES)).texts


def test_the_source_and_the_commonest() -> None:
    assert Says().predict(part(SOURCES[:1])).texts == (SOURCES[0],)
    assert commonest(["yes", "no", "no"]).predict(part(SOURCES)).texts == ("no", "no", "no")


def test_the_most_similar_row_answers(tmp_path: Path) -> None:
    memory = Memory(SOURCES, ["animals", "weather", "traffic"])
    assert memory.predict(part(["a cold day of rain", "cats and birds"])).texts == ("weather", "animals")
    assert memory.nearest([SOURCES[1]], 1, [1])[0, 0] != 1
    memory.save(tmp_path)
    assert load_memory(tmp_path).predict(part(["the car stops"])).texts == ("traffic",)
