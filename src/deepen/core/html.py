"""Records as a notebook shows them: small tables with bars, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from deepen.core.cells import printable
from deepen.core.language import told

_MOST = 10


def cell(value: Any) -> str:
    """A value as HTML; floats with three places."""
    return escape(printable(f"{value:.3f}" if isinstance(value, float) else str(value)))


def bar(share: float) -> str:
    """A bar for a share in [0, 1]."""
    width = round(100 * min(1.0, max(0.0, share)))
    return (
        '<div style="width:100px;background:rgba(128,128,128,.25)">'
        f'<div style="width:{width}px;height:.8em;background:#3b76af"></div></div>'
    )


def tinted(text: str, strength: float) -> str:
    """A word, the stronger coloured the more it counts: blue for, orange against; `strength` is in [-1, 1]."""
    colour = "59,118,175" if strength > 0 else "217,119,40"
    return f'<span style="background:rgba({colour},{min(1.0, abs(strength)):.2f})">{cell(text)}</span>'


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already.

    Args:
        head: Names of the columns, which are text, in the reader's language; none draws no head.
    """
    names = "".join(f"<th style='text-align:left'>{cell(told(name))}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{item}</td>' for item in row)}</tr>" for row in rows)
    return f"<div><b>{cell(title)}</b><table>{f'<tr>{names}</tr>' if head else ''}{body}</table></div>"


def probabilities(found: dict[str, float]) -> list[list[str]]:
    """Rows of a table: the likeliest labels with their probabilities and bars."""
    best = sorted(found.items(), key=lambda item: -item[1])[:_MOST]
    return [[cell(label), cell(float(share)), bar(share)] for label, share in best]
