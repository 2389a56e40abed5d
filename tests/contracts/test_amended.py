"""--drop and --fix: training rows left out or labelled anew, with the same split, repeated by the recipe."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.conftest import Deepen
from tests.worlds import WORLDS

from deepen import api
from deepen.core.cells import guarded
from deepen.core.errors import DataError
from deepen.core.run import Run
from deepen.data.load import DataSettings, load_table
from deepen.data.table import Part
from deepen.diagnosis.case import open_case
from deepen.preparation.catalog import load_task
from deepen.preparation.training_rows import by_lists

LABELS = ("bad", "good")


def parts_of(task: str = "classification", num_rows: int = 60) -> tuple[Part, Part]:
    table, _ = load_table(WORLDS[task](num_rows), load_task(task).needs, DataSettings())
    whole = table.all_rows()
    return whole.take(whole.rows_N[: num_rows - 10]), whole.take(whole.rows_N[num_rows - 10 :])


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return str(path)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_only_the_named_training_rows_change(form: str, tmp_path: Path) -> None:
    train, held = parts_of()
    ids, targets, held_ids = list(train.values("id")), list(train.values("target")), list(held.values("id"))
    other = {"good": "bad", "bad": "good"}
    fix = [{"id": ids[at], "label": other[targets[at]]} for at in (3, 4)] + [{"id": ids[5], "label": ""}]
    fix += [{"id": held_ids[0], "label": "good"}, {"id": held_ids[1], "label": "bad"}, {"id": "no", "label": "bad"}]
    drop = [{"id": ids[at]} for at in (0, 7)]
    found = by_lists(
        train, held, LABELS, drop=write(tmp_path / f"d.{form}", drop), fix=write(tmp_path / f"f.{form}", fix)
    )
    kept = [at for at in range(len(ids)) if at not in (0, 7)]
    assert list(found.train.values("id")) == [ids[at] for at in kept]
    expected = [other[targets[at]] if at in (3, 4) else targets[at] for at in kept]
    assert list(found.train.values("target")) == expected
    assert list(found.train.values("text")) == [text for at, text in enumerate(train.values("text")) if at in kept]
    assert list(found.validation.values("target")) == list(held.values("target"))
    assert list(found.validation.values("id")) == held_ids
    assert found.validation.table is found.train.table, "one table is read once"
    assert found.train.table.fingerprint == train.table.fingerprint, "what was computed from its texts stays good"
    said = " ".join(found.notes)
    assert "2 training rows left out" in said
    assert "2 training labels changed" in said
    assert "2 ids are validation rows" in said
    assert "1 of 5 ids are of no row" in said


def test_the_mark_tells_lists_apart(tmp_path: Path) -> None:
    train, held = parts_of()
    ids = list(train.values("id"))
    one, two = (write(tmp_path / f"{n}.csv", [{"id": ids[n]}]) for n in (1, 2))
    marks = [by_lists(train, held, LABELS, drop=path).mark for path in (None, one, two, one)]
    assert marks[0] == ""
    assert marks[1] == marks[3] != marks[2]
    fixes = [write(tmp_path / f"f{label}.csv", [{"id": ids[0], "label": label}]) for label in LABELS]
    assert by_lists(train, held, LABELS, fix=fixes[0]).mark != by_lists(train, held, LABELS, fix=fixes[1]).mark


@pytest.mark.parametrize(
    ("text", "fix", "said"),
    [
        ("id\nnobody\nno one\n", False, "none of its 2 ids is a training row"),
        ("name\nx\n", False, "one of them `id`"),
        ("id,text\n{0},x\n", True, "line 2: there is no 'label'"),
        ("id,label\n{0},goood\n", True, "line 2: label 'goood' is not in the data; did you mean 'good'?"),
        ("id,label\n{0},good\n{0},bad\n", True, "line 3: id {0} has another label above"),
        ('{{"id": 1\n', False, "line 1: not JSON"),
    ],
)
def test_a_wrong_list_is_one_line(text: str, fix: bool, said: str, tmp_path: Path) -> None:
    train, held = parts_of()
    first = next(train.values("id"))
    path = tmp_path / "list.csv"
    path.write_text(text.format(first), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        by_lists(train, held, LABELS, **{"fix" if fix else "drop": str(path)})
    assert said.format(first) in str(caught.value)
    assert "list.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_row_of_a_label_left(tmp_path: Path) -> None:
    train, held = parts_of()
    good = [
        {"id": name} for name, label in zip(train.values("id"), train.values("target"), strict=True) if label == "good"
    ]
    with pytest.raises(DataError, match="no training row of the label 'good'"):
        by_lists(train, held, LABELS, drop=write(tmp_path / "d.csv", good))
    with pytest.raises(DataError, match="does not exist"):
        by_lists(train, held, LABELS, drop=str(tmp_path / "gone.csv"))
    (tmp_path / "latin.csv").write_bytes(b"id\ncaf\xe9\n")
    with pytest.raises(DataError, match="not UTF-8"):
        by_lists(train, held, LABELS, drop=str(tmp_path / "latin.csv"))


def test_tags(tmp_path: Path) -> None:
    train, held = parts_of("tagging")
    labels = load_task("tagging").labels(train, None)
    [first, second] = list(train.take(train.rows_N[:2]).values("id"))
    tags = next(train.values("target"))
    new = ["I-ORG", *["O"] * (len(tags) - 1)]
    rows = [{"id": first, "label": " ".join(new)}]
    found = by_lists(train, held, labels, fix=write(tmp_path / "f.csv", rows))
    assert next(found.train.values("target")) == ["B-ORG", *["O"] * (len(tags) - 1)], "an entity begins with B-"
    listed = by_lists(train, held, labels, fix=write(tmp_path / "f.jsonl", [{"id": first, "label": new}]))
    assert listed.mark == found.mark
    for wrong, said in ((["O"] * (len(tags) + 1), "tags for a row of"), (["B-PET"] * len(tags), "tag 'B-PET'")):
        with pytest.raises(DataError, match=said):
            by_lists(train, held, labels, fix=write(tmp_path / "w.jsonl", [{"id": first, "label": wrong}]))
    assert len(by_lists(train, held, labels, drop=write(tmp_path / "d.csv", [{"id": second}])).train) == len(train) - 1


def test_labels_that_look_like_formulas(tmp_path: Path) -> None:
    rows = [{"text": f"row {n}", "label": ("-a", "a")[n % 2]} for n in range(20)]
    table, _ = load_table(rows, load_task("classification").needs, DataSettings())
    train = table.all_rows()
    path = write(tmp_path / "f.csv", [{"id": list(train.values("id"))[1], "label": guarded("-a")}])
    found = by_lists(train, train.take(train.rows_N[:0]), ("-a", "a"), fix=path)
    assert list(found.train.values("target"))[:3] == ["-a", "-a", "-a"]


def _weights(run: str) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in Path(run).glob("model/**/*.safetensors")}


def test_through_the_command(two_class_csv: Path, tiny_model: Path, deepen: Deepen) -> None:
    words = ["--model", tiny_model, "--rungs", "majority,frozen"]
    assert deepen("train", two_class_csv, *words, "--out", "plain").code == 0
    train = open_case(Path("plain")).train
    assert train is not None
    ids = list(train.values("id"))
    write(Path("drop.csv"), [{"id": name} for name in ids[:30]])
    write(Path("fix.csv"), [{"id": name, "label": "positive"} for name in ids[30:70]])
    lists = ["--drop", "drop.csv", "--fix", "fix.csv"]
    said = deepen("train", two_class_csv, *words, *lists, "--out", "less")
    assert said.code == 0, said.err
    assert "30 training rows left out" in said.out
    less, plain_run = Run(Path("less")), Run(Path("plain"))
    assert less.ladder["data"]["train"] == plain_run.ladder["data"]["train"] - 30
    assert less.ladder["data"]["validation"] == plain_run.ladder["data"]["validation"]
    said_of = [(Path(run) / "rungs/majority/predictions-validation.jsonl").read_text() for run in ("less", "plain")]
    held = [[(json.loads(line)["id"], json.loads(line)["target"]) for line in text.splitlines()] for text in said_of]
    assert held[0] == held[1], "the same rows decide"
    assert _weights("less") != _weights("plain")

    assert deepen("train", "--recipe", "less/recipe.yaml", "--out", "again").code == 0
    assert _weights("again") == _weights("less"), "the recipe repeats it"
    assert open_case(Path("less")).train_targets.labels_M[:40].tolist() == [1] * 40

    assert deepen("train", two_class_csv, *words, *lists, "--out", "less", "--resume").code == 0
    deepen("train", two_class_csv, *words, "--drop", "fix.csv", "--out", "less", "--resume").failed("SettingError")
    write(Path("drop.csv"), [{"id": name} for name in ids[:20]])
    deepen("train", two_class_csv, *words, *lists, "--out", "less", "--resume").failed("SettingError")
    case = open_case(Path("less"), two_class_csv)
    assert case.train is None
    assert "changed" in case.missing
    said = deepen("train", two_class_csv, *words, "--drop", "gone.csv", "--out", "x").failed("DataError")
    assert "gone.csv" in said
    assert not Path("x").exists()


def test_an_unfinished_run_refuses_another_list(
    two_class_csv: Path, tiny_model: Path, deepen: Deepen, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = api.train(str(two_class_csv), model=tiny_model, rungs="majority", out="first").folder
    ids = list(open_case(train).train.values("id"))  # type: ignore[union-attr]
    write(Path("drop.csv"), [{"id": ids[0]}])
    from deepen.preparation.catalog import shelf

    climb = shelf()["frozen"].climb

    def stop(*given: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setitem(shelf(), "frozen", replace(shelf()["frozen"], climb=stop))
    words = ["--model", tiny_model, "--rungs", "majority,frozen", "--drop", "drop.csv", "--out", "run"]
    assert deepen("train", two_class_csv, *words).code == 130
    monkeypatch.setitem(shelf(), "frozen", replace(shelf()["frozen"], climb=climb))
    write(Path("drop.csv"), [{"id": ids[1]}])
    said = deepen("train", two_class_csv, *words, "--resume").failed("DataError")
    assert "not what the run began with" in said
    write(Path("drop.csv"), [{"id": ids[0]}])
    assert deepen("train", two_class_csv, *words, "--resume").code == 0


def test_added_rows_are_learned_and_never_held_out(two_class_csv: Path, tiny_model: Path, deepen: Deepen) -> None:
    words = ["--model", tiny_model, "--rungs", "majority,frozen"]
    more = [{"label": "positive", "text": f"a fine addition, number {n}"} for n in range(12)]
    assert deepen("train", two_class_csv, *words, "--out", "plain").code == 0
    said = deepen("train", two_class_csv, *words, "--add", write(Path("more.csv"), more), "--out", "run")
    assert said.code == 0, said.err
    assert "12 rows added to the training rows" in said.out
    plain_run, run = Run(Path("plain")), Run(Path("run"))
    assert run.ladder["data"]["train"] == plain_run.ladder["data"]["train"] + 12
    assert run.ladder["data"]["validation"] == plain_run.ladder["data"]["validation"]
    train = open_case(Path("run")).train
    assert train is not None
    assert list(train.values("text"))[-12:] == [row["text"] for row in more]
    assert _weights("run") != _weights("plain")
    assert deepen("train", "--recipe", "run/recipe.yaml", "--out", "again").code == 0
    assert _weights("again") == _weights("run")
    write(Path("more.csv"), more[1:])
    deepen("train", two_class_csv, *words, "--add", "more.csv", "--out", "run", "--resume").failed("SettingError")
    said = deepen("train", two_class_csv, *words, "--add", "gone.csv", "--out", "x").failed("DataError")
    assert "gone.csv" in said
    write(Path("odd.csv"), [{"text": "what is this", "label": "neither"}])
    assert "neither" in deepen("train", two_class_csv, *words, "--add", "odd.csv", "--out", "x").failed("DataError")


def test_added_rows_in_the_form_of_the_data_or_of_the_task(tiny_model: Path, tmp_path: Path) -> None:
    rows = [(f"{word} thing {n}", label) for n in range(40) for word, label in (("nice", "1"), ("poor", "0"))]
    (tmp_path / "plain.tsv").write_text("".join(f"{text}\t{label}\n" for text, label in rows))
    (tmp_path / "more.tsv").write_text("a very poor one\t0\nanother poor one\t0\n")
    named = write(tmp_path / "more.csv", [{"text": "a very poor one", "label": "0"}])
    for add, num in ((str(tmp_path / "more.tsv"), 2), (named, 1)):
        settings = ["data.validation_at_least=20"]
        given: dict[str, Any] = {"model": tiny_model, "rungs": "majority", "settings": settings, "overwrite": True}
        run = api.train(str(tmp_path / "plain.tsv"), add=add, out=tmp_path / "run", **given)
        assert run.ladder["data"]["train"] == 60 + num
