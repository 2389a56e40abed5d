"""Bad rows of a run: few are left out, counted, shown and listed; the recipe says what that came to and repeats it."""

from __future__ import annotations

import csv
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contracts.conftest import Deepen, Finished

from deepen import train

RUNGS = ("--rungs", "majority,lexical")


def write(name: str, *extra: str, num: int = 300, labels: tuple[str, ...] = ("good", "bad")) -> str:
    rng = random.Random(7)
    words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(300)]
    good = [f"{' '.join(rng.sample(words, 8))} {('fine', 'poor')[at % 2]},{labels[at % 2]}" for at in range(num)]
    Path(name).write_text("\n".join(["text,label", *good[:5], *extra, *good[5:]]) + "\n", encoding="utf-8")
    return name


def left(run: str) -> list[list[str]]:
    path = Path(run, "left-out.csv")
    return list(csv.reader(path.open(newline="", encoding="utf-8"))) if path.is_file() else []


def recipe(run: str) -> dict[str, Any]:
    return dict(yaml.safe_load(Path(run, "recipe.yaml").read_text(encoding="utf-8")))


def content(run: str) -> list[bytes]:
    """What a rung left, but for how long it took."""
    folder = Path(run, "rungs", "lexical")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    assert len(paths) > 3
    return [re.sub(rb'"seconds": [\d.e-]+', b"", path.read_bytes()) for path in paths]


def test_left_out_rows_of_every_file_are_listed(deepen: Deepen, tiny: tuple[str, str], tmp_path: Path) -> None:
    data = write("train.csv", ",good", "=1+1,good,=cmd()", num=300)
    words = ["--validation", write("held.csv", "x,"), "--test", write("test.csv", "a,new label", "b,\x1b[31mred")]
    words += ["--add", write("more.csv", ",bad")]
    answer = deepen("train", data, *words, *RUNGS, *tiny, "--out", "run", "--json")
    assert left("run") == [
        ["file", "line", "reason"],
        ["train.csv", "7", "text is empty"],
        ["train.csv", "8", "3 cells where the other rows have 2: likely a comma inside an unquoted cell"],
        ["held.csv", "7", "label is empty"],
        ["test.csv", "7", "label 'new label' is not in the training data"],
        ["test.csv", "8", "label '[31mred' is not in the training data"],
        ["more.csv", "7", "text is empty"],
    ]
    assert (
        "train.csv: 2 bad rows of 302 left out, the first: train.csv line 7: text is empty; train.csv line"
        in answer.err
    )
    said = "2 of 302 rows are left out, which can't be scored: label 'new label' is not in the training data (1 row)"
    assert f"test.csv: {said}" in answer.err
    assert next(score["n"] for score in answer.json["test"] if score["name"] == "accuracy") == 300


def test_what_auto_came_to_is_in_the_recipe_and_repeats_the_run(deepen: Deepen, tiny: tuple[str, str]) -> None:
    for name, extra, came_to in (("clean", (), "error"), ("spoilt", (",good",), "drop")):
        deepen("train", write(f"{name}.csv", *extra), *RUNGS, *tiny, "--out", name, "--json")
        assert recipe(name)["data"]["bad_rows"] == came_to
        assert bool(left(name)) == bool(extra)
        again = deepen("train", "--recipe", f"{name}/recipe.yaml", "--out", f"{name}-2", "--json")
        assert again.code == 0
        assert content(name) == content(f"{name}-2")
        assert left(name) == left(f"{name}-2")
        assert recipe(f"{name}-2") == recipe(name)
        resumed = deepen("train", f"{name}.csv", *RUNGS, *tiny, "--out", name, "--resume", "--json")
        assert (resumed.code, resumed.json["chosen"]) == (0, again.json["chosen"])
    assert content("clean") == content("spoilt"), "the rest is learned from as if the bad row was not there"


def test_a_run_without_bad_rows_has_no_list(finished: Finished) -> None:
    assert not (finished.folder / "left-out.csv").exists()


def test_an_earlier_recipe_keeps_its_word(deepen: Deepen, tiny: tuple[str, str]) -> None:
    write("train.csv", ",good")
    Path("old.yaml").write_text("data: {path: train.csv, bad_rows: error}\nladder: {rungs: [majority]}\n")
    line = deepen("train", "--recipe", "old.yaml", *tiny, "--out", "run", "--json").failed("DataError")
    assert line == "train.csv line 7: text is empty (--set data.bad_rows=drop leaves such rows out)"
    assert (
        deepen("train", "--recipe", "old.yaml", *tiny, "--set", "data.bad_rows=auto", "--out", "run", "--json").code
        == 0
    )


def test_above_one_in_a_hundred_training_stops_and_counts(deepen: Deepen, tiny: tuple[str, str]) -> None:
    data = write("train.csv", *[",good"] * 4)
    line = deepen("train", data, *RUNGS, *tiny, "--out", "run", "--json").failed("DataError")
    assert line == (
        "train.csv line 7: text is empty; 4 of 304 rows are bad, and up to 1 % are left out unasked "
        "(--set data.bad_rows=drop leaves such rows out)"
    )
    assert not Path("run").exists()
    assert deepen("train", data, *RUNGS, *tiny, "--out", "run", "--set", "data.bad_rows=drop", "--json").code == 0
    assert len(left("run")) == 5


@pytest.mark.parametrize("extra", [["a,new"] * 4, ["a,"] * 4, ["a,new", "b,other", "c,", "d,new"]])
def test_rows_that_cant_be_scored(finished: Finished, deepen: Deepen, extra: list[str]) -> None:
    test = write("test.csv", *extra, labels=("positive", "negative"))
    words = ("evaluate", finished.folder, test, "--rung", "majority", "--json")
    line = deepen(*words).failed("DataError")
    assert "test.csv line 7: label" in line
    assert "up to 1 % are left out unasked (--set data.bad_rows=drop leaves such rows out)" in line
    answer = deepen(*words, "--set", "data.bad_rows=drop")
    assert answer.json["num_examples"] == 300
    if "a,new" in extra:
        many = extra.count("a,new") + extra.count("d,new")
        assert f"label 'new' is not in the training data ({many} rows)" in answer.err
    few = write("few.csv", "a,new", labels=("positive", "negative"))
    answer = deepen("evaluate", finished.folder, few, "--rung", "majority", "--json")
    assert answer.json["num_examples"] == 300
    assert "few.csv: 1 of 301 rows is left out, which can't be scored: label 'new'" in answer.err
    strict = deepen(*words[:2], few, "--set", "data.bad_rows=error", "--json").failed("DataError")
    assert "few.csv line 7: label 'new' is not in the training data" in strict


def test_many_labels_and_tags_that_are_unknown(tiny_model: Path, tmp_path: Path) -> None:
    many = [{"text": f"text {at}", "labels": ["a", "b"][: 1 + at % 2]} for at in range(60)]
    run = train(many, task="multilabel", rungs="majority", model=tiny_model, out=tmp_path / "many")
    from deepen import load

    odd = [*many, {"text": "odd", "labels": ["a", "z"]}]
    assert next(score.n for score in load(run).evaluate(odd)) > 0
    tags = [{"tokens": ["x", f"w{at}"], "ner_tags": ["B-PER", "O"]} for at in range(60)]
    run = train(tags, task="tagging", rungs="majority", model=tiny_model, out=tmp_path / "tags")
    told: list[str] = []
    load(run, say=told.append).evaluate([*tags, {"tokens": ["x", "y"], "ner_tags": ["B-GOD", "O"]}])
    assert any(
        "1 of 61 rows is left out" in line and "the type 'GOD' is not in the training data" in line for line in told
    )
    shutil.rmtree(tmp_path / "many")
