"""Fifty rows to label, and what their labels say: harm, yes or no, with a bound.

The rows are one each of fifty equally large groups, from the surest answers to the least sure. Each row has the same
chance to be drawn, so the share of wrong answers is not biased, and it varies less than with a draw of chance.

Shape legend: N rows.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.cells import plain, write_csv
from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_jsonl, write_jsonl
from deepen.core.seed import derive
from deepen.evaluation.bounds import lower_bound, upper_bound
from deepen.watching.harm import HARM
from deepen.watching.rows import Rows

FOLDER = "watch"
TO_LABEL, ASKED, LABELS = "to-label.csv", "to-label.jsonl", "labels.jsonl"
NUM = 50
_SHOWN_BY_50 = 0.15
"""The loss that fifty labels can tell from none: the verdict is which of the two is likelier."""


@dataclass(frozen=True)
class Verdict:
    """What labels say of the answers that they belong to.

    Attributes:
        harm: Whether a loss of 15 points is likelier than none.
        wrong, labelled: Of the rows that were to be labelled and now have a label.
        error: The share of wrong answers, with what it is at least and at most (95 % each).
        held_out: That of the held-out rows.
        sure: Whether the bound alone decides: a loss of 5 points is certain, or ruled out.
    """

    harm: bool
    wrong: int
    labelled: int
    error: tuple[float, float, float]
    held_out: float
    sure: bool


def to_label(rows: Rows, num: int = NUM) -> np.ndarray:
    """Which rows to label: their numbers, the least sure first."""
    order_N = np.argsort(rows.confidences_N, kind="stable")
    rng = np.random.default_rng(derive(0, "label", len(rows)))
    groups = np.array_split(order_N, min(num, len(rows)))
    return np.array([rng.choice(group) for group in groups], np.int64)


def ask(folder: Path, rows: Rows, labels: tuple[str, ...], accuracy: float) -> Path:
    """Writes the rows to label into the run: a table for people, and what was answered.

    Args:
        accuracy: Of the held-out rows.
    """
    at_N = to_label(rows)
    answers = [labels[at] for at in rows.answers_N[at_N]]
    ids = [rows.ids[at] for at in at_N]
    texts = [rows.texts[at] if rows.texts is not None else "" for at in at_N]
    kept = [{"id": one, "output": answer, "accuracy": accuracy} for one, answer in zip(ids, answers, strict=True)]
    write_jsonl(folder / FOLDER / ASKED, kept)
    table = [("id", "text", "answer", "label"), *zip(ids, texts, answers, [""] * len(ids), strict=True)]
    write_csv(folder / FOLDER / TO_LABEL, table)
    return folder / FOLDER / TO_LABEL


def verdict(wrong: int, labelled: int, accuracy: float) -> Verdict:
    """What so many wrong answers of so many labelled ones say, beside the accuracy of the held-out rows.

    Example:
        >>> verdict(16, 50, 0.85).harm, verdict(8, 50, 0.85).harm
        (True, False)
    """
    from scipy.stats import binom

    before = float(np.clip(1 - accuracy, 0.005, 0.995))
    after = min(0.995, before + _SHOWN_BY_50)
    harm = binom.pmf(wrong, labelled, after) > binom.pmf(wrong, labelled, before)
    ends = lower_bound(wrong, labelled), upper_bound(wrong, labelled)
    sure = ends[0] >= before + HARM or ends[1] < before + HARM
    return Verdict(bool(harm), wrong, labelled, (wrong / labelled, *ends), 1 - accuracy, sure)


def feedback(folder: Path, path: Path, labels: tuple[str, ...]) -> dict[str, Any]:
    """Takes true labels into the run, and says what they show.

    Args:
        path: A .csv with the columns id and label, or a .jsonl with those keys; rows without a label are left out.

    Returns:
        `labels` (how many were new), `known` (how many in all) and `verdict` (None before any row that was to be
        labelled has a label).

    Raises:
        DataError: If the file can't be read, or a label is not one of the run's.
    """
    given = _read(path)
    unknown = next((line for line, (_, label) in given.items() if label not in labels), None)
    if unknown is not None:
        shown = ", ".join(labels[:10])
        raise DataError(f"{path} line {unknown}: '{given[unknown][1][:60]}' is no label of the run; it has: {shown}")
    if not given:
        raise DataError(f"{path} has no row with an id and a label")
    store = folder / FOLDER / LABELS
    known = _known(store)
    new = dict(given.values())
    merged = known | new
    write_jsonl(store, ({"id": one, "label": label} for one, label in merged.items()))
    found = read_verdict(folder)
    return {"labels": len(new), "known": len(merged), "verdict": None if found is None else asdict(found)}


def read_verdict(folder: Path) -> Verdict | None:
    """What the labels show that came back so far; None without any."""
    asked = folder / FOLDER / ASKED
    known = _known(folder / FOLDER / LABELS)
    rows = [row for row in read_jsonl(asked) if row["id"] in known] if asked.is_file() else []
    if not rows:
        return None
    return verdict(sum(row["output"] != known[row["id"]] for row in rows), len(rows), float(rows[0]["accuracy"]))


def _known(store: Path) -> dict[str, str]:
    return {row["id"]: row["label"] for row in read_jsonl(store)} if store.is_file() else {}


def _read(path: Path) -> dict[int, tuple[str, str]]:
    """The id and the label by line."""
    if not path.is_file():
        raise DataError(f"{path} is not a file")
    if path.suffix == ".jsonl":
        rows: dict[int, Mapping[str, Any]] = dict(enumerate(read_jsonl(path), 1))
    elif path.suffix == ".csv":
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.DictReader(file)
                rows = dict((reader.line_num, row) for row in reader)  # noqa: C402 - the number changes with each row
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} can't be read as a table in UTF-8: {error}") from None
    else:
        raise SettingError(f"{path}: the name must end in .csv or .jsonl")
    first = next(iter(rows.values()), None)
    if first is not None and not {"id", "label"} <= set(first):
        raise DataError(f"{path} line 1: it needs the columns id and label, and has: {', '.join(map(str, first))}")
    return {
        line: (plain(str(row["id"])), plain(str(row["label"]).strip()))
        for line, row in rows.items()
        if row.get("id") and row.get("label") is not None and str(row["label"]).strip()
    }
