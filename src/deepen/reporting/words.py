"""Numbers and records as a person reads them, the same in the model card and on the page."""

from __future__ import annotations

import math
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import jinja2
from pydantic import BaseModel

from deepen.core.ladder import Ladder, ScoreRecord

Record = Mapping[str, Any]
"""A JSON object of docs/reference/records.md: a score, a gain."""

_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_OUT_OF_100 = {"bleu", "chrf"}
_TITLES = {
    "mcc": "Matthews correlation (MCC)",
    "log_loss": "log loss",
    "ece": "calibration error (ECE)",
    "mrr": "mean reciprocal rank",
    "bleu": "BLEU",
    "chrf": "chrF",
    "mae": "mean absolute error",
}


def title(name: str) -> str:
    """A score's name in words, e.g. `macro F1` for `macro_f1`. An unknown name gets spaces for its underscores."""
    return _TITLES.get(name) or name.replace("_f1", " F1").replace("_", " ")


def number(value: float | None, *, name: str = "") -> str:
    """A score's value: three digits, one for BLEU and chrF. None is shown as a dash."""
    if value is None:
        return "–"
    return f"{value:.1f}" if name in _OUT_OF_100 else f"{value:.3f}"


def score(record: Record | None) -> str:
    """A score with its interval, e.g. `0.924 (0.912 to 0.935)`. A dash for None."""
    if not record:
        return "–"
    text = number(record["value"], name=record["name"])
    within = interval(record)
    return f"{text} ({within})" if within else text


def interval(record: Record) -> str:
    """The 95 % interval of a score, e.g. `0.912 to 0.935`. Empty if it has none."""
    if record.get("low") is None or record.get("high") is None:
        return ""
    return f"{number(record['low'], name=record['name'])} to {number(record['high'], name=record['name'])}"


def gain(record: Record | None, *, name: str = "") -> str:
    """A difference in points, e.g. `+1.2 (+0.3 to +2.1)`: hundredths, or points of BLEU and chrF; a dash for None."""
    value, within = gain_parts(record, name=name)
    return f"{value} ({within})" if within else value


def gain_parts(record: Record | None, *, name: str = "") -> tuple[str, str]:
    """A difference in points and its interval: `+1.2` and `+0.3 to +2.1`; a dash and nothing where they lack."""
    if not record or record.get("value") is None:
        return "–", ""
    # Adding 0.0 turns -0.0 into 0.0, so that "no difference" carries no minus sign.
    found = {
        key: round(points(record[key], name=name), 1) + 0.0
        for key in ("value", "low", "high")
        if record.get(key) is not None
    }
    within = f"{found['low']:+.1f} to {found['high']:+.1f}" if len(found) == 3 else ""
    return f"{found['value']:+.1f}", within


def points(difference: float, *, name: str = "") -> float:
    """A difference of two scores in points: hundredths of a fraction, or points of BLEU and chrF as they are."""
    return difference if name in _OUT_OF_100 else 100.0 * difference


def p_value(value: float | None) -> str:
    """How likely chance alone does as well, e.g. `0.013` or `< 0.001`; empty for None."""
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def seconds(value: float | None) -> str:
    """A duration, e.g. `0.4 s`, `45 s`, `5 min 12 s`, `2 h 5 min`. None is shown as a dash."""
    if value is None:
        return "–"
    if value < 9.95:
        return f"{value:.1f} s" if value >= 0.05 or value == 0 else f"{value:.3f} s"
    whole = round(value)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = whole % 3600 // 60
    return f"{whole // 3600} h" + (f" {minutes} min" if minutes else "")


def count(value: float | None) -> str:
    """A whole number with commas between thousands; a dash for None."""
    return "–" if value is None else f"{int(value):,}"


def shorten(text: Any, length: int) -> str:
    """One line of at most `length` characters, printable and read in its own direction; an ellipsis for the rest."""
    plain = str(text).translate(_TURNING)
    plain = "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in plain)
    plain = " ".join(plain.split())
    return plain if len(plain) <= length else plain[: length - 1].rstrip() + "…"


def readable(record: Any) -> Any:
    """A record with None for numbers that are none (NaN, infinity); a score of such a value is left out."""
    if isinstance(record, BaseModel):
        return record.model_copy(update={name: readable(value) for name, value in record})
    if isinstance(record, dict):
        out = {key: readable(value) for key, value in record.items()}
        lost = {"name", "value"} <= out.keys() and out["value"] is None
        return None if lost else out
    if isinstance(record, list | tuple):
        return type(record)(item for item in map(readable, record) if item is not None)
    return None if isinstance(record, float) and not math.isfinite(record) else record


def find(scores: Sequence[ScoreRecord] | None, name: str, *, label: str | None = None) -> ScoreRecord | None:
    """The score of that name and label. `label` is that of a per-class score, None for an overall one."""
    for record in scores or ():
        if record["name"] == name and record.get("label") == label:
            return record
    return None


def final_scores(ladder: Ladder) -> tuple[str, Sequence[ScoreRecord]]:
    """Where the chosen rung was scored last, and its scores there.

    `test` if there is a test set; else `out-of-fold` if the climb was cross-validated, or `validation`.
    """
    row = ladder.chosen_row
    test = ladder.test or row.test
    if test:
        return "test", test
    where = "out-of-fold" if ladder.data and ladder.data.folds else "validation"
    return where, row.validation or ([row.score] if row.score else [])


def main_score(ladder: Ladder) -> ScoreRecord | None:
    """The score the ladder was climbed by, of the chosen rung, on test if there is one."""
    _, scores = final_scores(ladder)
    climbed_by = ladder.chosen_row.score
    return find(scores, climbed_by["name"]) if climbed_by else None


def class_rows(scores: Sequence[Record]) -> list[dict[str, Any]]:
    """Per-label scores as table rows, hardest class first: `n` labelled so, and the records, None where missing."""
    rows: dict[str, dict[str, Any]] = {}
    for record in scores:
        label = record.get("label")
        if label is not None:
            row = rows.setdefault(label, {"label": label, "n": None, "precision": None, "recall": None, "f1": None})
            name = record["name"].removeprefix("entity_")
            if name in ("precision", "recall", "f1"):
                row[name] = record
            if name == "recall":
                row["n"] = record["n"]
    return sorted(rows.values(), key=lambda row: row["f1"]["value"] if row["f1"] else 0.0)


def rendered(template: str, context: Mapping[str, Any]) -> str:
    """A template of this room, filled in; what goes into HTML is escaped."""
    return _templates().get_template(template).render(context)


@cache
def _templates() -> jinja2.Environment:
    """They are compiled once a process: that takes longer than all else that a card needs."""
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("deepen.reporting", "."),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.globals["words"] = sys.modules[__name__]
    return env
