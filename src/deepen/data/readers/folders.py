"""What a folder holds: data files, one file per label, one sub-folder per label, texts with brat's annotations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from deepen.core.cells import printable
from deepen.core.errors import DataError
from deepen.data.readers.brat import brat_pairs
from deepen.data.readers.sniff import lies_within, lines, not_there, reading, text_file
from deepen.data.source import Form, Row, Source, first_rows, picked

_SAMPLE_ROWS = 5000
_NOT_DATA = re.compile(
    r"^(\..*|readme.*|licen[cs]e.*|copying.*|notice.*|changelog.*|citation.*|.*\.(md|html?|pdf|py|ipynb|sh|ya?ml|cfg|toml|lock"
    r"|bib|log|png|jpe?g|svg))$",
    re.IGNORECASE,
)
_LISTS = re.compile(
    r"^(class(es)?|labels?|categor(y|ies)|dataset_infos?|state|schema)(_names?)?\.(txt|json)$", re.IGNORECASE
)
_TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow", ".xlsx")
_TRAIN = frozenset(("train", "training", "trn"))
_OTHER_SPLITS = frozenset(("dev", "devel", "valid", "validation", "val", "test", "testing", "tst", "eval", "trial"))


@dataclass(frozen=True)
class Layout:
    """The files of a folder that are one table; with names that are labels, or with each text and its annotations."""

    kind: Literal["file", "tables", "file_per_label", "folder_per_label", "brat"]
    files: tuple[Path, ...]
    labels: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def inside(name: str, entry: Path) -> str:
    """How a file in a folder is called in a message."""
    return f"{name.rstrip('/')}/{printable(entry.name)}"


def folder_layout(folder: Path, name: str) -> Layout:
    """How a folder's files make up a table: of several splits the training files, without links that lead out of it."""
    with reading(name):
        every = sorted(folder.iterdir())
        entries = [entry for entry in every if not _NOT_DATA.match(entry.name)]
        entries, outside = _within(entries, folder)
        files = [entry for entry in entries if entry.is_file()]
        folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith("__")]
        # a link to a folder above would be followed for ever
        folders = [entry for entry in folders if not folder.resolve().is_relative_to(entry.resolve())]
    if len(files) > 1:
        files = [file for file in files if not _LISTS.match(file.name)] or files
    if files or folders:
        return _warned(_files_layout(files, name) if files else _folders_layout(folders, name), name, outside)
    odd = [entry for entry in entries if not entry.is_dir()]
    if odd:
        raise DataError(inside(name, odd[0]) + not_there(odd[0]))
    if outside:
        raise DataError(f"{name} holds links out of it only ({_listed(outside)}): name the file that is meant")
    passed = [entry.name for entry in every if entry.is_file() and not entry.name.startswith(".")]
    held = f"; it holds {_listed(passed)}" if passed else ""
    raise DataError(f"{name} is an empty folder (README, LICENSE, YAML, HTML and hidden files are not data){held}")


def _within(entries: Sequence[Path], folder: Path) -> tuple[list[Path], list[str]]:
    """The entries that lie in a folder, and the names of the links that lead out of it."""
    kept = [entry for entry in entries if lies_within(entry, folder) or not entry.exists()]
    return kept, [entry.name for entry in entries if entry not in kept]


def _warned(layout: Layout, name: str, outside: Sequence[str]) -> Layout:
    if not outside:
        return layout
    said = f"{name}: {_listed(outside)}: a link that leads out of the folder is not followed; name the file, or copy it"
    return replace(layout, warnings=(said, *layout.warnings))


def _files_layout(files: Sequence[Path], name: str) -> Layout:
    if brat := brat_pairs(files):
        lone = [file.name for file in files if file.suffix == ".ann" and file not in brat]
        warned = (f"{name}: {_listed(lone)}: annotations without a text beside them",) if lone else ()
        return Layout("brat", tuple(brat), warnings=warned)
    chosen, notes = _training_only(files, name)
    tables = [file for file in chosen if Path(file.name.lower().removesuffix(".gz")).suffix in _TABLES]
    if len(chosen) == 1 or len(tables) == len(chosen) or any(map(_is_table, chosen[:2])):
        return Layout("tables", tuple(tables or chosen), notes=notes)
    labels = _differing([_stem(file) for file in chosen])
    told = f"{name}: one file per label, one text a line; labels are {_listed(labels)}, by the names of the files"
    return Layout("file_per_label", tuple(chosen), tuple(labels), (*notes, told))


def _folders_layout(folders: Sequence[Path], name: str) -> Layout:
    chosen, notes = _training_only(folders, name)
    if len(chosen) == 1:
        inner = folder_layout(chosen[0], inside(name, chosen[0]))
        return replace(inner, notes=(*notes, *inner.notes))
    files: list[Path] = []
    labels: list[str] = []
    outside: list[str] = []
    for label_folder in chosen:
        with reading(inside(name, label_folder)):
            texts = sorted(file for file in label_folder.iterdir() if file.is_file() and not _NOT_DATA.match(file.name))
            texts, out = _within(texts, label_folder)
            outside += [f"{label_folder.name}/{found}" for found in out]
        files += texts
        labels += [printable(label_folder.name)] * len(texts)
    if not files:
        raise DataError(f"{name} is an empty folder: its sub-folders hold no files")
    told = f"{name}: one sub-folder per label, one text a file; labels are {_listed([f.name for f in chosen])}"
    return _warned(Layout("folder_per_label", tuple(files), tuple(labels), (*notes, told)), name, outside)


def _training_only(entries: Sequence[Path], name: str) -> tuple[list[Path], tuple[str, ...]]:
    """The entries for training and a note of that, if names speak of splits; all entries if they don't."""
    words = {entry: set(re.split(r"[._\-\s]+", entry.name.lower())) for entry in entries}
    train = [entry for entry in entries if words[entry] & _TRAIN]
    if train and len(train) < len(entries):
        rest = [entry.name for entry in entries if entry not in train]
        told = f"{name}: {_listed([entry.name for entry in train])} is read and {_listed(rest)} left alone"
        return train, (told + "; give others with --validation and --test",)
    if not train and len(entries) > 1 and all(words[entry] & _OTHER_SPLITS for entry in entries):
        names = [entry.name for entry in entries]
        raise DataError(f"{name} holds {_listed(names)} and nothing for training: name one of them")
    return list(entries), ()


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(printable, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _stem(file: Path) -> str:
    name = printable(file.name).removesuffix(".gz")
    return name[:-4] if name.lower().endswith((".txt", ".dat")) else name


def _is_table(file: Path) -> bool:
    """Whether a file of no telling name has tab-separated columns in its first lines."""
    try:
        with file.open("rb") as stream:
            head = stream.read(1 << 15).split(b"\n")[:50]
    except OSError:
        return False
    counts = {line.count(b"\t") for line in head[:-1] or head if line.strip()}
    return len(counts) == 1 and counts != {0}


def _differing(stems: Sequence[str]) -> list[str]:
    """The part of the names that differs, cut where words end: subj.objective, subj.subjective."""
    parts = [re.split(r"([._\-]+)", stem) for stem in stems]
    while all(len(part) > 1 for part in parts) and len({part[0] for part in parts}) == 1:
        parts = [part[1:] for part in parts]
    while all(len(part) > 1 for part in parts) and len({part[-1] for part in parts}) == 1:
        parts = [part[:-1] for part in parts]
    labels = ["".join(part).strip("._-") for part in parts]
    return labels if len(set(labels)) == len(labels) and all(labels) else list(stems)


def open_labelled_files(layout: Layout, name: str, encoding: str) -> Source:
    """Files or sub-folders whose names are labels as a source of `label` and `text`; lines are those of each file."""

    def rows() -> Iterator[Row]:
        for path, label in zip(layout.files, layout.labels, strict=True):
            called = inside(name, path) if layout.kind == "file_per_label" else printable(str(path))
            file = text_file(path, called, encoding)
            if layout.kind == "folder_per_label":
                yield called, 1, (label, "".join(lines(file)))
                continue
            for number, line in enumerate(lines(file), 1):
                if not line.isspace():
                    yield called, number, (label, line.rstrip("\r\n"))

    sample = first_rows(rows(), _SAMPLE_ROWS)
    if not sample:
        raise DataError(f"{name} is empty: no file in it holds a text")
    read = lambda wanted: picked(rows(), wanted)  # noqa: E731
    return Source(name, ("label", "text"), 2, sample, read, form=Form("folder", 2))
