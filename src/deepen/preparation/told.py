"""What there is to say about data before a climb: notes, and warnings of what probably makes the result wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from deepen.core.cells import printable, write_csv
from deepen.data.table import Table, brief

LEFT_OUT = "left-out.csv"
"""The file of a run that lists the rows that were left out."""


def write_left_out(path: Path, tables: Iterable[Table]) -> None:
    """Lists every row that was left out of some tables; there is no file if there is none.

    Args:
        path: A CSV with the columns file, line and reason.
    """
    path.unlink(missing_ok=True)
    left = [table for table in tables if len(table.left)]
    if left:
        rows = (map(_cell, (row["file"], row["line"], row["reason"])) for table in left for row in table.left_rows())
        write_csv(path, chain([("file", "line", "reason")], rows))


def _cell(value: str | int) -> str | int:
    return printable(value) if isinstance(value, str) else value


@dataclass
class Told:
    """Grows while a climb is prepared; `tables` are those that were read, in order."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def of(self, table: Table) -> Table:
        """Takes up what reading a table left to say, and hands the table back."""
        self.tables.append(table)
        self.notes += table.notes
        self.warnings += table.warnings
        return table

    def aloud(self, say: Callable[[str], None]) -> None:
        """Says everything once, short enough to be read: warnings first. What is kept is what was said."""
        self.warnings, self.notes = brief(self.warnings, self.tables), brief(self.notes, self.tables)
        for word, sentences in (("warning", self.warnings), ("note", self.notes)):
            for sentence in sentences:
                say(f"  {word}: {sentence}")
