"""A local journal: a record is in it before its answer leaves, and goes to the database when that has time.

A journal is a folder of segments, files of one line a record with a checksum before it. Whoever writes to a segment
holds its lock, which the system frees when the process ends, however it ends; a segment that nobody holds is whole, and
is drained: its records are put into the database by id, and only then is it removed. So a record may be put there
twice, which the id makes harmless, and never not at all.
"""

from __future__ import annotations

import json
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from deepen.core.files import writing
from deepen.core.lock import fcntl
from deepen.monitoring.record import Record

Fsync = Literal["each", "second", "never"]
Put = Callable[[Sequence[Record]], object]
_SEGMENT = "*.jsonl"
_SEGMENT_BYTES = 16 << 20
_BATCH_ROWS = 1000
_SYNC_SECONDS = 1.0


@dataclass(frozen=True)
class Drained:
    """What became of segments: records that were put into the database, and lines that were damaged.

    A segment with damaged lines stays as `NAME.damaged`.
    """

    records: int
    damaged: int


class Journal:
    """A folder that records are appended to, by any number of threads, and of processes with a `Journal` each.

    Args:
        fsync: When what is appended is safe from a loss of power: `each` before `append` returns, `second` with the
            first record that comes a second later (and at each drain), `never` when the system likes. From the end of
            the process, however it comes, it is safe at once.
        most_bytes: How large the folder may grow while the database is away; beyond that records are not logged.
    """

    def __init__(self, folder: Path, *, fsync: Fsync = "second", most_bytes: int = 4 << 30) -> None:
        self.folder = folder
        self.unlogged = 0
        """Records that could not be appended, since the disk or the journal is full; their answers went out."""
        self._fsync, self._most_bytes = fsync, most_bytes
        self._lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._segment: int | None = None
        self._size = self._written = self._durable = 0
        self._synced_at = time.monotonic()
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def append(self, record: Record) -> bool:
        """Appends a record. False if it could not be, as on a full disk; then it is counted in `unlogged`."""
        return self.extend([record]) == 1

    def extend(self, records: Sequence[Record]) -> int:
        """Appends records, in their order, with one fsync for all where each is to be safe.

        Returns:
            How many were appended. The others are counted in `unlogged`.
        """
        lines, done = [_line(record) for record in records], 0
        try:
            with self._lock:
                for line in lines:
                    self._write(line)
                    done += 1
                written = self._written
            if self._due():
                self._sync(written)
        except OSError:
            done = done if done < len(lines) else 0  # else they are written, and not safe
            with self._lock:
                self.unlogged += len(lines) - done
        return done

    def drain(self, put: Put) -> Drained:
        """Puts into the database what was appended so far, and what ended processes left.

        Raises:
            Exception: Whatever `put` raises; what it did not take stays in the journal.
        """
        self.close()
        return drain(self.folder, put)

    def close(self) -> None:
        """Ends the segment that is written to; the next record begins another."""
        with self._lock:
            self._end()

    def _write(self, line: bytes) -> None:
        if self._segment is not None and self._size + len(line) > _SEGMENT_BYTES:
            self._end()
        if self._segment is None:
            self._segment, self._size = _new_segment(self.folder, self._most_bytes, durable=self._fsync != "never"), 0
        done = 0
        try:
            while done < len(line):
                done += os.write(self._segment, line[done:])
        except OSError:
            try:
                os.ftruncate(self._segment, self._size)
            except OSError:  # half a line at the end of a segment is none
                self._end()
            raise
        self._size += done
        self._written += done

    def _due(self) -> bool:
        waited = time.monotonic() - self._synced_at
        return self._fsync == "each" or (self._fsync == "second" and waited > _SYNC_SECONDS)

    def _sync(self, written: int) -> None:
        """Makes what was written so far safe; those who wait for one another share one fsync."""
        with self._sync_lock:
            if self._durable >= written:
                return
            with self._lock:
                now, segment = self._written, None if self._segment is None else os.dup(self._segment)
            if segment is not None:  # else its end has done it
                try:
                    os.fsync(segment)
                finally:
                    os.close(segment)
            self._durable, self._synced_at = now, time.monotonic()

    def _end(self) -> None:
        segment, self._segment = self._segment, None
        if segment is None:
            return
        try:
            if self._fsync != "never":
                os.fsync(segment)
        finally:
            os.close(segment)


def drain(folder: Path, put: Put) -> Drained:
    """Puts into the database every segment that no process writes to.

    Args:
        put: Keeps records, each id once, and returns when that is safe.
    """
    records = damaged = 0
    for path in sorted(folder.glob(_SEGMENT)):
        with _held(path) as held:
            if not held:
                continue
            found, bad = _read(path)
            for at in range(0, len(found), _BATCH_ROWS):
                put(found[at : at + _BATCH_ROWS])
            if bad:
                path.rename(path.with_name(f"{path.name}.damaged"))
            else:
                path.unlink()
            records, damaged = records + len(found), damaged + bad
    return Drained(records, damaged)


def _new_segment(folder: Path, most_bytes: int, *, durable: bool) -> int:
    """An empty file that this process holds."""
    if _num_bytes(folder) >= most_bytes:
        raise OSError(f"the journal {folder} is full")
    while True:
        path = folder / f"{time.time_ns():020d}-{os.getpid()}.jsonl"
        try:
            segment = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        if _lock(segment) and os.fstat(segment).st_nlink:  # else a drain came between the two
            if durable:
                _sync_folder(folder)
            return segment
        os.close(segment)


def _num_bytes(folder: Path) -> int:
    total = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a drain was faster
            total += path.stat().st_size
    return total


def _lock(descriptor: int) -> bool:
    """Takes the lock of an open file (where there are locks); False if another holds it."""
    if fcntl is not None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@contextmanager
def _held(path: Path) -> Iterator[bool]:
    """Whether a segment could be taken, and is still there, for as long as this lasts."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(descriptor) and bool(os.fstat(descriptor).st_nlink)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _line(record: Record) -> bytes:
    text = json.dumps(asdict(record), separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _read(path: Path) -> tuple[list[Record], int]:
    """The records of a segment, and how many of its lines are damaged; a last line without an end was never written."""
    records, bad = [], 0
    for line in path.read_bytes().split(b"\n")[:-1]:
        checksum, _, text = line.partition(b" ")
        try:
            if int(checksum, 16) != zlib.crc32(text):
                raise ValueError
            records.append(Record(**json.loads(text)))
        except (ValueError, TypeError):
            bad += 1
    return records, bad
