"""`partial_input` on models that read order, or neighbours, and on models that do not."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.diagnosis.planted import MANY, Planted, case_of, constant, part_of

from deepen.core.types import Outputs
from deepen.data.table import Part
from deepen.diagnosis.case import Case
from deepen.diagnosis.questions import partial_input
from deepen.diagnosis.questions.partial_input import QuestionSettings, ask, order_of, shuffled

LABELS = ("bad", "good")
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
QUICK = QuestionSettings(keeps=(1,), num_draws=2)
WORDS = "the a film phone room was looks very today so it and then".split()
Row = dict[str, str]


def rows_of(seed: int, num: int = 240) -> list[Row]:
    """Every row holds `first` and `last`; which of them comes first is the label, so a bag of words knows nothing."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num):
        said, label = chance.choices(WORDS, k=chance.randint(3, 8)), chance.choice(LABELS)
        one, other = sorted(chance.sample(range(len(said) + 1), 2))
        names = ("first", "last") if label == "good" else ("last", "first")
        said[one:one], said[other + 1 : other + 1] = [names[0]], [names[1]]
        rows.append({"text": " ".join(said), "label": label})
    return rows


def cued(seed: int, num: int = 240) -> list[Row]:
    """The label is told by a word, wherever it stands."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num):
        said, label = chance.choices(WORDS, k=chance.randint(3, 8)), chance.choice(LABELS)
        said.insert(chance.randrange(len(said) + 1), {"good": "lovely", "bad": "awful"}[label])
        rows.append({"text": " ".join(said), "label": label})
    return rows


def order_reader() -> Planted:
    return Planted(LABELS, lambda text: LABELS[text.split().index("first") < text.split().index("last")])


def bag_reader() -> Planted:
    return Planted(LABELS, lambda text: LABELS["lovely" in text.split()])


def knower(rows: Sequence[Mapping[str, str]]) -> Planted:
    """Knows the exact text and nothing else: what is not a row word for word gets the first label."""
    right = {row["text"]: row["label"] for row in rows}
    return Planted(LABELS, lambda text: right.get(text, LABELS[0]))


def trial(rows: Sequence[Row], model: Any, *, seed: int = 0, train: Sequence[Row] | None = None) -> Case:
    return case_of(rows, {"majority": constant(LABELS), "full": model}, train=train, seed=seed)


@pytest.mark.parametrize(
    ("rows", "model", "verdict"),
    [
        (rows_of, lambda rows: order_reader(), "deep"),
        (cued, knower, "deep"),
        (cued, lambda rows: bag_reader(), "shallow"),
        (cued, lambda rows: constant(LABELS), "shallow"),
    ],
    ids=["order", "exact text", "bag of words", "constant"],
)
def test_planted_models_get_their_verdict(
    rows: Callable[[int], list[Row]], model: Callable[[list[Row]], Planted], verdict: str
) -> None:
    found = [ask(trial(rows(seed), model(rows(seed)), seed=seed), QUICK) for seed in range(20)]
    assert [len(findings) for findings in found] == [1] * 20
    assert sum(findings[0].verdict == verdict for findings in found) >= 19


@pytest.mark.parametrize("num", MANY)
def test_a_model_that_reads_order_is_never_accused(num: int) -> None:
    """Models of uneven skill: they err on a fifth of the rows, whatever the order."""
    verdicts = []
    for seed in range(num):
        rows, reader = rows_of(seed, 120), order_reader()
        wrong = {row["text"] for row in random.Random(seed).sample(rows, 24)}
        clumsy = Planted(
            LABELS, lambda text, reader=reader, wrong=wrong: reader.answer(text) if text not in wrong else "bad"
        )
        verdicts.append(ask(trial(rows, clumsy, seed=seed), QuestionSettings(keeps=(1,), num_draws=1))[0].verdict)
    assert verdicts.count("shallow") == 0
    assert verdicts.count("deep") >= 0.95 * num


def test_the_control_is_fitted_again_on_the_hidden_form() -> None:
    """A bag of words is all there is to these rows, so a fitted control reaches the model and the lead is gone."""
    [finding] = ask(trial(cued(0), bag_reader(), train=cued(1, 200)), QuestionSettings())
    forms = [row for row in finding.evidence if row["kind"] == "form"]
    assert [(row["hidden"], row["keeps"], row["draws"]) for row in forms] == [("order", size, 3) for size in (1, 2, 3)]
    assert all(row["refitted"] and row["control_rung"] == "lexical" for row in forms)
    assert finding.control is not None
    assert finding.control.value > 0.9
    assert finding.verdict == "shallow"
    [ordered] = ask(trial(rows_of(0, 120), order_reader(), train=rows_of(1, 200)), QUICK)
    assert ordered.control is not None
    assert ordered.control.value < 0.7, "shuffled, nothing can be learned from these rows"
    assert ordered.verdict == "deep"


def test_the_model_is_shown_other_texts_made_of_the_same_words() -> None:
    rows, model = rows_of(0, 60), order_reader()
    [finding] = ask(trial(rows, model), QUICK)
    texts = [row["text"] for row in rows]
    shown = model.seen[:-60]
    assert model.seen[-60:] == texts, "the model is asked about the rows as they are once, and last"
    assert len(shown) == 60 * QUICK.num_draws
    for draw in range(QUICK.num_draws):
        some = shown[60 * draw : 60 * (draw + 1)]
        assert [sorted(text.split()) for text in some] == [sorted(text.split()) for text in texts]
        assert not any(text == other for text, other in zip(some, texts, strict=True))
    assert finding.evidence[0]["changed"] == 1.0
    assert len(finding.examples) == QUICK.max_examples


def test_a_shuffle_that_hides_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken on purpose: without an altered row there is no verdict, and none that was right above is given."""
    monkeypatch.setattr(partial_input, "order_of", lambda words, size, rng: np.arange(len(words)))
    rows = rows_of(0, 60)
    [finding] = ask(trial(rows, order_reader()), QUICK)
    assert finding.verdict == "not_applicable"
    assert "no row changes" in finding.caveat


def test_few_rows_leave_it_unclear() -> None:
    """Not one row moved, but twenty rows could hide a loss of a tenth."""
    [finding] = ask(trial(cued(0, 20), bag_reader()), QUICK)
    assert finding.verdict == "unclear"
    assert finding.effect is not None
    assert finding.effect.low < -0.1


def test_a_loss_that_the_control_makes_up_for_is_not_depth() -> None:
    """The model leans on order and loses without it, but surface words alone would have done better."""
    rows = cued(0, 200)
    clumsy = Planted(LABELS, lambda text: LABELS["lovely" in text.split()[: len(text.split()) // 2 + 1]])
    case = case_of(rows, {"lexical": bag_reader(), "full": clumsy})
    [finding] = ask(case, QUICK)
    assert finding.verdict != "deep"


def test_without_a_control_it_says_so() -> None:
    rows = cued(0, 20)
    [finding] = ask(case_of(rows, {"full": bag_reader()}), QUICK)
    assert finding.verdict == "not_applicable"
    [short] = ask(trial([{"text": word, "label": LABELS[n % 2]} for n, word in enumerate(WORDS)], bag_reader()), QUICK)
    assert short.verdict == "not_applicable"


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.integers(1, 4), st.integers(0, 50))
def test_blocks_stay_whole_and_order_does_not(words: list[str], size: int, seed: int) -> None:
    order = order_of(words, size, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(words)))
    breaks = int((np.diff(order) != 1).sum())
    assert breaks <= -(-(len(words) - 1) // size) if words else breaks == 0
    if len(set(words)) > 1 and size == 1:
        assert [words[at] for at in order] != words


def test_chinese_is_shuffled_by_character_and_english_keeps_its_punctuation() -> None:
    chance = np.random.default_rng(0)
    mixed = shuffled("我很喜欢这部电影。", 1, chance)
    assert sorted(mixed) == sorted("我很喜欢这部电影。")
    assert " " not in mixed
    assert sorted(shuffled("Don't go, it's (really) bad!", 1, chance).split()) == sorted(
        ["Don't", "go,", "it's", "(really)", "bad!"]
    )
    assert shuffled("one", 1, chance) == "one"


# --- tagging --------------------------------------------------------------------------------------------------------


class Tagger:
    """Tags words by their own text (`alone`), or by what stands before them."""

    num_parameters = 0

    def __init__(self, *, alone: bool) -> None:
        self.alone, self.seen = alone, list[list[str]]()

    def tag(self, words: list[str], at: int) -> str:
        word, before = words[at], words[at - 1] if at else ""
        if self.alone:
            mark = "I" if before[:3] == word[:3] else "B"
            return {"loc": f"{mark}-LOC", "per": f"{mark}-PER"}.get(word[:3], "O")
        if before in ("in", "mr"):
            return {"in": "B-LOC", "mr": "B-PER"}[before]
        return self.tag(words, at - 1).replace("B-", "I-") if word.endswith("son") and at else "O"

    def predict(self, part: Part) -> Outputs:
        rows = list(part.values("tokens"))
        self.seen += rows
        said = [TAGS.index(self.tag(words, at)) for words in rows for at in range(len(words))]
        values = np.zeros((len(said), len(TAGS)), np.float32)
        values[np.arange(len(said)), said] = 6.0
        return Outputs(values, np.concatenate([[0], np.cumsum([len(words) for words in rows])]))


def tagged(seed: int, num: int = 100) -> list[dict[str, list[str]]]:
    """Rows such as `then in loc3 so mr per1 person`."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num):
        place, person = f"loc{chance.randrange(50)}", f"per{chance.randrange(50)}"
        gap = chance.choices(WORDS, k=chance.randint(1, 3))
        tokens = [*chance.choices(WORDS, k=2), "in", place, *gap, "mr", person, "person", "so"]
        tags = ["O"] * 3 + ["B-LOC"] + ["O"] * (len(gap) + 1) + ["B-PER", "I-PER", "O"]
        rows.append({"tokens": tokens, "tags": tags})
    return rows


@pytest.mark.parametrize(("alone", "verdict"), [(True, "shallow"), (False, "deep")])
def test_taggers_that_read_neighbours_and_those_that_read_words(alone: bool, verdict: str) -> None:
    verdicts = []
    for seed in range(20):
        model, nothing = Tagger(alone=alone), Tagger(alone=True)
        nothing.tag = lambda words, at: "O"  # type: ignore[method-assign]
        case = case_of(tagged(seed), {"majority": nothing, "full": model}, task="tagging", seed=seed)
        of_neighbours, of_order = ask(case, QUICK)
        assert of_neighbours.evidence[0]["hidden"] == "neighbours"
        assert of_order.evidence[0]["hidden"] == "order"
        verdicts.append(of_neighbours.verdict)
        assert max(map(len, model.seen[: len(case.targets.labels_M)])) == 1, "every word was a row"
    assert verdicts.count(verdict) >= 19


def test_a_word_alone_is_not_blamed_for_not_knowing_whether_it_starts_a_name() -> None:
    """`per1 person` as two rows is B-PER B-PER; read by type it is the one name it was."""
    nothing = Tagger(alone=True)
    nothing.tag = lambda words, at: "O"  # type: ignore[method-assign]
    case = case_of(tagged(0), {"majority": nothing, "full": Tagger(alone=True)}, task="tagging")
    of_neighbours, of_order = ask(case, QUICK)
    assert of_neighbours.observed is not None
    assert of_neighbours.observed.value == 1.0
    assert of_order.evidence[0]["changed"] == 1.0


@pytest.mark.parametrize("form", ["neighbours", "order"])
def test_hidden_units_come_back_to_their_words(form: str) -> None:
    part = part_of(tagged(0, 30), "tagging")
    [made] = [forms[0] for forms in partial_input._forms(part, (1,), None) if forms[0].hidden == form]
    view = made.make(part, np.random.default_rng(0))
    shown = np.array([word for row in view.part.values("tokens") for word in row])
    assert shown[view.shown_M].tolist() == [word for row in part.values("tokens") for word in row]
    assert view.offsets_N1[-1] == len(shown)


class Answerer:
    """Answers a question by its words, or, where it is blind to it, with the first word that could be an answer."""

    num_parameters = 0
    ANSWERS: ClassVar = {"what was good": ("good", "lovely"), "what was bad": ("bad", "awful")}

    def __init__(self, *, blind: bool) -> None:
        self.blind = blind

    def predict(self, part: Part) -> Outputs:
        rows = []
        for context, question in zip(part.values("context"), part.values("question"), strict=True):
            every = [word for words in self.ANSWERS.values() for word in words]
            wanted = every if self.blind else self.ANSWERS.get(question, ())
            at = next((at for at, word in enumerate(context.split()) if word in wanted), 0)
            values = np.full((len(context.split()), 2), -6.0, np.float32)
            values[at] = 6.0
            rows.append(values)
        return Outputs(np.concatenate(rows), np.concatenate([[0], np.cumsum([len(row) for row in rows])]))


def asked(seed: int, num: int = 120) -> list[dict[str, Any]]:
    """Contexts with an answer to each of two questions; the first word is right half the time."""
    chance = random.Random(seed)
    rows = []
    for _ in range(num):
        question, other = chance.sample(list(Answerer.ANSWERS), 2)
        answer, wrong = chance.choice(Answerer.ANSWERS[question]), chance.choice(Answerer.ANSWERS[other])
        said = chance.choices(WORDS, k=4)
        one, two = sorted(chance.sample(range(5), 2))
        first, second = chance.sample([answer, wrong], 2)
        said[one:one], said[two + 1 : two + 1] = [first], [second]
        rows.append({"context": " ".join(said), "question": question, "answers": [answer]})
    return rows


@pytest.mark.parametrize(("blind", "verdict"), [(True, "shallow"), (False, "deep")])
def test_answers_without_the_question(blind: bool, verdict: str) -> None:
    model = Answerer(blind=blind)
    case = case_of(asked(0, 400), {"full": model}, task="span_qa", train=asked(1, 120))
    question, order = ask(case, QUICK)
    assert [question.evidence[0]["hidden"], order.evidence[0]["hidden"]] == ["question", "order"]
    assert question.verdict == verdict
    assert question.observed is not None
    assert question.observed.name == "answer_f1"
    assert order.verdict != "not_applicable", "the words of the question change places"
    shown = [form.make(case.rows, np.random.default_rng(0)).part for form in _order_forms(case)]
    assert list(shown[0].values("context")) == list(case.rows.values("context"))


def _order_forms(case: Case) -> list[Any]:
    *_, order = partial_input._forms(case.rows, (1,), case.rows.table.texts[0])
    return list(order)
