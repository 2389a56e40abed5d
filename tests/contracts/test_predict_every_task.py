"""`deepen predict` answers a file and typed texts, printed, as JSON and into files, for every task on the shelf."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tests.contracts.conftest import Deepen, call
from tests.worlds import WORLDS

from deepen.core.errors import DataError

ALONE = {"classification", "tagging", "relation", "multilabel", "ranking"}
CHOICES = {"classification", "matching", "multilabel", "relation"}
TOGETHER = {"matching": "sentence1 and sentence2", "span_qa": "context and question"}


@pytest.fixture(scope="module", params=sorted(WORLDS))
def run(request: pytest.FixtureRequest, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A task with a run of its shallow rung, and rows.jsonl beside it."""
    task = request.param
    folder = tmp_path_factory.mktemp(task)
    rows = WORLDS[task](120)
    for name, some in (("train.jsonl", rows), ("rows.jsonl", rows[:5])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in some), encoding="utf-8")
    words = ("--task", task, "--model", tiny_model, "--rungs", "lexical", "--out", folder / "run")
    answer = call("train", folder / "train.jsonl", *words)
    assert answer.code == 0, answer.err
    return task, folder


def test_a_file(run: tuple[str, Path], deepen: Deepen, tmp_path: Path) -> None:
    task, folder = run
    rows = folder / "rows.jsonl"
    printed = deepen("predict", folder / "run", rows)
    assert (printed.code, len(printed.out.splitlines())) == (0, 5), printed.err
    assert f"{rows}: 5 rows" in printed.err
    assert "as in the training data" in printed.err
    answers = deepen("predict", folder / "run", rows, "--json").json["predictions"]
    for line, row in zip(printed.out.splitlines(), answers, strict=True):
        said = line.split("\t")[1]
        shown = row["inputs"]["text"] if task == "tagging" else next(iter(row["inputs"].values()))
        assert said.startswith(" ".join(shown.split()))
    assert deepen("predict", folder / "run", rows, "--out", "o.jsonl").code == 0
    kept = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["output"] for row in kept] == [row["output"] for row in answers]
    assert deepen("predict", folder / "run", rows, "--out", "o.csv").code == 0
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == 5
    own = {*json.loads(rows.read_text(encoding="utf-8").splitlines()[0]), "output"}
    chances = set(answers[0].get("probabilities") or ())
    assert set(cells[0]) - own == ({f"p_{label}" for label in chances} if task in CHOICES else {"probability"})
    if task in CHOICES:
        assert [{label: float(row[f"p_{label}"]) for label in chances} for row in cells] == [
            row["probabilities"] for row in answers
        ]
    assert deepen("predict", folder / "run", rows, "--out", "top.csv", "--top", "--bom").code == 0
    with (tmp_path / "top.csv").open(encoding="utf-8-sig", newline="") as file:
        assert set(next(csv.DictReader(file))) == own | {"probability"}
    assert (tmp_path / "top.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_typed_texts(run: tuple[str, Path], deepen: Deepen) -> None:
    task, folder = run
    text = "the <e1>film</e1> made the <e2>room</e2> good" if task == "relation" else "the film was good"
    typed = ("predict", folder / "run", "--text", text, "--text", text)
    if task in ALONE:
        printed = deepen(*typed)
        assert printed.code == 0
        assert not any(word in printed.err for word in ("row", "column", "note", "list")), "of texts nothing is told"
        assert len(printed.out.splitlines()) == 2
        assert len(deepen(*typed, "--json").json["predictions"]) == 2
        return
    parts = [f"{name}=the film was good" for name in TOGETHER[task].split(" and ")]
    one = deepen("predict", folder / "run", "--input", parts[0], "--input", parts[1])
    assert (one.code, len(one.out.splitlines())) == (0, 1), one.err
    wrong = deepen("predict", folder / "run", "--input", parts[0], "--input", "nonsense=x").failed("SettingError")
    assert "reads no such part" in wrong
    said = deepen(*typed).failed("DataError")
    assert f"{task} answers {TOGETHER[task]} together" in said
    remedy = said.partition("in Python: ")[2]
    Path("rows.jsonl").write_text(remedy.replace('"..."', '"the film was good"') + "\n", encoding="utf-8")
    assert len(deepen("predict", folder / "run", "rows.jsonl").out.splitlines()) == 1


def test_an_answer_and_its_explanation_tell_of_the_file_once(run: tuple[str, Path], deepen: Deepen) -> None:
    task, folder = run
    if task != "classification":
        pytest.skip("one task says it")
    pytest.importorskip("captum")
    answer = deepen("predict", folder / "run", folder / "rows.jsonl", "--explain")
    assert answer.err.count("  text: ") == 1


def test_python_says_it_too(run: tuple[str, Path]) -> None:
    import deepen

    task, folder = run
    said: list[str] = []
    from deepen.inference.model import load_model

    model = load_model(folder / "run", say=said.append)
    model.predict(str(folder / "rows.jsonl"))
    assert any(line.endswith("JSON Lines") for line in said)
    if task in TOGETHER:
        with pytest.raises(DataError, match="a text alone is half a row"):
            deepen.load(folder / "run").predict(["the film was good"])


def test_other_files_of_a_training_tell_where_their_columns_are(
    deepen: Deepen, tiny_model: Path, two_class_csv: Path
) -> None:
    with two_class_csv.open(encoding="utf-8", newline="") as file:
        rows = [(row["label"], row["text"]) for row in csv.DictReader(file)]
    tables = {"train.tsv": rows[:200], "test.csv": [("sentiment", "review"), *rows[200:]]}
    for name, some in tables.items():
        with Path(name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t" if name == "train.tsv" else ",").writerows(some)
    words = ("--test", "test.csv", "--model", tiny_model, "--rungs", "majority", "--out", "run")
    answer = deepen("train", "train.tsv", *words)
    assert answer.code == 0, answer.err
    said = answer.out + answer.err
    assert "note: test.csv: text is column 'review', by its name" in said
    assert "note: test.csv: label is column 'sentiment', by its name" in said
    assert f"test {len(rows) - 200}" in said
