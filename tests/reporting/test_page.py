"""The page: whole, self-contained, safe whatever the data holds, and with the sections the run has."""

import json
import re
import shutil
import sys
from html.parser import HTMLParser

import pytest
from tests.reporting.fabricate import make_run, write

from deepen.core.errors import DataError, SettingError
from deepen.reporting.page import write_report

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Collects elements, texts and identifiers, and checks that tags close."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.ids = [], [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def pictures(self):
        return sum(attribute == ("svg", "role", "img") for attribute in self.attributes)

    def said(self):
        return " ".join(" ".join(self.text).split())


def edited(run, folder, change):
    shutil.copytree(run, folder, dirs_exist_ok=True)
    ladder = json.loads((folder / "ladder.json").read_text(encoding="utf-8"))
    change(ladder)
    write(folder / "ladder.json", ladder)
    return Page(write_report(folder).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(run):
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_nothing_is_fetched(run):
    text = write_report(run).read_text(encoding="utf-8")
    page = Page(text)
    for tag, name, value in page.attributes:
        assert name not in {"src", "srcset", "action", "poster", "background"}, (tag, name)
        if name in {"href", "xlink:href"}:
            assert value.startswith(("#", "data:")), value
        assert not name.startswith("on"), (tag, name)
    assert "script" not in page.tags
    assert not re.search(r"url\((?!#)|@import", text)
    assert "default-src 'none'" in text
    assert len(text) < 200_000


def test_user_text_is_escaped(run):
    text = write_report(run).read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert "<img src=http" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "R&amp;D $x_1$ and $y$" in text
    assert "中性 | 一般" in text


def test_content(page):
    said = page.said()
    for words in [
        "the rung “full” was chosen",
        "accuracy on test, 95 % interval",
        "Of 600 test examples it gets",
        "the cheaper rung “top_layers” is not significantly worse",
        "What each rung bought, and what it cost",
        "The ladder",
        "skipped forecast 15 min is over the budget",
        "Before tuning and after",
        "All scores on test",
        "Each class on test, hardest first",
        "What is taken for what, on test",
        "Can its probabilities be believed?",
        "The surest mistakes",
        "12 exact duplicates",
        "/reviews it'\"'\"'s' --text",
        "versions.torch 2.13.0",
    ]:
        assert words in said, words


def test_pictures_are_described_and_share_no_id(page):
    described = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(described) == 3
    assert described[0].startswith("accuracy against time spent: majority 0.")
    assert len(page.ids) == len(set(page.ids))
    known = set(page.ids)
    for _, name, value in page.attributes:
        if name == "xlink:href":
            assert value[1:] in known


def test_mistakes_are_the_surest_and_are_cut(page):
    sure = [float(number) for number in re.findall(r"with probability ([\d.]+)", page.said())]
    assert len(sure) == 10
    assert sure == sorted(sure, reverse=True)
    assert max(len(text) for text in page.text if text.startswith("屏幕")) == 300


def test_every_colour_is_there_for_light_and_for_dark(run):
    text = write_report(run).read_text(encoding="utf-8")
    light, dark = (set(re.findall(r"--(\w+): #", part)) for part in re.findall(r":root \{([^}]*)\}", text))
    assert light == dark
    assert "prefers-color-scheme: dark" in text
    rest = re.sub(r":root \{[^}]*\}", "", text)
    assert set(re.findall(r"var\(--(\w+)\)", rest)) - {"natural"} <= light
    assert not re.findall(r"(?:fill|stroke|color|background)\s*[:=]\s*\"?#", rest), "a colour that stays as it is"


def test_curves_show_the_best_point_and_runs_without_a_loss(run, tmp_path):
    points = [(40, 0.6, 1.1), (80, 0.8, 0.5), (120, 0.7, 0.2)]
    shutil.copytree(run, tmp_path / "run")
    for losses in (True, False):
        rows = [{"rung": "full", "step": step, "name": "validation", "value": value} for step, value, _ in points]
        for row, (_, _, loss) in zip(rows, points, strict=True):
            row |= {"loss": loss} if losses else {}
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "run" / "metrics.jsonl").write_text(text, encoding="utf-8")
        page = Page(write_report(tmp_path / "run").read_text(encoding="utf-8"))
        told = next(value for _, name, value in page.attributes if name == "aria-label" and "by step" in value)
        assert told.startswith("accuracy of full on validation by step: best 0.800 at 80, last 0.700 at 120")
        assert ("training loss from 1.100 to 0.200" in told) == losses
        assert ("mean loss of the training rows" in page.said()) == losses


def test_a_damaged_curve_is_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").write_text('{"rung": "full", "step": "one"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"metrics\.jsonl is damaged"):
        write_report(tmp_path / "run")


def test_same_run_same_page(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_many_classes_give_pairs_not_a_picture(tmp_path):
    run = make_run(tmp_path, labels=[f"class {i}" for i in range(40)], n=800, test=False)
    page = Page(write_report(run).read_text(encoding="utf-8"))
    said = page.said()
    assert "The most confused pairs on validation" in said
    assert "What is taken for what" not in said
    assert "the other 28 classes" in said
    assert page.pictures() == 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seconds", [0.0, 0.143, 100.0])
def test_a_single_rung_beside_majority(run, tmp_path, seconds):
    def cut(ladder):
        ladder["rungs"] = ladder["rungs"][:2]
        ladder["rungs"][0]["seconds"] = 0.0
        ladder["rungs"][1]["seconds"] = seconds

    page = edited(run, tmp_path / "run", cut)
    assert page.pictures() == 3


def test_sections_without_content_are_left_out(run, tmp_path):
    def strip(ladder):
        for key in ("before", "data", "test", "cheapest_not_worse", "stop_reason", "seconds"):
            ladder.pop(key)
        ladder["rungs"] = [{"rung": "full", "status": "done", "score": ladder["rungs"][4]["score"], "seconds": 4.0}]

    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "rungs")
    (tmp_path / "run" / "environment.json").unlink()
    write(tmp_path / "run" / "ladder.json", json.loads((run / "ladder.json").read_text(encoding="utf-8")))
    ladder = json.loads((tmp_path / "run" / "ladder.json").read_text(encoding="utf-8"))
    strip(ladder)
    write(tmp_path / "run" / "ladder.json", ladder)
    page = Page(write_report(tmp_path / "run").read_text(encoding="utf-8"))
    headings = [
        text for text in page.text if text in ("The ladder", "How to go on", "The data", "Before tuning and after")
    ]
    assert headings == ["The ladder", "How to go on"]
    assert "svg" not in page.tags


def test_a_run_without_a_score_yet(run, tmp_path):
    page = edited(run, tmp_path / "run", lambda ladder: ladder.update(rungs=[], chosen=None, test=[], before=None))
    assert "No rung has a score yet." in page.said()


def test_scores_that_are_not_fractions_and_zero_seconds(run, tmp_path):
    def bleu(ladder):
        for row in ladder["rungs"]:
            row["seconds"] = 0.0
            if row["score"]:
                row["score"] |= {"name": "bleu", "value": 31.25, "low": 30.0, "high": 32.5}
                row["gain"] = {"value": 1.5, "low": 0.5, "high": 2.5}
        ladder["test"] = [ladder["rungs"][0]["score"]]

    said = edited(run, tmp_path / "run", bleu).said()
    assert "its BLEU is 31.2 (30.0 to 32.5)" in said
    assert "+1.5 +0.5 to +2.5" in said


def test_not_a_run(tmp_path):
    with pytest.raises(DataError, match=r"holds no ladder\.json"):
        write_report(tmp_path)


def test_without_matplotlib(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SettingError, match=r"deepen\[report\]"):
        write_report(run)
