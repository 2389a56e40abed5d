"""What was acknowledged comes to the database, once, whatever dies on the way."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from deepen.core.errors import SettingError
from deepen.monitoring import journal as journals
from deepen.monitoring.journal import Journal, drain
from deepen.monitoring.record import Record
from deepen.monitoring.store import open_store

Make = Callable[..., Record]


class Kept(list[Record]):
    def put(self, records: Sequence[Record]) -> None:
        self.extend(records)


@pytest.mark.parametrize("fsync", ["each", "second", "never"])
def test_what_is_appended_is_drained_once(tmp_path: Path, record: Make, fsync: Any) -> None:
    journal, kept = Journal(tmp_path / "j", fsync=fsync), Kept()
    assert all(journal.append(record(number, text="名\0\ud800 ü")) for number in range(1500))
    assert journal.drain(kept.put).records == 1500
    assert kept == [record(number, text="名\0\ud800 ü") for number in range(1500)]
    assert journal.append(record(1500))
    assert (journal.drain(kept.put).records, journal.drain(kept.put).records) == (1, 0)
    assert list((tmp_path / "j").iterdir()) == []


def test_what_the_database_does_not_take_stays(tmp_path: Path, record: Make) -> None:
    def broken(records: Sequence[Record]) -> None:
        raise SettingError("the database is away")

    journal, kept = Journal(tmp_path), Kept()
    for number in range(3):
        journal.append(record(number))
        with pytest.raises(SettingError, match="away"):
            journal.drain(broken)
    assert journal.drain(kept.put).records == 3
    assert [one.id for one in kept] == [record(number).id for number in range(3)]


def test_threads_and_drains_at_the_same_time(tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_SEGMENT_BYTES", 5_000)
    journal, kept, over = Journal(tmp_path, fsync="each"), Kept(), threading.Event()

    def append(start: int) -> None:
        for number in range(start, start + 200):
            assert journal.append(record(number))

    def keep_draining() -> None:
        while not over.is_set():
            journal.drain(kept.put)

    writers = [threading.Thread(target=append, args=(1000 * at,)) for at in range(4)]
    drainer = threading.Thread(target=keep_draining)
    for thread in (*writers, drainer):
        thread.start()
    for thread in writers:
        thread.join()
    over.set()
    drainer.join()
    journal.drain(kept.put)
    assert sorted(one.id for one in kept) == sorted(record(1000 * at + n).id for at in range(4) for n in range(200))


WRITER = """
import sys
from pathlib import Path
from deepen.monitoring.journal import Journal
from deepen.monitoring.record import Record
journal = Journal(Path(sys.argv[1]))
about = dict(who="ada", run="mood", model="f00", rung="full", input_hash="0", answer="{}")
for number in range(10**9):
    assert journal.append(Record(id=f"{number:032x}", at=float(number), **about))
    print(number, flush=True)
"""
DRAINER = """
import sys, time
from pathlib import Path
from deepen.monitoring.journal import drain
from deepen.monitoring.store import open_store
store = open_store(sys.argv[2])
while True:
    print(drain(Path(sys.argv[1]), store.put).records, flush=True)
"""


def started(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str], least: int) -> int:
    """Kills a writer after so many answers; the last number that it acknowledged."""
    assert process.stdout is not None
    last = -1
    while last < least:
        last = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    rest = [line for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    return int(rest[-1]) if rest else last


def test_a_killed_server_and_a_killed_drain_lose_and_double_nothing(tmp_path: Path) -> None:
    url, folder = f"sqlite:///{tmp_path / 'log.sqlite'}", tmp_path / "j"
    writer, drainer = started(WRITER, folder), started(DRAINER, folder, url)
    try:
        last = acknowledged(writer, 500)
        assert drainer.stdout is not None
        while int(drainer.stdout.readline()) == 0:  # it is in the midst of it
            pass
    finally:
        for process in (writer, drainer):
            process.kill()
            process.wait()
    store = open_store(url)
    drain(folder, store.put)
    ids = [int(one.id, 16) for one in store.read()]
    assert ids == list(range(len(ids))), "none is missing, none is there twice"
    assert len(ids) > last, "what was acknowledged is there"
    assert list(folder.iterdir()) == []


def test_a_drain_that_was_killed_before_it_could_remove_is_done_again(
    url: str, tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, journal = open_store(url), Journal(tmp_path / "j")
    for number in range(5):
        journal.append(record(number))

    def killed(self: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            journal.drain(store.put)
    assert store.count() == 5
    assert journal.drain(store.put).records == 5
    assert [one.id for one in store.read()] == [record(number).id for number in range(5)]
    store.close()


def test_half_a_line_was_never_acknowledged_and_a_damaged_one_is_kept(tmp_path: Path, record: Make) -> None:
    for number in range(2):
        journal = Journal(tmp_path)
        for one in range(3):
            journal.append(record(10 * number + one))
        journal.close()
    torn, damaged = sorted(tmp_path.iterdir())
    torn.write_bytes(torn.read_bytes()[:-5])
    lines = damaged.read_bytes().split(b"\n")
    damaged.write_bytes(b"\n".join([lines[0], lines[1].replace(b"ada", b"eve"), *lines[2:]]))
    kept = Kept()
    found = drain(tmp_path, kept.put)
    assert (found.records, found.damaged) == (4, 1)
    assert [int(one.id, 16) for one in kept] == [0, 1, 10, 12]
    assert [path.name for path in tmp_path.iterdir()] == [f"{damaged.name}.damaged"]
    assert drain(tmp_path, kept.put).records == 0


def test_a_full_disk_is_counted_and_stops_no_answer(
    tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, kept, write = Journal(tmp_path, fsync="each"), Kept(), os.write
    assert journal.append(record(0))

    def full(descriptor: int, content: bytes) -> int:
        if len(content) > 10:
            return write(descriptor, content[:10])  # as much as there was room for
        raise OSError(errno.ENOSPC, "no space left")

    def none(descriptor: int, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space left")

    for broken, number in ((none, 1), (lambda at, content: full(at, content[:11]), 2)):
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", broken)
            patch.setattr(os, "ftruncate", os.ftruncate if number == 1 else none)
            assert not journal.append(record(number))
    assert journal.unlogged == 2
    assert journal.append(record(3))
    assert journal.drain(kept.put).damaged == 0
    assert [int(one.id, 16) for one in kept] == [0, 3]


def test_a_real_full_disk(tmp_path: Path, record: Make) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    journal = Journal(tmp_path)
    journal._segment = os.open("/dev/full", os.O_WRONLY)
    assert not journal.append(record(0))
    assert journal.unlogged == 1
    assert journal.append(record(1))


def test_a_journal_does_not_grow_for_ever(tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "_SEGMENT_BYTES", 2_000)
    journal, kept = Journal(tmp_path, fsync="never", most_bytes=6_000), Kept()
    said = [journal.append(record(number)) for number in range(100)]
    assert 0 < sum(said) < 100
    assert journal.unlogged == 100 - sum(said)
    journal.drain(kept.put)
    assert len(kept) == sum(said)
    assert journal.append(record(100)), "there is room again"
