"""Columns that are not learned from: in the order of the rows, without ids, none where a line may be any of them."""

from __future__ import annotations

import json
from pathlib import Path

from deepen.data.columns import Need
from deepen.data.load import load_table
from deepen.data.marks import ForSplit
from deepen.data.settings import DataSettings
from deepen.data.unread import unread_columns

NEEDS = [Need("text", "text"), Need("label", "category")]


def unread(path: Path) -> dict[str, list[float | str | None]]:
    table, columns = load_table(str(path), NEEDS, DataSettings())
    part = table.all_rows().take(range(len(table))[::-1])  # type: ignore[arg-type]
    return unread_columns(part, ForSplit(str(path), "train"), NEEDS, DataSettings(), columns)


def test_cells_are_those_of_the_rows(tmp_path: Path) -> None:
    rows = [f"{at},text {at} here,{'xy'[at % 2]},{'tv' if at % 3 else ''},{at / 4},note {at}" for at in range(60)]
    (tmp_path / "rows.csv").write_text("\n".join(["id,text,label,product,price,note", *rows]), encoding="utf-8")
    (tmp_path / "one.csv").write_text(
        "\n".join(["id,text,label,product,price,note", *rows]).replace(",tv,", ",tv2,", 1)
    )
    assert set(unread(tmp_path / "rows.csv")) == {"price"}, "one value, ids and free text tell nothing apart"
    found = unread(tmp_path / "one.csv")
    assert found["price"] == [at / 4 for at in reversed(range(60))]
    assert found["product"] == [
        {0: None, 1: "tv2"}.get(at % 3 if at % 3 == 0 else at, "tv") for at in reversed(range(60))
    ]


def test_rows_that_share_a_line(tmp_path: Path) -> None:
    rows = [{"text": f"text {at} here", "label": "xy"[at % 2], "product": "ab"[at % 2]} for at in range(60)]
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    found = unread(path)
    assert not found or found["product"] == ["ab"[at % 2] for at in reversed(range(60))]
