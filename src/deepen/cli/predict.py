"""`deepen predict`: answers rows or typed texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from deepen.cli import explained, show
from deepen.core.cells import printable
from deepen.core.language import told

NAME = "predict"
HELP = """Answer rows of a file, or texts typed here.

\b
  deepen predict runs/first --text "a fine film" --text "dull"
  deepen predict runs/first --text "a fine film" --explain
  deepen predict runs/first new.csv --out answers.csv
  deepen predict runs/pairs --input sentence1="It rains." --input sentence2="The sun is out."
  cat new.txt | deepen predict runs/first - --json
  deepen predict runs/tagger+runs/relation --text "Marie Curie was born in Warsaw"
  deepen predict runs/mood --adapter runs/topic --text "a fine film"
  deepen predict runs/films --adapter runs/hotels --compose sum new.csv
  deepen predict runs/first new.jsonl --rung lexical --set data.bad_rows=drop --json
  deepen predict runs/first new.csv --cascade 0.99 --out answers.csv
  deepen predict runs/first new.csv --max-error 0.05
  deepen predict runs/reader mails.jsonl --json-schema order.json
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Rows: a file, a folder, a hub data set, or - for stdin.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text; may be repeated.")] = None,
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="A part of one row, as in question='Who?'; repeat it for each.")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title; else as in training.")] = None,
    rung: Annotated[str | None, typer.Option(help="A rung of the run; else the chosen one.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in data.bad_rows=drop.")] = None,
    adapter: Annotated[
        list[str] | None, typer.Option("--adapter", help="Another run tuned from the same encoder, read once for both.")
    ] = None,
    composed: Annotated[
        str | None, typer.Option("--compose", help="One answer of the runs and adapters together: sum or ties.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="For --compose, a number a run, as in 0.7,0.3.")] = None,
    agreement: Annotated[
        float | None,
        typer.Option("--cascade", help="Cheaper rungs answer where this share stays the same, as in 0.99."),
    ] = None,
    max_error: Annotated[
        float | None, typer.Option(help='Say "don\'t know" so that at most this share of answers is wrong.')
    ] = None,
    unlabelled: Annotated[
        str | None, typer.Option(help="Rows without a label that back --cascade too: a file.")
    ] = None,
    choices: Annotated[
        str | None, typer.Option(help="Where answers are text: each is one of these, as in yes,no.")
    ] = None,
    regex: Annotated[str | None, typer.Option(help="Or all of it is a match of this regular expression.")] = None,
    json_schema: Annotated[Path | None, typer.Option(help="Or it is JSON after the schema in this file.")] = None,
    max_new_tokens: Annotated[
        int | None, typer.Option(help="The longest answer that is text; one that is cut, and must not be, is none.")
    ] = None,
    mask: Annotated[
        bool, typer.Option("--mask", help="Replace personal data first, as a run trained with --mask does by itself.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write to this file: .jsonl or .csv.")] = None,
    top: Annotated[bool, typer.Option("--top", help="In a .csv the best label's probability alone.")] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin a .csv with the mark by which Excel knows UTF-8.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why: depth, words, analogies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Answers."""
    from deepen.cli.answers import named_labels, write_answers
    from deepen.cli.typed import STDIN, check_names, given_rows
    from deepen.core.errors import DataError, SettingError
    from deepen.core.files import write_jsonl
    from deepen.core.places import path_of
    from deepen.data.columns import parse_columns
    from deepen.preparation.place import check_answers

    out = path_of(out, called="--out") if out is not None else None
    if out is not None and out.suffix not in (".jsonl", ".csv"):
        raise SettingError(f"--out {out}: the name must end in .jsonl or .csv")
    if out is not None:
        check_answers(out, [run, *(adapter or [])], data)
    if explain and out is not None and out.suffix == ".csv":
        raise SettingError(f"--out {out}: a table has no room for explanations; write a .jsonl")
    if (top or bom) and (out is None or out.suffix != ".csv"):
        raise SettingError(f"--{'top' if top else 'bom'} goes with --out FILE.csv")
    asked = parse_columns(columns) if columns is not None else None
    say = show.once(show.lines_to(stderr=True))
    words = ["data.mask=all", *(settings or [])] if mask else settings or []
    how: dict[str, Any] = {"rung": rung, "settings": words, "device": device, "say": say}
    runs = [run, *(adapter or [])]
    wish = {"agreement": agreement, "max_error": max_error, "unlabelled": unlabelled}
    wish = {name: value for name, value in wish.items() if value is not None}
    if wish and (adapter or composed is not None or explain):
        raise SettingError("--cascade and --max-error answer by one run: leave --adapter, --compose and --explain out")
    form = _form(choices, regex, json_schema, max_new_tokens)
    if form and (wish or adapter or composed is not None or explain):
        asked_for = " and ".join(f"--{name.replace('_', '-')}" for name in form)
        raise SettingError(
            f"{asked_for}: one run writes such answers, so no other option about how it answers goes with it"
        )
    models = _models(runs, (composed, weights), wish, how)
    with given_rows(data, text or (), inputs or ()) as given:
        model = models[0]
        if inputs:
            check_names(given[0], getattr(model, "model", model))
        rows = _answered(models, runs, given, {"columns": asked, **form}, explain=explain)
        if data == STDIN:  # where it was kept is gone when this is read
            for row in rows:
                row["row"]["file"] = STDIN
        if data is None and all("skipped" in row for row in rows):
            raise DataError(f"--{'text' if text else 'input'}: there is nothing to answer: {rows[0]['skipped']}")
        if out is not None and out.suffix == ".csv":
            labels = None if top else named_labels(rows, [getattr(one, "labels", ()) for one in models])
            source = model.source(given, columns=asked)
            write_answers(out, rows, source, _as_text, labels=labels, clean=_masking(model), bom=bom)
    if out is not None:
        if out.suffix == ".jsonl":
            write_jsonl(out, rows)
        gaps = sum("skipped" in row for row in rows)
        without = f", and {gaps:,} row{'' if gaps == 1 else 's'} without one" if gaps else ""
        show.lines_to(stderr=as_json)(f"{len(rows) - gaps:,} predictions{without} in {out}")
    if as_json:
        said = {"run": run, "rung": model.rung, "predictions": rows if out is None else [], "out": out and str(out)}
        show.print_json(said | ({"bound": asdict(model.bound)} if wish else {}))
    elif out is None:
        _print(rows)


def _models(
    runs: list[str], composing: tuple[str | None, str | None], wish: dict[str, Any], how: dict[str, Any]
) -> list[Any]:
    """The models that answer: a run's, those of several runs, or one that is composed of them or a cascade."""
    from deepen.api import load
    from deepen.core.errors import SettingError

    composed, weights = composing
    if weights is not None and composed is None:
        raise SettingError("--weights goes with --compose")
    if wish:
        from deepen.inference.cascade import load_cascade

        return [load_cascade(runs[0], **wish, **how)]
    if composed is None and len(runs) == 1:
        return [load(runs[0], **how)]
    from deepen.inference.adapters import compose, load_together

    return [compose(runs, by=composed, weights=_numbers(weights), **how)] if composed else load_together(runs, **how)


def _form(choices: str | None, regex: str | None, schema: Path | None, limit: int | None) -> dict[str, Any]:
    """What is wanted of answers that are text, as `Model.predict` takes it."""
    texts = None if choices is None else [text.strip() for text in choices.split(",")]
    found = {"choices": texts, "regex": regex, "json_schema": schema, "max_new_tokens": limit}
    return {name: value for name, value in found.items() if value is not None}


def _answered(
    models: list[Any], runs: list[str], given: Any, asked: dict[str, Any], *, explain: bool
) -> list[dict[str, Any]]:
    """The answers of each model as records, explained if wanted; those of several say whose they are."""
    from deepen.core.types import to_json

    rows = []
    for name, model in zip(runs, models, strict=len(models) > 1):
        some = [to_json(prediction) for prediction in model.predict(given, **asked)]
        if explain:
            answered = (row for row in some if "skipped" not in row)
            for row, explanation in zip(answered, model.explain(given, columns=asked["columns"]), strict=True):
                row["explanation"] = to_json(explanation)
        rows += [{**row, "adapter": name} for row in some] if len(models) > 1 else some
    return rows


def _masking(model: Any) -> Callable[[str], str]:
    """What is done to the cells beside the answers: as to those that the model reads."""
    from deepen.data.masking import mask

    reader = next((getattr(model, name) for name in ("tagger", "model") if hasattr(model, name)), model)
    kinds = reader.settings.masked
    return (lambda cell: mask(cell, kinds=kinds).text) if kinds else str


def _numbers(text: str | None) -> list[float] | None:
    from deepen.core.errors import SettingError

    try:
        return None if text is None else [float(word) for word in text.split(",")]
    except ValueError:
        raise SettingError(f"--weights {text}: give numbers with commas between them, as in 0.7,0.3") from None


def _print(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        _print_answer(row)
        if "explanation" in row:
            explained.print_explanation(row["explanation"], row["inputs"]["text"])


def _print_answer(row: dict[str, Any]) -> None:
    if "skipped" in row:
        why = told(f"line {row['row']['line']}: {printable(row['skipped'])}")
        show.line(f"{told('(no answer)')}\t{why}")
        return
    probabilities, answer = row.get("probabilities") or {}, row["output"]
    given = row.get("inputs") or {}
    if answer is None:
        unknown = told("none of these" if row.get("none_of_these") else "don't know")
        show.line(f"{unknown}\t{' '.join(' | '.join(map(str, given.values())).split())}")
        return
    if "tokens" in given and row.get("entities") is not None and "+" not in row["rung"]:
        found = (f"{entity['label']}: {entity['text']} ({entity['score']:.3f})" for entity in row["entities"])
        show.line(f"{'; '.join(found) or '-'}\t{' '.join(given['text'].split())}")
        return
    named = [answer] if isinstance(answer, str) else answer if isinstance(answer, list) else []
    sure = "".join(f"  {probabilities[label]:.3f}" for label in named if label in probabilities)
    said = given["text"] if "tokens" in given else " | ".join(str(value) for value in given.values())
    show.line(f"{_as_text(row) or '-'}{sure}\t{' '.join(said.split())}")


def _as_text(row: Mapping[str, Any]) -> str:
    """An answer for a line or a cell: a label, a score, tags, labels, or triples."""
    answer = row["output"]
    if not isinstance(answer, list):
        return "" if answer is None else str(answer)
    if "+" in row["rung"]:
        return "; ".join(" - ".join(triple) for triple in answer)
    return (" " if "entities" in row else "|").join(map(str, answer))
