"""What there is to say about data before a climb: notes, and warnings of what probably makes the result wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Told:
    """Grows step by step; `tables` are those that were read, in order."""

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()

    def and_notes(self, *notes: str) -> Told:
        """With more about what was decided harmlessly."""
        return replace(self, notes=(*self.notes, *notes))

    def and_warnings(self, *warnings: str) -> Told:
        """With more about what probably makes the result wrong."""
        return replace(self, warnings=(*self.warnings, *warnings))

    def of(self, table: Table) -> Told:
        """With what reading a table left to say."""
        told = self.and_notes(*table.notes).and_warnings(*table.warnings)
        return replace(told, tables=(*self.tables, table))

    def aloud(self, say: Callable[[str], None]) -> Told:
        """Says everything once, short enough to be read: warnings first. What is given back is what was said."""
        warnings, notes = brief(self.warnings, self.tables), brief(self.notes, self.tables)
        for word, sentences in (("warning", warnings), ("note", notes)):
            for sentence in sentences:
                say(f"  {word}: {sentence}")
        return replace(self, notes=tuple(notes), warnings=tuple(warnings))
