"""`deepen train`: climbs the ladder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepen.cli import show
from deepen.core.errors import SettingError
from deepen.core.shelf import names

NAME = "train"
HELP = """Climb the ladder on labelled text and leave an evaluated model in a run folder.

\b
  deepen train reviews.csv
  deepen train train.tsv --test test.tsv --columns text=0,label=1 --out runs/first
  deepen train alerts.csv --decide-by macro_f1
  deepen train news.csv --columns text=title+body,label=topic --budget 5m
  deepen train reviews.csv --tuning lora --set tunings.lora.rank=8
  deepen train intents.csv --none-of-these
  deepen train few.csv --unlabelled more.txt --test test.csv
  deepen train --recipe runs/first/recipe.yaml --out runs/again
  deepen train --recipe runs/first/recipe.yaml --out runs/clean --fix runs/first/suspects.csv
"""

ELSEWHERE = {
    "--epochs": "--set rungs.full.num_epochs=3",
    "--lr": "--set rungs.full.learning_rate=5e-5",
    "--learning-rate": "--set rungs.full.learning_rate=5e-5",
    "--batch-size": "--set rungs.full.batch_rows=16",
    "--patience": "--set rungs.full.patience=5",
    "--text-column": "--columns text=...,label=...",
    "--label-column": "--columns text=...,label=...",
}
"""Options of other tools, and what stands in their place here."""


def command(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="A file, a folder or a hub data set.")] = None,
    validation: Annotated[str | None, typer.Option(help="Validation set; else 10 % of DATA, or 200 rows.")] = None,
    test: Annotated[str | None, typer.Option(help="Test set, scored once, at the end.")] = None,
    task: Annotated[str | None, typer.Option(help=f"What to learn: {names('tasks')}; else the columns say.")] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title+body,label=stars, or text=0,label=1.")] = None,
    labels: Annotated[
        str | None, typer.Option(help="Names for codes of labels: code, name, description, as .csv or with tabs.")
    ] = None,
    drop: Annotated[str | None, typer.Option(help="A file of ids: training rows to leave out.")] = None,
    fix: Annotated[str | None, typer.Option(help="A file of ids and labels: training rows to relabel.")] = None,
    add: Annotated[str | None, typer.Option(help="A file of more training rows, never held out.")] = None,
    unlabelled: Annotated[
        str | None, typer.Option(help="A file of rows without a label: the best rung labels them, rungs learn again.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A pretrained model: a folder or a hub id.")] = None,
    rungs: Annotated[
        str | None, typer.Option(help=f"Climb just these, as in lexical,frozen; of {names('rungs')}.")
    ] = None,
    tuning: Annotated[str | None, typer.Option(help=f"Fine-tuning method: {names('tuning')}.")] = None,
    decide_by: Annotated[str | None, typer.Option(help="The score that decides, as macro_f1 for rare labels.")] = None,
    class_weights: Annotated[str | None, typer.Option(help="balanced: rare labels count as much as common.")] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Replace mails, phones, cards, IBANs, identity and passport numbers, IPs.")
    ] = False,
    none_of_these: Annotated[
        bool, typer.Option("--none-of-these", help="Give no answer to rows that look like none of the labels.")
    ] = False,
    worth: Annotated[float | None, typer.Option(help="Minimum gain in points to try the next rung.")] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Climb to the top.")] = False,
    budget: Annotated[str | None, typer.Option(help="Time for the climb: 90s, 5m, 1.5h.")] = None,
    refit: Annotated[bool, typer.Option("--refit", help="Train the chosen rung once more, on validation too.")] = False,
    recipe: Annotated[Path | None, typer.Option(help="A YAML file; other options are laid over it.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="dotted.key=value, may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    seed: Annotated[int | None, typer.Option(help="The one number all chance comes from.")] = None,
    device: Annotated[str | None, typer.Option(help="Where networks run: auto, cpu, cuda, cuda:N or mps.")] = None,
    tracker: Annotated[
        str | None, typer.Option(help="Tell a tracker of the finished run: tensorboard, mlflow, wandb or trackio.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Climbs the ladder."""
    if not (data or recipe or resume or settings):
        raise SettingError("no data: name a file, a folder or a hub data set; deepen train --help shows how")
    from deepen.api import train
    from deepen.data.columns import parse_columns

    say = show.lines_to(stderr=as_json)
    run = train(
        data,
        validation=validation,
        test=test,
        task=task,
        columns=parse_columns(columns) if columns is not None else None,
        labels=labels,
        drop=drop,
        fix=fix,
        add=add,
        unlabelled=unlabelled,
        model=model,
        rungs=rungs,
        tuning=tuning,
        decide_by=decide_by,
        class_weights=class_weights,
        mask=mask or None,
        none_of_these=none_of_these or None,
        worth=worth,
        thorough=thorough or None,
        budget=budget,
        refit=refit or None,
        recipe=recipe,
        settings=settings or [],
        out=out,
        resume=resume,
        overwrite=overwrite,
        seed=seed,
        device=device,
        tracker=tracker,
        say=say,
        on_row=lambda row: say(show.row_line(row)),
    )
    ladder = run.ladder
    if as_json:
        show.print_json(show.train_record(ladder))
        return
    show.print_ladder(ladder)
