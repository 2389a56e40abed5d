"""What is frozen is computed once, and however it came about it is the same."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.finetuning.conftest import MakeWork
from torch import nn

from deepen.core.errors import SettingError
from deepen.data.tokens import TokenTable
from deepen.finetuning import hidden_cache
from deepen.finetuning.hidden_cache import batch_inputs, frozen_pass
from deepen.models.encoder import layout
from deepen.models.network import Network
from deepen.models.save import shelf
from deepen.problem.flat import same_sequences


def test_it_equals_a_fresh_run(make_work: MakeWork, own_cache: Path) -> None:
    work = make_work()
    for cut in (0, 1, 2, None):
        found = frozen_pass(work, work.problem.train.table, cut=cut)
        assert found.computed
        encoder, rows = work.base.model.encoder().eval(), work.problem.train.rows_N
        inputs = batch_inputs(found.tokens, rows)
        assert inputs.ids_T is not None
        where = layout(inputs.lengths_B)
        with torch.inference_mode():
            low_TD = encoder.run(encoder.embed(inputs.ids_T, None, where), where, 0, cut or 0)
            features = shelf()["mean"].pool(encoder.run(low_TD, where, cut or 0, 2), where, inputs)
        np.testing.assert_allclose(found.features_MF[rows], features.numpy(), atol=1e-5)
        if cut is None:
            assert found.hidden_TD is None
        else:
            kept = batch_inputs(found.tokens, rows, frozen=found)
            assert kept.start == cut
            assert kept.hidden_TD is not None
            np.testing.assert_allclose(kept.hidden_TD.numpy(), low_TD.numpy(), atol=1e-5)


def test_the_second_time_it_is_read(make_work: MakeWork, own_cache: Path) -> None:
    work = make_work()
    one, two = (frozen_pass(work, work.problem.train.table, cut=1) for _ in range(2))
    assert (one.computed, two.computed) == (True, False)
    assert one.seconds == two.seconds > 0
    np.testing.assert_array_equal(one.features_MF, two.features_MF)
    np.testing.assert_array_equal(one.hidden_TD, two.hidden_TD)


def test_float16_is_close(make_work: MakeWork, own_cache: Path) -> None:
    exact, short = (make_work(cache_dtype=kind) for kind in ("float32", "float16"))
    full, half = (frozen_pass(work, work.problem.train.table, cut=1) for work in (exact, short))
    assert half.hidden_TD is not None
    assert half.hidden_TD.dtype == np.float16
    np.testing.assert_allclose(half.hidden_TD, full.hidden_TD, atol=5e-3)
    np.testing.assert_array_equal(half.features_MF, full.features_MF)


class KilledError(Exception):
    pass


def test_an_interrupted_pass_goes_on(make_work: MakeWork, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hidden_cache, "_BATCH_TOKENS", 100)
    monkeypatch.setattr(hidden_cache, "_SAVE_SECONDS", -1.0)
    work = make_work()
    whole = frozen_pass(work, work.problem.train.table, cut=1)
    right = (np.array(whole.features_MF), np.array(whole.hidden_TD))
    [folder] = (own_cache / "hidden").iterdir()
    for file in folder.iterdir():
        file.unlink()
    one, ran = hidden_cache._one, []

    def die(encoder: Any, out: Any, rows: np.ndarray) -> None:
        ran.append(len(rows))
        if len(ran) == 6:
            raise KilledError
        one(encoder, out, rows)

    monkeypatch.setattr(hidden_cache, "_one", die)
    with pytest.raises(KilledError):
        frozen_pass(work, work.problem.train.table, cut=1)
    before = sum(ran[:5])
    ran.clear()
    ran.extend([0] * 6)
    again = frozen_pass(work, work.problem.train.table, cut=1)
    assert before + sum(ran) == len(work.problem.train.table), "rows that were done are not run again"
    np.testing.assert_array_equal(again.features_MF, right[0])
    np.testing.assert_array_equal(again.hidden_TD, right[1])


@pytest.mark.parametrize("file", ["hidden.bin", "features.bin", "state.json"])
def test_a_damaged_cache_is_made_again(make_work: MakeWork, own_cache: Path, file: str) -> None:
    work = make_work()
    right = np.array(frozen_pass(work, work.problem.train.table, cut=1).hidden_TD)
    [folder] = (own_cache / "hidden").iterdir()
    path = folder / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = frozen_pass(work, work.problem.train.table, cut=1)
    assert again.computed
    np.testing.assert_array_equal(again.hidden_TD, right)


@pytest.mark.parametrize("kind", ["hidden", "tokens"])
def test_one_changed_byte_is_not_served(make_work: MakeWork, own_cache: Path, kind: str) -> None:
    work = make_work()
    whole = frozen_pass(work, work.problem.train.table, cut=1)
    right = (np.array(whole.features_MF), np.array(whole.hidden_TD), np.array(whole.tokens.ids_T))
    del whole
    [folder] = (own_cache / kind).iterdir()
    for path in sorted(folder.iterdir()):
        held = bytearray(path.read_bytes())
        held[len(held) // 2] ^= 1
        path.write_bytes(held)
        again = frozen_pass(work, work.problem.train.table, cut=1)
        for found, array in zip((again.features_MF, again.hidden_TD, again.tokens.ids_T), right, strict=True):
            np.testing.assert_array_equal(found, array)
        del again


def test_an_interrupted_pass_whose_rows_were_changed_begins_anew(
    make_work: MakeWork, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hidden_cache, "_BATCH_TOKENS", 100)
    work = make_work()
    right = np.array(frozen_pass(work, work.problem.train.table, cut=1).features_MF)
    [folder] = (own_cache / "hidden").iterdir()
    (folder / "seal.json").unlink()
    for file in folder.iterdir():
        file.unlink()
    monkeypatch.setattr(hidden_cache, "_SAVE_SECONDS", -1.0)
    one, ran = hidden_cache._one, []

    def die(encoder: Any, out: Any, rows: np.ndarray) -> None:
        ran.append(rows)
        if len(ran) == 4:
            raise KilledError
        one(encoder, out, rows)

    monkeypatch.setattr(hidden_cache, "_one", die)
    with pytest.raises(KilledError):
        frozen_pass(work, work.problem.train.table, cut=1)
    held = np.memmap(folder / "features.bin", np.float32, "r+", shape=right.shape)
    held[ran[0]] += 1
    held.flush()
    monkeypatch.setattr(hidden_cache, "_one", one)
    np.testing.assert_array_equal(frozen_pass(work, work.problem.train.table, cut=1).features_MF, right)


def test_a_full_disk_is_told_before_any_work(
    make_work: MakeWork, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = make_work()
    work.tokens(work.problem.train.table)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(SettingError, match=r"can't write .*: the disk is full"):
        frozen_pass(work, work.problem.train.table, cut=1)
    assert not any((own_cache / "hidden").iterdir())


@pytest.mark.parametrize("seed", range(5))
def test_a_text_that_is_there_twice_is_run_once(make_work: MakeWork, seed: int) -> None:
    chance = np.random.default_rng(seed)
    texts = [chance.integers(5, 9, chance.integers(1, 4)).tolist() for _ in range(24)]
    lengths_S = np.array([len(text) for text in texts])
    ids_T = np.concatenate(texts).astype(np.int32)
    once, again_S = same_sequences(ids_T, lengths_S)
    assert [texts[at] for at in once] == list(map(list, dict.fromkeys(map(tuple, texts))))
    assert [texts[once[at]] for at in again_S] == texts
    starts_N1 = np.concatenate([[0], np.cumsum(lengths_S.reshape(-1, 2).sum(1))])
    tokens = TokenTable("", ids_T, starts_N1, np.zeros(12), None, None, None, lengths_S, np.arange(0, 25, 2))
    work, rows = make_work(), np.array([3, 7, 3, 0, 11])
    network = Network(work.base.model.encoder().eval(), nn.Linear(1, 1), shelf()["pair"])
    with torch.inference_mode():
        twice, single = (network.features(batch_inputs(tokens, rows, shares=how)) for how in (False, True))
    assert len(batch_inputs(tokens, rows, shares=True).lengths_B) < 10
    np.testing.assert_allclose(single.numpy(), twice.numpy(), atol=1e-5)
