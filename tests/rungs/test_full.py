"""How `full` is trained where it starts from nothing: two texts read together."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.worlds import WORLDS

from deepen.preparation.prepare import prepare
from deepen.preparation.read import Sources
from deepen.preparation.recipe import make_recipe
from deepen.rungs import full, top_layers


@pytest.mark.parametrize(("num", "epochs"), [(200, 10), (4000, 6)])
def test_a_fresh_start_takes_more_epochs(tiny_model: Path, tmp_path: Path, num: int, epochs: int) -> None:
    values = {"task": "matching", "data": {"validation_at_least": 30}, "model": {"name": str(tiny_model)}}
    work = prepare(make_recipe(values), Sources(WORLDS["matching"](num)), tmp_path, say=lambda line: None).work
    fresh = full._from_nothing(work, full.RungSettings())
    assert fresh.num_epochs == epochs
    assert fresh.dropout is None, "the network's own"
    assert fresh.rate(12) == 1e-4 < full.RungSettings().rate(2), "fixed for the layers that the model has"
    asked = full._from_nothing(work, full.RungSettings(num_epochs=2, fresh_dropout=0.3))
    assert (asked.num_epochs, asked.dropout) == (2, 0.3)


def test_a_deeper_encoder_learns_at_a_lower_rate() -> None:
    """A rate that is asked for is taken as it is."""
    for rung in (full, top_layers):
        usual, asked = rung.RungSettings(), rung.RungSettings(learning_rate=3e-4)
        assert usual.rate(2) == usual.rate(6) == 4 * usual.rate(12) == 16 * usual.rate(24) == usual.rate(24, tags=True)
        assert asked.rate(2) == asked.rate(24) == 3e-4
