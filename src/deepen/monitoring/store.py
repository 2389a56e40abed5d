"""The log of answers in SQL: SQLite in a file with one writer, or PostgreSQL by its URL."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deepen.core.errors import DataError, SettingError, one_line
from deepen.monitoring.record import Record

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 30
_READING = {"deepen_reads": True}
_LOCK = 7_236_911  # of PostgreSQL, for those who migrate; any number that nobody else uses


@dataclass(frozen=True)
class Store:
    """An open log. Make one with `open_store`."""

    url: str
    engine: Any
    table: Any

    def put(self, records: Sequence[Record]) -> None:
        """Keeps records, each id once. They are safe when this returns.

        Raises:
            SettingError: If the database can't be reached or written.
        """
        if records:
            with self._reached(), self.engine.begin() as connection:
                insert = _insert_of(self.engine.dialect.name)(self.table).on_conflict_do_nothing(index_elements=["id"])
                connection.execute(insert, list(map(asdict, records)))

    def read(self, *, model: str | None = None, since: float = 0.0, most: int | None = None) -> Iterator[Record]:
        """Records from the oldest on, streamed.

        Args:
            model: Of the model with this mark alone; None takes all.
            since: Seconds since 1970.
            most: How many at most.
        """
        from sqlalchemy import select

        wanted = select(self.table).where(self.table.c.at >= since).order_by(self.table.c.at, self.table.c.id)
        wanted = wanted if model is None else wanted.where(self.table.c.model == model)
        with self._reading() as connection:
            rows = connection.execution_options(yield_per=1000).execute(wanted.limit(most))
            yield from (Record(**row) for row in rows.mappings())

    def models(self) -> list[tuple[str, str]]:
        """Whose answers there are: run and model, by name."""
        from sqlalchemy import select

        wanted = select(self.table.c.run, self.table.c.model).distinct().order_by(self.table.c.run, self.table.c.model)
        with self._reading() as connection:
            return [(str(run), str(model)) for run, model in connection.execute(wanted)]

    def count(self) -> int:
        """How many records there are."""
        from sqlalchemy import func, select

        with self._reading() as connection:
            return int(connection.execute(select(func.count()).select_from(self.table)).scalar_one())

    def forget(self, before: float, *, texts_only: bool = False) -> int:
        """Deletes what is older than its time, so that it can't be read from the file either.

        Args:
            before: Seconds since 1970.
            texts_only: Whether records stay and lose their texts alone.

        Returns:
            How many records were deleted, or lost their text.
        """
        from sqlalchemy import delete, update

        old = self.table.c.at < before
        change = delete(self.table).where(old)
        if texts_only:
            change = update(self.table).where(old, self.table.c.text.is_not(None)).values(text=None)
        with self._reached(), self.engine.begin() as connection:
            gone = int(connection.execute(change).rowcount)
        if gone and self.engine.dialect.name == "sqlite":
            connection = self.engine.raw_connection()
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
        return gone

    def close(self) -> None:
        """Ends every connection."""
        self.engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        """A connection that holds up no writer."""
        with self._reached(), self.engine.connect() as connection:
            yield connection.execution_options(**_READING)

    @contextmanager
    def _reached(self) -> Iterator[None]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except SQLAlchemyError as error:
            raise _explained(self.url, error) from None


def open_store(url: str) -> Store:
    """Opens a log, and makes or brings up to date its tables.

    Args:
        url: `sqlite:///log.sqlite` (four slashes before an absolute path), or `postgresql://user@host/database`; the
            password comes from `PGPASSWORD` or `~/.pgpass`.

    Raises:
        SettingError: If there is no such kind of database, its package is missing, it can't be reached, or the URL
            holds a password.
        DataError: If a later release has written it.
    """
    try:
        from sqlalchemy import create_engine, make_url
        from sqlalchemy.exc import ArgumentError, SQLAlchemyError
    except ImportError:
        raise SettingError("the log needs SQLAlchemy and Alembic: pip install 'deepen[serve]'") from None
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingError("the log's URL is none: write sqlite:///log.sqlite or postgresql://host/database") from None
    if parsed.password is not None:
        raise SettingError(
            f"log {parsed.render_as_string()}: the URL holds a password, which others can read in lists of processes; "
            "put it into PGPASSWORD or ~/.pgpass"
        )
    kind = parsed.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise SettingError(f"log {url}: '{kind}' is no kind of log; write sqlite:///log.sqlite or postgresql://host/db")
    if kind == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingError(f"log {url}: name a file, as in sqlite:///log.sqlite")
    parsed = parsed.set(drivername="postgresql+psycopg") if kind == "postgresql" else parsed
    try:
        engine = create_engine(parsed, pool_pre_ping=kind == "postgresql")
        if kind == "sqlite":
            Path(str(parsed.database)).parent.mkdir(parents=True, exist_ok=True)
            _one_writer(engine)
        _migrate(engine, url)
    except ModuleNotFoundError as error:
        raise SettingError(f"log {url}: {error.name} is missing: pip install 'psycopg[binary]'") from None
    except (SQLAlchemyError, OSError) as error:
        raise _explained(url, error) from None
    return Store(url, engine, _table())


def _one_writer(engine: Any) -> None:
    """SQLite in WAL, so that readers don't wait; a write takes its lock at once, and is on the disk when it is done."""
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for setting in (f"busy_timeout={_BUSY_SECONDS * 1000}", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {setting}")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        reads = _READING.items() <= connection.get_execution_options().items()
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _write_ahead(connection: Any) -> None:
    """Turns WAL on; where two open a new file at once, SQLite refuses one of them without the wait it is asked for."""
    import sqlite3

    ends = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)


def migrations(connection: Any) -> Any:
    """What Alembic needs to change the tables behind a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(engine: Any, url: str) -> None:
    from alembic import command
    from alembic.util import CommandError
    from sqlalchemy import text

    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        try:
            command.upgrade(migrations(connection), "head")
        except CommandError as error:
            raise DataError(f"log {url}: a later release of Deepen has written it ({one_line(str(error))})") from None


def _table() -> Any:
    """The table as the last migration leaves it."""
    from sqlalchemy import Column, Float, MetaData, Table, Text

    columns = ("who", "run", "model", "rung", "input_hash", "answer")
    return Table(
        "predictions",
        MetaData(),
        Column("id", Text, primary_key=True),
        Column("at", Float(53)),
        *(Column(name, Text) for name in columns),
        Column("text", Text),
    )


def _insert_of(dialect: str) -> Any:
    from sqlalchemy.dialects import postgresql, sqlite

    return {"sqlite": sqlite.insert, "postgresql": postgresql.insert}[dialect]


def _explained(url: str, error: Exception) -> SettingError:
    """What a database says, in one line; not its statement, which holds what was to be kept."""
    said = one_line(str(getattr(error, "orig", None) or error))
    return SettingError(f"log {url}: can't be reached or written: {said}")
