"""What a label is called: by a file of names, by the classes that a file carries, or as the training rows spell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deepen.data.columns import TARGET, Columns, Need
from deepen.data.label_names import LabelNames, look_up
from deepen.data.normalise import NormaliseSettings, normalise_label
from deepen.data.source import Fault, Source, as_text, clip
from deepen.data.targets.labels import plain_label

_MOST = 1000


@dataclass(frozen=True)
class Renaming:
    """From a label as it is written to its name (None: it has none), where the names are from, and how that is told."""

    rename: Callable[[str], str | None] | None = None
    source: str = ""
    told: str = ""


def spellings(values: Iterable[str]) -> dict[str, str]:
    """How whole numbers and truth values are spelled among labels, if there are no other labels.

    Plain form to spelling: as it is, or the plain one where some labels are written in two ways.

    Example:
        >>> spellings(["1.0", "0.0", "0"]), spellings(["1.0", "0.0"]), spellings(["1", "good"])
        ({'1': '1', '0': '0'}, {'1': '1.0', '0': '0.0'}, {})
    """
    counts = Counter(values)
    found: dict[str, str] = {}
    for value, _ in counts.most_common():
        plain = plain_label(value)
        if plain is None or len(found) > _MOST:
            return {}
        found.setdefault(plain, value)
    if any(value != found[plain_label(value) or ""] for value in counts):
        return {plain: plain for plain in found}
    return found


def renaming(
    source: Source,
    target: Sequence[int],
    needs: Sequence[Need],
    columns: Columns,
    label_names: LabelNames | None,
    cut: bool,
) -> tuple[Columns, Renaming]:
    """How the labels of a source are called. `cut` says whether labels are numbers that are cut into classes."""
    at = target[0]
    if label_names is not None:
        first = columns.first_code
        if first is None:
            first = label_names.first_code(different(source, at))
        resolved, others = label_names.resolve(first), label_names.keeps_others
        found = Renaming(
            lambda value: look_up(resolved, value) or (value if others else None),
            label_names.source,
            f"; names from {clip(label_names.source)}" + (", other labels keep theirs" if others else ""),
        )
        return replace(columns, first_code=first), found
    if source.names is not None and source.names[at] in source.classes:
        classes = {
            str(i): normalise_label(label, NormaliseSettings(), {})
            for i, label in enumerate(source.classes[source.names[at]])
        }
        return columns, Renaming(classes.get, "the names of the classes that the file carries")
    if cut or not any(need.name == TARGET and need.kind == "category" for need in needs):
        return columns, Renaming()
    spelled = columns.spelled
    if spelled is None:
        texts = map(as_text, source.cells(at) if len(target) == 1 else ())
        spelled = spellings(text.strip() for text in texts if text and not text.isspace())
    columns = replace(columns, spelled=spelled)
    if not spelled:
        return columns, Renaming()
    told = _merged(source, at, spelled)
    return columns, Renaming(lambda value: spelled.get(plain_label(value) or "", value), told=told)


def _merged(source: Source, at: int, spelled: Mapping[str, str]) -> str:
    """What to say where one label is written in several ways."""
    for cell in source.cells(at):
        value = (as_text(cell) or "").strip()
        name = spelled.get(plain_label(value) or "")
        if name is not None and name != value:
            return f"; '{clip(value)}' and '{clip(name)}' are one label"
    return ""


def different(source: Source, index: int) -> set[str]:
    """The different values of a column; costs one more pass over the file. At most 100,000 of them."""
    found: set[str] = set()
    for _, _, cells in source.read((index,)):
        held: Sequence[Any] = [] if isinstance(cells, Fault) else cells[0] if isinstance(cells[0], list) else cells
        for value in map(as_text, held):
            if value is not None and len(found) < 100_000:
                found.add(value.strip())
    return found
