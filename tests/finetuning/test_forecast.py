"""A forecast holds although the machine was busy when it was first made."""

from __future__ import annotations

import itertools
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.finetuning.conftest import MakeWork

from deepen.finetuning import forecast


def test_the_lowest_of_three_measurements(
    make_work: MakeWork, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, found = make_work(), []
    for seconds in (100.0, 1.0, 2.0, 0.01):  # what every pass of a measurement takes
        clock = itertools.count(0.0, seconds)
        monkeypatch.setattr(forecast, "time", SimpleNamespace(monotonic=lambda clock=clock: next(clock)))
        found.append(forecast.seconds_per_token(work))
    assert found[0] == pytest.approx(100 * found[1]), "a disturbed one is not kept"
    assert found[1] == found[2] == found[3], "the lowest of three is, and then there are no more"
