"""The page about a run: one HTML file, made from the run folder alone. Start with `write_report`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from deepen.core.curve import CurvePoint, read_curves
from deepen.core.errors import DataError
from deepen.core.files import read_object, write_text
from deepen.core.ladder import Ladder, read_ladder
from deepen.core.places import path_of
from deepen.reporting import charts, chinese, words
from deepen.reporting.answers import Answers, read_answers
from deepen.reporting.commands import commands, has_rows, here, resume
from deepen.reporting.findings import read_diagnosis
from deepen.reporting.shown import shown
from deepen.reporting.slices import FEW, read_slices

_HARDEST = 12
_FEW = 5
_MOST_BARS = 16  # all examples and fifteen labels


def write_report(run: Path) -> Path:
    """Writes `report.html` into a run: self-contained, readable on a phone, safe to open whatever the data holds.

    It is in the language of the data, if that is Chinese; see `chinese.is_wanted`.
    """
    run = path_of(run, kind=DataError)
    if not (run / "ladder.json").is_file():
        raise DataError(f"{run} holds no ladder.json: it is not a run, or its training has not finished a rung yet")
    ladder = here(run, words.readable(read_ladder(run / "ladder.json")))
    environment = read_object(run / "environment.json") if (run / "environment.json").is_file() else {}
    context = _context(ladder, environment, read_answers(run, ladder))
    diagnosis = read_diagnosis(run, ladder.chosen)
    curves = read_curves(run)
    context |= {"curves": _curves(ladder, curves), "slices": read_slices(run, ladder), "few_rows": FEW}
    context |= {"has_losses": any(point.loss is not None for points in curves.values() for point in points)}
    context |= {"commands": commands(ladder, rows=has_rows(run)), "few_examples": _FEW, "most_bars": _MOST_BARS}
    path = run / "report.html"
    html = words.rendered("page.html.jinja", {**context, "diagnosis": diagnosis})
    write_text(path, chinese.page(html) if chinese.is_wanted(run, str(ladder.chosen)) else html)
    return path


def _context(ladder: Ladder, environment: Mapping[str, Any], answers: Answers | None) -> dict[str, Any]:
    where, scores = words.final_scores(ladder)
    row = ladder.chosen_row
    name = (ladder.data and ladder.data.name) or ladder.run or "run"
    return {
        "name": words.shorten(name, 120),
        "ladder": ladder,
        "where": where,
        "best": words.main_score(ladder),
        "sentence": _sentence(ladder),
        "unfinished": resume(ladder) if ladder.unfinished else "",
        "rung_score": next((item.score["name"] for item in ladder.rungs if item.score), ""),
        "picture": Markup(charts.score_picture(ladder.rungs, chosen=ladder.chosen, before=ladder.before)),
        "overall": [item for item in scores if item.get("label") is None],
        "after": row.score,
        "classes": words.class_rows(scores),
        "hardest": _HARDEST,
        "shown": shown(ladder),
        "matrix_picture": _matrix_picture(answers),
        "pairs": answers.pairs if answers else [],
        "answers": answers,
        "calibration_picture": Markup(charts.calibration_picture(answers.bins)) if answers else Markup(""),
        "temperature": row.temperature,
        "data": ladder.data,
        "environment": [(key, words.shorten(value, 300)) for key, value in _flat(environment)],
    }


def _sentence(ladder: Ladder) -> str:
    """What the run found, in one plain sentence."""
    where, _ = words.final_scores(ladder)
    best = words.main_score(ladder)
    if not best:
        return "No rung has a score yet."
    examples = f"{words.count(best['n'])} {where} examples"
    if best["name"] == "accuracy":
        low, high = best.get("low"), best.get("high")
        span = "" if low is None or high is None else f" (between {100 * low:.1f} and {100 * high:.1f} %)"
        said = f"Of {examples} it gets {100 * best['value']:.1f} % right{span}"
    else:
        said = f"On {examples} its {words.title(best['name'])} is {words.score(best)}"
    cheapest = ladder.cheapest_not_worse
    if ladder.chosen_reason:
        return f"{said}. {ladder.chosen_reason}"
    if cheapest and cheapest != ladder.chosen:
        return f"{said}; the cheaper rung “{cheapest}” is not significantly worse."
    climbed = [row.rung for row in ladder.rungs if row.score]
    alone = climbed[:1] == [ladder.chosen]
    return f"{said}; every cheaper rung is significantly worse." if cheapest and not alone else f"{said}."


def _curves(ladder: Ladder, curves: Mapping[str, Sequence[CurvePoint]]) -> list[tuple[str, Markup]]:
    """A picture for each rung that was scored more than once while it learned."""
    scores = {row.rung: row.score for row in ladder.rungs if row.score}
    drawn = (
        (rung, charts.curve_picture(points, score_name=scores[rung]["name"]))
        for rung, points in curves.items()
        if rung in scores
    )
    return [(rung, Markup(picture)) for rung, picture in drawn if picture]


def _matrix_picture(answers: Answers | None) -> Markup:
    matrix_CC = answers.matrix_CC if answers else None
    if answers is None or matrix_CC is None:
        return Markup("")
    return Markup(charts.confusion_picture(matrix_CC, answers.labels))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested mapping as dotted names and texts."""
    out: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out += _flat(value, f"{name}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            plain = all(isinstance(item, str | int | float) for item in value)
            out.append((name, " ".join(map(str, value)) if plain else json.dumps(value, ensure_ascii=False)))
        elif value is not None:
            out.append((name, str(value)))
    return out
