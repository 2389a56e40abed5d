"""The verbs, as functions: what the command line and `import deepen` both call.

Their arguments mirror the command line, which is why they may be more than seven (docs/decisions/0001).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deepen.core.arguments import as_path, as_text, as_texts, as_words
from deepen.core.errors import DataError, DeepenError, SettingError
from deepen.core.files import write_json
from deepen.core.ladder import LadderRow
from deepen.core.log import telling
from deepen.core.run import Run, open_run
from deepen.core.settings import override, parse
from deepen.core.types import Finding, Score, to_json
from deepen.models.device import on
from deepen.preparation.place import check_place, inputs_of, warn
from deepen.reporting.trackers import check_tracker, track

if TYPE_CHECKING:
    from deepen.exporting.export import Exported
    from deepen.inference.chain import Triples
    from deepen.inference.model import Model
    from deepen.preparation.read import Sources
    from deepen.preparation.recipe import Recipe
    from deepen.problem.task import Task


def train(
    data: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    labels: str | Path | None = None,
    drop: str | Path | None = None,
    fix: str | Path | None = None,
    add: str | Path | None = None,
    unlabelled: str | Path | None = None,
    model: str | Path | None = None,
    rungs: Sequence[str] | str | None = None,
    tuning: str | None = None,
    worth: float | None = None,
    decide_by: str | None = None,
    class_weights: str | None = None,
    mask: bool | None = None,
    none_of_these: bool | None = None,
    thorough: bool | None = None,
    budget: str | float | None = None,
    refit: bool | None = None,
    recipe: str | Path | Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
    out: str | Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    seed: int | None = None,
    device: str | None = None,
    tracker: str | None = None,
    say: Callable[[str], None] | None = None,
    on_row: Callable[[LadderRow], None] | None = None,
) -> Run:
    """Climbs the ladder on labelled rows and leaves an evaluated model in a run folder.

    Args:
        data: A file, a folder, a hub name, a DataFrame or a list of mappings; None if the recipe names it.
        validation: Rows that decide; None holds some of `data` out.
        test: Rows that are scored once, at the end.
        task: What to learn; None infers it from the columns.
        columns: Which columns are what, as in `{"text": "title+description", "label": "stars"}`.
        labels: A file with names for numeric labels.
        drop: A file of ids, as diagnose writes it: these training rows are left out.
        fix: A file of ids and labels: these training rows get that label.
        add: More training rows, none of which is held out.
        unlabelled: Rows without a label: the best rung labels them, and rungs learn again.
        model: A pretrained model: a folder or a hub id.
        rungs: Climb just these rungs: a list, or names with commas between them.
        tuning: Which numbers of the trained layers may change.
        decide_by: The score that decides, as `macro_f1`; None is the usual one of the task.
        class_weights: `balanced` lets rare labels count as much as common ones; None does not.
        mask: Replace personal data in every text, in training and whenever the run answers.
        none_of_these: Give no answer to rows that look like none of the labels.
        worth: Points that a trained rung must gain for the climb to go on.
        thorough: Climb to the top.
        budget: Time for the whole climb, as in `5m`; a number is seconds.
        refit: Train the chosen rung once more, on the validation rows too, when they have decided.
        recipe: A YAML file or a nested mapping; the other arguments are laid over it.
        settings: Words such as `rungs.full.learning_rate=1e-4`, laid over everything else.
        out: The run folder; None makes `runs/NAME-TASK-N`.
        resume: Go on with the run that is in `out`.
        overwrite: Replace it.
        seed: The one number that all chance comes from.
        device: Where networks run: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; None is `auto`, or what the recipe says.
        tracker: Tells `tensorboard`, `mlflow`, `wandb` or `trackio` of the finished run.
        say: Called with lines for the user; None writes them to the logger `deepen`.
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
    from deepen.making import make_run, with_task
    from deepen.preparation.given import check_alone, check_data, free_folder, recipe_of, sources_of

    began, say = time.monotonic(), telling(say)
    check_alone()
    check_tracker(tracker)
    folder = as_path("out", out) if out is not None else None
    if resume:
        if folder is None:
            raise SettingError("--resume needs --out: which run to go on with?")
        check_place(folder, resume=resume, overwrite=overwrite)
    sources, paths = sources_of(data, validation, test)
    lists = {"labels": labels, "drop": drop, "fix": fix, "add": add, "unlabelled": unlabelled}
    data_section = paths | {"columns": columns, "mask": "all" if mask else None} | as_texts(lists)
    chosen: dict[str, Any] = {"task": task, "tuning": tuning, "seed": seed, "device": device, "data": data_section}
    chosen["model"], chosen["none_of_these"] = {"name": as_text(model)}, {"refuse": none_of_these}
    chosen["ladder"] = {"rungs": rungs, "worth": worth, "thorough": thorough, "budget": budget, "refit": refit}
    chosen["ladder"] |= {"decide_by": decide_by, "class_weights": class_weights}
    made = recipe_of(recipe, chosen, as_words("settings", settings), resumed=folder if resume else None)
    if folder is not None and not resume:
        check_place(folder, resume=False, overwrite=overwrite, inputs=inputs_of(made, recipe))
    check_data(made, sources, resumed=folder if resume else None)
    made = with_task(made, sources, say)
    place = folder or free_folder(made)
    run = make_run(made, sources, place, resume=resume, overwrite=overwrite, listeners=(say, on_row), began=began)
    track(run, tracker, say)
    return run


def load(
    run: str | Path | Run,
    *,
    rung: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Model | Triples:
    """The model of a run, ready to predict and evaluate.

    Args:
        run: A run, its folder, or a model folder; `TAGGER+RELATION` for triples from raw text.
        rung: A rung of the run; None is the chosen one.
        settings: Words such as `data.bad_rows=drop`, laid over how the training data was read.
        device: Where its network is put, wherever it was trained: `cpu`, `cuda`, `cuda:N` or `mps`; None is `auto`.
        say: Called with lines for the user; None writes them to the logger `deepen`.

    Returns:
        The model.

    Raises:
        DataError: If there is no such run.
        ModelError: If there is no such rung, or its files are damaged.
        SettingError: If an argument or a setting is wrong.
    """
    from deepen.inference.chain import load_triples
    from deepen.inference.folder import needs_device
    from deepen.inference.model import load_model

    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    words, tell = as_words("settings", settings), telling(say)
    network = device is not None or needs_device(folder, rung)
    if not network:
        tell("  device: cpu")  # a model without a network runs nowhere else, and torch takes a second to say so
    with on(device, tell) if network else nullcontext():
        how: dict[str, Any] = {"rung": rung, "settings": words, "say": tell}
        return load_triples(str(folder), **how) or load_model(folder, **how)


def evaluate(
    run: str | Path | Run,
    data: Any,
    *,
    columns: Mapping[str, str] | None = None,
    rung: str | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Score]:
    """Scores a run's model on labelled rows: `load` and `Model.evaluate` in one, whose arguments these are.

    Returns:
        Every score of the task, with 95 % intervals.
    """
    return load(run, rung=rung, settings=settings, device=device, say=say).evaluate(data, columns=columns)


def export(
    run: str | Path | Run,
    out: str | Path,
    *,
    form: str = "onnx",
    rung: str | None = None,
    say: Callable[[str], None] | None = None,
) -> Exported:
    """Writes a run's network as a folder that runs without Deepen or torch, if it says the same as the model.

    Args:
        out: A folder that is not there yet; `deepen.load` reads it.
        form: `onnx`; `onnx-int8`, with 8-bit integers for weights; `ctranslate2`, for a model that writes.
        rung: A rung with a network; None is the chosen one.

    Returns:
        What was written, and how its answers and its speed compare with the model's on this machine.

    Raises:
        DataError: If there is no such run.
        ModelError: If the rung has no network, or the export does not say the same.
        SettingError: If an argument is wrong, or what the form takes is not installed.
    """
    from deepen.exporting.export import export as write

    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    how: dict[str, Any] = {"form": as_text(form), "rung": rung, "say": telling(say)}
    return write(folder, as_path("out", out), **how)


def report(run: str | Path | Run, *, say: Callable[[str], None] | None = None) -> Path:
    """Writes the run's report: one HTML page that needs no network.

    Returns:
        The page.

    Raises:
        DataError: If there is no such run.
        SettingError: If matplotlib is not installed.
    """
    from deepen.reporting.page import write_report

    opened = run if isinstance(run, Run) else open_run(as_path("run", run))
    warn(opened, telling(say))
    return write_report(opened.folder)


def check(
    data: Any,
    *,
    validation: Any = None,
    test: Any = None,
    columns: Mapping[str, str] | None = None,
    task: str | None = None,
    labels: str | Path | None = None,
    model: str | Path | None = None,
    settings: Sequence[str] = (),
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Looks for what would spoil a model before it is trained: bad rows, leaks, labels that conflict, personal data.

    Args:
        task: What would be learned; None infers it from the columns.
        labels: A file with names for numeric labels.
        model: A model whose tokens are counted; None takes the default model, if it is on this machine.

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
    from deepen.preparation.check import examine
    from deepen.preparation.given import over, sources_of
    from deepen.preparation.recipe import make_recipe

    sources, paths = sources_of(data, validation, test)
    section = {**paths, "columns": columns, "labels": as_text(labels)}
    values = over({}, {"task": task, "data": section, "model": {"name": as_text(model)}})
    recipe = make_recipe(override(values, as_words("settings", settings)), where="settings")
    given = {"train": data, "validation": validation, "test": test}
    given = {name: source for name, source in given.items() if source is not None}
    return examine(recipe, given, _task_of(recipe, sources), model=as_text(model), say=telling(say))


def _task_of(recipe: Recipe, sources: Sources) -> Task:
    """The task that was named, or the one that the columns look like; classification if they can't be read."""
    from deepen.preparation.catalog import load_task
    from deepen.preparation.read import infer_task

    try:
        return load_task(recipe.task or infer_task(recipe, sources)[0])
    except DataError:
        return load_task("classification")


def diagnose(
    run: str | Path | Run,
    data: Any = None,
    *,
    questions: Sequence[str] | str | None = None,
    columns: Mapping[str, str] | None = None,
    settings: Sequence[str] = (),
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Finding]:
    """Asks how a model gets its score: by shallow cues or by deep understanding.

    Args:
        data: Labelled rows to try the model on; None takes the test rows, or the validation rows if there are none.
        questions: Names of questions; None asks all.
        settings: Words such as `surface_cues.max_cues=10`.

    Returns:
        The findings, which are in RUN/diagnosis.json too, and on the run's page.

    Raises:
        DataError: If there is no finished run, or the rows can't be read.
        SettingError: If an argument or a setting is wrong.
    """
    from deepen import diagnosis
    from deepen.diagnosis.case import open_case
    from deepen.reporting.leave import leave_card, leave_page

    tell = telling(say)
    names = diagnosis.chosen_questions(questions)
    chosen = parse(diagnosis.settings_type(), override({}, as_words("settings", settings)), where="settings")
    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    with on(device, tell):
        case = open_case(folder, data, columns=columns, max_rows=chosen.max_rows, say=tell)
        findings = diagnosis.diagnose(case, names, chosen)
    titles = {name: diagnosis.shelf()[name].title for name in names}
    record = {"where": case.where, "n": len(case.rows), "titles": titles, "findings": list(map(to_json, findings))}
    write_json(folder / "diagnosis.json", record)
    try:
        leave_card(Run(folder), tell)
    except DeepenError as error:  # nor is a diagnosis spoilt by it
        tell(f"  note: the model card is as it was: {error}")
    leave_page(Run(folder), tell)
    return findings


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
    from deepen.finetuning.bench import bench as measure
    from deepen.models.find import DEFAULT_MODEL
    from deepen.models.load import load_pretrained

    return measure(load_pretrained(model or DEFAULT_MODEL), mean_tokens=mean_tokens)
