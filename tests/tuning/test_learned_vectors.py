"""What `prefix`, `soft_prompt` and `p_tuning` prove in a way of their own: they can't start as an identity."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tuning.conftest import MakeWork, climb, predictor_of
from torch import Tensor

from deepen.core.errors import SettingError
from deepen.models.encoder import Encoder, layout
from deepen.models.load import load_encoder
from deepen.models.save import load_adapter

METHODS = ("p_tuning", "prefix", "soft_prompt")


def states(encoder: Encoder) -> Tensor:
    ids_T, where = torch.arange(5, 15), layout(torch.tensor([4, 6]))
    with torch.inference_mode():
        return encoder.eval().run(encoder.embed(ids_T, None, where), where, 0, encoder.num_layers)


@pytest.mark.parametrize("first_layer", [0, 1])
@pytest.mark.parametrize("method", METHODS)
def test_it_starts_near_and_the_same_from_one_seed(make_work: MakeWork, method: str, first_layer: int) -> None:
    """One vector more to attend to is not an identity; it is one usual word before the text, and the same each time."""
    work = make_work(method, num_virtual_tokens=1)
    one, two, bare = (work.base.model.encoder() for _ in range(3))
    for encoder in (one, two):
        work.base.attach(encoder, first_layer, seed=work.context.seed, rung="full")
    assert torch.equal(states(one), states(two))
    near = torch.cosine_similarity(states(one), states(bare)).mean()
    assert 0.7 < float(near) < 1


@pytest.mark.parametrize("method", METHODS)
def test_the_rung_above(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    """A prefix goes on in its layers. A prompt at the cut has no place before word vectors and is made anew."""
    work = make_work(method, learning_rate=0.02)
    low = predictor_of(climb(work, name="top_layers"))
    low.save(tmp_path / "low")
    known = load_adapter(tmp_path / "low")
    assert known
    assert low.adapter is not None
    assert set(known.tensors) == set(low.adapter.tensors)
    still = predictor_of(climb(make_work(method, learning_rate=1e-12), 2, below=tmp_path / "low"))
    assert still.adapter is not None
    if method == "prefix":
        assert set(known.tensors) < set(still.adapter.tensors), "the layers below learn too"
        for name, value in known.tensors.items():
            torch.testing.assert_close(still.adapter.tensors[name], value, atol=1e-6, rtol=0)
    else:
        assert list(known.tensors) == ["encoder.layer.1.prompt.vectors"]
        assert list(still.adapter.tensors) == ["encoder.layer.0.prompt.vectors"]
    bare, base = load_encoder(work.base.model.folder).network.state_dict(), still.network.encoder.network.state_dict()
    assert all(torch.equal(base[name], value) for name, value in bare.items()), "on the untouched encoder"


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("method", METHODS)
def test_it_lies_beside_a_plain_encoder(make_work: MakeWork, method: str, depth: int, tmp_path: Path) -> None:
    """With all layers in PEFT's layout; at the cut, which PEFT does not know, in ours alone."""
    work = make_work(method, learning_rate=0.02)
    predictor_of(climb(work, depth)).save(tmp_path / "model")
    plain, bare = (load_encoder(folder).network.state_dict() for folder in (tmp_path / "model", work.base.model.folder))
    assert all(torch.equal(plain[name], value) for name, value in bare.items() if "pooler" not in name)
    assert (tmp_path / "model" / "adapter" / "adapter_config.json").is_file() == (depth == 2)
    found = load_adapter(tmp_path / "model")
    assert found
    assert found.kept
    assert not any("net" in name for name in found.tensors), "of p_tuning's network only what it said is left"


@pytest.mark.parametrize("kind", ["tiny_model", "tiny_decoder"])
@pytest.mark.parametrize("method", METHODS)
def test_peft_puts_it_on_the_pretrained_model(
    make_work: MakeWork, method: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    from peft import PeftModel
    from transformers import AutoModel

    work = make_work(method, model=request.getfixturevalue(kind), learning_rate=0.02)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    loaded = PeftModel.from_pretrained(
        AutoModel.from_pretrained(work.base.model.folder), tmp_path / "model" / "adapter"
    )
    text = next(iter(work.problem.validation.values("text")))
    ids = torch.from_numpy(work.base.model.tokenizer.encode([text], max_tokens=64).ids_T.astype(np.int64))[None]
    with torch.inference_mode():
        hidden = loaded.eval()(input_ids=ids).last_hidden_state[0, -ids.shape[1] :].mean(0)
        logits = predictor.network.head(hidden).numpy()
    np.testing.assert_allclose(logits, predictor.predict(work.problem.validation).values_MC[0], atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_peft_reads_a_tagger_with_its_head(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForTokenClassification

    work = make_work(method, task="tagging", learning_rate=0.02)
    predictor = predictor_of(climb(work, 2))
    predictor.save(tmp_path / "model")
    base = AutoModelForTokenClassification.from_pretrained(work.base.model.folder, num_labels=len(work.problem.labels))
    loaded = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter").eval()
    tokens, row = work.tokens(work.problem.validation.table), int(work.problem.validation.rows_N[0])
    ids = torch.from_numpy(tokens.ids_T[tokens.offsets_N1[row] : tokens.offsets_N1[row + 1]].astype(np.int64))
    with torch.inference_mode():
        found = loaded(input_ids=ids[None]).logits[0, -len(ids) :]
        where = layout(torch.tensor([len(ids)]))
        encoder = predictor.network.encoder
        hidden_TD = encoder.run(encoder.embed(ids, None, where), where, 0, encoder.num_layers)
        torch.testing.assert_close(found, predictor.network.head(hidden_TD), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_long_texts_are_cut_by_so_many_tokens_more(make_work: MakeWork, method: str, tmp_path: Path) -> None:
    free, work = make_work("full"), make_work(method, num_virtual_tokens=7)
    assert work.base.max_tokens == min(free.base.max_tokens, work.base.model.num_positions - 7)
    predictor_of(climb(work, 2)).save(tmp_path / "model")
    about = json.loads((tmp_path / "model" / "sentence_bert_config.json").read_text())
    assert about["max_seq_length"] == work.base.max_tokens
    with pytest.raises(SettingError, match=rf"tunings.{method}.num_virtual_tokens is 300: the encoder has"):
        make_work(method, num_virtual_tokens=300)
