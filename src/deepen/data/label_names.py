"""Names for labels: the file after `--labels`, and how a code finds its name."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepen.core.cells import printable
from deepen.core.errors import DataError
from deepen.core.foreign import read_yaml
from deepen.core.places import check_file, path_of
from deepen.data.normalise import NormaliseSettings, normalise_label
from deepen.data.readers.sniff import kind_of, lines, not_there, reading, text_file
from deepen.data.source import clip

_LARGEST = 1 << 24  # bytes of a file of names


_CODE = re.compile(r"[+-]?\d+(\.0+)?")


_HEAD = re.compile(r"(code|id|index|label),(name|label)(,(description|meaning))?")


@dataclass(frozen=True)
class LabelNames:
    """Names for codes: `names` for those from 0 or 1 on, or `mapping` as written; `descriptions` say what some mean."""

    source: str
    names: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()
    descriptions: tuple[tuple[str, str], ...] = ()

    @property
    def keeps_others(self) -> bool:
        """Whether a label without a line keeps its name; not where codes get names, as `0` that of `negative`."""
        codes = [code for code, _ in self.mapping if _CODE.fullmatch(code)]
        return bool(self.mapping) and (
            len(codes) < len(self.mapping) or any(_CODE.fullmatch(name) for _, name in self.mapping)
        )

    def first_code(self, codes: Iterable[str]) -> int:
        """The code of the first name: 0, or 1 if names are a list and the data holds no 0 but the number of names."""
        found = {_whole(code) for code in codes}
        return 1 if self.names and "0" not in found and str(len(self.names)) in found else 0

    def resolve(self, first_code: int) -> dict[str, str]:
        """Every code to its name; names stand for themselves."""
        if self.mapping:
            pairs = dict(self.mapping)
        else:
            pairs = {str(index + first_code): name for index, name in enumerate(self.names)}
        return {**{name: name for name in pairs.values()}, **pairs}


def look_up(resolved: Mapping[str, str], value: str) -> str | None:
    """The name of a code, which may be written `3`, `03` or `3.0`; None if it has none."""
    found = resolved.get(value)
    return found if found is not None else resolved.get(_whole(value))


def _whole(code: str) -> str:
    return str(int(float(code))) if _CODE.fullmatch(code) and len(code) < 16 else code


def read_label_names(path: Path | str) -> LabelNames:
    """The file after `--labels`: lines of names from code 0 (or 1), of code, name and description, or JSON or YAML.

    Lines with tabs or, in `.csv`, commas have a code first; JSON and YAML are a list, or a mapping either way round.
    """
    name = printable(str(path))
    path = path_of(path, kind=DataError)
    with reading(name):
        if not path.is_file():
            raise DataError(name + (" is a folder; labels are a file" if path.is_dir() else not_there(path)))
    check_file(path, most_bytes=_LARGEST, kind=DataError)
    if kind_of(path, name, "utf-8") != "text":
        raise DataError(f"{name} is not text: labels are lines, CSV, JSON or YAML")
    text = "".join(lines(text_file(path, name, "utf-8")))
    structured = text.lstrip().startswith(("[", "{")) or path.suffix.lower() in (".yaml", ".yml", ".json")
    if structured:
        return _from_structure(_parse(text, path, name), name)
    rows = [line.rstrip("\r") for line in text.split("\n")]
    if path.suffix.lower() == ".csv":
        return _from_table(text, name)
    if any("\t" in row for row in rows):
        return _from_pairs([(number, row.split("\t")) for number, row in enumerate(rows, 1) if row.strip()], name)
    return _from_list([row.strip() for row in rows if row.strip()], name)


def _parse(text: str, path: Path, name: str) -> Any:
    try:
        return read_yaml(text) if path.suffix.lower() in (".yaml", ".yml") else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{name}: neither names one a line nor readable JSON or YAML: {clip(str(error), 120)}"
        ) from None


def _from_structure(value: Any, name: str) -> LabelNames:
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return _from_list([str(item) for item in value], name)
    if isinstance(value, dict) and value and all(isinstance(item, str | int) for item in value.values()):
        pairs = [(str(key), str(item)) for key, item in value.items()]
        if all(isinstance(item, int) for item in value.values()) and not all(_CODE.fullmatch(key) for key, _ in pairs):
            pairs = [(code, label) for label, code in pairs]  # label2id, as model configurations have it
        return _checked(LabelNames(name, mapping=tuple(pairs)))
    raise DataError(f"{name}: labels are a list of names or a mapping of codes to names")


def _from_table(text: str, name: str) -> LabelNames:
    """Names of a CSV file: one a line, or with a code before it, and a description behind it or not."""
    read = csv.reader(text.splitlines(), skipinitialspace=True)
    try:
        rows = [(read.line_num, cells) for cells in read if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise DataError(f"{name} line {read.line_num}: {error}") from None
    if rows and _HEAD.fullmatch(",".join(cell.strip().lower() for cell in rows[0][1])):
        del rows[0]
    if all(len(cells) == 1 for _, cells in rows):
        return _from_list([cells[0].strip() for _, cells in rows], name)
    return _from_pairs(rows, name)


def _from_pairs(rows: list[tuple[int, list[str]]], name: str) -> LabelNames:
    for number, cells in rows:
        if len(cells) not in (2, 3) or not all(cell.strip() for cell in cells[:2]):
            raise DataError(f"{name} line {number}: write a code, a name and, if you like, a description")
    stripped = [[cell.strip() for cell in cells] for _, cells in rows]
    told = tuple((cells[1], cells[2]) for cells in stripped if cells[2:] and cells[2])
    return _checked(LabelNames(name, mapping=tuple((cells[0], cells[1]) for cells in stripped), descriptions=told))


def _from_list(names: list[str], name: str) -> LabelNames:
    return _checked(LabelNames(name, names=tuple(names)))


def _checked(found: LabelNames) -> LabelNames:
    found = replace(
        found,
        names=tuple(map(_even, found.names)),
        mapping=tuple((_even(code), _even(name)) for code, name in found.mapping),
        descriptions=tuple((_even(name), told) for name, told in found.descriptions),
    )
    keys = list(found.names) or [code for code, _ in found.mapping]
    if not keys:
        raise DataError(f"{found.source} is empty: it names no label")
    twice = {key for key in keys if keys.count(key) > 1} if len(keys) < 10_000 else set()
    if twice:
        raise DataError(f"{found.source} gives '{clip(sorted(twice)[0])}' twice")
    return found


def _even(label: str) -> str:
    """A label as those of the data are evened out."""
    return normalise_label(label, NormaliseSettings(), {})
