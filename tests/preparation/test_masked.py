"""`train --mask`: what a run reads has no personal data in it, in training and ever after; targets survive."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contracts.conftest import call
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import DataError, SettingError
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.preparation.catalog import load_task

pytest.importorskip("stdnum", reason="masking needs python-stdnum: pip install 'deepen[serve]'")

MAIL = "jo@example.com"


def read(rows: Any, task: str, **settings: Any) -> Any:
    return load_table(rows, load_task(task).needs, DataSettings(mask="all", **settings))[0]


def rows_with_mail(num: int = 60) -> list[dict[str, Any]]:
    return [{**row, "text": f"{row['text']} {MAIL}"} for row in WORLDS["classification"](num)]


def test_a_run_masks_by_itself_ever_after(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows_with_mail())), encoding="utf-8")
    run, said = tmp_path / "run", list[str]()
    given: dict[str, Any] = {"model": tiny_model, "rungs": "majority,lexical", "say": said.append}
    deepen.train(tmp_path / "rows.jsonl", mask=True, out=run, **given)
    assert any("masked 60 EMAIL_ADDRESS" in line for line in said), said
    written = [path for path in run.rglob("*") if path.is_file() and MAIL.encode() in path.read_bytes()]
    assert written == []
    assert "EMAIL_ADDRESS" in yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))["data"]["mask"]
    told: list[str] = []
    [answer] = deepen.load(run, say=told.append).predict([f"good {MAIL}"])
    assert answer.inputs == {"text": "good <EMAIL_ADDRESS>"}
    assert any("masked 1 EMAIL_ADDRESS" in line for line in told)


def test_predict_masks_what_it_writes(tmp_path: Path, tiny_model: Path) -> None:
    deepen.train(WORLDS["classification"](60), model=tiny_model, rungs="majority,lexical", out=tmp_path / "run")
    with (tmp_path / "new.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows(
            [["who", "text"], ["13800138000", f"a good film {MAIL}"], ["me", "call 212-555-0187"]]
        )
    out = tmp_path / "answers.csv"
    said = call("predict", tmp_path / "run", tmp_path / "new.csv", "--mask", "--out", out)
    assert said.code == 0, said.err
    assert "masked 1 PHONE_NUMBER" in said.err or "1 EMAIL_ADDRESS, 1 PHONE_NUMBER" in said.err
    cells = [row[:2] for row in csv.reader(out.open(encoding="utf-8"))]
    assert cells[1:] == [["<PHONE_NUMBER>", "a good film <EMAIL_ADDRESS>"], ["me", "call <PHONE_NUMBER>"]]
    plain = call("predict", tmp_path / "run", "--text", f"good {MAIL}", "--json").json
    assert plain["predictions"][0]["inputs"] == {"text": f"good {MAIL}"}


@pytest.mark.parametrize("listed", [True, False])
def test_words_keep_their_tags(listed: bool) -> None:
    words, tags = ["Mara", "wrote", MAIL, "to", "Oslo"], ["B-PER", "O", "O", "O", "B-LOC"]
    tokens: Any = words if listed else " ".join(words)
    table = read([{"tokens": tokens, "ner_tags": tags if listed else " ".join(tags)}], "tagging")
    [row] = table.arrow.to_pylist()
    assert row["tokens"] == ["Mara", "wrote", "<EMAIL_ADDRESS>", "to", "Oslo"]
    assert row["target"] == tags
    edges = row["spans"]
    assert [row["text"][start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)] == row["tokens"]
    assert MAIL not in row["text"]


def test_spans_of_characters_move_along() -> None:
    text = f"{MAIL} (212-555-0187) met Mara in Oslo"
    spans = [{"start": text.index(word), "end": text.index(word) + 4, "label": label}
             for word, label in (("Mara", "PER"), ("Oslo", "LOC"))]  # fmt: skip
    [row] = read([{"text": text, "spans": spans}], "tagging").arrow.to_pylist()
    assert row["text"] == "<EMAIL_ADDRESS> (<PHONE_NUMBER>) met Mara in Oslo"
    assert row["tokens"] == ["<EMAIL_ADDRESS>", "(", "<PHONE_NUMBER>", ")", "met", "Mara", "in", "Oslo"]
    assert row["target"] == ["O", "O", "O", "O", "O", "B-PER", "O", "B-LOC"]


def test_several_words_of_one_number_in_a_list_are_as_many_words() -> None:
    [row] = read([{"tokens": ["ring", "0412", "345", "678"], "ner_tags": ["O"] * 4}], "tagging").arrow.to_pylist()
    assert row["tokens"] == ["ring", *["<PHONE_NUMBER>"] * 3]


def test_a_kind_that_the_task_must_find_stays_everywhere(tmp_path: Path, tiny_model: Path) -> None:
    rows = [{"tokens": [*row["tokens"], "13800138000", MAIL], "ner_tags": [*row["ner_tags"], "B-TEL", "O"]}
            for row in WORLDS["tagging"](80)]  # fmt: skip
    said: list[str] = []
    given: dict[str, Any] = {"model": tiny_model, "task": "tagging", "rungs": "majority", "say": said.append}
    run = deepen.train(rows, mask=True, out=tmp_path / "run", **given)
    assert any("PHONE_NUMBER stay unmasked: the task itself must find some of them" in line for line in said), said
    assert any("masked 80 EMAIL_ADDRESS" in line for line in said), said
    assert yaml.safe_load((run.folder / "recipe.yaml").read_text(encoding="utf-8"))["data"]["unmasked"] == [
        "PHONE_NUMBER"
    ]
    [answer] = deepen.load(run).predict([f"write to 13900139000 or {MAIL}"])
    assert answer.inputs is not None
    assert answer.inputs["text"] == "write to 13900139000 or <EMAIL_ADDRESS>"


def test_answers_in_a_text_are_found_again() -> None:
    context = f"Ask {MAIL} or the office in Oslo at 212-555-0187."
    [row] = read([{"question": "Where?", "context": context, "answers": ["Oslo"]}], "span_qa").arrow.to_pylist()
    assert row["context"] == "Ask <EMAIL_ADDRESS> or the office in Oslo at <PHONE_NUMBER>."
    assert row["context"][row["starts"][0] :].startswith("Oslo")
    table = read([{"question": "Which number?", "context": context, "answers": ["212-555-0187"]}], "span_qa")
    assert table.arrow.to_pylist()[0]["context"].endswith("at 212-555-0187.")
    assert table.changed["kept PHONE_NUMBER"] == 1


def test_both_texts_of_a_pair_and_what_is_not_asked_for() -> None:
    rows = [{"sentence1": f"is it {MAIL}", "sentence2": "or 212-555-0187", "label": "x"}]
    [row] = read(rows, "matching", unmasked=["EMAIL_ADDRESS"]).arrow.to_pylist()
    assert (row["sentence1"], row["sentence2"]) == (f"is it {MAIL}", "or <PHONE_NUMBER>")


def test_a_missing_package_is_told_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from deepen.data.masking import check_digits

    check_digits.cache_clear()
    monkeypatch.setitem(sys.modules, "stdnum", None)
    with pytest.raises(SettingError, match=r"pip install 'deepen\[serve\]'"):
        read([{"text": "a", "label": "b"}], "classification")
    with pytest.raises((SettingError, DataError), match="mask"):
        deepen.train([{"text": "a", "label": "b"}], settings=["data.mask=[MAIL]"])
