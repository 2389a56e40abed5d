"""Whatever JSON holds: a table, or one line that says what is wrong, and never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepen.core.errors import DataError
from deepen.data.load import DataSettings, load_table, look
from deepen.data.marks import ForSplit, mark_columns
from deepen.preparation.catalog import load_task, tasks

_KEYS = (
    "text label labels tokens ner_tags spans entities answer answers question context cats data annotations "
    "completions result value from_name type choices start end paragraphs qas split train test columns index "
    "content annotation points accept options sentences orth ner"
).split()
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.sampled_from([-(10**400), 2**63]),
    st.floats(),
    st.sampled_from(
        ["", "a b", "O B-PER", "PER", "accept", "reject", "train", "0", "1.0", "[0, 1]", "{'text': 1}", "\ud800"]
    ),
    st.text(max_size=6),
)
_NAMES = st.one_of(st.sampled_from(_KEYS), st.text(max_size=3))
_VALUES: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=5)),
    max_leaves=12,
)
_ROWS = st.one_of(
    st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6), min_size=1, max_size=5),
    st.lists(_VALUES, max_size=4),
    st.dictionaries(_NAMES, _VALUES, max_size=6),
    _VALUES,
)
_TASKS = st.sampled_from(sorted(tasks()))


def _read(source: Any, task: str, *, need_target: bool, bad_rows: str) -> None:
    needs = load_task(task).needs
    for held in (source, ForSplit(source, "train")):
        try:
            table, _ = load_table(held, needs, DataSettings(bad_rows=bad_rows), need_target=need_target)
        except DataError as error:
            said = str(error)
        else:
            said = str(len(list(table.all_rows().examples())))
        assert "\n" not in said


def _recognise(source: Any) -> None:
    try:
        found = look(source, DataSettings())
    except DataError:
        return
    mark_columns(found)
    for name in tasks():
        load_task(name).recognise(found)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ROWS, _TASKS, st.booleans(), st.sampled_from(["error", "drop"]), st.sampled_from(["list", "lines", "indent"]))
def test_any_json_file(tmp_path: Path, held: Any, task: str, need_target: bool, bad_rows: str, form: str) -> None:
    if form == "lines" and isinstance(held, list):
        text = "".join(json.dumps(row) + "\n" for row in held)
    else:
        text = json.dumps(held, indent=1 if form == "indent" else None)
    name = tmp_path / ("a.jsonl" if form == "lines" else "a.json")
    name.write_text(text, encoding="utf-8")
    _recognise(name)
    _read(name, task, need_target=need_target, bad_rows=bad_rows)


@settings(max_examples=60)
@given(st.lists(st.one_of(st.dictionaries(_NAMES, _VALUES, max_size=5), _SCALARS), max_size=5), _TASKS, st.booleans())
def test_any_list_of_python(held: list[Any], task: str, need_target: bool) -> None:
    _recognise(held)
    _read(held, task, need_target=need_target, bad_rows="drop")


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


CELLS: dict[str, Any] = {
    "a deep list": lambda: _deep(2000),
    "a mapping of a deep list": lambda: {"a": _deep(3000)},
    "a long number": lambda: 10**5000,
    "bytes": lambda: b"\xff",
    "mappings": lambda: {1: {2: {3: 4}}},
    "an object": object,
    "a list of long numbers": lambda: [10**5000, {"start": 10**5000, "end": 10**5001, "label": 10**5000}],
}


@pytest.mark.parametrize("task", sorted(tasks()))
@pytest.mark.parametrize("which", CELLS)
def test_cells_of_python_that_no_file_holds(which: str, task: str) -> None:
    cell = CELLS[which]()
    rows = [dict.fromkeys(("text", "label", "tokens", "context", "question", "answers", "query"), cell)] * 3
    _recognise(rows)
    _read(rows, task, need_target=False, bad_rows="drop")
    _read(rows, task, need_target=True, bad_rows="drop")


def test_what_broke_once(tmp_path: Path) -> None:
    for at, text in enumerate(
        [
            '{"version":"1","data":[{"title":"t","paragraphs":5}]}',
            '{"version":"1","data":[{"title":"t","paragraphs":[{"context":"a","qas":5}]}]}',
            '[{"text":"","ner_tags":""},{"text":"a b","ner_tags":"O B-PER"}]',
            "[" * 100_000,
            '{"a":' * 100_000,
        ]
    ):
        name = tmp_path / f"{at}.json"
        name.write_text(text, encoding="utf-8")
        _recognise(name)
        for task in tasks():
            _read(name, task, need_target=True, bad_rows="error")
