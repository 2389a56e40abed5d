"""What is said in Chinese is said in Chinese to the end: the catalogue is whole, and so is what commands print.

`UPDATE_GOLDEN=1 pytest tests/contracts/test_chinese.py` writes the files of golden_output/zh anew.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from tests.contracts import test_golden
from tests.contracts.conftest import Deepen, Finished
from tests.contracts.test_golden import assert_as_before, columns, plain, printed

from deepen.core.chinese import catalogue, translated
from deepen.core.language import is_chinese, told

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
import messages

FILES = Path(__file__).parent / "golden_output" / "zh"
SAME = ("train", "evaluate", "predict", "predict-file", "check", "runs", "cache", "bench", "help")
COMMANDS = {name: test_golden.COMMANDS[name] for name in SAME} | {
    "train-help": ("train", "--help"),
    "predict-help": ("predict", "--help"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_printed_in_chinese(
    name: str, finished: Finished, deepen: Deepen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DEEPEN_LANG", "zh")
    out = printed(COMMANDS[name], finished, deepen, monkeypatch, tmp_path)
    found = plain(out, tmp_path / "runs" / "finished", finished.folder, finished.data, tmp_path)
    assert_as_before(found, FILES / f"{name}.txt")


def test_a_terminal_of_80_columns_is_kept(deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_LANG", "zh")
    monkeypatch.setenv("COLUMNS", "80")
    for words in (("--help",), ("predict", "--help"), ("check", "--help"), ("export", "--help")):
        shown = [line for line in deepen(*words).out.splitlines() if not line.strip().startswith(("deepen", "cat"))]
        assert [line for line in shown if columns(line) > 80] == []


def test_nothing_that_is_said_lacks_a_translation() -> None:
    known = {template for _, template, chinese in catalogue() if chinese}
    missing = [f"{path}: {text}" for text, path in messages.messages().items() if text not in known]
    assert not missing, "\n".join(["translate these in src/deepen/core/zh (`=` if no person reads it):", *missing])


def test_a_new_message_would_be_missed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = "{n} row{'' if n == 1 else 's'} fell off{' twice' if n else ''}"
    (tmp_path / "a.py").write_text(f'def f(n):\n    """Not this one."""\n    say(f"{said}")\n')
    (tmp_path / "a.html.jinja").write_text("<p>{% if x %}On {{ x }}, so far.{% endif %}</p>")
    monkeypatch.setattr("messages.SOURCE", tmp_path)
    assert list(messages.messages()) == ["{} row{s} fell off{}", "twice", "On {}, so far"]


@pytest.mark.parametrize("room", sorted({room for room, _, _ in catalogue()}))
def test_no_line_is_half_translated(room: str) -> None:
    lines = [chinese for its_room, _, chinese in catalogue() if its_room == room and chinese != "="]
    assert [line for line in lines if messages.english(line)] == []
    assert messages.english("第 {} 行 is empty") == ["empty"]


def test_every_place_of_a_translation_is_one_of_its_message() -> None:
    for room, template, chinese in catalogue():
        places = re.findall(r"\{(\d*)!?\}", chinese)
        most = template.count("{}")
        assert all(int(place) < most for place in places if place), (room, template, chinese)
        assert sum(not place for place in places) <= most, (room, template, chinese)


def test_no_message_is_translated_twice() -> None:
    templates = [template for _, template, _ in catalogue()]
    assert len(templates) == len(set(templates))


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        (
            "a.csv line 7: label 'fine' is not in the training data; did you mean 'film'?",
            "a.csv 第 7 行：标签 'fine' 不在训练数据中；是不是想写 'film'？",
        ),
        (
            "chosen: full; the cheapest that is not significantly worse: frozen; 3 s in all",
            "选中：full；没有显著更差的最便宜的一级：frozen；共 3 秒",
        ),
        (
            "a.csv has one class only: every label is 'happy'; a classifier needs two",
            "a.csv 只有一个类别：每个标签都是 'happy'；分类器需要两个",
        ),
        (
            "a.csv has no column 'zz' for text; the columns are id, text, label",
            "a.csv 没有列 'zz' 可作为 text；列有 id, text, label",
        ),
        (
            "note: a.csv: normalisation changed control characters in 1, white space in 112 of the texts in 120 rows",
            "提示：a.csv：规范化改动了 120 行中的文本（处数）：控制字符 1，空白 112",
        ),
        (
            "model 'nope' is not on this machine: the hub gave no answer (OSError): behind a proxy set HTTPS_PROXY, "
            "and where the hub can't be reached, HF_ENDPOINT to a mirror; did you mean 'none'?",
            "模型 'nope' 不在这台机器上：hub 没有回答（OSError）：如在代理之后，请设置 HTTPS_PROXY；连不上 hub 时，把 "
            "HF_ENDPOINT 设为镜像；是不是想写 'none'？",
        ),
        (
            "gate not passed: the 14 new rows gain nothing: +0.0 points [+0.0, +0.0]",
            "门槛未通过：14 个新的行没有提高：+0.0 分 [+0.0, +0.0]",
        ),
        ("  warning: 2 of 300 rows are bad, and up to 1 % are left out unasked (--set data.bad_rows=drop)", None),
        ("text is column 'is empty', by its name; 'body' could be it too: --columns text=body", None),
        ("a.csv is damaged: it holds no JSON object", "a.csv 已损坏：其中没有 JSON 对象"),
    ],
)
def test_a_message_is_found_by_its_template(english: str, chinese: str | None) -> None:
    found = translated(english)
    assert chinese is None or found == chinese
    assert messages.english(found) == [], found


def test_words_of_a_person_stay_as_they_are() -> None:
    review = "the box is empty, and a value is missing in line 3"
    assert translated(f"{review}\tpositive", ours=False) == f"{review}\tpositive"
    assert review in translated(f"a.csv line 3: label '{review}' is not in the training data; choose from: row, none")
    assert translated("choose from: row, none") == "可选：row, none"


def test_the_language_is_that_of_the_system_unless_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DEEPEN_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert told("A run folder.") == "A run folder."
    monkeypatch.setenv("LANG", "zh_CN.UTF-8")
    assert told("A run folder.") == "运行文件夹。"
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert not is_chinese()
    monkeypatch.setenv("DEEPEN_LANG", "zh-CN")
    assert is_chinese()


def test_a_language_that_there_is_not(deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_LANG", "fr")
    assert "DEEPEN_LANG=fr" in deepen("runs").failed("SettingError")


def test_errors_are_chinese_and_their_records_english(deepen: Deepen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPEN_LANG", "zh")
    answer = deepen("predict", "nowhere", "--text", "a", "--json")
    assert answer.code == 2
    assert answer.json["error"]["message"].endswith("`deepen train` makes one")
    assert "`deepen train` 可以生成" in answer.err


def test_english_costs_nothing(deepen: Deepen) -> None:
    sys.modules.pop("deepen.core.chinese")
    deepen("runs")
    assert "deepen.core.chinese" not in sys.modules
