"""Watches what a run is asked: windows of rows, alarms, what they are likely to cost, and which rows to label."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from deepen.core.arguments import as_path
from deepen.core.errors import DataError, SettingError
from deepen.core.files import write_json
from deepen.core.log import telling
from deepen.core.run import Run
from deepen.core.types import Score, to_json
from deepen.models.device import on
from deepen.watching.alerts import alert
from deepen.watching.budget import Judged, Watcher
from deepen.watching.evidence import Evidence
from deepen.watching.harm import LEAST, Estimate, Estimator, Harm
from deepen.watching.kept import harm_of, reference_of
from deepen.watching.labelling import FOLDER, ask, read_verdict
from deepen.watching.labelling import feedback as take_in
from deepen.watching.prometheus import write_prometheus
from deepen.watching.reading import Watched, open_watched
from deepen.watching.rows import Rows
from deepen.watching.rules import Rules, read_rules
from deepen.watching.shown import moved_words, telling_rows
from deepen.watching.signals import shelf

_WATCHED = "watched.json"
_FEWEST, _SLICE = 50, 50
UNSEEN = (
    "a change of what is right for the same text (concept shift) shows in no text and in no answer: only labels tell"
)


@dataclass(frozen=True)
class _Seen:
    """A window: its rows, what the signals and the estimates say, and whether it raises an alarm."""

    at: slice
    judged: Judged
    estimate: Estimate
    alarm: bool


def watch(
    run: str | Path | Run,
    data: str | Path | None = None,
    *,
    log: str | None = None,
    rules: str | Path | None = None,
    write_prometheus: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    device: str | None = None,
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Compares what a run is asked with its held-out rows, and says whether it is probably wrong more often.

    The first time it reads the held-out rows and plants failures in some of them, which takes as long as some thousand
    predictions.

    Args:
        data: Rows, or predictions as `predict --out` writes them: a file.
        log: Instead, the URL of a server's log.
        rules: A YAML file: the size of windows, the budget of false alarms, who is told.
        write_prometheus: A .prom file to write metrics to, with rules beside it.
        columns: Which columns of `data` are the inputs, if not as in training.
        device: As for `load`.

    Returns:
        The record that `deepen watch --json` prints; it is in RUN/watch/watched.json too.

    Raises:
        DataError: If there is no finished run, it has too few held-out rows, or nothing that can be watched is there.
        SettingError: If an argument or a rule is wrong, or the run's answers are not one label of several.
    """
    tell = telling(say)
    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    if (data is None) == (log is None):
        raise SettingError("watch takes a file of rows or predictions, or --log URL: one of the two")
    chosen = read_rules(None if rules is None else as_path("rules", rules))
    metrics = None if write_prometheus is None else as_path("write_prometheus", write_prometheus)
    if metrics is not None and metrics.suffix != ".prom":
        raise SettingError(f"--write-prometheus {metrics}: the name must end in .prom")
    with on(device, tell):
        watched = open_watched(folder, tell)
        rows = watched.log(log) if log is not None else watched.file(as_path("data", data), columns)
        record = _watched(watched, rows, chosen)
    write_json(folder / FOLDER / _WATCHED, record)
    lasting = [alarm for alarm in record["alarms"] if len(record["windows"]) - 1 in alarm["windows"]]
    record["alerts"] = alert(folder / FOLDER, lasting, chosen, tell)
    if metrics is not None:
        _prometheus(metrics, folder, record, chosen, tell)
    return record


def _prometheus(path: Path, folder: Path, record: dict[str, Any], rules: Rules, say: Callable[[str], None]) -> None:
    written = write_prometheus(path, folder.name, record["windows"], rules.least_harm)
    say(f"  metrics are in {path}, rules for Prometheus in {written}")


def feedback(run: str | Path | Run, file: str | Path, *, say: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Takes the true labels of rows into a run, and says whether it is wrong more often.

    Args:
        file: A .csv or .jsonl with id and label, such as RUN/watch/to-label.csv when it is filled in.

    Returns:
        The record that `deepen feedback --json` prints.

    Raises:
        DataError: If there is no such run, the file can't be read, or a label is not one of the run's.
    """
    from deepen.inference.model import load_model

    folder = run.folder if isinstance(run, Run) else as_path("run", run)
    labels = load_model(folder, say=telling(say)).labels
    return {"run": str(folder), **take_in(folder, as_path("file", file), labels)}


def _watched(watched: Watched, rows: Rows, rules: Rules) -> dict[str, Any]:
    if len(rows) < _FEWEST:
        raise DataError(f"there are {len(rows)} rows to watch, and a window takes {_FEWEST}: wait for more")
    size = min(rules.window_rows, len(rows))
    reference = reference_of(watched)
    harm = harm_of(watched, reference, size, with_texts=rows.texts is not None)
    watcher, estimator = Watcher(reference, size), Estimator(harm, Evidence(reference, with_texts=harm.with_texts))
    rows, views = estimator.seen(rows), watcher.view(rows)
    seen = []
    for start in range(0, len(rows) - size + 1, size):
        at = slice(start, start + size)
        window = rows.take(np.arange(start, start + size))
        judged = watcher.judge(views, at)
        seen.append(_Seen(at, judged, estimator.estimate(window), judged.p_value <= rules.budget))
    if waiting := len(rows) % size:
        watched.say(f"  note: the last {waiting:,} rows wait for a whole window of {size:,}")
    watched.say(f"  note: {UNSEEN}")
    alarms = [_alarm(watched, reference, rows, group, seen, estimator, harm) for group in _groups(seen)]
    worst = max(range(len(seen)), key=lambda number: (seen[number].alarm, seen[number].estimate.harm[0], number))
    to_label = ask(
        watched.run.folder, rows.take(np.arange(len(rows))[seen[worst].at]), watched.model.labels, estimator.accuracy
    )
    verdict = read_verdict(watched.run.folder)
    return {
        "run": str(watched.run.folder),
        "rows": len(rows),
        "window_rows": size,
        "budget": rules.budget,
        "held_out_accuracy": estimator.accuracy,
        "windows": [_window(one) for one in seen],
        "alarms": alarms,
        "kinds": harm.kinds,
        "to_label": str(to_label),
        "verdict": None if verdict is None else asdict(verdict),
    }


def _window(one: _Seen) -> dict[str, Any]:
    return {
        "from": one.at.start,
        "rows": one.at.stop - one.at.start,
        "p_value": one.judged.p_value,
        "alarm": one.alarm,
        "signals": one.judged.p_values,
        "harm": _harm(one.estimate),
        "estimated": _score(one.estimate),
    }


def _harm(estimate: Estimate) -> dict[str, float]:
    return dict(zip(("probability", "low", "high"), estimate.harm, strict=True))


def _score(estimate: Estimate, label: str | None = None) -> dict[str, Any]:
    value, low, high = estimate.accuracy
    return to_json(Score("accuracy", value, estimate.n, low, high, label=label))


def _groups(seen: list[_Seen]) -> list[list[int]]:
    """Windows with an alarm, those that follow one another together; one quiet window between them ends nothing."""
    groups: list[list[int]] = []
    for number in (at for at, one in enumerate(seen) if one.alarm):
        if groups and number - groups[-1][-1] <= 2:
            groups[-1].append(number)
        else:
            groups.append([number])
    return groups


def _alarm(
    watched: Watched,
    reference: Rows,
    rows: Rows,
    group: list[int],
    seen: list[_Seen],
    estimator: Estimator,
    harm: Harm,
) -> dict[str, Any]:
    """One alarm for windows that follow one another; its cause is that of the signals that moved most."""
    at_N = np.concatenate([np.arange(seen[number].at.start, seen[number].at.stop) for number in group])
    own = rows.take(at_N)
    signals = shelf()
    first = [min(seen[number].judged.p_values, key=lambda name: _rank(seen[number].judged, name)) for number in group]
    cause = Counter(signals[name].cause for name in first).most_common(1)[0][0]
    named = sorted(
        {name for number in group for name, p in seen[number].judged.p_values.items() if p <= 0.01} | {*first}
    )
    estimate = estimator.estimate(own)
    answers_N = own.answers_N
    slices = [(label, np.flatnonzero(answers_N == place)) for place, label in enumerate(watched.model.labels)]
    texts = own.texts is not None and reference.texts is not None
    return {
        "cause": cause,
        "signals": [{"signal": name, "title": signals[name].title} for name in named],
        "windows": group,
        "harm": _harm(estimate),
        "means_harm": estimate.harm[0] >= LEAST,
        "estimated": _score(estimate),
        "slices": [_score(estimator.estimate(own.take(at)), label) for label, at in slices if len(at) >= _SLICE],
        "words": moved_words(reference.texts or (), own.texts or ()) if texts else [],
        "examples": telling_rows(reference, own),
        "precision": _mean(harm, "precision"),
        "recall": _mean(harm, "recall"),
        "remedy": f"deepen feedback {shlex.quote(str(watched.run.folder))} "
        f"{shlex.quote(str(watched.run.folder / FOLDER / 'to-label.csv'))}",
    }


def _rank(judged: Judged, name: str) -> tuple[float, float]:
    return judged.p_values[name], -judged.moved[name]


def _mean(harm: Harm, name: str) -> float | None:
    """The mean over kinds of failures; of those where it is defined."""
    values = [float(value) for one in harm.kinds.values() if (value := one[name]) is not None]
    return float(np.mean(values)) if values else None
