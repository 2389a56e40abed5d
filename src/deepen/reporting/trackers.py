"""A finished run in a tracker of experiments: what was set, its curves, the scores of each rung, the page.

Each tracker is a function of what a run left, and works without a network: TensorBoard writes into the run folder,
MLflow into `mlflow.db` where the command runs, Weights & Biases offline, Trackio into its own cache. What their
environment variables say goes before that.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deepen.core.curve import read_curves
from deepen.core.errors import SettingError, nearest
from deepen.core.recipe_file import read_recipe
from deepen.core.run import Run

_PROJECT = "deepen"
_LONGEST = 500
_KEPT = ("report.html", "ladder.json", "recipe.yaml")


@dataclass(frozen=True)
class Tracked:
    """What of a run is told: dotted settings, points of curves as (name, value, step), final scores, files."""

    name: str
    folder: Path
    settings: dict[str, Any]
    curves: list[tuple[str, float, int]]
    scores: dict[str, float]
    files: list[Path]


def _tensorboard(run: Tracked) -> str:
    from torch.utils.tensorboard import SummaryWriter

    place = run.folder / "tensorboard"
    with SummaryWriter(str(place)) as writer:
        for name, value, step in run.curves:
            writer.add_scalar(name, value, step)
        for name, value in run.scores.items():
            writer.add_scalar(f"final/{name}", value, 0)
        writer.add_text("recipe", "\n".join(f"    {name}: {value}" for name, value in run.settings.items()))
    return f"tensorboard --logdir {place}"


def _mlflow(run: Tracked) -> str:
    import mlflow

    if not os.environ.get("MLFLOW_TRACKING_URI"):
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment(_PROJECT)
    with mlflow.start_run(run_name=run.name):
        mlflow.log_params({name: str(value)[:_LONGEST] for name, value in run.settings.items()})
        for name, value, step in run.curves:
            mlflow.log_metric(name, value, step=step)
        mlflow.log_metrics({f"final/{name}": value for name, value in run.scores.items()})
        for path in run.files:
            mlflow.log_artifact(str(path))
    return f"mlflow ui --backend-store-uri {mlflow.get_tracking_uri()}"


def _wandb(run: Tracked) -> str:
    import wandb

    mode: Any = os.environ.get("WANDB_MODE") or "offline"
    with wandb.init(project=_PROJECT, name=run.name, dir=str(run.folder), config=run.settings, mode=mode) as there:
        for name, value, step in run.curves:
            there.log({name: value, "step": step})
        there.summary.update(run.scores)
    return f"wandb sync {run.folder / 'wandb'} sends it"


def _trackio(run: Tracked) -> str:
    import trackio

    trackio.init(project=_PROJECT, name=run.name, config=run.settings)
    for name, value, step in run.curves:
        trackio.log({name: value}, step=step)
    trackio.log({f"final/{name}": value for name, value in run.scores.items()})
    trackio.finish()
    return f"trackio show --project {_PROJECT}"


TRACKERS: Mapping[str, Callable[[Tracked], str]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
    "wandb": _wandb,
    "trackio": _trackio,
}


def check_tracker(name: str | None) -> None:
    """Whether a tracker can be used, told before a training begins.

    Raises:
        SettingError: If there is no such tracker, or it is not installed.
    """
    if name is None:
        return
    if name not in TRACKERS:
        raise SettingError(f"unknown tracker '{name}'; {nearest(name, list(TRACKERS))}")
    if find_spec(name) is None:
        raise SettingError(f"--tracker {name} needs the package {name}: pip install {name}")


def track(run: Run, name: str | None, say: Callable[[str], None]) -> None:
    """Tells a tracker of a run, and the user the command that shows it there.

    Args:
        name: The tracker; None tells nobody.
    """
    if name is None:
        return
    ladder = run.ladder
    scores = {f"validation/{row.rung}": row.score["value"] for row in ladder.rungs if row.score}
    scores |= {f"test/{score['name']}": score["value"] for score in ladder.test if not score.get("label")}
    settings = dict(_dotted("", read_recipe(run.folder / "recipe.yaml"))) | {"chosen": ladder.chosen}
    files = [path for kept in _KEPT if (path := run.folder / kept).is_file()]
    told = TRACKERS[name](Tracked(run.folder.name, run.folder, settings, list(_curves(run)), scores, files))
    say(f"  {name}: {told}")


def _curves(run: Run) -> Iterator[tuple[str, float, int]]:
    for rung, points in read_curves(run.folder).items():
        for point in points:
            yield f"{rung}/{point.name}", point.value, point.step
            if point.loss is not None:
                yield f"{rung}/loss", point.loss, point.step


def _dotted(start: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Settings by their dotted names; those that are not set are left out."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _dotted(f"{start}.{name}" if start else str(name), part)
    elif value is not None:
        yield start, value
