"""What the command line prints: lines, the ladder table, score tables, JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deepen.cli import streams
from deepen.core.cells import json_printable, lines_printable
from deepen.core.language import told
from deepen.core.log import is_warning

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    from deepen.core.ladder import GainRecord, Ladder, LadderRow, ScoreRecord

_ROW_KEYS = (
    *("rung", "status", "reason", "score", "gain", "seconds", "forecast_seconds", "num_trained_parameters"),
    *("peak_memory_bytes", "seconds_per_1000_predictions"),
)
_WIDE, _ONE_LINE = 110, 10_000


def line(text: str) -> None:
    """Prints what may hold words of a file or of a model: no escape sequence in them reaches the terminal."""
    print(lines_printable(text))


def say(text: str) -> None:
    """Prints a sentence of the program's own, in the reader's language."""
    line(told(text))


class Manner:
    """How much is printed: of lines and of the columns of tables.

    With `quiet` warnings alone, with `verbose` the seconds since the start beside each line, with `wide` every column
    in a narrow terminal too.
    """

    quiet = False
    verbose = False
    wide = False
    began = time.monotonic()


def lines_to(*, stderr: bool) -> Callable[[str], None]:
    """A function that prints a line at once, as `line` does; to stderr if stdout is kept for JSON."""

    def say(text: str) -> None:
        stream = sys.stderr if stderr else sys.stdout
        if Manner.quiet and not is_warning(text):
            return
        text = told(text)
        if Manner.verbose:
            text = f"[{time.monotonic() - Manner.began:7.1f} s] {text}"
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
    """Where tables and sentences are printed, in the reader's language; cells of tables are as they are.

    It is as wide as the terminal; in a pipe, and with --wide, a row is one line.
    """
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would exit with 1

        def print(self, *objects: Any, **how: Any) -> None:
            super().print(*(told(one) if isinstance(one, str) else one for one in objects), **how)

        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            for part in super().render(renderable, options):
                yield part if part.control else Segment(lines_printable(part.text), part.style)

    return Plain(width=None if in_terminal() and not Manner.wide else _ONE_LINE, markup=False, highlight=False)


def in_terminal() -> bool:
    """Whether stdout is one."""
    return sys.stdout.isatty()


def is_narrow() -> bool:
    """Whether there is no room for every column of a table."""
    return console().width < _WIDE


def table(*names: str) -> Table:
    """A table of these columns, named in the reader's language; those that begin with `>` stand at the right."""
    from rich.table import Table

    made = Table()
    for name in names:
        right = name.startswith(">")
        title = told(name.removeprefix(">"))
        made.add_column(title, justify="right" if right else "left", overflow="fold", no_wrap=right)
    return made


def indented(text: str, columns: int, style: str = "") -> Padding:
    """A paragraph that stands so far to the right."""
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(told(text), style), (0, 0, 0, columns), expand=False)


def size(num_bytes: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} GB"


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


def short_score(score: ScoreRecord | None) -> str:
    """A score with the longer half of its interval."""
    if score is None:
        return ""
    low, high = score.get("low"), score.get("high")
    half = None if low is None or high is None else max(high - score["value"], score["value"] - low)
    return f"{score['value']:.3f}" + ("" if half is None else f" ±{half:.3f}")


def _short_gain(gain: GainRecord | None) -> str:
    if not gain:
        return ""
    return f"{100 * gain['value']:+.1f} ±{100 * max(gain['high'] - gain['value'], gain['value'] - gain['low']):.1f}"


def signed(gain: GainRecord | None) -> str:
    """A difference in points, with its interval."""
    if not gain:
        return ""
    return f"{100 * gain['value']:+.1f} [{100 * gain['low']:+.1f}, {100 * gain['high']:+.1f}]"


def print_ladder(ladder: Ladder) -> None:
    """The ladder table, the chosen rung and the test scores."""
    from deepen.core.ladder import Data
    from deepen.reporting.commands import predict

    scored = next((row.score["name"] for row in ladder.rungs if row.score), "score")
    data, wide, short = ladder.data or Data(), console(), is_narrow()
    title = f"{ladder.task} on {data.name}, {ladder.model}"
    long = f">{scored} (out of fold)" if data.folds else f">{scored} (validation)"
    names = ["rung", f">{scored}" if short else long, ">gain" if short else ">gain, points"]
    names += [">seconds"] if short else [">seconds", ">s / 1,000 predictions", ">trained parameters"]
    wide.print(title, style="italic")
    made = table(*names)
    if ladder.before:
        before = [short_score(ladder.before)] if short else [score_text(ladder.before), "", "", "", "0"]
        made.add_row(told("(before tuning)"), *before, style="dim")
    for row in ladder.rungs:
        if not row.climbed:
            made.add_row(row.rung, told(row.status), style="dim")
            continue
        mark = f"{row.rung} *" if row.rung == ladder.chosen else row.rung
        if short:
            made.add_row(mark, short_score(row.score), _short_gain(row.gain), f"{row.seconds:.1f}")
            continue
        cost = row.seconds_per_1000_predictions
        price = f"{cost:.2f}" if cost is not None else ""
        trained = f"{row.num_trained_parameters:,}"
        made.add_row(mark, score_text(row.score), signed(row.gain), f"{row.seconds:.1f}", price, trained)
    wide.print(made)
    for row in ladder.rungs:
        if not row.climbed:
            wide.print(f"{row.rung} {row.status}: {row.reason}")
    chosen, cheapest = ladder.chosen, ladder.cheapest_not_worse
    if cheapest == chosen:
        wide.print(f"chosen: {chosen}; {ladder.seconds:.0f} s in all")
    else:
        wide.print(
            f"chosen: {chosen}; the cheapest that is not significantly worse: {cheapest}; {ladder.seconds:.0f} s in all"
        )
    if ladder.chosen_reason:
        wide.print(ladder.chosen_reason)
    if ladder.test:
        print_scores(ladder.test, title=f"test, {data.test:,} rows, {chosen}")
    for sentence in dict.fromkeys(data.warnings or ()):
        wide.print(f"warning: {sentence}", style="yellow")
    wide.print(f"run: {ladder.run}  ({predict(ladder)})")


def print_scores(scores: Sequence[Mapping[str, Any]], *, title: str) -> None:
    """Scores with their intervals: the overall ones, then a table of labels."""
    wide = console()
    wide.print(title, style="italic")
    made = table("score", ">value", ">95 % interval", ">n")
    for score in scores:
        if score["label"] is None:
            bounds = "" if score["low"] is None else told(f"{score['low']:.4f} to {score['high']:.4f}")
            made.add_row(score["name"], f"{score['value']:.4f}", bounds, f"{score['n']:,}")
    wide.print(made)
    labels = list(dict.fromkeys(score["label"] for score in scores if score["label"] is not None))
    if not labels:
        return
    names = list(dict.fromkeys(score["name"] for score in scores if score["label"] is not None))
    wide.print("by label", style="italic")
    each = table("label", *(f">{name}" for name in (*names, "n")))
    by = {(score["label"], score["name"]): score for score in scores}
    for label in labels[:40]:
        cells = [f"{by[label, name]['value']:.3f}" if (label, name) in by else "" for name in names]
        recall = next((by[label, name] for name in names if name.endswith("recall") and (label, name) in by), None)
        support = recall or next(by[label, name] for name in names if (label, name) in by)
        each.add_row(label, *cells, f"{support['n']:,}")
    wide.print(each)
    if len(labels) > 40:
        wide.print(f"... and {len(labels) - 40} more labels; --json has them all")
