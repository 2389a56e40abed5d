"""The pictures of the page as inline SVG: nothing is fetched, text stays text, and no drawing state is shared.

Text is left to the reader's own fonts, so labels in any script show. Start with `score_picture`.

Shape legend: C classes.
"""

from __future__ import annotations

import logging
import math
import re
import unicodedata
import warnings
from collections.abc import Sequence
from html import escape
from io import StringIO
from typing import Any

import numpy as np

from deepen.core.curve import CurvePoint
from deepen.core.errors import SettingError
from deepen.core.ladder import LadderRow
from deepen.evaluation.calibration import ReliabilityBin
from deepen.evaluation.statistics import wilson
from deepen.reporting import words

_INK, _GREY, _LINE, _BLUE, _ORANGE, _PAPER = "#1f2430", "#6b7280", "#d5d9e0", "#1d5fa8", "#c2571a", "#fefefe"
_COLOURS = {_INK: "ink", _GREY: "grey", _LINE: "line", _BLUE: "blue", _ORANGE: "orange", _PAPER: "paper"}
"""The page names each colour, and has it twice: on white and on black."""
_STYLE = {
    "svg.fonttype": "none",
    "font.size": 10.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _GREY,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_POINT = 10.5 / 72
_LABEL_LENGTH = 24


def score_picture(rungs: Sequence[LadderRow], *, chosen: str | None, before: words.Record | None = None) -> str:
    """Score against the seconds spent so far, one point a rung with a score; empty if fewer than two have one."""
    points = _points(rungs)
    if len(points) < 2:
        return ""
    name = points[0]["score"]["name"]
    figure, axes = _figure(4.6, 3.4, salt="score")
    majority = next((point["score"]["value"] for point in points if point["rung"] == "majority"), None)
    climbed = [point for point in points if point["rung"] != "majority"]
    if majority is not None:
        axes.axhline(majority, color=_GREY, linestyle="--", linewidth=1)
        _line_note(axes, f"majority {words.number(majority, name=name)}", majority, climbed)
    if before:
        axes.axhline(before["value"], color=_GREY, linestyle=":", linewidth=1.2)
        _line_note(axes, f"before tuning {words.number(before['value'], name=name)}", before["value"], climbed)
    axes.set_xscale("log")
    spent = [p["spent"] for p in climbed] or [1.0]
    if min(spent) == max(spent):  # one point has no span of its own
        axes.set_xlim(spent[0] / 3, 3 * spent[0])
    axes.plot(spent[: len(climbed)], [p["score"]["value"] for p in climbed], color=_LINE, zorder=1)
    for place, point in enumerate(climbed):
        _draw_point(axes, point, stressed=point["rung"] == chosen, above=place % 2 == 0)
    axes.margins(x=0.16, y=0.16)
    _time_axis(axes, spent)
    axes.set_xlabel("time spent so far, all rungs below included")
    axes.set_ylabel(f"{words.title(name)} on validation")
    figure.subplots_adjust(left=0.15, right=0.98, top=0.97, bottom=0.15)
    told = "; ".join(f"{p['rung']} {words.score(p['score'])} after {words.seconds(p['spent'])}" for p in points)
    return _svg(figure, f"{words.title(name)} against time spent: {told}.")


def _points(rungs: Sequence[LadderRow]) -> list[dict[str, Any]]:
    points, spent = [], 0.0
    for row in rungs:
        spent += row.seconds or 0.0
        if row.score:
            points.append({"rung": row.rung, "score": row.score, "spent": max(spent, 1e-2)})
    return points


def _draw_point(axes: Any, point: dict[str, Any], *, stressed: bool, above: bool) -> None:
    color, record = (_BLUE if stressed else _INK), point["score"]
    value = record["value"]
    low = value if record.get("low") is None else record["low"]
    high = value if record.get("high") is None else record["high"]
    reach = [[max(0.0, value - low)], [max(0.0, high - value)]]
    axes.errorbar(
        [point["spent"]], [value], yerr=reach, fmt="o", color=color, markersize=8 if stressed else 5, capsize=3
    )
    axes.annotate(
        words.shorten(point["rung"], _LABEL_LENGTH),
        (point["spent"], high if above else low),
        xytext=(0, 5 if above else -5),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        color=color,
        fontweight="bold" if stressed else "normal",
    )


def _line_note(axes: Any, text: str, height: float, points: Sequence[dict[str, Any]]) -> None:
    """Names a line at the end where the points keep clear of it."""
    gaps = [abs(point["score"]["value"] - height) for point in points] or [0.0]
    half = (len(gaps) + 1) // 2
    left = min(gaps[:half]) > min(gaps[-half:])
    axes.text(
        0.01 if left else 0.995,
        height,
        text,
        transform=axes.get_yaxis_transform(),
        ha="left" if left else "right",
        va="bottom",
        color=_GREY,
        fontsize=10,
    )


def _time_axis(axes: Any, spent: Sequence[float]) -> None:
    """Ticks a person would choose, in seconds, minutes and hours."""
    low, high = axes.get_xlim()
    places = [0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 360_000]
    if math.log10(max(spent) / min(spent)) < 1.2:
        places = [0.01, 0.03, 0.1, 0.3, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18_000, 36_000]
    ticks = [place for place in places if low <= place <= high]
    axes.set_xticks(ticks, [_tick(place) for place in ticks])
    axes.minorticks_off()


def _tick(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


def confusion_picture(matrix_CC: np.ndarray, labels: Sequence[str]) -> str:
    """The confusion matrix of counts, a row a label, a column a decision, each row shaded by its shares."""
    matrix_CC = np.asarray(matrix_CC)
    num_classes = len(matrix_CC)
    names = [words.shorten(label, _LABEL_LENGTH) for label in labels]
    room = 0.56 * _POINT * max(_width(name) for name in names) + 0.4
    side = max(1.8, (0.42 if num_classes <= 12 else 0.34) * num_classes + 0.2)
    width, height = room + side + 0.15, room + side + 0.15
    figure, axes = _figure(width, height, salt="confusion")
    from matplotlib.patches import Rectangle

    figure.subplots_adjust(left=room / width, right=1 - 0.05 / width, top=1 - 0.05 / height, bottom=room / height)
    share_CC = matrix_CC / np.maximum(matrix_CC.sum(axis=1, keepdims=True), 1)
    for row, column in zip(*np.nonzero(matrix_CC), strict=True):
        share = float(share_CC[row, column])
        color = _BLUE if row == column else _ORANGE
        axes.add_patch(Rectangle((column, row), 1, 1, color=color, alpha=0.12 + 0.88 * share, linewidth=0))
        ink = _PAPER if share > 0.5 else _INK
        axes.text(
            column + 0.5, row + 0.5, f"{matrix_CC[row, column]}", ha="center", va="center", fontsize=10, color=ink
        )
    axes.set_xlim(0, num_classes)
    axes.set_ylim(num_classes, 0)
    middles = np.arange(num_classes) + 0.5
    axes.set_xticks(middles, names, rotation=90 if num_classes > 3 or max(map(_width, names)) > 8 else 0)
    axes.set_yticks(middles, names)
    axes.tick_params(length=0)
    axes.set_xlabel("decided")
    axes.set_ylabel("labelled")
    right = int(np.trace(matrix_CC))
    told = f"Confusion matrix of {num_classes} labels: {right} of {int(matrix_CC.sum())} on the diagonal."
    return _svg(figure, told)


def curve_picture(points: Sequence[CurvePoint], *, score_name: str) -> str:
    """The score on the validation rows and the training loss of one rung by optimizer step, one above the other.

    Empty for fewer than two points; a run of 0.1.0 has no loss.
    """
    points = [point for point in points if math.isfinite(point.value)]
    if len(points) < 2:
        return ""
    losses = [point for point in points if point.loss is not None and math.isfinite(point.loss)]
    figure, axes = _figure(3.5, 3.6 if losses else 2.1, salt=f"curve {points[0].rung}", panels=2 if losses else 1)
    above, *below = axes
    best = max(points, key=lambda point: point.value)
    above.plot([p.step for p in points], [p.value for p in points], color=_BLUE, marker="o", markersize=3)
    above.plot([best.step], [best.value], color=_BLUE, marker="o", markersize=8)
    above.set_ylabel(words.title(score_name))
    for panel in below:
        panel.plot([p.step for p in losses], [p.loss for p in losses], color=_ORANGE, marker="s", markersize=3)
        panel.set_ylabel("training loss")
        panel.set_ylim(bottom=min(0.0, *(p.loss or 0.0 for p in losses)))
    for panel in axes:
        panel.set_xlim(0, 1.04 * points[-1].step)
        panel.locator_params(nbins=4)
        panel.margins(y=0.15)
    above.tick_params(labelbottom=not below)
    axes[-1].set_xlabel("step")
    figure.subplots_adjust(left=0.2, right=0.97, top=0.96, bottom=0.14 if below else 0.23, hspace=0.12)
    told = f"{words.title(score_name)} of {points[0].rung} on validation by step: best {best.value:.3f} at {best.step}"
    loss = f"; training loss from {losses[0].loss:.3f} to {losses[-1].loss:.3f}" if losses else ""
    return _svg(figure, f"{told}, last {points[-1].value:.3f} at {points[-1].step}{loss}.")


def calibration_picture(bins: Sequence[ReliabilityBin]) -> str:
    """Confidence against the share that is right, with 95 % intervals; empty if there is no bin."""
    if not bins:
        return ""
    figure, axes = _figure(4.2, 3.5, salt="calibration")
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", linewidth=1)
    axes.text(0.09, 0.035, "honest", color=_GREY, fontsize=10, rotation=39, rotation_mode="anchor")
    most = max(row.n for row in bins)
    for row in bins:
        axes.plot([row.confidence] * 2, wilson(row.accuracy * row.n, row.n), color=_BLUE, linewidth=1.5, alpha=0.35)
    sizes = [12 + 90 * math.sqrt(row.n / most) for row in bins]
    axes.scatter([row.confidence for row in bins], [row.accuracy for row in bins], s=sizes, color=_BLUE, zorder=3)
    axes.set_xlim(-0.02, 1.03)
    axes.set_ylim(-0.02, 1.05)
    axes.set_xlabel("stated probability of the answer")
    axes.set_ylabel("share that is right")
    figure.subplots_adjust(left=0.15, right=0.98, top=0.97, bottom=0.15)
    told = "; ".join(f"says {row.confidence:.2f}, is right {row.accuracy:.2f} ({row.n})" for row in bins)
    return _svg(figure, f"Calibration: {told}.")


def _width(text: str) -> float:
    """How many letters wide a text is; a Chinese character takes nearly two."""
    return sum(1.8 if unicodedata.east_asian_width(char) in "WF" else 1.0 for char in text)


def _figure(width: float, height: float, *, salt: str, panels: int | None = None) -> tuple[Any, Any]:
    """A figure with its axes, or with a list of them, one above the other."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingError("the pictures of the report need matplotlib: pip install 'deepen[report]'") from None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(width, height))
        axes = figure.add_subplot() if panels is None else list(figure.subplots(panels, squeeze=False)[:, 0])
    figure.set_gid(salt)
    return figure, axes


def _named(colour: re.Match[str]) -> str:
    """A colour as the page calls it."""
    return f"var(--{_COLOURS[colour[0]]})" if colour[0] in _COLOURS else colour[0]


def _svg(figure: Any, told: str) -> str:
    """The figure as an element that carries its own description and no identifier another picture could have."""
    import matplotlib
    from matplotlib.text import Text

    salt = figure.get_gid()
    for text_object in figure.findobj(Text):
        text_object.set_parse_math(False)
    out = StringIO()
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # Missing glyphs don't matter: the reader's browser chooses the font.
        with warnings.catch_warnings(), matplotlib.rc_context(_STYLE | {"svg.hashsalt": salt}):
            warnings.simplefilter("ignore")
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            figure.savefig(out, format="svg", transparent=True, metadata=nothing)
    finally:
        logger.setLevel(level)
    text = out.getvalue()
    opening = re.search(r"<svg[^>]*>", text)
    box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', text)
    if not opening or not box:
        raise RuntimeError("matplotlib wrote an SVG without a view box")
    body = text[opening.end() :]
    body = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r"\s*\n\s*", "\n", body)
    body = re.sub(r"<[^>]*>", lambda tag: re.sub(r"#[0-9a-f]{6}\b", _named, tag[0]), body)
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    # The page draws it wider than this where there is room; see --natural in page.html.jinja.
    size = f'style="--natural: {float(box.group(1)):.0f}px"'
    return f'<svg role="img" aria-label="{escape(told)}" {size} {box.group(0)} {names}>{body}'
