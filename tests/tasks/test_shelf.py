"""One suite over every task on the shelf."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from tests.worlds import WORLDS

from deepen.core.errors import DataError
from deepen.core.types import Outputs, Score
from deepen.data.load import load_table
from deepen.data.settings import DataSettings
from deepen.data.table import Part
from deepen.models.save import shelf
from deepen.models.tokenizer import load_tokenizer
from deepen.preparation.catalog import load_task, tasks
from deepen.problem.losses import binary_cross_entropy
from deepen.problem.task import Task


def part_of(task: Task, num_rows: int = 40) -> Part:
    return load_table(WORLDS[task.name](num_rows), task.needs, DataSettings())[0].all_rows()


def right_outputs(task: Task, part: Part, labels: tuple[str, ...]) -> Outputs:
    targets = task.targets(part, labels)
    if targets.labels_M.ndim == 2:
        return Outputs(9 * (2 * targets.labels_M.astype(np.float32) - 1), targets.offsets_N1)
    return Outputs(np.eye(len(labels), dtype=np.float32)[targets.labels_M] * 9, targets.offsets_N1)


@pytest.mark.parametrize("name", tasks())
def test_every_task_has_a_world(name: str) -> None:
    if load_task(name).writes is not None:  # see tests/generation
        return
    assert name in WORLDS, "plant a few rows for it in tests/worlds.py, so that the contract suites cover it"


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_it_has_the_shape_of_a_task(name: str) -> None:
    task = load_task(name)
    assert isinstance(task, Task)
    assert task.name == name
    assert task.inputs
    assert [need.name for need in task.needs].count("label") == 1
    assert task.form.head in shelf().values()
    for field in dataclasses.fields(Task):
        assert f"{field.name}:" in (Task.__doc__ or ""), f"{field.name} is not explained"


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_rows_to_targets(name: str) -> None:
    task = load_task(name)
    part = part_of(task)
    labels = task.labels(part, None)
    task = task.for_labels(labels)
    assert len(labels) == len(set(labels)) >= 2
    targets = task.targets(part, labels)
    assert len(targets) == len(part)
    assert set(targets.labels_M.ravel()) <= {-100, *range(2 if targets.labels_M.ndim == 2 else len(labels))}
    few = part.take(np.array([5, 2]))
    counts = np.diff(targets.offsets_N1)
    assert np.diff(task.targets(few, labels).offsets_N1).tolist() == [counts[5], counts[2]]
    task.check(few, labels)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_a_label_of_no_training_row_is_a_data_error(name: str) -> None:
    task = load_task(name)
    part = part_of(task)
    labels = task.labels(part, None)
    task = task.for_labels(labels)
    if not task.fixed:  # another table may bring documents of its own
        return
    with pytest.raises(DataError):
        task.check(part, tuple("never" if label == labels[-1] else label for label in labels))


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_tokens_and_units_agree(name: str, tiny_model: Any) -> None:
    task = load_task(name)
    part = part_of(task)
    encode = task.form.encoder(load_tokenizer(tiny_model), 64)
    found = encode({column: list(part.values(column)) for column in part.table.inputs})
    each = np.ones(len(part), int) if found.sequence_counts_B is None else found.sequence_counts_B
    assert len(found.truncated_B) == len(each) == len(part)
    assert len(found.lengths_B) == each.sum()
    assert int(found.lengths_B.sum()) == len(found.ids_T)
    counts = np.diff(task.targets(part, task.labels(part, None)).offsets_N1)
    if task.form.head.states == 2 and task.form.head.sides == 1:
        np.testing.assert_array_equal(found.unit_counts_B, 2 * counts)
    elif found.unit_counts_B is None:
        assert (counts == 1).all()
    else:
        np.testing.assert_array_equal(found.unit_counts_B, counts)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_losses_and_margins(name: str) -> None:
    task = load_task(name)
    if task.losses is binary_cross_entropy or not task.fixed:  # see test_multilabel.py and test_ranking.py
        return
    logits_MC = torch.tensor([[9.0, 0.0, 0.0], [0.0, 0.0, 9.0], [0.0, 0.0, 0.0], [5.0, 5.0, 5.0]])
    labels_M = torch.tensor([0, 0, 1, -100])
    losses, margins = task.losses(logits_MC, labels_M), task.margins(logits_MC, labels_M)
    assert losses.shape == margins.shape == (4,)
    assert losses[0] < 0.01
    assert losses[1] > 5
    assert losses[2] == pytest.approx(np.log(3))
    assert losses[3] == 0
    assert margins[0] > 0.9
    assert margins[1] < -0.9
    assert margins[2] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_right_answers_score_one(name: str) -> None:
    task = load_task(name)
    part = part_of(task)
    labels = task.labels(part, None)
    task = task.for_labels(labels)
    outputs, targets = right_outputs(task, part, labels), task.targets(part, labels)
    assert task.score(outputs, targets) == 1.0
    turned = -outputs.values_MC if targets.labels_M.ndim == 2 else np.roll(outputs.values_MC, 1, axis=1)
    wrong = Outputs(turned, outputs.offsets_N1)
    assert task.score(wrong, targets) < 0.5
    scores = task.scores(outputs, targets, labels, 0)
    assert all(isinstance(score, Score) for score in scores)
    [deciding] = [score for score in scores if score.name == task.score_name and score.label is None]
    assert deciding.value == 1.0
    for score in scores:
        assert score.n >= 0
        assert score.low is None or score.high is None or score.low <= score.value + 1e-9 <= score.high + 2e-9


@pytest.mark.parametrize("name", sorted(WORLDS))
def test_decoding(name: str) -> None:
    task = load_task(name)
    part = part_of(task)
    labels = task.labels(part, None)
    task = task.for_labels(labels)
    answers = task.decode(right_outputs(task, part, labels), part, labels)
    for answer, target in zip(answers, part.values("answer" if not task.fixed else "target"), strict=True):
        assert answer["output"] == target or [answer["output"]] == (target or [""])
    for answer in answers:
        if answer.get("probabilities") is not None and task.shift is None and task.fixed:
            assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
