"""The keys of objects as columns: how many are kept, and what lies inside objects of objects (`tweet.text`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deepen.data.source import Fault, Row, Source

_MOST_CELLS = 1_000_000
_MOST_PATHS, _DEPTH, _LOOKED_ROWS = 50, 3, 200


@dataclass(frozen=True)
class Keys:
    """The columns that objects make up, the cells of the first objects, and a sentence if some keys were left out."""

    names: tuple[Any, ...]
    sample: list[list[Any]]
    told: str = ""


def keys_of(objects: Sequence[Mapping[Any, Any]], wanted: Iterable[str] = ()) -> Keys:
    """The keys of objects as columns: the `wanted` and, as a table costs rows x keys, those that many objects share."""
    counts: Counter[Any] = Counter()
    for value in objects:
        counts.update(value.keys())
    names, told = tuple(counts), ""
    most = max(_MOST_CELLS, 4 * counts.total()) // max(1, len(objects))
    if len(names) > most:
        asked = frozenset(wanted)
        kept = {name for name, _ in counts.most_common(most)} | {name for name in names if name in asked}
        told = f"{len(names):,} different keys, of which the {len(kept):,} that most objects have are columns"
        names = tuple(name for name in names if name in kept)
    return Keys(names, [[value.get(name) for name in names] for value in objects], told)


def with_paths(source: Source, wanted: Iterable[str] = ()) -> Source:
    """A source whose objects in cells can be asked for by paths (`tweet.text`, `answers.0.text`) behind its own."""
    if source.names is None:
        return source
    found: dict[str, None] = {}
    for at in range(len(source.names)):
        cells = [row[at] for row in source.sample[:_LOOKED_ROWS] if at < len(row)]
        objects = [cell for cell in cells if isinstance(cell, Mapping)]
        if 2 * len(objects) > sum(cell is not None for cell in cells):
            found.update(dict.fromkeys(_usual_paths(source.names[at], objects)))
    own = {name: at for at, name in enumerate(source.names)}
    roots = {path: _root(path, own) for path in [*found, *wanted] if path not in own}
    inner = {path: (own[at], path[len(at) + 1 :].split(".")) for path, at in roots.items() if at is not None}
    if not inner:
        return source
    places: list[tuple[int, list[str]]] = [*((at, []) for at in range(source.width)), *inner.values()]

    def read(asked: tuple[int, ...]) -> Iterator[Row]:
        plain = tuple(dict.fromkeys(places[at][0] for at in asked))
        steps = [(plain.index(places[at][0]), places[at][1]) for at in asked]
        for file, line, cells in source.read(plain):
            found = cells if isinstance(cells, Fault) else [_inside(cells[at], path) for at, path in steps]
            yield file, line, found

    return replace(source, names=(*source.names, *inner), width=len(places), read=read, num_paths=len(inner))


def _root(path: str, own: Mapping[str, int]) -> str | None:
    """The column that a path begins in: the longest name that it starts with."""
    parts = path.split(".")
    roots = (".".join(parts[:end]) for end in range(len(parts) - 1, 0, -1))
    return next((root for root in roots if root in own), None)


def _usual_paths(name: str, objects: Sequence[Mapping[Any, Any]]) -> list[str]:
    """Paths to what is no object, in at least half of some objects."""
    counts: Counter[str] = Counter()
    for value in objects:
        counts.update(_leaves(value, name, _DEPTH))
        if len(counts) > 100 * _MOST_PATHS:
            break
    return [path for path, count in counts.items() if 2 * count >= len(objects)][:_MOST_PATHS]


def _leaves(value: Mapping[Any, Any], path: str, depth: int) -> Iterator[str]:
    for key, cell in list(value.items())[:_MOST_PATHS]:
        if isinstance(cell, Mapping):
            if depth > 1:
                yield from _leaves(cell, f"{path}.{key}", depth - 1)
        else:
            yield f"{path}.{key}"


def _inside(cell: Any, steps: Sequence[str]) -> Any:
    for step in steps:
        if isinstance(cell, Mapping):
            cell = cell.get(step)
        elif isinstance(cell, list | tuple) and step.isdecimal() and len(step) < 9 and int(step) < len(cell):
            cell = cell[int(step)]
        else:
            return None
    return cell
