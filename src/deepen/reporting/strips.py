"""Small pictures that need no drawing library: inline SVG placed in percent, so that it fills any width.

There is no text in them. The page puts it beside them in its own size, which no scaling makes too small to read.
Start with `strip`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from deepen.reporting import words

_LOST, _NEVER = "fill:var(--orange);fill-opacity:.45", "fill:var(--orange)"
_SCALES = [base * 10.0**power for power in range(-4, 4) for base in (1, 2, 5)]


@dataclass(frozen=True, slots=True)
class Axis:
    """One line of a strip: the drawing, and what is written below its left end, middle and right end."""

    picture: Markup
    ticks: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Strip:
    """Observed and control on one axis, the effect on another around zero; None for what is not there."""

    observed: Axis | None = None
    control: Axis | None = None
    effect: Axis | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: its name, its share of the bar, how it is filled (CSS), and how many examples it is."""

    name: str
    share: float
    fill: str
    n: int | None = None

    @property
    def percent(self) -> str:
        """The share as a text."""
        return f"{100 * self.share:.1f} %"


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar with a name before it and a count behind it."""

    name: str
    n: str
    picture: Markup


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn for one question: bars with a legend, or a plot with axes; `kinds` of evidence are told by it."""

    told: str = ""
    plot: Markup = field(default_factory=Markup)
    axes: tuple[str, str] = ("", "")
    legend: Sequence[Part] = ()
    bars: Sequence[Bar] = ()
    note: str = ""
    kinds: Collection[str] = ()


def strip(observed: words.Record | None, control: words.Record | None, effect: words.Record | None) -> Strip:
    """Draws a finding: dots for scores and effect, bands for 95 % intervals; fractions on an axis from 0 to 1."""
    scores = [score for score in (observed, control) if score]
    ends = _ends([number for score in scores for number in _numbers(score)])
    name = scores[0]["name"] if scores else ""
    low, middle, high = (f"{ends[0] + share * (ends[1] - ends[0]):.3g}" for share in (0, 0.5, 1))
    ticks = low, middle, high
    return Strip(
        Axis(_line(observed, ends, "observed"), ticks) if observed else None,
        Axis(_line(control, ends, "control"), ticks) if control else None,
        _effect(effect, name) if effect else None,
    )


def beside(scores: Sequence[words.Record], whole: words.Record) -> list[Markup]:
    """Draws scores on one axis, as long as their intervals need, with a mark at that of all rows."""
    numbers = [number for score in (*scores, whole) for number in _numbers(score)]
    ends = min(numbers), max(numbers)
    return [_line(score, ends, "observed", mark=whole["value"]) for score in scores]


def _effect(effect: words.Record, name: str) -> Axis:
    most = max(map(abs, _numbers(effect)))
    reach = next((scale for scale in _SCALES if scale >= most), most)
    points = f"{words.points(reach, name=name):.3g}"
    return Axis(_line(effect, (-reach, reach), "effect", mark=0.0), (f"-{points}", "0", f"+{points}"))


def _numbers(record: words.Record) -> list[float]:
    return [float(record[key]) for key in ("value", "low", "high") if record.get(key) is not None]


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    """0 and 1 for fractions; for other scores a little more than they take up."""
    low, high = min(numbers, default=0.0), max(numbers, default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    room = 0.1 * (high - low) or 0.1 * abs(high)
    return low - room, high + room


def _line(record: words.Record, ends: tuple[float, float], kind: str, *, mark: float | None = None) -> Markup:
    def place(value: float) -> str:
        share = (value - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.5
        return f"{100 * min(1.0, max(0.0, share)) if math.isfinite(share) else 50:.2f}%"

    numbers = _numbers(record)
    zero = "" if mark is None else f'<line class="zero" x1="{place(mark)}" x2="{place(mark)}" y1="1" y2="17"/>'
    return Markup(  # numbers only: nothing in it comes from the data
        f'<svg class="strip {kind}" aria-hidden="true"><line class="axis" x1="0" x2="100%" y1="9" y2="9"/>{zero}'
        f'<line class="reach" x1="{place(min(numbers))}" x2="{place(max(numbers))}" y1="9" y2="9"/>'
        f'<circle class="dot" cx="{place(numbers[0])}" cy="9" r="4"/></svg>'
    )


def depth_picture(evidence: Sequence[Any]) -> Picture:
    """The shares of examples right for good at each rung, of all and by label; empty for other evidence."""
    rows = [row for row in evidence if isinstance(row, Mapping)]
    shares = {str(row.get("rung")): row for row in rows if row.get("kind") == "first_right" and _is_share(row, "share")}
    rest = {row["kind"]: row for row in rows if row.get("kind") in ("lost", "never_right") and _is_share(row, "share")}
    if not shares:
        return Picture()
    colors = {name: _between(at / max(1, len(shares) - 1)) for at, name in enumerate(shares)}
    parts = [Part(words.shorten(name, 40), float(row["share"]), colors[name], _n(row)) for name, row in shares.items()]
    called = {"lost": ("right once, then lost", _LOST), "never_right": ("never right", _NEVER)}
    parts += [Part(called[kind][0], float(row["share"]), called[kind][1], _n(row)) for kind, row in rest.items()]
    bars = [Bar("all", "", _bar(parts))]
    for row in rows:
        inner = row.get("first_right")
        if row.get("kind") == "label" and isinstance(inner, Mapping):
            of_label = [Part(name, float(inner[name]), colors[name]) for name in colors if _is_share(inner, name)]
            left = max(0.0, 1 - sum(part.share for part in of_label))
            of_label.append(Part("lost or never right", left, _LOST))
            bars.append(Bar(words.shorten(row.get("label"), 60), words.count(_n(row)), _bar(of_label)))
    return Picture(
        told="; ".join(f"{part.name} {part.percent}" for part in parts),
        legend=parts,
        bars=bars,
        note="A rung has the examples that it is the first to have right and that stay right up to the model. "
        "By label, what is lost or never right is one part.",
        kinds={"first_right", "label", *rest},
    )


def map_picture(evidence: Sequence[Any]) -> Picture:
    """The map of the training rows: how sure of its label each was, and how much that changed; empty without it."""
    rows = [row for row in evidence if isinstance(row, Mapping) and row.get("kind") == "map" and _is_cell(row)]
    if not rows:
        return Picture()
    most = max(row["n"] for row in rows)
    drawn = Markup('<line x1="0" x2="100%" y1="100%" y2="100%"/><line x1="0" x2="0" y1="0" y2="100%"/>')
    for row in rows:
        place = f'x="{200 * row["variability"]:.0f}%" y="{90 - 100 * row["confidence"]:.0f}%" width="10%" height="10%"'
        strength = math.log1p(row["n"]) / math.log1p(most)
        drawn += Markup('<rect {} style="{}"><title>{}</title></rect>').format(
            Markup(place),  # numbers only
            _between(0.1 + 0.9 * strength),
            f"{words.count(row['n'])} rows, confidence from {row['confidence']}, variability from {row['variability']}",
        )
    return Picture(
        told=f"map of {words.count(sum(row['n'] for row in rows))} training rows",
        plot=Markup('<svg class="map" aria-hidden="true">{}</svg>').format(drawn),
        axes=("confidence in the given label, from 0 to 1", "variability over epochs, from 0 to 0.5"),
        note="Stronger cells hold more rows. Top left: easy rows. Bottom left: hard, and often mislabelled. "
        "Right: ambiguous; they teach a model most (Swayamdipta et al. 2020).",
        kinds={"map"},
    )


def _is_cell(row: Mapping[Any, Any]) -> bool:
    return (
        all(isinstance(row.get(key), int | float) and 0 <= row[key] <= 1 for key in ("confidence", "variability"))
        and (_n(row) or 0) > 0
    )


def _is_share(row: Mapping[Any, Any], key: str) -> bool:
    value = row.get(key)
    return isinstance(value, int | float) and 0 <= value <= 1


def _n(row: Mapping[Any, Any]) -> int | None:
    value = row.get("n")
    return value if isinstance(value, int) else None


def _between(step: float) -> str:
    """How to fill what is so far on the way from shallow to deep: the page has the colour."""
    return f"fill:var(--deep);fill-opacity:{0.2 + 0.8 * step:.2f}"


def _bar(parts: Sequence[Part]) -> Markup:
    """Parts side by side, with a thin gap between them; each says its name and share when it is pointed at."""
    drawn, at = Markup(), 0.0
    for part in parts:
        if part.share > 0:
            drawn += Markup('<rect x="{}%" width="{}%" height="100%" style="{}"><title>{}: {}</title></rect>').format(
                f"{100 * at:.3f}", f"{100 * part.share:.3f}", part.fill, part.name, part.percent
            )
            at += part.share
    return Markup('<svg class="bar" aria-hidden="true">{}</svg>').format(drawn)


PICTURES: dict[str, Callable[[Sequence[Any]], Picture]] = {"depth": depth_picture, "data_map": map_picture}
"""What is drawn for a question alone: a function from a finding's evidence to a picture."""
