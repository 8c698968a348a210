"""Opening: a database is created, brought to the newest revision, or refused and left as it is."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table, text

from watcher.errors import StoreUnavailableError, StoreUnusableError
from watcher.store.database import Database, serialise
from watcher.store.errors import BUSY_SECONDS, NO_SHARED_MEMORY
from watcher.store.schema import HEAD, HEAD_OLDEST_READER, OLDEST_READER, REVISIONS, VERSION_TABLE, metadata, version

_RETRY_SECONDS = 0.05


def make_ready(database: Database) -> None:
    """Bring the database to the revision that this program works with, creating what is not there.

    Two processes may do so at the same time. Raises StoreUnavailableError, or StoreUnusableError for a database that
    is newer than this program, another program's, or damaged; it is not changed then.
    """
    if database.path:
        _check_writable(database.path)
    with database.reading() as connection:
        _check_encoding(connection, database.label)
        found = _revision(connection, database.label)
    if found != HEAD:
        _migrate(database)
    if database.path:
        _use_write_ahead_log(database)


def _migrate(database: Database) -> None:
    with database.writing() as connection:
        serialise(connection)
        # Another process may have done it while we waited.
        found = _revision(connection, database.label)
        if found is None:
            _create(connection)
        elif found != HEAD:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))  # a new index may take its time
            _upgrade(connection)


def _create(connection: Connection) -> None:
    """Create the tables as the newest revision leaves them: a new database needs no Alembic, which takes 10 MB."""
    version.create(connection)
    metadata.create_all(connection, checkfirst=False)  # no name is taken: see `_revision`
    connection.execute(version.insert().values({"version_num": HEAD, OLDEST_READER: HEAD_OLDEST_READER}))


def _upgrade(connection: Connection, to: str = HEAD) -> None:
    from alembic import command  # slow to import, and seldom needed
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _revision(connection: Connection, label: str) -> str | None:
    """Return the revision of the database, None if it is empty. Raises StoreUnusableError if it is not for us.

    A newer one that says that programs of ours still understand it counts as ours.
    """
    names = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in names:
        # A file is ours alone; a PostgreSQL database may be shared, as long as no name is taken.
        taken = names if connection.dialect.name == "sqlite" else names & set(metadata.tables)
        if taken:
            raise StoreUnusableError(
                f"the database {label} belongs to another program (it has a table {min(taken)}):"
                " choose another one for the store"
            )
        return None
    revision: str | None = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    if revision is None or revision in REVISIONS:
        return revision
    if _oldest_reader(connection) not in REVISIONS:
        raise StoreUnusableError(
            f"the database {label} is of a newer version of finetune-watcher (its schema is {revision}, this program"
            f" knows {HEAD}): upgrade the program, or choose another database for the store"
        )
    return HEAD


def _oldest_reader(connection: Connection) -> str | None:
    """Return the revision that a program must know at least to work with the database, as far as it says so."""
    columns = {each["name"] for each in inspect(connection).get_columns(VERSION_TABLE)}
    if OLDEST_READER not in columns:
        return None
    said: str | None = connection.execute(select(column(OLDEST_READER)).select_from(table(VERSION_TABLE))).scalar()
    return said


def _check_encoding(connection: Connection, label: str) -> None:
    """Refuse a database that cannot hold every text: a job that has such a text could never be recorded."""
    if connection.dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise StoreUnusableError(
                f"the database {label} has the encoding {encoding}, which cannot hold every text that a job may have:"
                " create one with ENCODING 'UTF8' TEMPLATE template0"
            )


def _check_writable(path: Path) -> None:
    directory = path.parent
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"cannot create the directory {directory} for the database: {error.strerror};"
            " create it writable for this user, or choose another path for the store"
        ) from None
    with suppress(OSError):  # what hinders it is said below, or by the database
        # It holds whole jobs and what notifiers answered: no other user may read it.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    for place in (directory, path):
        if place.exists() and not _may_write(place):
            raise StoreUnavailableError(
                f"the database {path} cannot be written: {place} is not writable for this user;"
                " change its permissions, or choose another path for the store"
            )


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _use_write_ahead_log(database: Database) -> None:
    """Let readers and a writer work at the same time. The file remembers it."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            with database.outside_transactions() as connection:
                if connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal":
                    return
                # SQLite says which mode it is in now, and raises nothing where it cannot do what was asked for.
                if connection.exec_driver_sql("PRAGMA journal_mode = WAL").scalar() == "wal":
                    return
                raise StoreUnusableError(f"the database {database.label} {NO_SHARED_MEMORY}")
        except StoreUnavailableError:
            # SQLite does not wait for its turn to switch, when another process is just opening the file.
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
