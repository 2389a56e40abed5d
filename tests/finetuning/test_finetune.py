"""What training must prove, on the tiny world."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.finetuning.conftest import MakeWork

from deepen.finetuning import finetune
from deepen.finetuning.finetune import climb_trained
from deepen.finetuning.predictor import load_predictor
from deepen.finetuning.settings import TrainedSettings
from deepen.models.linear import solve_path
from deepen.problem.climbed import Climbed
from deepen.problem.work import Work
from deepen.rungs import frozen, full
from deepen.training import loop

STEADY = {"dropout": 0.0, "evaluations_per_epoch": 1, "patience": 0}
STEPS = {"num_epochs": 1, "learning_rate": 1e-2, "batch_tokens": 200, "evaluations_per_epoch": 1}


def placed(work: Work, folder: Path) -> Work:
    return replace(work, context=replace(work.context, folder=folder))


def climb(work: Work, depth: int, below: Path | None = None, name: str = "full", **given: Any) -> Climbed:
    return climb_trained(work, name=name, depth=depth, settings=TrainedSettings(**given), below=below)


def weights(climbed: Climbed) -> dict[str, torch.Tensor]:
    return dict(climbed.predictor.network.state_dict())  # type: ignore[attr-defined]


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("depth", [1, 2])
def test_the_first_loss_of_a_zero_head_is_ln_c(make_work: MakeWork, num_classes: int, depth: int) -> None:
    work = make_work(num_classes=num_classes)
    climbed = climb(work, depth, num_epochs=1, learning_rate=1e-9, batch_tokens=1 << 20)
    assert climbed.dynamics is not None
    assert climbed.dynamics.losses_EN[0] == pytest.approx(math.log(num_classes), abs=1e-6)
    assert climbed.dynamics.margins_EN[0] == pytest.approx(0.0, abs=1e-6)


def test_it_overfits_one_batch(make_work: MakeWork) -> None:
    work = make_work(num_rows=60)
    settings = {"num_epochs": 60, "learning_rate": 3e-3, "batch_tokens": 1 << 20, "weight_decay": 0.0}
    climbed = climb(work, 2, **STEADY, **settings, schedule="constant")
    assert climbed.dynamics is not None
    assert climbed.dynamics.losses_EN[-1].mean() < 0.01
    assert (climbed.dynamics.margins_EN[-1] > 0).all()


def test_what_is_frozen_stays_to_the_bit(make_work: MakeWork) -> None:
    work = make_work()
    before = work.base.model.encoder().state_dict()
    after = weights(climb(work, 1, name="top_layers", **STEPS))
    for name, value in before.items():
        moved = not torch.equal(value, after[f"encoder.{name}"])
        assert moved == ("encoder.layer.1." in name), name


@pytest.mark.parametrize("embeddings", [True, False])
def test_the_full_depth_moves_all_but_embeddings_if_asked(make_work: MakeWork, embeddings: bool) -> None:
    work = make_work()
    before = work.base.model.encoder().state_dict()
    after = weights(climb(work, 2, **STEPS, embeddings=embeddings))
    for name, value in before.items():
        moved = not torch.equal(value, after[f"encoder.{name}"])
        assert moved == (embeddings or "embeddings" not in name), name


def test_micro_batches_add_up_to_the_batch(make_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients of micro-batches of unequal lengths and counts equal those of one batch."""
    work = make_work()
    found: list[list[torch.Tensor]] = []

    def spy(team: Any, parameters: Any) -> None:
        found.append([p.grad.clone() for p in parameters if p.grad is not None])

    monkeypatch.setattr(loop.Team, "sum_gradients", spy)
    for micro_batch_tokens in (1 << 20, 97):
        climb(work, 2, **STEADY, num_epochs=1, batch_tokens=1 << 20, micro_batch_tokens=micro_batch_tokens, max_steps=1)
    whole, cut = found
    assert len(whole) == len(cut) > 10
    for one, other in zip(whole, cut, strict=True):
        torch.testing.assert_close(other, one, atol=1e-6, rtol=1e-5)


def test_the_same_seed_gives_the_same_losses(make_work: MakeWork) -> None:
    one, two, other = (climb(make_work(seed=seed), 2, num_epochs=2) for seed in (0, 0, 1))
    assert one.dynamics is not None
    assert two.dynamics is not None
    np.testing.assert_array_equal(one.dynamics.losses_EN, two.dynamics.losses_EN)
    np.testing.assert_array_equal(one.validation.values_MC, two.validation.values_MC)
    assert not np.array_equal(one.validation.values_MC, other.validation.values_MC)


class KilledError(Exception):
    pass


@pytest.mark.parametrize("depth", [1, 2])
def test_stop_and_resume_equal_never_stopping(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, depth: int
) -> None:
    """Killed after step `at`; checkpoints were written every other step."""
    settings = {"num_epochs": 3, "learning_rate": 1e-2, "batch_tokens": 300, "schedule": "plateau", "patience": 0}
    whole = climb(placed(make_work(), tmp_path / "whole"), depth, **settings)
    assert whole.dynamics is not None
    after = loop._Keeper.after

    def die(at: int, self: Any, now: loop.Progress, *rest: Any) -> bool:
        self.saved = 0.0 if now.step % 2 else float("inf")
        stop = after(self, now, *rest)
        if now.step == at:
            raise KilledError
        return stop

    for at in (1, 4, 6, 8):
        work = placed(make_work(), tmp_path / f"cut after {at}")
        with monkeypatch.context() as patch:
            patch.setattr(loop._Keeper, "after", lambda *given, at=at: die(at, *given))
            with pytest.raises(KilledError):
                climb(work, depth, **settings)
        torch.manual_seed(12345)  # another process has another state
        again = climb(work, depth, **settings)

        assert again.dynamics is not None
        np.testing.assert_array_equal(whole.dynamics.losses_EN, again.dynamics.losses_EN)
        np.testing.assert_array_equal(whole.dynamics.margins_EN, again.dynamics.margins_EN)
        np.testing.assert_array_equal(whole.validation.values_MC, again.validation.values_MC)
        drop = lambda curve: [{k: v for k, v in row.items() if k != "seconds"} for row in curve]  # noqa: E731
        assert drop(whole.curve) == drop(again.curve)
        assert all(torch.equal(value, weights(again)[name]) for name, value in weights(whole).items())


def test_early_stopping_keeps_the_best(make_work: MakeWork, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    scores = iter([0.5, 0.9, 0.8, 0.7, 0.6, 0.5])
    evaluate = loop._Keeper._evaluate

    def spy(self: Any, *rest: Any) -> None:
        seen.append({name: p.detach().clone() for name, p in self.named.items()})
        object.__setattr__(self.plan, "evaluate", lambda: next(scores))
        evaluate(self, *rest)

    monkeypatch.setattr(loop._Keeper, "_evaluate", spy)
    settings = {"num_epochs": 6, "learning_rate": 1e-2, "evaluations_per_epoch": 1, "patience": 2, "batch_tokens": 400}
    climbed = climb(make_work(), 2, **settings)
    assert climbed.reason == "no better for 2 evaluations"
    assert not climbed.stopped
    assert climbed.ran["max_steps"] == climbed.curve[-1]["step"]
    assert [row["value"] for row in climbed.curve] == [0.5, 0.9, 0.8, 0.7]
    kept = dict(climbed.predictor.network.named_parameters())  # type: ignore[attr-defined]
    assert all(torch.equal(value, kept[name]) for name, value in seen[1].items())
    assert any(not torch.equal(value, kept[name]) for name, value in seen[3].items())


def test_a_run_that_the_clock_ended_is_repeated_by_its_steps(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = {"num_epochs": 3, "learning_rate": 1e-2, "batch_tokens": 300, "evaluations_per_epoch": 1}

    def at_step_five(context: Any) -> Any:
        def watch(now: loop.Progress) -> None:
            if now.step == 5:
                now.stop = "the budget ended"

        return watch

    with monkeypatch.context() as patch:
        patch.setattr(finetune, "deadline", at_step_five)
        cut = climb(placed(make_work(), tmp_path / "cut"), 2, **settings)
    assert cut.stopped
    assert cut.reason == "the budget ended"
    again = climb(placed(make_work(), tmp_path / "again"), 2, **settings, **cut.ran)
    np.testing.assert_array_equal(cut.validation.values_MC, again.validation.values_MC)


STILL = {"num_epochs": 1, "learning_rate": 1e-12, "head_learning_rate": 1e-12, "max_initial_logit": 0}


def test_training_starts_from_the_rung_below(make_work: MakeWork, tmp_path: Path) -> None:
    work = make_work()
    low = frozen.climb(work, frozen.RungSettings(), None)
    low.predictor.save(tmp_path / "frozen")
    up = full.climb(work, full.RungSettings(**STILL), tmp_path / "frozen")
    np.testing.assert_allclose(up.validation.values_MC, low.validation.values_MC, atol=1e-5)


def test_full_starts_from_the_rung_below_unless_told_otherwise(make_work: MakeWork, tmp_path: Path) -> None:
    work = placed(make_work(), tmp_path)
    low = frozen.climb(work, frozen.RungSettings(), None)
    low.predictor.save(work.context.rung_folder("frozen") / "model")
    low.predictor.calibrate(4.0)
    low.predictor.save(tmp_path / "other")
    from_frozen = full.climb(work, full.RungSettings(**STILL, start="frozen"), tmp_path / "other")
    from_below = full.climb(work, full.RungSettings(**STILL), tmp_path / "other")
    np.testing.assert_allclose(from_frozen.validation.values_MC, low.validation.values_MC, atol=1e-5)
    np.testing.assert_allclose(4 * from_below.validation.values_MC, low.validation.values_MC, atol=1e-4)


@pytest.mark.parametrize(("rows", "epochs", "rows_a_step"), [(100, 10, 8), (1350, 5, 8), (3337, 2, 8), (6920, 1, 16)])
def test_few_rows_are_visited_more_often_in_smaller_steps(rows: int, epochs: int, rows_a_step: int) -> None:
    settings = TrainedSettings()
    assert settings.epochs(rows) == epochs
    assert settings.step_tokens(np.full(rows, 20)) == 20 * rows_a_step
    assert TrainedSettings(num_epochs=3).epochs(rows) == 3


@pytest.mark.parametrize(("worth", "rounds"), [(0.0, 3), (100.0, 1)])
def test_another_round_follows_one_that_gained_enough(make_work: MakeWork, worth: float, rounds: int) -> None:
    work = make_work().above(0.0)
    climbed = climb(work, 2, **STEPS, rounds=3, round_worth=worth, patience=0)
    assert [row["name"] for row in climbed.curve] == ["validation"] * rounds
    assert not climbed.stopped
    assert climbed.reason == ""
    assert climbed.ran == {}, "the rule decides again when the recipe is repeated"


def test_a_round_begins_with_a_warm_up_and_ends_at_nothing(
    make_work: MakeWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []

    def factor(step: int, num_steps: int, settings: Any) -> float:
        seen.append((step, num_steps))
        return 0.1

    monkeypatch.setattr(loop, "rate_factor", factor)
    climb(make_work(), 2, **STEPS, rounds=2, round_worth=0.0, patience=0)
    starts = [at for at, (step, _) in enumerate(seen) if step == 0]
    assert len(starts) == 2
    for start, end in zip(starts, [*starts[1:], len(seen)], strict=True):
        assert [step for step, _ in seen[start:end]] == list(range(end - start))
        assert {num for _, num in seen[start:end]} == {end - start}


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        (6920, {"rounds": 3}, (1, 3, 10.0)),
        (3337, {"rounds": 3}, (1, 2, 5.0)),
        (2134, {}, (1, 3, 5.0)),
        (1350, {}, (5, 1, 10.0)),
        (3337, {"num_epochs": 2}, (2, 1, 10.0)),
        (3337, {"evaluations_per_epoch": 0}, (2, 1, 0.0)),
        (3337, {"evaluations_per_epoch": 0, "num_epochs": 1, "rounds": 2, "max_steps": 9}, None),
    ],
)
def test_two_or_three_visits_are_made_while_they_pay(rows: int, given: Any, expected: tuple[int, int, float]) -> None:
    """The last is what a recipe says that won in the second of two rounds."""
    found = TrainedSettings(**given).rounds_of(np.full(rows, 130))
    assert found == expected or (expected is None and found[:2] == (1, 2))


def test_short_visits_are_made_anyway() -> None:
    assert TrainedSettings().rounds_of(np.full(3337, 20)) == (2, 1, 10.0)


def test_several_visits_are_one_round(make_work: MakeWork) -> None:
    climbed = climb(make_work(), 2, **(STEPS | {"num_epochs": 2}), rounds=3, round_worth=0.0, patience=0)
    assert len(climbed.curve) == 2


def test_a_head_is_solved_on_no_more_units_than_asked_for(make_work: MakeWork) -> None:
    sizes: list[int] = []

    def spy(features_MF: torch.Tensor, *rest: Any, **given: Any) -> Any:
        sizes.append(len(features_MF))
        return solve_path(features_MF, *rest, **given)

    made = make_work()
    task = replace(made.problem.task, target=replace(made.problem.task.target, solve=spy))
    work = replace(made, problem=replace(made.problem, task=task))
    for most in (50, len(work.problem.train)):
        climbed = frozen.climb(work, frozen.RungSettings(max_units=most), None)
        assert len(climbed.validation) == len(work.problem.validation)
    assert sizes == [50, len(work.problem.train)]


def test_a_hidden_layer_goes_on_where_the_linear_head_ended(make_work: MakeWork, tmp_path: Path) -> None:
    work = make_work()
    below = climb(work, 1, name="top_layers", **STEPS)
    below.predictor.save(tmp_path / "below")
    before = below.predictor.predict(work.problem.validation).values_MC
    bent = make_work(head="mlp")
    still = climb(bent, 2, tmp_path / "below", **{**STEPS, "learning_rate": 1e-9, "head_learning_rate": 1e-9})
    moved = climb(bent, 2, tmp_path / "below", name="moved", **STEPS)
    assert (
        np.abs(still.predictor.predict(bent.problem.validation).values_MC - before).max() < 0.05 * np.abs(before).max()
    )
    assert (
        np.abs(moved.predictor.predict(bent.problem.validation).values_MC - before).max() > 0.1 * np.abs(before).max()
    )
    assert "hidden.weight" in weights(moved)
    moved.predictor.save(tmp_path / "moved")
    again = load_predictor(tmp_path / "moved", bent.problem.task, bent.problem.labels)
    np.testing.assert_allclose(
        again.predict(bent.problem.validation).values_MC,
        moved.predictor.predict(bent.problem.validation).values_MC,
        atol=1e-5,
    )
