"""The diagnosis on the page and on the card: any finding is shown, whatever it holds, and damage is one line."""

import copy
import json
import random
import re
import shutil

import pytest
from tests.reporting.fabricate import LABELS, make_diagnosis, make_finding, score, write
from tests.reporting.test_page import Page

from deepen.core.errors import DataError
from deepen.core.ladder import read_ladder
from deepen.reporting import charts
from deepen.reporting.card import card
from deepen.reporting.findings import lay_out, read_diagnosis
from deepen.reporting.page import write_report
from deepen.reporting.strips import depth_picture, map_picture, strip


@pytest.fixture
def page_of(run, tmp_path):
    """Writes a diagnosis into a copy of the run and reads the page."""

    def made(diagnosis):
        folder = tmp_path / "run"
        if not folder.exists():
            shutil.copytree(run, folder)
        (folder / "diagnosis.json").write_text(json.dumps(diagnosis))
        return Page(write_report(folder).read_text(encoding="utf-8"))

    return made


def wrapped(*findings):
    return {"where": "test", "n": 600, "findings": list(findings)}


def test_a_run_that_was_not_diagnosed_has_no_such_part(run):
    page = Page(write_report(run).read_text(encoding="utf-8"))
    assert "diagnosis" not in page.ids
    assert read_diagnosis(run, "full") is None


def test_every_verdict_with_its_figures(page_of):
    page = page_of(make_diagnosis())
    said = page.said()
    for words in [
        "How does it get its score?",
        "The model was tried on 600 examples ( test ).",
        "What did each rung add, and for whom?",
        "✓ deep",
        "▲ shallow × 2",
        "? unclear",
        "– not applicable",
        "0.886 0.871 to 0.901",
        "+7.0 +5.1 to +9.0",
        "Accuracy of 600 examples; the effect is in points; bands are 95 % intervals; p < 0.001.",
        "How it may mislead. The control is the rung lexical .",
        "cue: tuesday",
        "deepen train --recipe runs/x/recipe.yaml --out runs/x-2 --set augmentation.mask=tuesday",
        "correlation 0.0527 (0.0038 to 0.1013)",
        "only 3 rows have a near-duplicate in train",
        "right once, then lost 9.6 %",
    ]:
        assert words in said, words
    assert len(page.ids) == len(set(page.ids))
    links = [value for tag, name, value in page.attributes if tag == "a" and name == "href"]
    assert links
    assert all(link.startswith("#") and link[1:] in page.ids for link in links)


def test_the_questions_come_in_the_order_of_their_titles_and_others_last(page_of):
    findings = [make_finding("zebra"), make_finding("depth"), make_finding("zebra")]
    found = lay_out(wrapped(*findings) | {"titles": {"depth": "What did each rung add?"}})
    assert [(question.name, len(question.shown)) for question in found.questions] == [("depth", 1), ("zebra", 2)]
    assert [question.title for question in found.questions] == ["What did each rung add?", "zebra"]
    assert "zebra: 2 findings." in page_of(wrapped(*findings)).said()


def test_questions_without_titles_as_in_0_1_go_by_their_names(page_of):
    findings = [make_finding("partial_input"), make_finding("depth")]
    found = lay_out(wrapped(*findings))
    assert [(question.name, question.title) for question in found.questions] == [
        ("partial input", "partial input"),
        ("depth", "depth"),
    ]
    assert "partial input" in page_of(wrapped(*findings)).said()


def test_it_fetches_nothing(page_of):
    page = page_of(make_diagnosis())
    assert not [item for item in page.attributes if item[1] in {"src", "srcset", "action", "poster", "background"}]
    assert all(value.startswith(("#", "data:")) for _, name, value in page.attributes if name.endswith("href"))
    assert "script" not in page.tags


def test_examples_are_looked_up_and_the_others_named(page_of):
    page = page_of(wrapped(make_finding("depth", examples=["0", "5", "not-there", "0"])))
    said = page.said()
    assert "By id, since these are not among the run's predictions: not-there" in said
    assert said.count("battery lasts two days labelled") >= 1


def test_a_tagged_example_names_the_words_that_are_wrong(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    line = {"id": "a", "inputs": {"text": "in Rome", "tokens": ["in", "Rome"]}, "target": ["O", "B-LOC"]}
    path = tmp_path / "run" / "rungs" / "full" / "predictions-test.jsonl"
    path.write_text(json.dumps(line | {"output": ["O", "B-PER"]}), encoding="utf-8")
    write(tmp_path / "run" / "diagnosis.json", wrapped(make_finding("x", examples=["a"])))
    said = Page(write_report(tmp_path / "run").read_text(encoding="utf-8")).said()
    assert "in Rome Rome labelled B-LOC , it says B-PER" in said


HOSTILE = '</section><script>alert(1)</script>" onload="x" {{ 7*7 }} \ud800 \u202e `'


def test_everything_is_escaped(page_of):
    finding = make_finding(
        HOSTILE,
        evidence=[{"kind": HOSTILE, HOSTILE: HOSTILE, "inner": {HOSTILE: 1}}] * 2
        + [{"kind": "first_right", "rung": HOSTILE, "share": 0.5}],
        examples=[HOSTILE],
        caveat=HOSTILE,
        remedy=HOSTILE,
    )
    depth = {**finding, "question": "depth"}
    page = page_of({"where": HOSTILE, "n": 1, "findings": [finding, depth, depth]})
    assert "script" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "{{ 7*7 }}" in page.said()


def test_thousands_of_rows_stay_readable(page_of, tmp_path):
    rows = [{"kind": "cue", "cue": f"word {n}", "z": n / 7, "low": 0.1, "high": 0.2} for n in range(5000)]
    kinds = [{"kind": f"kind {n}", "n": n} for n in range(500)]
    found = [make_finding("depth", evidence=rows + kinds, examples=[str(n) for n in range(9000)])]
    found += [make_finding("many", evidence=[{"kind": "cue", "cue": f"c{n}"}]) for n in range(300)]
    page = page_of(wrapped(*found))
    said = page.said()
    assert "4,800 more rows are in diagnosis.json." in said
    assert "more kinds of evidence are in diagnosis.json" in said
    assert "300 findings, of which 40 are shown" in said
    assert "8,930 more are in diagnosis.json." in said
    assert (tmp_path / "run" / "report.html").stat().st_size < 500_000


def test_the_finding_that_accuses_most_speaks_for_its_question():
    weak = make_finding("q", verdict="shallow", effect={"value": -0.02, "low": -0.03, "high": -0.01})
    strong = make_finding("q", verdict="shallow", effect={"value": -0.3, "low": -0.4, "high": -0.2})
    calm = make_finding("q", verdict="deep", effect={"value": 0.9, "low": 0.8, "high": 0.95})
    [question] = lay_out(wrapped(calm, weak, strong)).questions
    assert question.first.effect == strong["effect"]
    assert question.verdicts == [("shallow", 2), ("deep", 1)]
    assert [shown.name for shown in question.shown] == ["1 of 3", "2 of 3", "3 of 3"]


def places(axis, *names):
    return [float(axis.picture.split(f'{name}="')[-1].split("%")[0]) for name in names]


def test_the_strip_puts_numbers_where_they_belong():
    drawn = strip(score(0.75, 0.5, 1.0), score(0.25, None, None), {"value": 4.0 / 100, "low": -0.01, "high": 0.05})
    assert drawn.observed.ticks == ("0", "0.5", "1")
    assert places(drawn.observed, "x1", "cx") == [50.0, 75.0]
    assert places(drawn.control, "x1", "cx") == [25.0, 25.0]
    assert drawn.effect.ticks == ("-5", "0", "+5")
    assert places(drawn.effect, "x1", "cx") == [40.0, 90.0]


@pytest.mark.parametrize("value", [0.0, -1e300, 1e308, -0.4, 31.2])
def test_any_number_is_drawn_inside_its_axis(value):
    record = {"name": "bleu", "value": value, "low": value, "high": value, "n": 3}
    drawn = strip(record, record, {"value": value, "low": value, "high": value})
    for axis in (drawn.observed, drawn.control, drawn.effect):
        assert 0 <= places(axis, "cx")[0] <= 100


def test_the_bars_of_depth_are_the_shares():
    found = depth_picture(make_diagnosis()["findings"][0]["evidence"])
    assert [part.name for part in found.legend] == ["lexical", "full", "right once, then lost", "never right"]
    assert sum(part.share for part in found.legend) == pytest.approx(1)
    assert [bar.name for bar in found.bars] == ["all", *LABELS]
    assert "lexical: 70.0 %" in found.bars[0].picture
    assert 'x="70.000%"' in found.bars[0].picture
    assert not depth_picture([{"kind": "first_right", "rung": "x", "share": "much"}, 3, None]).bars


def test_the_map_draws_every_cell(page_of):
    cells = [(0.9, 0.0, 1800), (0.5, 0.45, 7), (0.0, 0.0, 30)]
    rows = [{"kind": "map", "confidence": up, "variability": right, "n": n} for up, right, n in cells]
    found = map_picture([*rows, {"kind": "map", "confidence": "high", "variability": 0, "n": 3}, 3])
    assert found.told == "map of 1,837 training rows"
    assert re.findall(r'x="(\d+)%" y="(\d+)%"', found.plot) == [("0", "0"), ("90", "40"), ("0", "90")]
    assert "1,800 rows, confidence from 0.9" in found.plot
    assert not map_picture([{"kind": "region", "n": 3}]).plot
    page = page_of(wrapped(make_finding("data_map", evidence=rows)))
    assert "confidence in the given label" in page.said()


def test_many_labels_are_folded(page_of):
    labels = [{"kind": "label", "label": f"l{n}", "n": 5, "first_right": {"full": 0.4}} for n in range(40)]
    rows = [{"kind": "first_right", "rung": "full", "share": 0.4, "n": 80}, *labels]
    assert "the other 25 labels" in page_of(wrapped(make_finding("depth", evidence=rows))).said()


DAMAGED = ["", "null", "[]", "{}", '{"where": "test", "n": 1, "findings": 3}', '{"where": 1, "n": 1, "findings": []}']
DAMAGED += ['{"where": "t", "n": 1, "findings": [null]}', '{"where": "t", "n": 1, "findings": [{"question": "q"}]}']
DAMAGED += ['{"where": "t", "n": 1, "findings": [{"question": "q", "verdict": "guilty"}]}']
DAMAGED += ['{"where": "t", "n": 1, "findings": [{"question": "q", "verdict": "deep", "p_value": NaN}]}']


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_file_is_named_in_one_line(run, tmp_path, text):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "diagnosis.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as error:
        write_report(tmp_path / "run")
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_no_mutation_gives_a_traceback(run, tmp_path, monkeypatch):
    """Values anywhere in a diagnosis replaced or removed: a page, or one line."""
    for name in ("score_picture", "confusion_picture", "calibration_picture"):  # they take most of a page's time
        monkeypatch.setattr(charts, name, lambda *given, **more: "")
    shutil.copytree(run, tmp_path / "run")
    chance = random.Random(0)
    nested = []
    for _ in range(300):
        nested = [nested]
    odd = [None, "", "x", -1, 10**30, 1e308, float("nan"), float("inf"), True, [], {}, [[[]]], {"kind": []}, {"": {}}]
    said = [tried(tmp_path / "run", chance, [*odd, nested]) for _ in range(40)]
    assert said.count("") >= 5, "too few were shown for the test to mean something"
    assert len(said) - said.count("") >= 5, "too few were refused"
    assert not [line for line in said if "\n" in line or (line and "diagnosis.json is damaged" not in line)]


def tried(run, chance, odd):
    """What is said of a diagnosis in which a few values are odd; empty if it is shown."""
    diagnosis = copy.deepcopy(make_diagnosis())
    for _ in range(chance.randint(1, 2)):
        finding = chance.choice(diagnosis["findings"])
        mutate(finding["evidence"] if chance.random() < 0.7 and finding["evidence"] else finding, chance, odd)
    write(run / "diagnosis.json", diagnosis)
    try:
        Page(write_report(run).read_text(encoding="utf-8"))
    except DataError as error:
        return str(error)
    return ""


def mutate(value, chance, odd):
    """Replaces or removes one value somewhere inside."""
    while True:
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        inner = value[key]
        if isinstance(inner, dict | list) and inner and chance.random() < 0.9:
            value = inner
        elif chance.random() < 0.2:
            del value[key]
            return
        else:
            value[key] = chance.choice(odd)
            return


def test_the_card_has_a_line_for_each_question(run):
    ladder = read_ladder(run / "ladder.json")
    text = card(ladder, {}, {}, make_diagnosis() | {"where": "/home/someone/held_out.csv"})
    part = text.split("## How it gets its score\n\n")[1].split("\n\n## ")[0]
    assert "tried it on 600 examples (held_out.csv)" in part
    assert "someone" not in text
    first = (
        "- **deep**: What did each rung add, and for whom? observed accuracy 0.886 (0.871 to 0.901), control accuracy "
    )
    assert first + "0.815 (0.798 to 0.834), effect +7.0 (+5.1 to +9.0) points." in part
    assert "- **shallow × 2**: " in part
    assert "cue: tuesday" in part
    assert "- **not applicable**: " in part
    assert part.count("\n- ") == 4
    assert "`report.html` has the evidence, and\nhow each answer may mislead." in part
    assert "How it gets its score" not in card(ladder, {}, {})
    assert "How it gets its score" not in card(ladder, {}, {}, wrapped())


def test_the_card_is_safe_too(run):
    ladder = read_ladder(run / "ladder.json")
    finding = make_finding(HOSTILE, evidence=[{"kind": "cue", "cue": HOSTILE}])
    text = card(ladder, {}, {}, wrapped(finding, finding, {**finding, "evidence": []}))
    assert "<script" not in text.split("## How it gets")[1].split("## ")[0]
