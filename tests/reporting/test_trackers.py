"""What trackers are told of a run is what the run folder says; each that is installed is read back by its own means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.worlds import WORLDS

import deepen
from deepen.core.errors import SettingError


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """A run that told the tracker which the test names."""
    name = request.param
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("WANDB_SILENT", "true")
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    rows, said = WORLDS["classification"](120), []
    made = deepen.train(
        rows[:90],
        test=rows[90:],
        model=tiny_model,
        rungs="lexical,full",
        thorough=True,
        settings=["rungs.full.num_epochs=2"],
        out="run",
        tracker=name,
        say=said.append,
    )
    [told] = [line for line in said if line.strip().startswith(f"{name}: ")]
    assert {"tensorboard": "--logdir", "mlflow": "--backend-store-uri", "trackio": "trackio show --project"}.get(
        name, "wandb sync"
    ) in told
    return made


def final(run: deepen.Run) -> float:
    """The first test score."""
    return float(run.ladder.test[0]["value"])


@pytest.mark.parametrize("run", ["tensorboard"], indirect=True)
def test_tensorboard(run: deepen.Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(run.folder / "tensorboard"))
    found.Reload()
    names = found.Tags()["scalars"]
    assert found.Scalars("final/test/accuracy")[0].value == pytest.approx(final(run), abs=1e-6)
    assert len([name for name in names if name.startswith("full/")]) > 0


@pytest.mark.parametrize("run", ["mlflow"], indirect=True)
def test_mlflow(run: deepen.Run) -> None:
    import mlflow

    [there] = mlflow.search_runs(experiment_names=["deepen"], output_format="list")
    assert there.data.metrics["final/test/accuracy"] == pytest.approx(final(run))
    assert there.data.params["chosen"] == run.chosen
    assert {file.path for file in mlflow.MlflowClient().list_artifacts(there.info.run_id)} >= {"report.html"}


@pytest.mark.parametrize("run", ["wandb"], indirect=True)
def test_wandb(run: deepen.Run) -> None:
    assert list(run.folder.glob("wandb/offline-run-*/run-*.wandb"))


@pytest.mark.parametrize("run", ["trackio"], indirect=True)
def test_trackio(run: deepen.Run, tmp_path: Path) -> None:
    import sqlite3

    [path] = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(path) as database:
        rows = database.execute("select metrics from metrics").fetchall()
    assert any("final/test/accuracy" in str(row[0]) for row in rows)


def test_trackers_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingError, match="unknown tracker 'tensorbord'; did you mean 'tensorboard'"):
        deepen.train([{"text": "a", "label": "b"}], tracker="tensorbord")
    monkeypatch.setattr("deepen.reporting.trackers.find_spec", lambda name: None)
    with pytest.raises(SettingError, match="needs the package mlflow: pip install mlflow"):
        deepen.train([{"text": "a", "label": "b"}], tracker="mlflow")
