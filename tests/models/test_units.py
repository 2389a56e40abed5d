"""Units have pieces of their own, nothing is cut, and other tools read the head on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer as Backend
from tokenizers import models, normalizers, pre_tokenizers, processors

from deepen.models.head import Inputs
from deepen.models.load import load_encoder
from deepen.models.network import Network
from deepen.models.save import has_network, load_network, save_network, shelf
from deepen.models.tokenizer import Tokenizer, load_tokenizer
from deepen.models.units import encode_units

Rows = list[list[str]]


@pytest.fixture(scope="module")
def unigram() -> Tokenizer:
    """A tokenizer like those of XLM-R and e5: word-start marks, and pieces over several Chinese characters."""
    pieces = "<s> </s> <unk> ▁ 今天 今 天 气 ▁的 的 Lon don ▁Lon ▁a a b ▁b .".split()
    backend = Backend(models.Unigram([(piece, -float(len(piece) < 2)) for piece in pieces], unk_id=2))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return Tokenizer(backend, Path(), "x", 512, 0)


def placed(row: list[str], gap: str) -> tuple[str, list[tuple[int, int]]]:
    ends = np.cumsum([len(word) for word in row]) + np.arange(len(row)) * len(gap)
    return gap.join(row), [(int(end) - len(word), int(end)) for word, end in zip(row, ends, strict=True)]


def pieces_of(tokenizer: Tokenizer, rows: Rows, gap: str, max_tokens: int = 512) -> tuple[list[str], list[str]]:
    texts, places = zip(*(placed(row, gap) for row in rows), strict=True)
    found = encode_units(tokenizer, texts, places, max_tokens=max_tokens)
    names = [tokenizer.backend.id_to_token(int(token)) for token in found.ids_T]
    assert found.units_M is not None
    return names, [names[int(unit)] for unit in found.units_M] if len(rows) == 1 else []


def test_each_character_has_a_piece_of_its_own(unigram: Tokenizer) -> None:
    names, units = pieces_of(unigram, [list("今天气的")], "")
    assert units == ["今", "天", "气", "的"]
    assert names[0] == "<s>"
    assert names[-1] == "</s>"
    assert pieces_of(unigram, [["天", "London", "气"]], "")[1] == ["天", "Lon", "气"]


def test_words_keep_their_mark_and_a_bare_mark_stands_for_none(unigram: Tokenizer) -> None:
    assert pieces_of(unigram, [["London", "a", ".", "龘", "b"]], " ")[1] == ["▁Lon", "▁a", ".", "<unk>", "▁b"]


def test_what_the_tokenizer_leaves_out_still_has_a_token(tiny_model: Path) -> None:
    tokenizer = load_tokenizer(tiny_model)
    assert pieces_of(tokenizer, [["good", "\ufffd", "film"]], " ")[1] == ["good", "[UNK]", "film"]
    assert pieces_of(tokenizer, [["\ufffd"]], " ")[1] == ["[UNK]"]


@pytest.mark.parametrize("max_tokens", [3, 5, 8, 12, 40])
def test_windows_cut_nothing_and_give_each_unit_context(unigram: Tokenizer, max_tokens: int) -> None:
    row = ["a", "b"] * 15
    text, places = placed(row, " ")
    found = encode_units(unigram, [text, "a"], [places, [(0, 1)]], max_tokens=max_tokens)
    assert found.sequence_counts_B is not None
    assert found.units_M is not None
    assert found.unit_counts_B is not None
    assert found.unit_counts_B.tolist() == [30, 1]
    assert found.lengths_B.max() <= max_tokens
    assert not found.truncated_B.any()
    assert len(found.lengths_B) == found.sequence_counts_B.sum()
    names = [unigram.backend.id_to_token(int(token)) for token in found.ids_T]
    assert [names[int(unit)] for unit in found.units_M[:30]] == ["▁a", "▁b"] * 15
    width = max_tokens - 2
    starts = np.cumsum(found.lengths_B) - found.lengths_B
    inside = found.units_M[:30] - starts[np.searchsorted(starts, found.units_M[:30], side="right") - 1] - 1
    if found.sequence_counts_B[0] > 1:  # all but the row's own ends have an eighth of the window around them
        least = np.minimum(inside, width - 1 - inside)[width // 2 : -(width // 2) or None]
        assert (least >= width // 8).all()


def test_windows_are_read_apart(tiny_model: Path) -> None:
    tokenizer, encoder = load_tokenizer(tiny_model), load_encoder(tiny_model)
    head = torch.nn.Linear(encoder.hidden_size, 3)
    network = Network(encoder, head, shelf()["units"]).eval()
    text, places = placed(["good", "film"] * 20, " ")
    found = encode_units(tokenizer, [text], [places], max_tokens=12)
    ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
    units_M = torch.from_numpy(found.units_M)
    with torch.inference_mode():
        whole = network(Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T, units_M=units_M))
        first = int(found.lengths_B[0])
        inside = units_M[units_M < first]
        alone = network(Inputs(torch.tensor([first]), ids_T=ids_T[:first], units_M=inside))
    torch.testing.assert_close(whole[: len(inside)], alone, rtol=0, atol=1e-5)


def test_transformers_gives_the_logits(any_network: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    encoder = load_encoder(any_network)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        head = torch.nn.Linear(encoder.hidden_size, 3)
    network = Network(encoder, head, shelf()["units"]).eval()
    save_network(network, tmp_path / "m", tokenizer_folder=any_network, labels=("O", "B-X", "I-X"), max_tokens=40)
    assert has_network(tmp_path / "m")
    assert not list((tmp_path / "m").rglob("*.bin"))
    words = ["good", "batteries", "?", "room"]
    text, places = placed(words, " ")
    found = encode_units(load_tokenizer(tmp_path / "m"), [text], [places], max_tokens=40)
    other = AutoModelForTokenClassification.from_pretrained(tmp_path / "m").eval()
    assert other.config.id2label == {0: "O", 1: "B-X", 2: "I-X"}
    batch = AutoTokenizer.from_pretrained(tmp_path / "m")(words, is_split_into_words=True, return_tensors="pt")
    assert batch["input_ids"][0].tolist() == found.ids_T.tolist()
    with torch.inference_mode():
        theirs = other(**{k: v for k, v in batch.items() if k != "token_type_ids"}).logits[0][found.units_M]
        ids_T = torch.from_numpy(found.ids_T.astype(np.int64))
        inputs = Inputs(torch.from_numpy(found.lengths_B), ids_T=ids_T, units_M=torch.from_numpy(found.units_M))
        for ours in (network(inputs), load_network(tmp_path / "m")(inputs)):
            torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)
