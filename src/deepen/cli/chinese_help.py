"""`--help` in Chinese: the texts of commands and options, and lines broken where Chinese may be broken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from deepen.core.chinese import translated

_WIDE, _STUCK = "\u2e80-\u9fff\uff00-\uffef“”…", "[，。；：、）”]*"
_UNITS = re.compile(rf"[{_WIDE}]{_STUCK}|[^\s{_WIDE}]+{_STUCK}|\s+")
_CHINESE = re.compile("[\u4e00-\u9fff]")
_EXTRA = re.compile(r"(.*?)\s*(\[[^\[\]]*\])?", re.DOTALL)
_WIDEST_FIRST = 30


def prepare(command: Any) -> None:
    """Puts a command and those below it into Chinese, before help is asked for; options are when they are written."""
    command.help = "\n\n".join(_paragraphs(command.help or ""))
    command.short_help = command.help.partition("\n\n")[0].partition("。")[0].partition("；")[0] + "。"
    formatter = command.context_class.formatter_class
    made = type("ChineseHelp", (formatter,), {one.__name__: one for one in (write_heading, write_text, write_dl)})
    made.write_usage = _usage_of(formatter)  # type: ignore[attr-defined]
    command.context_class = type("Context", (command.context_class,), {"formatter_class": made})
    for below in getattr(command, "commands", {}).values():
        prepare(below)


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; examples of commands stay as they are."""
    for paragraph in text.split("\n\n"):
        yield paragraph if paragraph.startswith("\b") else translated(" ".join(paragraph.split()))


def _usage_of(formatter: Any) -> Any:
    def write_usage(self: Any, prog: str, args: str = "", prefix: str | None = None) -> None:
        formatter.write_usage(self, prog, args, prefix=translated("Usage:"))

    return write_usage


def write_heading(self: Any, heading: str) -> None:
    """A heading over options or commands."""
    self.write(f"{' ' * self.current_indent}{translated(heading)}：\n")


def write_text(self: Any, text: str) -> None:
    """Paragraphs of a help text."""
    start = " " * self.current_indent
    for number, paragraph in enumerate(text.split("\n\n")):
        lines = paragraph.removeprefix("\b").strip("\n").split("\n") if paragraph.startswith("\b") else None
        for line in lines or wrapped(paragraph, self.width - self.current_indent):
            self.write(f"{start}{line}".rstrip() + "\n")
        if number < text.count("\n\n"):
            self.write("\n")


def write_dl(self: Any, rows: Any, col_max: int = _WIDEST_FIRST, col_spacing: int = 2) -> None:
    """Names at the left and what they mean at the right."""
    from rich.cells import cell_len

    rows = [(first, _meaning(second)) for first, second in rows]
    start = " " * self.current_indent
    width = min(max(cell_len(first) for first, _ in rows), col_max) + col_spacing
    for first, second in rows:
        lines = wrapped(second, max(self.width - self.current_indent - width, 10)) or [""]
        if cell_len(first) + col_spacing > width:
            self.write(f"{start}{first}\n{start}{' ' * width}{lines[0]}\n")
        else:
            self.write(f"{start}{first}{' ' * (width - cell_len(first))}{lines[0]}".rstrip() + "\n")
        for line in lines[1:]:
            self.write(f"{start}{' ' * width}{line}\n")


def _meaning(text: str) -> str:
    """What an option is for, and in brackets its default."""
    about, extra = _EXTRA.fullmatch(text).groups()  # type: ignore[union-attr]
    said = about if _CHINESE.search(about) else translated(about)
    return said + (f"  [{'；'.join(map(translated, extra[1:-1].split('; ')))}]" if extra else "")


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many columns, broken at spaces and between Chinese characters.

    Example:
        >>> wrapped("训练集 train 和测试集", 12)
        ['训练集 train', '和测试集']
    """
    from rich.cells import cell_len

    lines, line = [], ""
    for unit in _UNITS.findall(" ".join(text.split())):
        if line and cell_len(line + unit.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += unit if line or unit.strip() else ""
    return [*lines, line.rstrip()] if line.strip() else lines
