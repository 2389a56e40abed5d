"""What there is to say about data before a climb: notes, and warnings of what probably makes the result wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from deepen.data.table import Table, brief


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
