"""What every tuning must prove, on the tiny world: the files of the folder `tuning`, one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.tuning.conftest import MakeWork, climb, predictor_of
from tests.worlds import WORLDS, some

import deepen
from deepen.core.errors import ModelError, SettingError
from deepen.finetuning.predictor import load_predictor, put_on
from deepen.models.encoder import layout
from deepen.models.load import load_encoder
from deepen.models.save import load_adapter
from deepen.preparation.catalog import tunings
from deepen.preparation.recipe import make_recipe

METHODS = tuple(tunings())
FROM_PEFT = ("adalora", "ia3", "lora")
BY_THEMSELVES = tuple(name for name in METHODS if name != "full")
PROMPTS = ("p_tuning", "soft_prompt")
LEARNED = (*PROMPTS, "prefix")
KEPT = ("adapter", *LEARNED)
MERGED = tuple(name for name in METHODS if name not in KEPT)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in LEARNED])
def test_it_starts_as_one_that_changes_nothing(make_work: MakeWork, method: str) -> None:
    work = make_work(method)
    encoder, bare = work.base.model.encoder().eval(), work.base.model.encoder().eval()
    work.base.tuning.attach(encoder, 1, work.base.tuning.settings)
    ids_T, where = torch.arange(5, 15), layout(torch.tensor([4, 6]))
    with torch.inference_mode():
        one, two = (each.run(each.embed(ids_T, None, where), where, 0, 2) for each in (encoder, bare))
    torch.testing.assert_close(one, two, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_something_learns_and_the_rest_stays_to_the_bit(make_work: MakeWork, method: str) -> None:
    work = make_work(method)
    encoder = work.base.model.encoder()
    attached = work.base.tuning.attach(encoder, 1, work.base.tuning.settings)
    learning = {id(p) for p in encoder.parameters() if p.requires_grad}
    assert learning
    before = {name: p.detach().clone() for name, p in encoder.network.named_parameters()}
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.1 * parameter.requires_grad)
    for name, parameter in encoder.network.named_parameters():
        assert torch.equal(parameter, before[name]) == (id(parameter) not in learning), name
        assert id(parameter) not in learning or f"{encoder.names.layers}.1." in name, "only the top layer learns"
    assert attached.encoder is encoder


@pytest.mark.parametrize("method", MERGED)
def test_merged_it_says_the_same(make_work: MakeWork, method: str) -> None:
    work = make_work(method)
    encoder = work.base.model.encoder().eval()
    names = set(encoder.network.state_dict())
    attached = work.base.tuning.attach(encoder, 0, work.base.tuning.settings)
    assert not attached.kept
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(3)
        for parameter in encoder.parameters():
            if parameter.requires_grad:
                parameter.add_(0.05 * torch.randn_like(parameter))
    ids_T, where = torch.arange(5, 15), layout(torch.tensor([4, 6]))
    with torch.inference_mode():
        before = encoder.run(encoder.embed(ids_T, None, where), where, 0, 2)
        attached.merge()
        after = encoder.run(encoder.embed(ids_T, None, where), where, 0, 2)
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    assert set(encoder.network.state_dict()) == names, "nothing is left of it"


@pytest.mark.parametrize(
    ("task", "method"),
    [
        *(("classification", method) for method in METHODS),
        *(("tagging", method) for method in ("full", "lora", "adapter", "prefix", "soft_prompt")),
        *(("matching", method) for method in ("full", "bitfit", "ia3", "p_tuning")),
    ],
)
def test_saved_and_read_again_it_says_the_same(make_work: MakeWork, method: str, task: str, tmp_path: Path) -> None:
    work = make_work(method, task=task)
    climbed = climb(work)
    predictor = predictor_of(climbed)
    said = predictor.predict(work.problem.validation).values_MC
    np.testing.assert_allclose(said, climbed.validation.values_MC, atol=1e-4)
    predictor.save(tmp_path / "model")
    again = load_predictor(tmp_path / "model", work.problem.task, work.problem.labels)
    np.testing.assert_allclose(again.predict(work.problem.validation).values_MC, said, atol=1e-5)
    assert (tmp_path / "model" / "adapter").is_dir() == (method != "full")


@pytest.mark.parametrize("method", METHODS)
def test_one_seed_one_result(make_work: MakeWork, method: str) -> None:
    one, two = (predictor_of(climb(make_work(method), name=name)).network.state_dict() for name in ("full", "full"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("method", [name for name in BY_THEMSELVES if name not in LEARNED])
def test_the_rung_above_goes_on_with_what_was_learned(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    """And what it saves is a change of the untouched encoder, so several go with one base."""
    work = make_work(method, learning_rate=0.02)
    low = predictor_of(climb(work, name="top_layers"))
    low.save(tmp_path / "low")
    known = load_adapter(tmp_path / "low")
    assert known
    assert low.adapter is not None
    assert set(known.tensors) == set(low.adapter.tensors)
    still = predictor_of(
        climb(make_work(method, learning_rate=1e-12), 2, below=tmp_path / "low", head_learning_rate=1e-12)
    )
    np.testing.assert_allclose(
        still.predict(work.problem.validation).values_MC, low.predict(work.problem.validation).values_MC, atol=2e-3
    )
    assert still.adapter is not None
    assert set(known.tensors) < set(still.adapter.tensors), "the layers below learn too"
    bare = load_encoder(work.base.model.folder).eval()
    attached = put_on(bare, still.adapter)
    assert attached.kept == (method in KEPT)
    attached.merge()
    ids_T, where = torch.arange(5, 15), layout(torch.tensor([4, 6]))
    with torch.inference_mode():
        one, two = (each.run(each.embed(ids_T, None, where), where, 0, 2) for each in (bare, still.network.encoder))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", FROM_PEFT)
def test_peft_puts_it_on_the_pretrained_model(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    from peft import PeftModel
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModel

    work = make_work(method, learning_rate=0.02)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    adapter = tmp_path / "model" / "adapter"
    texts = list(work.problem.validation.values("text"))[:8]
    right = predictor.predict(work.problem.validation).values_MC[:8]
    bare = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(texts)
    np.testing.assert_allclose(bare, right, atol=1e-4)
    np.testing.assert_allclose(SentenceTransformer(str(adapter), device="cpu").encode(texts), right, atol=1e-4)

    loaded = PeftModel.from_pretrained(AutoModel.from_pretrained(work.base.model.folder), adapter).eval()
    ids_T = work.base.model.tokenizer.encode(texts[:1], max_tokens=64).ids_T
    with torch.inference_mode():
        hidden = loaded(input_ids=torch.from_numpy(ids_T.astype(np.int64))[None]).last_hidden_state[0].mean(0)
        logits = predictor.network.head(hidden).numpy()
    np.testing.assert_allclose(logits, right[0], atol=1e-4)
    untouched = AutoModel.from_pretrained(work.base.model.folder).eval()
    with torch.inference_mode():
        other = untouched(input_ids=torch.from_numpy(ids_T.astype(np.int64))[None]).last_hidden_state[0].mean(0)
    assert float((other - hidden).abs().max()) > 1e-3, "the adapter changes something"


@pytest.mark.parametrize("method", FROM_PEFT)
def test_peft_reads_a_tagger_with_its_head(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification

    work = make_work(method, task="tagging", learning_rate=0.02)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    base = AutoModelForTokenClassification.from_pretrained(work.base.model.folder, num_labels=len(work.problem.labels))
    loaded = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter").eval()
    whole = AutoModelForTokenClassification.from_pretrained(tmp_path / "model").eval()
    tokens = work.tokens(work.problem.validation.table)
    row = int(work.problem.validation.rows_N[0])
    ids = torch.from_numpy(tokens.ids_T[tokens.offsets_N1[row] : tokens.offsets_N1[row + 1]].astype(np.int64))[None]
    with torch.inference_mode():
        torch.testing.assert_close(loaded(input_ids=ids).logits, whole(input_ids=ids).logits, atol=1e-4, rtol=0)


def test_rank_is_cut(make_work: MakeWork) -> None:
    work = make_work("adalora", first_rank=6, rank=2, learning_rate=0.02)
    climbed = climb(work, 2, num_epochs=8, evaluations_per_epoch=0)
    adapter = predictor_of(climbed).adapter
    assert adapter is not None
    kept = [int((value != 0).sum()) for name, value in adapter.tensors.items() if name.endswith("lora_E")]
    assert len(kept) == 12
    assert sum(kept) <= 2 * len(kept)
    assert len(set(kept)) > 1, "some layers keep more than others"


@pytest.mark.parametrize("step", [20, 70, 90])
def test_rank_is_cut_after_an_interruption_too(make_work: MakeWork, step: int) -> None:
    """PEFT's own memory of what matters is gone then; what was cut stays cut."""
    work = make_work("adalora", first_rank=6, rank=2)
    encoder = work.base.model.encoder()
    attached = work.base.tuning.attach(encoder, 0, work.base.tuning.settings)
    assert attached.after_update is not None
    values = [p for name, p in encoder.network.named_parameters() if "lora_E" in name]
    with torch.no_grad():
        for value in values:
            value.copy_(torch.tensor([1.0, 0.0, 2.0, 0.0, 0.0, 0.0])[:, None])
    for parameter in encoder.parameters():
        if parameter.requires_grad:
            parameter.grad = torch.ones_like(parameter)
    attached.after_update(step, 100)
    assert all((value[[1, 3, 4, 5]] == 0).all() for value in values)
    if step == 90:
        assert all(value[[0, 2], 0].tolist() == [1.0, 2.0] for value in values)


@pytest.mark.parametrize("settings", [{"rslora": True}, {"dora": True}, {"rank": 2, "on": ["query", "value"]}])
def test_kinds_of_lora(make_work: MakeWork, settings: dict[str, Any], tmp_path: Path) -> None:
    work = make_work("lora", learning_rate=0.02, **settings)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    again = load_predictor(tmp_path / "model", work.problem.task, work.problem.labels)
    said = predictor.predict(work.problem.validation).values_MC
    np.testing.assert_allclose(again.predict(work.problem.validation).values_MC, said, atol=1e-5)
    config = json.loads((tmp_path / "model" / "adapter" / "adapter_config.json").read_text())
    assert config["use_rslora"] == settings.get("rslora", False)
    assert config["use_dora"] == settings.get("dora", False)
    assert config["r"] == settings.get("rank", 16)


@pytest.mark.parametrize("method", some(METHODS, "full", "lora", "prefix", "p_tuning"))
def test_a_climb(tiny_model: Path, tmp_path: Path, method: str) -> None:
    rows = WORLDS["classification"](120)
    run = deepen.train(
        rows,
        model=tiny_model,
        out=tmp_path / "run",
        tuning=method,
        rungs=["frozen", "top_layers", "full"],
        settings=["rungs.top_layers.num_epochs=1", "rungs.full.num_epochs=1"],
        thorough=True,
    )
    trained = {row["rung"]: row["num_trained_parameters"] for row in run.ladder["rungs"]}
    assert 0 < trained["top_layers"] <= trained["full"]
    assert (trained["top_layers"] == trained["full"]) == (method in PROMPTS), "a prompt is as long at any depth"
    if method != "full":
        assert (run.rung("full") / "model" / "adapter" / "deepen_adapter.json").is_file()
    said = deepen.load(tmp_path / "run", rung="full").predict([rows[0]["text"]])
    assert said[0].output in run.ladder["labels"]


@pytest.mark.parametrize("place", ["pfeiffer", "houlsby"])
def test_adapters_lie_beside_a_plain_encoder(make_work: MakeWork, place: str, tmp_path: Path) -> None:
    """Other tools find the untouched encoder in the folder; the adapters are in a folder of their own."""
    work = make_work("adapter", place=place, size=8, learning_rate=0.02)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    plain, bare = (load_encoder(folder).network.state_dict() for folder in (tmp_path / "model", work.base.model.folder))
    assert all(torch.equal(plain[name], value) for name, value in bare.items() if "pooler" not in name)
    found = load_adapter(tmp_path / "model")
    assert found is not None
    assert found.kept
    assert len(found.tensors) == 4 * 2 * (2 if place == "houlsby" else 1)
    (tmp_path / "model" / "adapter" / "deepen_adapter.json").write_text('{"method": "lorra"}')
    with pytest.raises(ModelError, match="can't be read"):
        load_predictor(tmp_path / "model", work.problem.task, work.problem.labels)


def test_an_unknown_method() -> None:
    with pytest.raises(SettingError, match="unknown tuning 'lorra'; did you mean 'lora'"):
        make_recipe({"tuning": "lorra"})
