"""The verbs, as functions: what the command line and `import deepen` both call.

Their arguments mirror the command line, which is why they may be more than seven (docs/decisions/0001).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, SettingError
from deepen.core.files import read_json, write_text
from deepen.core.run import Run, check_place, new_run, open_run
from deepen.core.settings import override
from deepen.ladder.climb import Events, climb
from deepen.ladder.examine import examine
from deepen.ladder.load import Model, load_model
from deepen.ladder.prepare import Sources, infer_task, load_task, prepare
from deepen.ladder.recipe import Recipe, check_resumed, make_recipe, read_recipe, write_recipe
from deepen.ladder.record import write_environment
from deepen.report.card import card
from deepen.training.task import Task


def train(
    data: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    labels: str | None = None,
    model: str | None = None,
    rungs: Sequence[str] | None = None,
    tuning: str | None = None,
    worth: float | None = None,
    thorough: bool | None = None,
    budget: str | None = None,
    recipe: str | Path | Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int | None = None,
    say: Callable[[str], None] | None = None,
    on_row: Callable[[dict[str, Any]], None] | None = None,
) -> Run:
    """Climbs the ladder on labelled rows and leaves an evaluated model in a run folder.

    Args:
        data: A file, a folder, a hub name, a DataFrame or a list of mappings; None if the recipe names it.
        validation: Rows that decide; None holds some of `data` out.
        test: Rows that are scored once, at the end.
        task: What to learn; None infers it from the columns.
        columns: Which columns are what, as in `{"text": "title+description", "label": "stars"}`.
        labels: A file with names for numeric labels.
        model: A pretrained model: a folder or a hub id.
        rungs: Climb just these rungs.
        tuning: Which numbers of the trained layers may change.
        worth: Points that a trained rung must gain for the climb to go on.
        thorough: Climb to the top.
        budget: Time for the whole climb, as in `5m`.
        recipe: A YAML file or a nested mapping; the other arguments are laid over it.
        settings: Words such as `rungs.full.learning_rate=1e-4`, laid over everything else.
        out: The run folder; None makes `runs/NAME-TASK-N`.
        resume: Go on with the run that is in `out`.
        overwrite: Replace it.
        seed: The one number that all chance comes from.
        say: Called with lines for the user; None is silent.
        on_row: Called with each finished row of the ladder.

    Returns:
        The finished run.

    Raises:
        SettingError: If an argument, a setting or the recipe is wrong.
        DataError: If the data is wrong.
        ModelError: If the model can't be had.

    Example:
        >>> run = train([{"text": "good", "label": "+"}], out="runs/x")  # doctest: +SKIP
        >>> load("runs/x").predict(["fine"])[0].output  # doctest: +SKIP
        '+'
    """
    began = time.monotonic()
    if resume and out is None:
        raise SettingError("--resume needs --out: which run to go on with?")
    if int(os.environ.get("WORLD_SIZE") or 1) > 1:
        raise SettingError("WORLD_SIZE is above 1, but a climb runs in one process (docs/decisions/0004-processes.md)")
    start = recipe
    if resume and recipe is None:
        kept = Path(out or "") / "recipe.yaml"
        start = kept if kept.is_file() else None  # None: it was interrupted before it began
    values = read_recipe(Path(start)) if isinstance(start, str | Path) else dict(start or {})
    sources, paths = _sources(data, validation, test)
    chosen = {
        "task": task,
        "tuning": tuning,
        "seed": seed,
        "data": {**paths, "columns": dict(columns) if columns else None, "labels": labels},
        "model": {"name": model},
        "ladder": {
            "rungs": tuple(rungs) if rungs is not None else None,
            "worth": worth,
            "thorough": thorough,
            "budget": budget,
        },
    }
    made = make_recipe(override(_over(values, chosen), list(settings)), where=_where(start))
    if sources.train is None and made.data.path is None:
        raise SettingError("no data: name a file, a folder or a hub data set, or a recipe that does")
    if made.task is None:
        name, why = infer_task(made, sources)
        made = made.model_copy(update={"task": name})
        (say or (lambda line: None))(f"task: {name}, since {why}")
    return _climb(made, sources, Path(out) if out else _free_folder(made), resume, overwrite, (say, on_row), began)


def _where(recipe: Any) -> str:
    return f"recipe {recipe}" if isinstance(recipe, str | Path) else "settings"


def _climb(
    recipe: Recipe,
    sources: Sources,
    folder: Path,
    resume: bool,
    overwrite: bool,
    listeners: tuple[Callable[[str], None] | None, Callable[[dict[str, Any]], None] | None],
    began: float,
) -> Run:
    say = listeners[0] or (lambda line: None)
    check_place(folder, resume=resume, overwrite=overwrite)
    if resume and Run(folder).complete:
        say(f"{folder} is complete already")
        return Run(folder)
    if resume:
        check_resumed(folder, recipe)
    prepared = prepare(recipe, sources, folder, say=say)
    run = new_run(folder, resume=resume, overwrite=overwrite)
    write_recipe(folder / "recipe.yaml", recipe)
    write_environment(folder, prepared.work, prepared.test, recipe.seed)
    climb(recipe, prepared, run, Events(row=listeners[1] or (lambda row: None), published=_write_card), began=began)
    return run


def _write_card(run: Run) -> None:
    """The model card goes into the run's model folder only, so that rungs share their files by hard links."""
    recipe = read_recipe(run.folder / "recipe.yaml")
    environment = read_json(run.folder / "environment.json")
    write_text(run.folder / "model" / "README.md", card(run.ladder, recipe, environment))


def _sources(data: Any, validation: Any, test: Any) -> tuple[Sources, dict[str, str | None]]:
    """Paths go into the recipe; rows from Python are handed on."""
    given = {"path": data, "validation": validation, "test": test}
    paths = {key: str(value) if isinstance(value, str | Path) else None for key, value in given.items()}
    rows = [None if isinstance(value, str | Path) else value for value in given.values()]
    return Sources(*rows), paths


def _over(values: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Lays what was given over a recipe; None is not given."""
    out = dict(values)
    for key, value in chosen.items():
        if isinstance(value, Mapping) and isinstance(out.get(key) or {}, Mapping):
            inner = dict(out.get(key) or {})
            inner |= {name: item for name, item in value.items() if item is not None}
            if inner:
                out[key] = inner
        elif value is not None:
            out[key] = value
    return out


def _free_folder(recipe: Recipe) -> Path:
    stem = Path(recipe.data.path).name.split(".")[0] if recipe.data.path else "data"
    number = 1
    while (folder := Path("runs") / f"{stem}-{recipe.task}-{number}").exists():
        number += 1
    return folder


def load(run: str | Path | Run, *, rung: str | None = None) -> Model:
    """The model of a run, ready to predict and evaluate.

    Args:
        run: A run, its folder, or a model folder.
        rung: A rung of the run; None is the chosen one.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If there is no such rung, or its files are damaged.
    """
    return load_model(run.folder if isinstance(run, Run) else run, rung=rung)


def report(run: str | Path | Run) -> Path:
    """Writes the run's report: one HTML page that needs no network.

    Args:
        run: A run or its folder.

    Returns:
        The page.

    Raises:
        DataError: If there is no such run.
        SettingError: If matplotlib is not installed.
    """
    from deepen.report.page import write_report

    return write_report(run.folder if isinstance(run, Run) else open_run(run).folder)


def check(
    data: Any,
    *,
    validation: Any = None,
    test: Any = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
    labels: str | None = None,
    model: str | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Looks for what would spoil a model before it is trained: bad rows, leaks, labels that conflict, personal data.

    Args:
        data: The training rows: a file, a folder, a hub name, a DataFrame or a list of mappings.
        validation: Rows that would decide.
        test: Rows that would be scored at the end.
        columns: Which columns are what.
        task: What would be learned; None infers it from the columns.
        labels: A file with names for numeric labels.
        model: A model whose tokens are counted; None takes the default model, if it is on this machine.
        settings: Words such as `data.near.threshold=0.7`.
        say: Called with lines for the user; None is silent.

    Returns:
        The record that `deepen check --json` prints: rows, columns with their reasons, task, and the findings, errors
        first. Training would stop at an error.

    Raises:
        DataError: If a file does not exist.
        SettingError: If an argument or a setting is wrong.
        ModelError: If a model is named and can't be had.

    Example:
        >>> found = check([{"text": "good", "label": "+"}, {"text": "bad", "label": "+"}])  # doctest: +SKIP
        >>> found["findings"][0]["code"]  # doctest: +SKIP
        'one_label'
    """
    sources, paths = _sources(data, validation, test)
    section = {**paths, "columns": dict(columns) if columns else None, "labels": labels}
    values = _over({}, {"task": task, "data": section, "model": {"name": model}})
    recipe = make_recipe(override(values, list(settings)), where="settings")
    given = {"train": data, "validation": validation, "test": test}
    given = {name: source for name, source in given.items() if source is not None}
    return examine(recipe, given, _task_of(recipe, sources), model=model, say=say or (lambda line: None))


def _task_of(recipe: Recipe, sources: Sources) -> Task:
    """The task that was named, or the one that the columns look like; classification if they can't be read."""
    try:
        return load_task(recipe.task or infer_task(recipe, sources)[0])
    except DataError:
        return load_task("classification")


def bench(model: str | None = None, *, mean_tokens: int = 25) -> dict[str, Any]:
    """Measures this machine with a model: the matmul rate in its shapes, and each rung's share of it.

    Args:
        model: A pretrained model: a folder or a hub id; None is the default model.
        mean_tokens: The mean length of a text, in tokens.

    Returns:
        The record that `deepen bench --json` prints.

    Raises:
        ModelError: If the model can't be had.
    """
    from deepen.models.load import load_pretrained
    from deepen.models.offline import DEFAULT_MODEL
    from deepen.training.bench import bench as measure

    return measure(load_pretrained(model or DEFAULT_MODEL), mean_tokens=mean_tokens)


# The room of the same name would hide the verb as an attribute of the package once it has been imported.
vars(sys.modules["deepen"])["report"] = report
