"""Opens files by what is in them: gzip, what is not text at all, text in a declared encoding, line by line."""

from __future__ import annotations

import codecs
import errno
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

from deepen.core.cells import printable
from deepen.core.errors import DataError, one_line
from deepen.data.readers.packed import unpacked
from deepen.data.source import Fault, Form, Row, Source, first_rows, picked

SAMPLE_BYTES = 16 << 20

_LINE_BYTES = 64 << 20
_HEAD_BYTES = 1 << 16
_PICKLE = "a Python pickle, which is never opened: save it as CSV, JSON Lines or Parquet"
_MAGIC = (
    (b"%PDF", "a PDF: export its text first"),
    (b"SQLite format 3", "an SQLite database: export a table as CSV"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"BZh", "packed with bzip2: unpack it, or pack it with gzip"),
    (b"\xfd7zXZ", "packed with xz: unpack it, or pack it with gzip"),
    (b"\x28\xb5\x2f\xfd", "packed with zstd: unpack it, or pack it with gzip"),
    (b"7z\xbc\xaf", "packed with 7z: unpack it, or pack it with gzip"),
    (b"\xd0\xcf\x11\xe0", "an old Office file (xls, doc): save it as CSV"),
    (b"\x93NUMPY", "a NumPy array: save it as CSV or Parquet"),
    (b"\x89HDF", "an HDF5 file: save it as CSV or Parquet"),
    *((bytes((0x80, version)), _PICKLE) for version in (2, 3, 4, 5)),
)


@dataclass(frozen=True)
class TextFile:
    """A text file and how its bytes become lines. `name` is how the person called it."""

    path: Path
    name: str
    encoding: str = "utf-8"
    line_end: Literal["\n", "\r"] = "\n"


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns what the system says about a file into one line that a person can act on."""
    try:
        yield
    except FileNotFoundError:
        raise DataError(f"{name} does not exist") from None
    except PermissionError:
        raise DataError(f"{name}: no permission to read it") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}: the gzip file is damaged or cut short ({error})") from None
    except OSError as error:
        cause = "it is a folder" if error.errno == errno.EISDIR else error.strerror or str(error)
        raise DataError(f"can't read {one_line(name, 200)}: {cause}", file=name) from None


def not_there(path: Path) -> str:
    """What to say of a path that is no file or folder: what is there instead, or a name beside it that is alike."""
    if path.is_symlink() and not path.exists():
        return " is a symbolic link that leads nowhere"
    if path.exists():
        kind = "a named pipe" if path.is_fifo() else "a socket" if path.is_socket() else "a device"
        return f" is {kind}, not a file; write its content to a file first"
    try:
        beside = [entry.name for entry in islice(path.parent.iterdir(), 1000)]
    except OSError:
        return " does not exist" if path.parent.is_dir() else " does not exist, nor does its folder"

    def like(name: str, other: str) -> float:
        return SequenceMatcher(None, name, other).ratio()

    def is_close(name: str) -> bool:
        """Under another ending the rest must be closer."""
        (stem, ending), (other, wanted) = (os.path.splitext(text.lower()) for text in (name, path.name))
        return like(stem, other) > (0.6 if ending == wanted else 0.75)

    best = max(filter(is_close, beside), key=lambda name: like(name, path.name), default="")
    return " does not exist" + (f"; did you mean '{printable(best)}'?" if best else "")


def lies_within(entry: Path, folder: Path) -> bool:
    """Whether a file is in a folder, links followed; the hub's cache links to a folder `blobs`, which belongs to it."""
    root, target = folder.resolve(), entry.resolve()
    blob = target.parent.name == "blobs" and root.is_relative_to(target.parent.parent)
    return target.is_relative_to(root) or root.is_relative_to(target) or blob


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked if it is gzip by its first bytes, which `unpacked` bounds."""
    stream = path.open("rb")
    packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not packed:
        return stream
    stream.close()
    return io.BufferedReader(unpacked(path), 1 << 20)


def kind_of(path: Path, name: str, encoding: str) -> Literal["parquet", "arrow_file", "arrow_stream", "excel", "text"]:
    """What a file is, by its first bytes."""
    with reading(name), open_bytes(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.strip() and len(head) < _HEAD_BYTES:
        raise DataError(f"{name} is empty" if not head else f"{name} is empty: it holds only white space")
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow_file"
    if head.startswith(b"\xff\xff\xff\xff") and len(head) > 8 and head[8:12] != b"\xff\xff\xff\xff":
        return "arrow_stream"
    if head.startswith(b"PK\x03\x04"):
        with suppress(zipfile.BadZipFile, OSError, ValueError, NotImplementedError), zipfile.ZipFile(path) as archive:
            if any(inner.startswith("xl/") for inner in archive.namelist()):
                return "excel"
    _refuse_binary(head, name, encoding)
    return "text"


def _refuse_binary(head: bytes, name: str, encoding: str) -> None:
    what = next((what for magic, what in _MAGIC if head.startswith(magic)), "")
    if head.startswith(b"PK\x03\x04"):
        table = b"opendocument.spreadsheet" in head
        what = "an OpenDocument table: save it as CSV" if table else "a zip archive: unpack it first"
        if name.lower().endswith(".xlsx"):
            what = "an Excel workbook that is damaged or cut short: save it again"
    elif not what and head[0] == 0x78 and int.from_bytes(head[:2], "big") % 31 == 0 and b"\x00" in head:
        what = "spaCy's DocBin, or another zlib archive: write its texts and labels as JSON Lines"
    if what:
        raise DataError(f"{name} is {what}")
    if _is_wide(encoding):
        return
    likely = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else _likely_wide(head)
    if likely:
        raise DataError(f"{name} line 1: not UTF-8; the file looks like {likely}: --set data.encoding={likely}")
    if b"\x00" in head:
        line = head[: head.index(b"\x00")].count(b"\n") + 1
        raise DataError(f"{name} line {line}: binary, not text: it holds NUL bytes")


def _likely_wide(head: bytes) -> str:
    """UTF-16 without a byte order mark: the zero bytes of ASCII stand in every other place, and all of it is text."""
    low, high = head[0::2].count(0), head[1::2].count(0)
    name = "utf-16-le" if high > low else "utf-16-be"
    text = _decoded(head, name)
    odd = sum(not (char.isprintable() or char.isspace()) for char in text)
    if not low + high or min(low, high) > 0.01 * max(low, high) or odd > 0.01 * len(text) or not text:
        return ""
    # some zero bytes in what else is UTF-8
    return "" if low + high < 0.15 * len(head) and _decoded(head, "utf-8") else name


def _decoded(head: bytes, encoding: str) -> str:
    """The start of a text, which may end within a character; empty if it is not of the encoding."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return ""


def other_encoding(file: TextFile) -> list[str]:
    """A warning where a file is valid UTF-8, as hardly any other text is by chance, and read as something else."""
    if codecs.lookup(file.encoding).name in ("utf-8", "utf-8-sig", "ascii"):
        return []
    with reading(file.name), open_bytes(file.path) as stream:
        head = stream.read(1 << 20)
    if head.isascii() or not _decoded(head, "utf-8"):
        return []
    return [
        f"{file.name}: it is UTF-8 and is read as {file.encoding}, so letters are wrong: set data.encoding to utf-8"
    ]


def _is_wide(encoding: str) -> bool:
    """Whether a line end takes more than one byte, so that lines can't be cut before they are decoded."""
    return codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))


def text_file(path: Path, name: str, encoding: str) -> TextFile:
    """A text file with the line ends that it has: those of Windows and Unix, or of old Macs."""
    with reading(name), open_bytes(path) as stream:
        head = stream.read(1 << 20)
    return TextFile(path, name, encoding, "\r" if b"\r" in head and b"\n" not in head else "\n")


def lines(file: TextFile) -> Iterator[str]:
    """The lines of a file with their line ends, decoded, without the byte order mark. The first is line 1."""
    if file.line_end == "\r" or _is_wide(file.encoding):
        yield from _decoded_first(file)
        return
    number = 0
    encoding = file.encoding
    with reading(file.name), open_bytes(file.path) as stream:
        readline = stream.readline
        while raw := readline(_LINE_BYTES):
            number += 1
            if number == 1 and raw.startswith(codecs.BOM_UTF8):
                raw = raw[3:]
            if len(raw) == _LINE_BYTES:
                raise DataError(f"{file.name} line {number}: the line is longer than {_LINE_BYTES >> 20} MB")
            try:
                yield raw.decode(encoding)
            except UnicodeDecodeError as error:
                raise DataError(f"{file.name} line {number}: {_undecodable(raw, error)}") from None
            except UnicodeError as error:
                raise DataError(f"{file.name} line {number}: not {encoding}: {error}") from None


def _decoded_first(file: TextFile) -> Iterator[str]:
    number = 1
    with reading(file.name), open_bytes(file.path) as stream:
        text = io.TextIOWrapper(stream, encoding=file.encoding, newline=file.line_end)
        try:
            while line := text.readline(_LINE_BYTES):
                yield line[1:] if number == 1 and line.startswith("\ufeff") else line
                number += 1
        except UnicodeError as error:
            raise DataError(f"{file.name} after line {number}: not {file.encoding}: {error}") from None


def _undecodable(raw: bytes, error: UnicodeDecodeError) -> str:
    byte = raw[error.start]
    said = f"byte 0x{byte:02x} at column {error.start + 1} is not {error.encoding}"
    for likely in ("utf-8", "gb18030", "cp1252"):
        with suppress(UnicodeDecodeError):
            wide = [letter for letter in raw.decode(likely) if not letter.isascii()]
            # nearly every byte pair is some letter of gb18030; in Chinese text most are of its common part, gb2312
            common = "".join(wide).encode("gb2312", "ignore").decode("gb2312")
            # words of the west are of letters that are ASCII, but for some
            if likely == "cp1252" and 2 * len(wide) > sum(letter.isalpha() for letter in raw.decode(likely)):
                more = "--set data.encoding=big5, shift_jis or cp1251, for example"
                return f"{said}; which encoding it is can't be told: {more}"
            if likely != "gb18030" or len(common) >= 0.7 * len(wide):
                return f"{said}; the file looks like {likely}: --set data.encoding={likely}"
    return said


@dataclass(frozen=True)
class Head:
    """A text file and its first lines, up to 16 MB, by which its form is judged."""

    file: TextFile
    lines: Sequence[str]

    @property
    def name(self) -> str:
        """How the person called the file."""
        return self.file.name

    @property
    def is_tabular(self) -> bool:
        """Whether the file is called as tables are."""
        return is_tabular(self.file.name)


def head_of(file: TextFile) -> Head:
    """The first lines of a file."""
    found: list[str] = []
    size = 0
    for line in lines(file):
        if size >= SAMPLE_BYTES:
            break
        found.append(line)
        size += len(line)
    return Head(file, found)


def is_tabular(name: str) -> bool:
    """Whether a file is called as tables are."""
    return name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".tab"))


def source_of_lines(
    head: Head,
    names: tuple[str, ...] | None,
    rows: Callable[[Iterable[str]], Iterable[tuple[int, Sequence[Any] | Fault]]],
    *,
    form: Form,
    told: str,
    empty: str,
    most: int = 2000,
) -> Source:
    """A file whose `rows`, with the line of each, come out of its lines; `empty` is said where there is none at all."""
    file = head.file

    def in_file(text_lines: Iterable[str]) -> Iterator[Row]:
        return ((file.name, line, cells) for line, cells in rows(text_lines))

    sample = first_rows(in_file(head.lines), most)
    if not sample:
        raise DataError(f"{file.name}{empty}")
    read = lambda wanted: picked(in_file(lines(file)), wanted)  # noqa: E731
    return Source(file.name, names, form.width, sample, read, (f"{file.name}: {told}",), form=form)
