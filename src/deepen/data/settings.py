"""What a person may choose about reading data."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator, model_validator

from deepen.core.settings import Settings
from deepen.data.masking import KINDS, Kind
from deepen.data.normalise import NormaliseSettings


class DataSettings(Settings):
    """How files are read. Everything is told by the content unless it is set here."""

    encoding: str = "utf-8"
    """The encoding of text files. UTF-8 unless declared: a guess would turn a wrong byte into a wrong letter."""
    delimiter: str | None = None
    """What separates the cells in a text file (`tab`, or one or more characters). None: told by content."""
    header: bool | None = None
    """Whether the first row names the columns. None: told by content."""
    quoting: bool | None = None
    """Whether `"` encloses cells. None: told by content; in many tab-separated files it is a plain character."""
    bad_rows: Literal["auto", "error", "drop"] = "auto"
    """What happens to ragged rows and empty texts or labels, and to test labels that training never saw. Auto leaves
    out up to 1 % of a file's rows (at least one) and stops above that; drop has no limit; error stops at the first.
    Whatever is left out is counted, shown and listed."""
    max_cell_chars: int = 250_000
    """The longest cell in characters. A longer one is nearly always an unclosed quote; raise it for books."""
    max_labels: int | None = None
    """The most labels a classification may have. None: judged by how many rows each label has."""
    label_cuts: tuple[float, ...] = ()
    """Where a numeric target is cut into classes; a value equal to a cut goes to the lower class. Empty: not cut."""
    label_names: tuple[str, ...] = ()
    """The names of the classes that `label_cuts` makes, from the lowest; empty: `<= 0`, `> 0`."""
    label_separator: str | None = None
    """What parts the labels of a cell where a row has several. None: the first of | ; , in it, or the Chinese ones."""
    normalise: NormaliseSettings = NormaliseSettings()
    """What is evened out in texts."""
    hide: tuple[str, ...] = ()
    """Words, or runs of words, taken out of every text when it is read, in training and ever after. They are what
    a model must not lean on: `deepen diagnose` names them."""

    mask: tuple[Kind, ...] = ()
    """Kinds of personal data that are replaced by `<KIND>` in every text when it is read, in training and ever after;
    `all` is every kind. None by default: a text may be about them."""
    unmasked: tuple[Kind, ...] = ()
    """Kinds that stay all the same. Training puts here what a target overlaps, so that a task finds what it must."""

    @field_validator("mask", mode="before")
    @classmethod
    def _every_kind(cls, value: Any) -> Any:
        return KINDS if value == "all" else value

    @property
    def masked(self) -> tuple[Kind, ...]:
        """The kinds that are replaced."""
        return tuple(kind for kind in self.mask if kind not in self.unmasked)

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            bytes(range(256)).decode(value, "replace")
        except (LookupError, ValueError):  # some are no text, some can't replace what they don't know
            raise ValueError(
                "there is no such text encoding; utf-8, gb18030, cp1252 and shift_jis are common"
            ) from None
        return value

    @field_validator("delimiter")
    @classmethod
    def _real_delimiter(cls, value: str | None) -> str | None:
        value = {"tab": "\t", "\\t": "\t"}.get(value or "", value)
        if value is not None and (not value or '"' in value or "\n" in value or "\r" in value):
            raise ValueError("it must be one or more characters, without a quote or a line end")
        return value

    @field_validator("label_separator")
    @classmethod
    def _something(cls, value: str | None) -> str | None:
        if value == "":
            raise ValueError("it must be one or more characters")
        return value

    @field_validator("hide")
    @classmethod
    def _words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(str.strip, value)):
            raise ValueError("each must be a word or a run of words")
        return value

    @field_validator("max_cell_chars", "max_labels")
    @classmethod
    def _above_zero(cls, value: int | None) -> int | None:
        if value is not None and value < 1:
            raise ValueError("it must be above 0")
        return value

    @model_validator(mode="after")
    def _cuts_and_names(self) -> DataSettings:
        if list(self.label_cuts) != sorted(set(self.label_cuts)):
            raise ValueError("label_cuts must rise")
        if self.label_names and len(self.label_names) != len(self.label_cuts) + 1:
            raise ValueError(
                f"{len(self.label_cuts)} label_cuts make {len(self.label_cuts) + 1} classes, "
                f"but label_names has {len(self.label_names)}"
            )
        return self
