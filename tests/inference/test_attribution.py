"""Which words carried an answer: sums that can be checked, and models built to look at one word."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from deepen.core.errors import SettingError
from deepen.core.types import Outputs
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.data.words import join_words, split_words
from deepen.finetuning.hidden_cache import batch_inputs
from deepen.finetuning.predictor import EncoderPredictor
from deepen.inference import attribution
from deepen.inference.attribution import Attribution, attribute
from deepen.models.load import load_encoder
from deepen.models.network import Network
from deepen.models.tokenizer import load_tokenizer
from deepen.models.units import encode_units, unit_owners
from deepen.preparation.catalog import load_task
from deepen.problem.task import Decision, Predictor, Task

LABELS = {"classification": ("negative", "positive"), "tagging": ("O", "B-ORG", "I-ORG", "B-PER", "I-PER")}


def encoder_predictor(folder: Path, task: str, *, max_tokens: int = 64) -> EncoderPredictor:
    labels = LABELS[task]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = nn.Linear(32, len(labels))
    network = Network(load_encoder(folder), head, load_task(task).form.head).eval()
    return EncoderPredictor(network, load_tokenizer(folder), load_task(task), labels, max_tokens, load_task(task).form)


def one_row(text: str, task: str) -> Part:
    return load_table([text], load_task(task).needs, DataSettings(), need_target=False)[0].all_rows()


def explained(predictor: Predictor, task: Task, labels: Sequence[str], text: str) -> list[tuple[Decision, Attribution]]:
    assert task.explain is not None
    part = one_row(text, task.name)
    decisions = task.explain.decisions(predictor.predict(part), part, labels)
    return [(decision, attribute(predictor, task.explain, part, decision)) for decision in decisions]


TEXTS = ["the film is not good, unheardofly so!", "a", "这部电影 is lovely", "very " * 70 + "good"]


@pytest.mark.parametrize("task", ["classification", "tagging"])
def test_the_words_add_up(tiny_model: Path, task: str) -> None:
    predictor = encoder_predictor(tiny_model, task)
    num_answers = 0
    for text in TEXTS:
        part = one_row(text, task)
        for decision, found in explained(predictor, predictor.task, predictor.labels, text)[:3]:
            num_answers += 1
            assert found.total is not None
            assert found.error is not None
            assert abs(found.error) <= 0.01 * abs(found.total) + 0.01
            assert found.values_W.sum() - found.total == pytest.approx(found.error, abs=1e-6)
            assert found.total == pytest.approx(_difference(predictor, part, decision), abs=1e-4)
    assert num_answers >= 4


def _difference(predictor: EncoderPredictor, part: Part, decision: Decision) -> float:
    """The logit of the text less that of the same tokens with every word masked, by the ordinary way."""
    tokens = predictor.tokens(part.table)
    inputs = batch_inputs(tokens, part.rows_N)
    assert inputs.ids_T is not None
    special = [predictor.tokenizer.backend.token_to_id(name) for name in ("[CLS]", "[SEP]")]
    masked = torch.where(torch.isin(inputs.ids_T, torch.tensor(special)), inputs.ids_T, predictor.tokenizer.hidden_id)
    with torch.no_grad():
        whole = predictor.network(inputs)[decision.unit, decision.logit]
        inputs = type(inputs)(inputs.lengths_B, ids_T=masked, units_M=inputs.units_M)
        return float(whole - predictor.network(inputs)[decision.unit, decision.logit])


def test_more_steps_where_few_are_not_enough(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = encoder_predictor(tiny_model, "classification")
    monkeypatch.setattr(attribution, "_ERROR_LOGITS", 0.0)
    monkeypatch.setattr(attribution, "_FEWEST_STEPS", 2)
    monkeypatch.setattr(attribution, "_MOST_STEPS", 2)
    few = _share_missed(predictor)
    monkeypatch.setattr(attribution, "_ERROR_SHARE", few / 2)
    assert _share_missed(predictor) == pytest.approx(few), "no more steps are allowed yet"
    monkeypatch.setattr(attribution, "_MOST_STEPS", 256)
    assert _share_missed(predictor) <= few / 2


def _share_missed(predictor: EncoderPredictor) -> float:
    [(_, found)] = explained(predictor, predictor.task, predictor.labels, TEXTS[0])
    assert found.total is not None
    assert found.error is not None
    return abs(found.error / found.total)


def test_the_one_word_that_an_encoder_can_see_carries_it_all(tiny_model: Path) -> None:
    """Every piece but `zebra` looks alike to this network; its attention and its layers are as they were."""
    predictor = encoder_predictor(tiny_model, "classification")
    words: Any = predictor.network.encoder.network.get_submodule("embeddings.word_embeddings")
    zebra = predictor.tokenizer.backend.token_to_id("zebra")
    with torch.no_grad():
        words.weight[:] = torch.where(torch.arange(len(words.weight))[:, None] == zebra, words.weight, words.weight[7])
    for text in ("the film zebra was good", "zebra", "not zebra but unheardofly awful"):
        [(_, found)] = explained(predictor, predictor.task, predictor.labels, text)
        shown = [text[start:end] for start, end in found.places]
        assert found.total is not None
        assert abs(found.total) > 0.01
        assert found.values_W[shown.index("zebra")] == pytest.approx(found.total, rel=0.05)
        assert np.abs(np.delete(found.values_W, shown.index("zebra"))).sum() < 1e-5
    [(_, found)] = explained(predictor, predictor.task, predictor.labels, "the film was good")
    assert np.abs(found.values_W).max() < 1e-5


def test_weights_stay_bit_identical(tiny_model: Path) -> None:
    predictor = encoder_predictor(tiny_model, "classification")
    before = {name: value.clone() for name, value in predictor.network.state_dict().items()}
    explained(predictor, predictor.task, predictor.labels, TEXTS[0])
    assert all(torch.equal(value, before[name]) for name, value in predictor.network.state_dict().items())
    assert all(parameter.grad is None for parameter in predictor.network.parameters())


def test_pieces_belong_to_their_words(tiny_model: Path) -> None:
    """`unheardofly` is several pieces and one word; the words are those of the text, whatever the pieces are."""
    predictor = encoder_predictor(tiny_model, "classification")
    part = one_row(TEXTS[0], "classification")
    assert predictor.task.explain is not None
    places, owners_T = predictor.task.explain.owners(predictor.tokenizer, 64, part)
    assert places == split_words(TEXTS[0])
    counts = np.bincount(owners_T[owners_T >= 0], minlength=len(places))
    assert counts[[TEXTS[0][start:end] for start, end in places].index("unheardofly")] > 1
    assert (counts >= 1).all()
    assert len(owners_T) == len(predictor.tokens(part.table).ids_T)
    [(_, found)] = explained(predictor, predictor.task, predictor.labels, TEXTS[0])
    assert found.places == places


@pytest.mark.parametrize("max_tokens", [64, 12])
def test_units_own_their_tokens_in_every_window(tiny_model: Path, max_tokens: int) -> None:
    tokenizer = load_tokenizer(tiny_model)
    text, places = join_words("the good film unheardofly lovely 很 好 was broken today again".split())
    made = encode_units(tokenizer, [text], [places], max_tokens=max_tokens)
    owners_T = unit_owners(tokenizer, text, places, max_tokens=max_tokens)
    assert made.units_M is not None
    assert len(owners_T) == len(made.ids_T)
    assert owners_T[made.units_M].tolist() == list(range(len(places)))
    special = [tokenizer.backend.token_to_id(name) for name in ("[CLS]", "[SEP]")]
    assert np.array_equal(owners_T < 0, np.isin(made.ids_T, special))


@dataclass
class Weighed:
    """A planted model: the logit of `positive` is the sum of its words' weights."""

    weights: dict[str, float]
    num_parameters: int = 0

    def predict(self, part: Any) -> Outputs:
        sums = [sum(self.weights.get(word, 0.0) for word in text.split()) for text in part.values("text")]
        return Outputs(np.array([[0.0, value] for value in sums], np.float32), np.arange(len(sums) + 1))

    def calibrate(self, temperature: float) -> None:
        raise AssertionError("an explanation must not touch the model")

    def save(self, folder: Path) -> None:
        raise AssertionError("an explanation must not save the model")


def test_leaving_words_out_finds_their_weights() -> None:
    model = Weighed({"good": 2.0, "not": -0.5})
    [(decision, found)] = explained(model, load_task("classification"), LABELS["classification"], "a good one not two")
    assert decision.output == "positive"
    assert found.method == "leave_one_out"
    assert found.values_W.tolist() == pytest.approx([0, 2.0, 0, -0.5, 0])
    assert (found.total, found.error) == (None, None)


def test_nothing_carries_what_is_said_to_everything() -> None:
    [(_, found)] = explained(Weighed({}), load_task("classification"), LABELS["classification"], "a good one")
    assert found.values_W.tolist() == [0, 0, 0]


def test_without_captum_the_extra_is_named(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    predictor = encoder_predictor(tiny_model, "classification")
    with pytest.raises(SettingError, match=r"deepen\[diagnosis\]"):
        explained(predictor, predictor.task, predictor.labels, TEXTS[0])
