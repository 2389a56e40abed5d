"""What every reader gives: the names of the columns, some rows to look at, and a way to stream all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from deepen.core.cells import printable


def clip(text: str, chars: int = 60) -> str:
    """What a file holds, on one line and short enough for a message."""
    flat = printable(" ".join(text[: 4 * chars].split()))
    return flat if len(flat) <= chars and len(text) <= 4 * chars else f"{flat[: chars - 1]}…"


Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row, to follow file and line; `code` is its kind, `cells` what it holds all the same."""

    message: str
    code: str = "bad_row"
    cells: tuple[Any, ...] = ()


BLANK, BLANK_ROW = "blank_line", "blank_row"
"""The kinds of fault of a line, or of a row of cells, that holds nothing: passed over, but for answers, which are laid
beside lines."""


Row = tuple[str, int, Sequence[Any] | Fault]
"""The file, the line where the row starts (from 1), and its cells or what is wrong with it."""


def picked(rows: Iterable[Row], wanted: Sequence[int]) -> Iterator[Row]:
    """Rows with the wanted cells only."""
    for file, line, cells in rows:
        yield file, line, cells if isinstance(cells, Fault) else [cells[at] for at in wanted]


def first_rows(rows: Iterable[Row], most: int) -> list[Sequence[Any]]:
    """The cells of the first rows that can be read."""
    return list(islice((cells for _, _, cells in rows if not isinstance(cells, Fault)), most))


@dataclass(frozen=True)
class Form:
    """How the rows of a source are written, so that another file can be read like it and not by a new guess.

    `table` is text with cells, and has a delimiter, quoting (`escaped`: with a backslash before quotes inside), and
    perhaps a header with `names`; `lines` has one row a line, and `line_form` says what a line holds: `text`, `label`,
    `fine`, `fasttext` or `fasttext_many`.
    """

    kind: Literal["table", "lines", "columns", "json", "columnar", "excel", "marked", "folder", "memory"]
    width: int = 1
    header: bool | None = None
    delimiter: str | None = None
    quoting: bool | None = None
    line_form: str | None = None
    escaped: bool = False
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Source:
    """A table that can be streamed, whatever it is stored in.

    `names` is None if nothing names the columns; `sample` holds whole rows from the start; `read` streams the cells of
    the wanted columns, in the order wanted; `classes` gives the names of integer codes for the columns whose file has
    them; `form` says how the rows are written. `notes` say what was decided harmlessly, `warnings` what probably makes
    the result wrong.
    `marked` says how many rows are for each split, once that was counted.
    The last `num_paths` columns lie inside others (`tweet.text`) and are taken only if they are asked for.
    """

    name: str
    names: tuple[str, ...] | None
    width: int
    sample: Sequence[Sequence[Any]]
    read: Callable[[tuple[int, ...]], Iterator[Row]]
    notes: tuple[str, ...] = ()
    classes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    form: Form | None = None
    warnings: tuple[str, ...] = ()
    num_paths: int = 0
    marked: dict[Split, int] = field(default_factory=dict)

    @property
    def own_width(self) -> int:
        """The number of columns that may be taken unasked."""
        return self.width - self.num_paths

    def __post_init__(self) -> None:
        """Half characters in the names, as JSON may have them, can't be written down."""
        if self.names is not None:
            whole = tuple(name.encode("utf-8", "replace").decode() for name in self.names)
            object.__setattr__(self, "names", whole)

    def cells(self, index: int) -> list[Any]:
        """What a column holds in the first rows."""
        return [row[index] for row in self.sample if index < len(row)]

    def called(self, index: int) -> str:
        """How a column is called in a message: its name, or its number from 0."""
        return f"'{clip(self.names[index])}'" if self.names is not None else f"{index}"

    def listed(self) -> str:
        """All columns, for a message."""
        if self.names is not None:
            return listed(self.names)
        return f"0 to {self.width - 1} (no header)" if self.width > 1 else "0 (no header)"


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names out of a file, for a message."""
    return ", ".join(clip(name, 40) for name in names[:most]) + (", ..." if len(names) > most else "")


YES, NO = frozenset(("1", "1.0", "true", "yes", "是")), frozenset(("0", "0.0", "false", "no", "否"))
"""What cells say for yes and for no, in small letters."""

# how Python, pandas and NumPy print values of their own that stand for a missing one
_MISSING = frozenset(("NaT", "<NA>", "nan", "NaN"))


def as_text(value: Any) -> str | None:
    """A cell as text; None for what is missing (None, NaN, NaT) and for a mapping, `1` and not `1.0` for integers."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, Mapping) or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        texts = [as_text(item) for item in _flat(value)]
        return "\n".join(text for text in texts if text is not None) if texts else None
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    try:
        text = str(value)
    except (ValueError, RecursionError):  # Python writes no number of more than 4,300 digits
        return None
    return None if text in _MISSING else text


def _flat(items: Sequence[Any]) -> Iterator[Any]:
    """What is in a list and in the lists inside it, however deep they are."""
    waiting = [iter(items)]
    while waiting:
        for item in waiting[-1]:
            if isinstance(item, list | tuple):
                waiting.append(iter(item))
                break
            yield item
        else:
            waiting.pop()
