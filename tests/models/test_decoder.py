"""A decoder as a pretrained model: what it says is what transformers says, and its weights are found."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import ModelError, SettingError
from deepen.models.decoder import Decoder, word_vectors
from deepen.models.encoder import layout
from deepen.models.find import find
from deepen.models.load import load_encoder, load_pretrained
from deepen.tuning import bitfit


@pytest.mark.parametrize("tied", [True, False])
def test_it_scores_the_next_word_as_transformers_does(tiny_decoder: Path, tmp_path: Path, tied: bool) -> None:
    from transformers import AutoModelForCausalLM

    whole, folder = AutoModelForCausalLM.from_pretrained(tiny_decoder), tiny_decoder
    if not tied:
        folder = Path(shutil.copytree(tiny_decoder, tmp_path / "own"))
        config = whole.config
        config.tie_word_embeddings = False
        whole = type(whole)(config).eval()
        whole.save_pretrained(folder)
    decoder = load_pretrained(str(folder)).encoder().eval()
    assert isinstance(decoder, Decoder)
    ids_T, where = torch.arange(5, 17), layout(torch.tensor([7, 5]))
    with torch.inference_mode():
        state_TD = decoder.run(decoder.embed(ids_T, None, where), where, 0, 2)
        found_TV = state_TD @ word_vectors(decoder, folder).T
        right = [whole(ids[None]).logits[0] for ids in ids_T.split([7, 5])]
    torch.testing.assert_close(found_TV, torch.cat(right), atol=1e-5, rtol=1e-5)


def test_a_head_that_is_not_there(tiny_decoder: Path, tmp_path: Path) -> None:
    decoder = load_encoder(tiny_decoder)
    decoder.config.tie_word_embeddings = False
    with pytest.raises(ModelError, match="no head that scores words"):
        word_vectors(decoder, tiny_decoder)


def test_no_token_sees_a_later_one(tiny_decoder: Path) -> None:
    decoder = load_encoder(tiny_decoder).eval()
    one, two = torch.arange(5, 13), torch.arange(5, 13)
    two[-1] = 40
    where = layout(torch.tensor([8]))
    with torch.inference_mode():
        first, second = (decoder.run(decoder.embed(ids, None, where), where, 0, 2) for ids in (one, two))
    assert torch.equal(first[:-1], second[:-1])
    assert not torch.equal(first[-1], second[-1])


def test_there_are_no_biases_to_fit(tiny_decoder: Path) -> None:
    with pytest.raises(SettingError, match="have no biases; take lora"):
        bitfit.attach(load_encoder(tiny_decoder), 0, bitfit.TuningSettings())


def test_a_gguf_file_needs_a_package(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(ModelError, match=r"model\.gguf: .* needs gguf: pip install deepen\[generator\]"):
        find(str(tmp_path))


@pytest.mark.parametrize(
    ("task", "tuning", "pooling"),
    [
        ("classification", "full", "last"),
        ("classification", "lora", None),
        ("tagging", "lora", None),
    ],
)
def test_it_climbs_and_other_tools_read_it(
    tiny_decoder: Path, tmp_path: Path, task: str, tuning: str, pooling: str | None
) -> None:
    from sentence_transformers import SentenceTransformer
    from transformers import AutoModelForTokenClassification

    rows, rungs = WORLDS[task](150), ["frozen", "top_layers", "full"]
    settings = ["data.validation_at_least=30", *([f"model.pooling={pooling}"] if pooling else [])]
    run = deepen.train(
        rows, task=task, model=tiny_decoder, out=tmp_path / "run", rungs=rungs, tuning=tuning, settings=settings
    )
    assert [row["status"] for row in run.ladder["rungs"]] == ["done"] * 3
    model = deepen.load(run, rung="full")
    folder = run.rung("full") / "model"
    if task == "tagging":
        assert model.predict(rows[:1])
        assert type(AutoModelForTokenClassification.from_pretrained(folder)).__name__ == "LlamaForTokenClassification"
        return
    texts = [row["text"] for row in rows[:6]]
    right = model.predictor.predict(model.read(texts)).values_MC
    np.testing.assert_allclose(SentenceTransformer(str(folder), device="cpu").encode(texts), right, atol=1e-4)
