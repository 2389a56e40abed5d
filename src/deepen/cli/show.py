"""What the command line prints: lines, the ladder table, score tables, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deepen.cli import streams
from deepen.core.cells import json_printable, lines_printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    from deepen.core.ladder import GainRecord, Ladder, LadderRow, ScoreRecord

_ROW_KEYS = (
    *("rung", "status", "reason", "score", "gain", "seconds", "forecast_seconds", "num_trained_parameters"),
    *("peak_memory_bytes", "seconds_per_1000_predictions"),
)


def line(text: str) -> None:
    """Prints what may hold words of a file or of a model: no escape sequence in them reaches the terminal."""
    print(lines_printable(text))


def lines_to(*, stderr: bool) -> Callable[[str], None]:
    """A function that prints a line at once, as `line` does; to stderr if stdout is kept for JSON."""

    def say(text: str) -> None:
        stream = sys.stderr if stderr else sys.stdout
        try:
            print(lines_printable(text), file=stream, flush=True)
        except BrokenPipeError:  # nobody listens any more; the work goes on
            streams.silence(stream)

    return say


def once(say: Callable[[str], None]) -> Callable[[str], None]:
    """A function that says each line once: two models, or an answer and its explanation, read the same rows."""
    said: set[str] = set()

    def say_once(line: str) -> None:
        if line not in said:
            said.add(line)
            say(line)

    return say_once


def print_json(record: Any, *, indent: int | None = None) -> None:
    """Exactly one JSON object on stdout."""
    text = json.dumps(record, ensure_ascii=not streams.takes_any_letter(), indent=indent)
    streams.print_record(json_printable(text))


def console() -> Console:
    """Where tables are printed: as wide as the terminal, 120 letters where there is none; words as `line` has them."""
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would exit with 1

        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            for part in super().render(renderable, options):
                yield part if part.control else Segment(lines_printable(part.text), part.style)

    return Plain(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False)


def train_record(ladder: Ladder) -> dict[str, Any]:
    """The record of `train --json`."""
    keys = ("run", "task", "model", "chosen", "cheapest_not_worse", "seconds")
    record = {key: getattr(ladder, key) for key in keys}
    record["rungs"] = [{key: getattr(row, key) for key in _ROW_KEYS} for row in ladder.rungs]
    return record | {"test": ladder.test}


def row_line(row: LadderRow) -> str:
    """A finished rung in one line."""
    if not row.climbed:
        return f"  {row.rung:<12} {row.status}: {row.reason}"
    gain = f"  gain {signed(row.gain)}" if row.gain else ""
    why = f"  ({row.reason})" if row.reason else ""
    return f"  {row.rung:<12} {score_text(row.score)}{gain}  {row.seconds:.1f} s{why}"


def score_text(score: ScoreRecord | None) -> str:
    """A score with its interval."""
    if score is None:
        return ""
    low, high = score["low"], score["high"]
    return f"{score['value']:.3f}" + (f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else "")


def signed(gain: GainRecord | None) -> str:
    """A difference in points, with its interval."""
    if not gain:
        return ""
    return f"{100 * gain['value']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"


def _table(title: str, names: Sequence[str]) -> Table:
    """A table whose first column holds words, the others numbers."""
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name, justify="left" if name == names[0] else "right")
    return table


def indented(text: str, columns: int, style: str = "") -> Padding:
    """A paragraph that stands so far to the right."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(text, style), (0, 0, 0, columns))


def print_ladder(ladder: Ladder) -> None:
    """The ladder table, the chosen rung and the test scores."""
    from deepen.core.ladder import Data
    from deepen.reporting.commands import predict

    scored = next((row.score["name"] for row in ladder.rungs if row.score), "score")
    data = ladder.data or Data()
    wide = console()
    names = ("rung", f"{scored} (validation)", "gain, points", "seconds", "s / 1,000 predictions", "trained parameters")
    table = _table(f"{ladder.task} on {data.name}, {ladder.model}", names)
    if ladder.before:
        table.add_row("(before tuning)", score_text(ladder.before), "", "", "", "0", style="dim")
    for row in ladder.rungs:
        if not row.climbed:
            table.add_row(row.rung, row.status, "", "", "", "", style="dim")
            continue
        mark = " *" if row.rung == ladder.chosen else ""
        cost = row.seconds_per_1000_predictions
        costs = (f"{row.seconds:.1f}", f"{cost:.2f}" if cost is not None else "", f"{row.num_trained_parameters:,}")
        table.add_row(row.rung + mark, score_text(row.score), signed(row.gain), *costs)
    wide.print(table)
    for row in ladder.rungs:
        if not row.climbed:
            wide.print(f"{row.rung} {row.status}: {row.reason}")
    chosen, cheapest = ladder.chosen, ladder.cheapest_not_worse
    same = "" if cheapest == chosen else f"; the cheapest that is not significantly worse: {cheapest}"
    wide.print(f"chosen: {chosen}{same}; {ladder.seconds:.0f} s in all")
    if ladder.chosen_reason:
        wide.print(ladder.chosen_reason)
    if ladder.test:
        print_scores(ladder.test, title=f"test, {data.test:,} rows, {chosen}")
    wide.print(f"run: {ladder.run}  ({predict(ladder)})")


def print_scores(scores: Sequence[Mapping[str, Any]], *, title: str) -> None:
    """Scores with their intervals: the overall ones, then a table of labels."""
    wide = console()
    table = _table(title, ("score", "value", "95 % interval", "n"))
    for score in scores:
        if score["label"] is None:
            bounds = "" if score["low"] is None else f"{score['low']:.4f} to {score['high']:.4f}"
            table.add_row(score["name"], f"{score['value']:.4f}", bounds, f"{score['n']:,}")
    wide.print(table)
    labels = list(dict.fromkeys(score["label"] for score in scores if score["label"] is not None))
    if not labels:
        return
    names = list(dict.fromkeys(score["name"] for score in scores if score["label"] is not None))
    each = _table("by label", ("label", *names, "n"))
    by = {(score["label"], score["name"]): score for score in scores}
    for label in labels[:40]:
        cells = [f"{by[label, name]['value']:.3f}" if (label, name) in by else "" for name in names]
        recall = next((by[label, name] for name in names if name.endswith("recall") and (label, name) in by), None)
        support = recall or next(by[label, name] for name in names if (label, name) in by)
        each.add_row(label, *cells, f"{support['n']:,}")
    wide.print(each)
    if len(labels) > 40:
        wide.print(f"... and {len(labels) - 40} more labels; --json has them all")
