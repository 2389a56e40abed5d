"""`deepen predict`: answers rows or typed texts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from deepen.cli import explained, show

NAME = "predict"
HELP = """Answer rows of a file, or texts typed here.

\b
  deepen predict runs/first --text "a fine film" --text "dull"
  deepen predict runs/first --text "a fine film" --explain
  deepen predict runs/first new.csv --out answers.csv
  deepen predict runs/tagger+runs/relation --text "Marie Curie was born in Warsaw"
  deepen predict runs/mood --adapter runs/topic --text "a fine film"
  deepen predict runs/films --adapter runs/hotels --compose sum new.csv
  deepen predict runs/first new.jsonl --rung lexical --set data.bad_rows=drop --json
"""


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run folder.")],
    data: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Rows: a file, a folder or a hub data set.")
    ] = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text; may be repeated.")] = None,
    columns: Annotated[str | None, typer.Option(help="As in text=title; else as in training.")] = None,
    rung: Annotated[str | None, typer.Option(help="A rung of the run; else the chosen one.")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", help="As in data.bad_rows=drop.")] = None,
    adapter: Annotated[
        list[str] | None, typer.Option("--adapter", help="Another run tuned from the same encoder, read once for both.")
    ] = None,
    composed: Annotated[
        str | None, typer.Option("--compose", help="One answer of the runs and adapters together: sum or ties.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="For --compose, a number a run, as in 0.7,0.3.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write to this file: .jsonl or .csv.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say why: depth, words, analogies.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Answers."""
    from deepen.api import load
    from deepen.core.errors import SettingError
    from deepen.core.places import path_of
    from deepen.core.types import to_json
    from deepen.data.columns import parse_columns
    from deepen.ladder.place import check_answers
    from deepen.ladder.together import compose, load_together

    if (data is None) == (not text):
        raise SettingError("give either a file of rows or --text, one of the two")
    out = path_of(out, called="--out") if out is not None else None
    if out is not None and out.suffix not in (".jsonl", ".csv"):
        raise SettingError(f"--out {out}: the name must end in .jsonl or .csv")
    if out is not None:
        check_answers(out, [run, *(adapter or [])], data)
    if explain and out is not None and out.suffix == ".csv":
        raise SettingError(f"--out {out}: a table has no room for explanations; write a .jsonl")
    if weights is not None and composed is None:
        raise SettingError("--weights goes with --compose")
    asked = parse_columns(columns) if columns is not None else None
    given, say = list(text) if text else data, show.lines_to(stderr=True)
    how: dict[str, Any] = {"rung": rung, "settings": settings or [], "say": say}
    runs = [run, *(adapter or [])]
    if composed is not None:
        models: list[Any] = [compose(runs, by=composed, weights=_numbers(weights), **how)]
    else:
        models = load_together(runs, **how) if adapter else [load(run, **how)]
    rows = []
    for name, model in zip(runs, models, strict=composed is None):
        some = [to_json(prediction) for prediction in model.predict(given, columns=asked)]
        if explain:
            for row, explanation in zip(some, model.explain(given, columns=asked), strict=True):
                row["explanation"] = to_json(explanation)
        rows += [{**row, "adapter": name} for row in some] if len(models) > 1 else some
    model = models[0]
    if out is not None:
        _write(out, rows)
        show.lines_to(stderr=as_json)(f"{len(rows):,} predictions in {out}")
    if as_json:
        show.print_json(
            {"run": run, "rung": model.rung, "predictions": rows if out is None else [], "out": out and str(out)}
        )
    elif out is None:
        _print(rows)


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
    probabilities, answer = row.get("probabilities") or {}, row["output"]
    if row.get("entities") is not None and "+" not in row["rung"]:
        found = (f"{entity['label']}: {entity['text']} ({entity['score']:.3f})" for entity in row["entities"])
        print(f"{'; '.join(found) or '-'}\t{' '.join(row['inputs']['text'].split())}")
        return
    sure = f"  {probabilities[answer]:.3f}" if isinstance(answer, str) and answer in probabilities else ""
    given = row.get("inputs") or {}
    said = given["text"] if "tokens" in given else " | ".join(str(value) for value in given.values())
    print(f"{_as_text(row) or '-'}{sure}\t{' '.join(said.split())}")


def _as_text(row: dict[str, Any]) -> str:
    """An answer for a line or a cell: a label, a score, tags, labels, or triples."""
    answer = row["output"]
    if not isinstance(answer, list):
        return str(answer)
    if "+" in row["rung"]:
        return "; ".join(" - ".join(triple) for triple in answer)
    return (" " if "entities" in row else "|").join(map(str, answer))


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    from deepen.core.files import replacing, write_jsonl

    if path.suffix == ".jsonl":
        write_jsonl(path, rows)
        return
    names = list(dict.fromkeys(name for row in rows for name in (row.get("inputs") or {})))
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *names, "output", "probability"])
        for row in rows:
            probabilities = row.get("probabilities") or {}
            answer = _as_text(row)
            inputs = [row["inputs"].get(name, "") for name in names]
            inputs = [" ".join(value) if isinstance(value, list) else value for value in inputs]
            writer.writerow([row["id"], *inputs, answer, probabilities.get(answer, "")])
