"""Near-duplicates: the signatures are datasketch's, planted pairs are found, order and splits don't matter."""

from __future__ import annotations

import random

import numpy as np
import pytest
from datasketch import MinHash
from tests.data.checking import table

from deepen.core.errors import SettingError
from deepen.core.settings import parse
from deepen.data import near
from deepen.data.near import NearSettings, fold, minhash, near_duplicates, permutations, shingle_hashes
from deepen.data.split import hold_out

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentences(num: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    words = ["".join(chance.choices(LETTERS, k=chance.randint(2, 9))) for _ in range(3000)]
    return [" ".join(chance.choices(words, k=chance.randint(8, 25))) for _ in range(num)]


def edited(text: str, chance: random.Random, share: float = 0.05) -> str:
    chars = list(text)
    for at in chance.sample(range(len(chars)), max(1, round(share * len(chars)))):
        chars[at] = chance.choice(LETTERS)
    return "".join(chars)


def groups(texts: list[str], **settings: object) -> np.ndarray:
    return near_duplicates([table(texts).all_rows()], NearSettings(**settings)).near_N  # type: ignore[arg-type]


def test_signatures_are_those_of_datasketch() -> None:
    """Its hashes of the same shingles, permuted by itself, give the same numbers."""
    texts = [fold(text) for text in sentences(20)]
    a_P, b_P = permutations()
    found = minhash(texts, a_P, b_P)
    codes_of = {}
    for row, text in enumerate(texts):
        hashes, _ = shingle_hashes([text])
        # what is mixed here is not to be mixed again there: the inverse of the finaliser
        theirs = MinHash(num_perm=len(a_P), seed=1, scheme="affine32", hashfunc=lambda value: value)
        theirs.update_batch([unmixed(int(value)) for value in hashes])
        codes_of[row] = theirs.hashvalues
        assert np.array_equal(found[row], theirs.hashvalues)


def unmixed(value: int) -> int:
    """The way back through the finaliser of MurmurHash3."""
    mask = 0xFFFFFFFF
    value ^= value >> 16
    value = value * pow(0xC2B2AE35, -1, 1 << 32) & mask
    value ^= value >> 13 ^ value >> 26
    value = value * pow(0x85EBCA6B, -1, 1 << 32) & mask
    return value ^ value >> 16


def test_shingles_stay_inside_their_text() -> None:
    hashes, starts = shingle_hashes(["abcdef", "wxyz", "酒店的服务"])
    assert starts.tolist() == [0, 3, 4]
    alone = np.concatenate([shingle_hashes([text])[0] for text in ("abcdef", "wxyz", "酒店的服务")])
    assert np.array_equal(hashes, alone)


def test_planted_pairs_are_found_and_no_others() -> None:
    chance = random.Random(1)
    texts = sentences(2000)
    planted = chance.sample(range(2000), 200)
    found = groups(texts + [edited(texts[row], chance) for row in planted])
    pairs = sum(found[row] >= 0 and found[row] == found[2000 + at] for at, row in enumerate(planted))
    assert pairs >= 190
    others = np.setdiff1d(np.arange(2000), planted)
    assert not (found[others] >= 0).any()


def test_chinese_pairs_are_found() -> None:
    text = "这家酒店的位置非常好，服务也很周到，早餐种类丰富，下次来上海还会选择这里，推荐给大家。"
    found = groups(
        [text, text.replace("丰富", "很多"), "房间太小，空调声音很大，晚上根本没法休息，价格还不便宜，不会再来住了。"]
    )
    assert found.tolist() == [0, 0, -1]


def test_short_texts_must_be_equal_but_for_case_and_punctuation() -> None:
    found = groups(["Not good.", "not good", "so good", "good?", "good", "!!!", "???", "🙂", "🙁"])
    assert found.tolist() == [0, 0, -1, 3, 3, -1, -1, -1, -1]


def test_the_threshold_decides() -> None:
    text = sentences(1)[0]
    pair = [text, edited(text, random.Random(0), 0.05)]
    assert groups(pair, threshold=0.5).tolist() == [0, 0]
    assert groups(pair, threshold=0.9).tolist() == [-1, -1]
    assert groups([text, text.upper()], threshold=1).tolist() == [0, 0]
    with pytest.raises(SettingError, match="unrelated"):
        parse(NearSettings, {"threshold": 0.1}, where="near")


def test_a_template_that_many_rows_share_holds_together_in_linear_time() -> None:
    chance = random.Random(3)
    rows = [f"dear customer your order number {chance.randrange(10**6)} has left our house today" for _ in range(3000)]
    assert (groups(rows) == 0).all()


def test_the_result_is_the_same_again_and_over_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(2)
    texts = sentences(300)
    texts += [edited(text, chance) for text in texts[:50]]
    once = groups(texts)
    assert np.array_equal(once, groups(texts))
    monkeypatch.setattr(near, "_PIECE_CHARS", 500)
    monkeypatch.setattr(near, "_PAIRS_AT_ONCE", 7)
    assert np.array_equal(once, groups(texts))


def test_rows_of_several_parts_are_numbered_through() -> None:
    texts = sentences(3)
    found = near_duplicates([table(texts).all_rows(), table([texts[2], texts[0].upper()]).all_rows()], NearSettings())
    assert found.same_N.tolist() == [0, -1, 2, 2, 0]
    assert found.near_N.tolist() == [0, -1, 2, 2, 0]


def test_too_many_rows_are_compared_exactly_only() -> None:
    text = sentences(1)[0]
    found = near_duplicates([table([text, text + " yes", text.upper()]).all_rows()], NearSettings(max_rows=2))
    assert not found.searched
    assert found.near_N.tolist() == [0, -1, 0]


def test_near_duplicates_never_straddle_a_split() -> None:
    chance = random.Random(4)
    texts = sentences(300)
    texts += [edited(text, chance) for text in texts]
    part = table(texts).all_rows()
    near_N = near_duplicates([part], NearSettings()).near_N
    train, held = hold_out(part, None, share=0.2, at_least=10, groups_N=near_N)
    grouped = near_N[held.rows_N]
    assert len(held) >= 100
    assert not np.isin(near_N[train.rows_N], grouped[grouped >= 0]).any()
