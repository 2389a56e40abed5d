"""A run is watched: what has not changed raises no alarm, what has does, and labels say whether it does harm."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.contracts.conftest import call

import deepen
from deepen.core.errors import DataError, SettingError


def test_the_same_rows_raise_no_alarm(run: Path, same: Path) -> None:
    record = deepen.watch(run, same, say=lambda line: None)
    assert [one["alarm"] for one in record["windows"]] == [False]
    assert record["alarms"] == []
    assert record["windows"][0]["estimated"]["value"] == pytest.approx(record["held_out_accuracy"], abs=0.05)
    assert {"typos", "language", "label_shift", "new_class"} & set(record["kinds"])


def test_damaged_rows_raise_one(run: Path, other: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    twice = tmp_path / "twice.csv"
    twice.write_text(other.read_text() + other.read_text().partition("\n")[2])
    rules.write_text(f"window_rows: 250\nleast_harm: 0\nfile: {tmp_path / 'alerts.jsonl'}\n")
    lines: list[str] = []
    assert deepen.watch(run, other, say=lines.append)["alerts"] == [], "nobody is named, so nobody is told"
    record = deepen.watch(run, twice, rules=rules, write_prometheus=tmp_path / "w.prom", say=lines.append)
    [alarm] = record["alarms"]
    assert alarm["windows"] == [0, 1]
    assert alarm["words"]
    assert len(alarm["examples"]) == 20
    assert any("concept shift" in line for line in lines)
    [told] = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert told["state"] == "open"
    again = deepen.watch(run, twice, rules=rules, say=lambda line: None)
    assert again["alerts"] == []
    metrics = (tmp_path / "w.prom").read_text()
    assert 'deepen_watch_alarm{run="run"} 1' in metrics
    assert "DeepenModelWrongMoreOften" in (tmp_path / "w.rules.yml").read_text()


def test_predictions_are_watched_as_rows(run: Path, other: Path, tmp_path: Path) -> None:
    out = tmp_path / "said.jsonl"
    assert call("predict", run, other, "--out", out).code == 0
    by_rows, by_answers = (deepen.watch(run, data, say=lambda line: None) for data in (other, out))
    assert by_rows["windows"][0]["signals"] == pytest.approx(by_answers["windows"][0]["signals"])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    out.write_text("\n".join(json.dumps({key: row[key] for key in row if key != "inputs"}) for row in rows))
    lines: list[str] = []
    alone = deepen.watch(run, out, say=lines.append)
    assert set(alone["windows"][0]["signals"]) == {"predictions", "confidence"}


def test_labels_come_back(run: Path, other: Path) -> None:
    record = deepen.watch(run, other, say=lambda line: None)
    path = Path(record["to_label"])
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert len(rows) == 50
    for wrong, harm in ((40, True), (2, False)):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, ["id", "text", "answer", "label"])
            writer.writeheader()
            for at, row in enumerate(rows):
                others = [label for label in ("negative", "positive", "neutral") if label != row["answer"]]
                writer.writerow({**row, "label": others[0] if at < wrong else row["answer"]})
        found = deepen.feedback(run, path)
        assert found["labels"] == 50
        assert found["verdict"]["harm"] is harm
        assert found["verdict"]["error"][1] < wrong / 50 < found["verdict"]["error"][2]
    done = call("feedback", run, path)
    assert "no harm" in done.out


def test_what_can_not_be_watched(run: Path, same: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="one of the two"):
        deepen.watch(run)
    with pytest.raises(SettingError, match=r"must end in \.prom"):
        deepen.watch(run, same, write_prometheus=tmp_path / "w.txt", say=lambda line: None)
    few = tmp_path / "few.csv"
    few.write_text("text\ngood film\n")
    with pytest.raises(DataError, match="a window takes 50"):
        deepen.watch(run, few, columns={"text": "text"}, say=lambda line: None)
    rules = tmp_path / "rules.yaml"
    rules.write_text("window_row: 5\n")
    with pytest.raises(SettingError, match="window_rows"):
        deepen.watch(run, same, rules=rules)
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label\nx,positve\n")
    with pytest.raises(DataError, match="line 2: 'positve' is no label"):
        deepen.feedback(run, labels)


def test_the_command(run: Path, other: Path) -> None:
    done = call("watch", run, other)
    assert done.code == 0
    assert "alarm:" in done.out
    assert "precision" in done.out
    record = json.loads(call("watch", run, other, "--json").out)
    assert {"windows", "alarms"} <= set(record)
    assert {"cause", "signals", "harm", "estimated", "examples", "remedy"} <= set(record["alarms"][0])


def test_a_small_group_that_comes_up_is_seen_and_shown() -> None:
    from deepen.watching.budget import Watcher
    from deepen.watching.rows import Rows
    from deepen.watching.shown import telling_rows

    chance = np.random.default_rng(0)
    centres = chance.normal(0, 1, (21, 16))

    def rows(topics: np.ndarray, name: str) -> Rows:
        states = centres[topics] + chance.normal(0, 0.5, (len(topics), 16))
        return Rows([f"{name}{at}" for at in range(len(topics))], np.full((len(topics), 2), 0.5), states_NF=states)

    reference = rows(chance.integers(0, 20, 900), "r")
    same, other = chance.integers(0, 20, 500), np.r_[chance.integers(0, 20, 480), np.full(20, 20)]
    watcher = Watcher(reference, 500)  # of whose answers all are as sure
    found = {name: watcher.judge(watcher.view(rows(topics, name))) for name, topics in (("s", same), ("o", other))}
    assert found["s"].p_value > 0.05
    assert found["o"].p_values["groups"] <= 0.005
    assert found["o"].p_value <= 0.05
    shown = telling_rows(reference, rows(other, "o"))
    assert sum(int(one[1:]) >= 480 for one in shown) >= 15


def test_groups_do_not_ask_in_which_order_rows_come() -> None:
    from deepen.watching.signals.groups import groupings

    chance = np.random.default_rng(0)
    states, order = chance.normal(0, 1, (200, 4)), chance.permutation(200)
    for one, other in zip(groupings(states), groupings(states[order]), strict=True):
        assert (one[order] == other).all()
