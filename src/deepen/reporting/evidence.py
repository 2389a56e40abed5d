"""The evidence and the examples of a finding as texts and tables, whatever question they answer.

Evidence is a list of dictionaries with a `kind`. A kind with a single row becomes a line of facts, the others a table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deepen.core.files import read_jsonl
from deepen.reporting import words

_MOST_KINDS = 30
_MOST_ROWS = 200
_MOST_COLUMNS = 14
_MOST_EXAMPLES = 50
_MOST_UNKNOWN = 20
_MOST_ITEMS = 12
_MOST_DIFFERENCES = 6
_SHORT_TABLE = 6
_MOST_CHARACTERS = 300
_WITHIN = "95 % interval"


@dataclass(frozen=True, slots=True)
class Table:
    """Evidence rows of one kind, as texts; folded if it is long or a picture tells the same."""

    kind: str
    head: list[str]
    body: list[list[str]]
    is_number: list[bool]
    num_rows: int
    folded: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of a finding: single rows as facts, each with its kind, and tables; how many kinds are left out."""

    facts: list[tuple[str, str]]
    tables: list[Table]
    num_left_out: int


@dataclass(frozen=True, slots=True)
class Examples:
    """The examples of a finding: those whose prediction is in the run, and the ids of the others."""

    known: list[dict[str, Any]]
    unknown: list[str]
    num_left_out: int


def by_kind(rows: Sequence[Any], *, drawn: Collection[str] = ()) -> Evidence:
    """Evidence by kind; the figures of kinds that a picture tells already (`drawn`) are folded."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        plain = row if isinstance(row, Mapping) else {"value": row}
        groups.setdefault(str(plain.get("kind", "")), []).append(plain)
    facts, tables = [], []
    for kind, group in list(groups.items())[:_MOST_KINDS]:
        cells = [_cells(row) for row in group[:_MOST_ROWS]]
        name = words.shorten(kind.replace("_", " "), 80) or "evidence"
        if len(group) == 1 and kind not in drawn:
            facts.append((name, _fact(cells[0])))
        else:
            tables.append(_table(name, cells, num_rows=len(group), folded=kind in drawn or len(group) > _SHORT_TABLE))
    return Evidence(facts, tables, max(0, len(groups) - _MOST_KINDS))


def _cells(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row, with inner dictionaries laid flat and the ends of an interval put together."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        inner = value if isinstance(value, Mapping) else {"": value}
        if key != "kind":
            flat |= {words.shorten(f"{key} {name}".replace("_", " "), 60): item for name, item in inner.items()}
    if _is_number(flat.get("low")) and _is_number(flat.get("high")):
        within = f"{_text(flat['low'])} to {_text(flat['high'])}"
        flat = {(_WITHIN if key == "low" else key): value for key, value in flat.items() if key != "high"}
        flat[_WITHIN] = within
    return flat


def _fact(cells: Mapping[str, Any]) -> str:
    parts: list[str] = []
    for key, value in cells.items():
        if key == _WITHIN and parts:
            parts[-1] += f" ({value})"
        else:
            parts.append(f"{key} {_text(value)}")
    return ", ".join(parts)


def _table(kind: str, cells: Sequence[Mapping[str, Any]], *, num_rows: int, folded: bool) -> Table:
    head = list(dict.fromkeys(key for row in cells for key in row))[:_MOST_COLUMNS]
    values = [[row.get(key) for key in head] for row in cells]
    is_number = [
        key == _WITHIN or all(_is_number(value) or value is None for value in column)
        for key, column in zip(head, zip(*values, strict=True), strict=True)
    ]
    return Table(kind, head, [[_text(value) for value in row] for row in values], is_number, num_rows, folded)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    """A value of a JSON file as a person reads it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        more = ["…"] if len(value) > _MOST_ITEMS else []
        return words.shorten(", ".join([*map(_text, value[:_MOST_ITEMS]), *more]), _MOST_CHARACTERS)
    return words.shorten(value, _MOST_CHARACTERS)


def tell_apart(evidence: Sequence[Sequence[Any]]) -> list[str]:
    """What tells the findings of one question apart: the first text in their evidence, else a number."""
    if len(evidence) == 1:
        return [""]
    found = [_name(rows) for rows in evidence]
    if "" in found or len(set(found)) < len(found):
        return [f"{at} of {len(found)}" for at in range(1, len(found) + 1)]
    return found


def _name(rows: Sequence[Any]) -> str:
    first = rows[0] if rows and isinstance(rows[0], Mapping) else {}
    for key, value in first.items():
        if key != "kind" and isinstance(value, str) and value.strip():
            return words.shorten(f"{key.replace('_', ' ')}: {value}", 80)
    return ""


def find_examples(rung: Path, ids: Collection[str]) -> dict[str, words.Record]:
    """Predictions of a rung on some examples by id, on test or else validation; others are left out."""
    wanted = set(ids)
    found: dict[str, words.Record] = {}
    for where in ("test", "validation"):
        path = rung / f"predictions-{where}.jsonl"
        if wanted and path.is_file():
            for line in read_jsonl(path):
                name = line.get("id")
                if isinstance(name, str) and name in wanted:
                    found[name] = line
                    wanted.remove(name)
                    if not wanted:
                        break
    return found


def look_up(ids: Sequence[str], known: Mapping[str, words.Record]) -> Examples:
    """The examples of a finding, most telling first: at most fifty with their predictions, and twenty other ids."""
    there = [name for name in dict.fromkeys(ids) if name in known]
    others = [words.shorten(name, 80) for name in dict.fromkeys(ids) if name not in known]
    shown, listed = there[:_MOST_EXAMPLES], others[:_MOST_UNKNOWN]
    left_out = len(there) + len(others) - len(shown) - len(listed)
    return Examples([_example(known[name]) for name in shown], listed, left_out)


def _example(line: words.Record) -> dict[str, Any]:
    inputs = line.get("inputs")
    inputs = inputs if isinstance(inputs, Mapping) else {}
    texts = {key: value for key, value in inputs.items() if isinstance(value, str)} or inputs
    target, output, told = line.get("target"), line.get("output"), line.get("probabilities")
    sure = told.get(str(output)) if isinstance(told, Mapping) else None
    return {
        "inputs": [(words.shorten(key, 80), words.shorten(value, _MOST_CHARACTERS)) for key, value in texts.items()],
        "right": output in (target or [""])
        if isinstance(target, list) and isinstance(output, str)
        else target == output,
        "units": _differences(inputs.get("tokens"), target, output),
        "target": _text(target),
        "output": _text(output),
        "probability": f"{sure:.3f}" if _is_number(sure) else "",
    }


def _differences(tokens: Any, target: Any, output: Any) -> list[tuple[str, str, str]] | None:
    """Of a tagged sentence the words that are wrong, with their tags; None if it is no sentence of tags."""
    lists = [value for value in (tokens, target, output) if isinstance(value, list)]
    if len(lists) < 3 or len({len(value) for value in lists}) > 1:
        return None
    wrong = [unit for unit in zip(*lists, strict=True) if unit[1] != unit[2]]
    return [(_text(word), _text(tag), _text(said)) for word, tag, said in wrong[:_MOST_DIFFERENCES]]
