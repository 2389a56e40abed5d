"""How an explanation looks on a terminal: the text with the words that carried the answer, depth, analogies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from deepen.cli import show
from deepen.core.language import told

if TYPE_CHECKING:
    from rich.text import Text

_MARGIN = 11
_TOP_WORDS = 6
_TEXT_CHARS = 160
_WORTH_SHOWING = 0.05  # of the strongest word


def print_explanation(explanation: dict[str, Any], text: str) -> None:
    """Prints why a row got its answers."""
    from rich.text import Text

    for answer in explanation["answers"]:
        if answer["start"] is not None:
            where = text[answer["start"] : answer["end"]]
            _line("answer", Text(f"{answer['output']}: {where} ({answer['confidence']:.3f})", "bold"))
        _line("words", _coloured(answer["words"], text))
        _line("", Text(told(_strongest(answer))))
        _line("depth", Text(told(_depth(answer, explanation["sure"]))))
        for number, analogy in enumerate(answer["analogies"]):
            _line("" if number else "analogies", _analogy(analogy))
    for note in explanation["notes"]:
        _line("note", Text(told(note), "dim"))


def _line(title: str, content: Text) -> None:
    from rich.table import Table

    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=_MARGIN)
    row.add_column()
    row.add_row(f"  {told(title)}", content)
    show.console().print(row)


def _coloured(words: list[dict[str, Any]], text: str) -> Text:
    """The text; green speaks for the answer, red against it, bold is more than half of the strongest word."""
    from rich.text import Text

    found = Text(text.replace("\n", " ").replace("\t", " "))
    most = max((abs(word["value"]) for word in words), default=0.0)
    for word in words:
        share = word["value"] / most if most else 0.0
        if abs(share) >= _WORTH_SHOWING:
            colour = "green" if share > 0 else "red"
            style = f"bold {colour} reverse" if abs(share) > 0.5 else colour if abs(share) > 0.2 else f"dim {colour}"
            found.stylize(style, word["start"], word["end"])
    return found


def _strongest(answer: dict[str, Any]) -> str:
    words = sorted(answer["words"], key=lambda word: -abs(word["value"]))
    least = _WORTH_SHOWING * abs(words[0]["value"]) if words else 0.0
    strong = [word for word in words[:_TOP_WORDS] if abs(word["value"]) >= least and word["value"]]
    if not strong:
        return "no word carried it: the model says the same whatever it reads"
    listed = "  ".join(f"{word['text']} {word['value']:+.2f}" for word in strong)
    if answer["total"] is None:
        return f"{listed}  (lost of the answer's logit without the word)"
    return f"{listed}  (integrated gradients; all words {answer['total']:+.2f}, missed by {abs(answer['error']):.3f})"


def _depth(answer: dict[str, Any], sure: float) -> str:
    """The cheapest rung that says the same, and what the others say."""
    said = ", ".join(f"{rung['rung']} {_said(rung)}" for rung in answer["rungs"])
    if answer["depth"] is None:
        return f"none: no rung says it with a confidence of {sure:g} ({said})"
    return f"{answer['depth']}, the cheapest rung that says it with {sure:g} or more ({said})"


def _said(rung: dict[str, Any]) -> str:
    return "nothing there" if rung["output"] is None else f"{rung['output']} {rung['confidence']:.2f}"


def _analogy(analogy: dict[str, Any]) -> Text:
    from rich.text import Text

    mark, style = ("agrees", "green") if analogy["agrees"] else ("differs", "red")
    head = f"{analogy['similarity']:.2f} {analogy['label']} "
    start, end = analogy["start"], analogy["end"]
    text, cut = analogy["text"].replace("\n", " ").replace("\t", " "), 0
    if len(text) > _TEXT_CHARS:
        cut = max(0, min((start or 0) - _TEXT_CHARS // 2, len(text) - _TEXT_CHARS))
        rest = "…" if cut + _TEXT_CHARS < len(text) else ""
        text = ("…" if cut else "") + text[cut : cut + _TEXT_CHARS] + rest
        cut -= bool(cut)
    shown = Text(text)
    if start is not None:
        shown.stylize("bold underline", max(0, start - cut), max(0, end - cut))
    return Text.assemble(head, (told(mark), style), "  ", shown)
