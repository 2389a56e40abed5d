"""What can be put right gets exit code 2 and one line that says how; nothing is left behind, half-written or empty."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.contracts.conftest import Deepen, Finished

ROWS = "".join(f"{'good' if i % 2 else 'bad'} film number {i},{'yes' if i % 2 else 'no'}\n" for i in range(60))
GOOD = f"text,label\n{ROWS}"
MANY = "text,label\n" + "".join(f"text number {i},label {i}\n" for i in range(400))
BIG = "text,label\n" + f"good,yes\n{'x' * 1_000_000},no\n" + ROWS

DATA: list[tuple[str, str | bytes | None, list[str], str]] = [
    ("missing file", None, [], r"data\.csv .*(does not exist|not there|no such)"),
    ("empty file", "", [], r"data\.csv is empty"),
    ("header only", "text,label\n", [], r"data\.csv.*(header|no rows|empty)"),
    ("binary", bytes(range(256)) * 40, [], r"data\.csv.*(binary|not text|UTF-8)"),
    ("an image", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(500), [], r"data\.csv"),
    ("wrong delimiter", GOOD, ["--set", "data.delimiter=;"], r"data\.csv.*(column|delimiter)"),
    (
        "one class",
        "text,label\n" + "".join(f"film {i},yes\n" for i in range(50)),
        [],
        r"data\.csv.*(one|single).*'?yes",
    ),
    ("hundreds of labels", MANY, [], r"data\.csv.*400"),
    ("an empty text", GOOD + 2 * ",yes\n", [], r"data\.csv line 62.*(empty|text)"),
    ("a blank text", GOOD + 2 * '"   ",yes\n', [], r"data\.csv line 62"),
    ("an empty label", GOOD + 2 * "a film,\n", [], r"data\.csv line 62.*label"),
    ("a ragged row", GOOD + 2 * "a film,yes,maybe,no\n", [], r"data\.csv line 62.*(4|cells|columns)"),
    ("a cell of 1 MB", BIG, [], r"data\.csv line 3.*1,000,000"),
    ("not UTF-8", b"text,label\n" + "caf\xe9,yes\nno,no\n".encode("latin-1") * 20, [], r"data\.csv line 2"),
    ("an unknown column", GOOD, ["--columns", "text=txt"], r"no column 'txt' .*did you mean 'text'"),
    ("a column of nothing", GOOD, ["--columns", "txt=text"], r"'txt'.*did you mean 'text'"),
    ("too few rows", "text,label\na,yes\nb,no\n", [], r"data\.csv"),
]
SETTINGS: list[tuple[str, list[str], str]] = [
    ("a strange budget", ["--budget", "5parsecs"], r"5parsecs.*90s, 5m or 1\.5h"),
    ("no budget", ["--budget", "0s"], r"above 0"),
    ("an unknown rung", ["--rungs", "frozn"], r"unknown rung 'frozn'; did you mean 'frozen'"),
    ("an unknown task", ["--task", "classificaton"], r"did you mean 'classification'"),
    ("an unknown method", ["--tuning", "lorra"], r"'tuning'"),
    (
        "an unknown key",
        ["--set", "rungs.full.learning_rat=1"],
        r"rungs\.full\.learning_rat.*did you mean 'learning_rate'",
    ),
    ("an unknown section", ["--set", "laddr.worth=1"], r"unknown key 'laddr'; did you mean 'ladder'"),
    ("a value of another kind", ["--set", "rungs.full.num_epochs=many"], r"rungs\.full\.num_epochs.*'many'"),
    ("a word without =", ["--set", "seed"], r"dotted\.key=value"),
    ("no --columns", ["--columns", ""], r"--columns '': write it as text=title\+description,label=stars"),
    ("a need twice", ["--columns", "text=text,text=label"], r"--columns .*'text' is given twice"),
    ("a column twice", ["--columns", "text=text,label=text"], r"column 'text' is named twice, for text and for label"),
    ("half of --columns", ["--columns", "text"], r"text=title\+description,label=stars"),
    ("a recipe that is not there", ["--recipe", "gone.yaml"], r"gone\.yaml"),
    ("a recipe that is a list", ["--recipe", "list.yaml"], r"list\.yaml.*sections"),
    ("a recipe that is no YAML", ["--recipe", "bad.yaml"], r"bad\.yaml is not YAML"),
    ("a recipe with a wrong key", ["--recipe", "key.yaml"], r"key\.yaml: unknown key 'data\.tst'; did you mean 'test'"),
    ("a section that is none", ["--recipe", "data.yaml"], r"data\.yaml: 'data' is 5: it must be a section with set"),
    ("a model section that is none", ["--recipe", "model.yaml"], r"model\.yaml: 'model' is 'x': it must be a section"),
    ("rungs that are a list", ["--recipe", "rungs.yaml"], r"rungs\.yaml: 'rungs' is \[\]: it must be a section"),
    ("a set value below no section", ["--recipe", "data.yaml", "--set", "data.check=true"], r"'data' holds a value"),
    ("no list", ["--set", "data.label_cuts=5"], r"'data\.label_cuts' is 5: it must be a list$"),
    ("a list", ["--set", "seed=[1, a]"], r"'seed' is \[1, \"a\"\]: it must be a whole number$"),
    (
        "too few",
        ["--set", "rungs.lexical.strengths=[]"],
        r"'rungs\.lexical\.strengths' is \[\]: it must have at least 1",
    ),
    ("half a pair", ["--set", "rungs.lexical.word_ngrams=[1]"], r"word_ngrams\.1' .*a value is missing$"),
    ("a choice", ["--set", "data.bad_rows=keep"], r"'data\.bad_rows' is 'keep': it must be 'auto', 'error' or 'drop'$"),
    ("a share", ["--set", "data.validation_share=2"], r"'data\.validation_share' is 2: it must be at most 0\.5$"),
    ("maybe", ["--set", "data.check=maybe"], r"'data\.check' is 'maybe': it must be true or false$"),
    ("cuts that fall", ["--set", "data.label_cuts=[2, 1]"], r"'data': label_cuts must rise$"),
    ("resume without out", ["--resume"], r"--resume needs --out"),
]


def left(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def no_leftovers(cache: Path) -> None:
    assert not [path for path in cache.rglob("*") if path.name.endswith((".part", ".old"))]


@pytest.fixture
def here(tmp_path: Path, tiny_model: Path, deepen: Deepen) -> Any:
    """`here(*words)`: deepen train with the tiny model in a folder with bad recipes; nothing new may appear in it."""
    Path("list.yaml").write_text("- 1\n")
    Path("bad.yaml").write_text("a: [1\n")
    Path("key.yaml").write_text("data: {tst: x}\n")
    Path("data.yaml").write_text("data: 5\n")
    Path("model.yaml").write_text("model: x\n")
    Path("rungs.yaml").write_text("rungs: []\n")
    Path("good.csv").write_text(GOOD)

    def train(*words: object, kind: str) -> str:
        before = left(tmp_path)
        model = [] if "--model" in words else ["--model", tiny_model]
        line = deepen("train", *words, *model, "--json").failed(kind)
        assert left(tmp_path) == before, "nothing is left behind"
        no_leftovers(Path(os.environ["DEEPEN_CACHE"]))
        return line

    return train


@pytest.mark.parametrize(("content", "words", "says"), [pytest.param(*case, id=name) for name, *case in DATA])
def test_data(here: Any, content: str | bytes | None, words: list[str], says: str) -> None:
    if content is not None:
        Path("data.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    assert_says(here("data.csv", *words, kind="DataError"), says)


def assert_says(line: str, pattern: str) -> None:
    assert re.search(pattern, line), line
    assert len(line) < 500, line


def test_an_empty_folder(here: Any) -> None:
    Path("data").mkdir()
    assert_says(here("data", kind="DataError"), r"data is an empty folder")


def test_not_a_number(here: Any) -> None:
    rows = [{"text": f"film {i}", "label": i % 2} for i in range(60)] + 2 * [{"text": "film", "label": float("nan")}]
    Path("data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert_says(here("data.jsonl", kind="DataError"), r"data\.jsonl line 61.*label")


@pytest.mark.parametrize("option", ["--test", "--validation"])
def test_a_label_that_was_never_trained(here: Any, option: str) -> None:
    Path("other.csv").write_text("text,label\na film,yes\na film,nope\nb film,nope\n")
    line = here("good.csv", option, "other.csv", kind="DataError")
    assert_says(line, r"other\.csv line 3.*'nope'.*")


@pytest.mark.parametrize("option", ["--test", "--validation", "--labels"])
def test_another_file_that_is_not_there(here: Any, option: str) -> None:
    assert_says(here("good.csv", option, "gone.csv", kind="DataError"), r"gone\.csv")


@pytest.mark.parametrize(("words", "says"), [pytest.param(*case, id=name) for name, *case in SETTINGS])
def test_settings(here: Any, words: list[str], says: str) -> None:
    line = here("good.csv", *words, kind="SettingError")
    assert_says(line, says)
    assert not re.search("Input should|Value error|valid tuple|dictionary", line), "that is how pydantic speaks"


@pytest.mark.parametrize("size", ["abc", "2"])
def test_several_processes(here: Any, monkeypatch: pytest.MonkeyPatch, size: str) -> None:
    monkeypatch.setenv("WORLD_SIZE", size)
    assert_says(here("good.csv", kind="SettingError"), rf"WORLD_SIZE is {size}, but a climb runs in one process")


def test_no_data(here: Any) -> None:
    assert_says(here(kind="SettingError"), r"no data: name a file")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("gone", r"no such folder|not on this machine"),
        ("cut", r"model\.safetensors.*can't be read"),
        ("garbage", r"model\.safetensors.*can't be read"),
        ("pickled", r"pytorch_model\.bin is a pickle, which can run code"),
        ("config", r"config\.json is not readable JSON"),
        ("gpt2", r"not the weights that config\.json tells of: the network has 124,439,808 numbers"),
        ("tokenizer", r"tokenizer\.json: not a tokenizer"),
        ("other weights", r"not the weights that config\.json tells of"),
    ],
)
def test_models(here: Any, tiny_model: Path, damage: str, says: str) -> None:
    model = Path("model")
    if damage != "gone":
        shutil.copytree(tiny_model, model)
    weights = model / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif damage == "garbage":
        weights.write_bytes(b"garbage" * 1000)
    elif damage == "pickled":
        weights.unlink()
        torch.save({}, model / "pytorch_model.bin")
    elif damage == "config":
        (model / "config.json").write_text("{")
    elif damage == "gpt2":
        (model / "config.json").write_text('{"model_type": "gpt2"}')
    elif damage == "tokenizer":
        (model / "tokenizer.json").write_text("{}")
    elif damage == "other weights":
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    assert_says(here("good.csv", "--model", "./model", kind="ModelError"), says)


def test_a_model_with_a_near_name(here: Any) -> None:
    line = here("good.csv", "--model", "all-MiniLM-L6", kind="ModelError")
    assert_says(line, r"did you mean 'all-MiniLM-L6-v2'")


def test_out_below_a_file(here: Any) -> None:
    Path("taken").write_text("")
    for out in ("taken", "taken/run"):
        assert_says(
            here("good.csv", "--out", out, kind="SettingError"), rf"can't write {out}: .* is a file, not a folder"
        )


def test_out_without_permission(here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    assert_says(here("good.csv", "--out", "run", kind="SettingError"), r"can't write run: no permission to write there")


def test_a_full_disk(deepen: Deepen, tiny_model: Path) -> None:
    """With a limit on the size of a file, which fails as a full disk does."""
    Path("good.csv").write_text(GOOD)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, most[1]))
    try:
        answer = deepen("train", "good.csv", "--model", tiny_model, "--out", "run")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert_says(answer.failed("SettingError"), r"can't write .*: the system does not allow files of that size")
    assert not list(Path("run").rglob("*.part"))
    again = deepen("train", "--out", "run", "--resume", "--json")
    assert again.code == 0, again.err


def test_predictions_on_a_full_disk(deepen: Deepen, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("good.csv").write_text(GOOD)
    assert deepen("train", "good.csv", "--model", tiny_model, "--rungs", "majority", "--out", "run").code == 0
    Path("answers.csv").write_text("text,output\nwhat was there before,a\n")

    replace = Path.replace

    def full(path: Path, target: Path) -> Path:
        if target.name == "answers.csv":
            raise OSError(28, "No space left on device")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", full)
    line = deepen("predict", "run", "good.csv", "--out", "answers.csv").failed("SettingError")
    assert line == "can't write answers.csv: the disk is full"
    assert Path("answers.csv").read_text() == "text,output\nwhat was there before,a\n"
    assert not list(Path().glob(".answers*"))


def test_answers_replace_nothing_but_answers(finished: Finished, deepen: Deepen) -> None:
    Path("mine.csv").write_text("text,label\na film,good\n")
    line = deepen("predict", finished.folder, "--text", "a film", "--out", "mine.csv").failed("SettingError")
    assert line == "--out mine.csv is there and holds something else than answers: give them another name"
    assert Path("mine.csv").read_text() == "text,label\na film,good\n"
    for name in ("a.csv", "a.jsonl"):
        for _ in range(2):
            assert deepen("predict", finished.folder, "--text", "a film", "--out", name).code == 0


def test_columns_of_flags_are_no_class(deepen: Deepen, tiny: tuple[str, str]) -> None:
    rows = "".join(f"film {at},{int(at % 3 == 0)},{int(at % 3 == 1)},{int(at % 3 == 2)}\n" for at in range(60))
    Path("t.csv").write_text("text,a,b,c\n" + rows)
    words = ("train", "t.csv", *tiny, "--rungs", "majority", "--columns", "text=text,label=a+b+c", "--task")
    assert "--task multilabel reads a column for each label" in deepen(*words, "classification").failed("DataError")
    assert deepen(*words, "multilabel").code == 0


def test_added_rows_that_are_held_out_or_contradict_are_said(deepen: Deepen, tiny: tuple[str, str]) -> None:
    words = "ash birch cedar elm fir hazel larch maple oak pine rowan willow yew plum pear".split()
    texts = [f"{words[at % 15]} {words[at * 4 % 13]} {words[at * 7 % 11]} tree {at}" for at in range(120)]
    Path("t.csv").write_text("text,label\n" + "".join(f"{text},{'ab'[at % 2]}\n" for at, text in enumerate(texts)))
    Path("m.csv").write_text("text,label\n" + "".join(f"{text},{'ba'[at % 2]}\n" for at, text in enumerate(texts[:30])))
    said = deepen("train", "t.csv", *tiny, "--rungs", "majority", "--add", "m.csv", "--json").err
    assert "m.csv: where train is what is added," in said
    assert "m.csv: with what is added," in said
