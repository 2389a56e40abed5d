"""Tables from texts, and what the checks find in them, for the tests of the data doctor."""

from __future__ import annotations

from collections.abc import Sequence

from deepen.data.check.doctor import examine
from deepen.data.check.problem import Problem, Splits
from deepen.data.columns import Need
from deepen.data.load import DataSettings, load_table
from deepen.data.table import Table

NEEDS = (Need("text", "text"), Need("label", "category"))
Rows = Sequence[tuple[str, str]]


def table(texts: Sequence[str]) -> Table:
    """Texts without labels."""
    return load_table([{"text": text} for text in texts], NEEDS[:1], DataSettings())[0]


def splits(train: Rows, **others: Rows) -> Splits:
    """Rows of text and label as splits."""
    made = {}
    for name, rows in {"train": train, **others}.items():
        given = [{"text": text, "label": label} for text, label in rows]
        made[name] = load_table(given, NEEDS, DataSettings(bad_rows="drop"))[0].all_rows()
    return Splits(made)


def problems(train: Rows, **others: Rows) -> dict[str, Problem]:
    """The first finding of each code."""
    found: dict[str, Problem] = {}
    for problem in examine(splits(train, **others)):
        found.setdefault(problem.code, problem)
    return found
