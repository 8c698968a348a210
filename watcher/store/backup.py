"""A copy of an SQLite store while it is in use: whole, checked, and in place of the one before only then."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from watcher.errors import ConfigurationError, StoreUnavailableError, StoreUnusableError
from watcher.store.address import FileAddress, parse_url
from watcher.store.schema import VERSION_TABLE

_MAGIC = b"SQLite format 3\0"
"""How every SQLite file begins that is not empty."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that was made."""

    store: Path
    file: Path
    size: int
    """In bytes."""
    jobs: int
    transitions: int


def back_up(url: str, file: Path) -> Backup:
    """Copy the store to a file, replacing an older copy.

    The service may go on writing meanwhile: the copy is how the store stood at one moment. It is written beside the
    file, checked, and takes its place at once, so that there is always a whole one.

    Raises ConfigurationError for a store or a file that this is not for, or StoreError; then no file was replaced.
    """
    address = parse_url(url)
    if not isinstance(address, FileAddress):
        raise ConfigurationError(
            f"the store is on a PostgreSQL server, {address.label}: back it up with PostgreSQL's own pg_dump"
        )
    file = Path(os.path.realpath(file))
    _check_place(address.path, file)
    with _partial(file) as partial:
        try:
            _copy(address.path, partial)
            jobs, transitions = _checked(partial)
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"cannot copy the database {address.path} to {file}: {error}") from None
        _flush(partial)
        size = partial.stat().st_size
        partial.replace(file)
    _flush(file.parent)
    return Backup(address.path, file, size, jobs, transitions)


def _check_place(store: Path, file: Path) -> None:
    if not store.exists():
        raise StoreUnavailableError(f"there is no database {store}: nothing was recorded yet, or elsewhere")
    if not file.parent.is_dir():
        raise ConfigurationError(f"{file.parent}: no such directory; create it first")
    if file.is_dir():
        raise ConfigurationError(f"{file}: expected the name of a file, not of a directory")
    if not file.exists():
        return
    if file.samefile(store):
        raise ConfigurationError(f"{file} is the store itself: choose another file for the copy")
    with file.open("rb") as existing:
        if existing.read(len(_MAGIC)) not in {b"", _MAGIC}:
            raise ConfigurationError(f"{file} is no SQLite database, and was left as it is: choose another file")


@contextmanager
def _partial(file: Path) -> Iterator[Path]:
    """Make an empty file beside the one that is to be written, for its owner only; it is gone afterwards."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        yield partial
    except OSError as error:
        raise StoreUnavailableError(f"cannot write {file}: {error.strerror}") from None
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                partial.with_name(partial.name + suffix).unlink()


def _copy(store: Path, partial: Path) -> None:
    # Read-only: a copy must not begin or change a store. `as_uri` quotes what means something in a URL.
    source = sqlite3.connect(f"{store.resolve().as_uri()}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(partial)) as copy:
        # In one step, and so in one read transaction: no writer is blocked, and none makes it start again.
        source.backup(copy)
        # A copy is one file: the write-ahead log of the original would bring two more.
        copy.execute("PRAGMA journal_mode = DELETE")


def _checked(partial: Path) -> tuple[int, int]:
    """Return how many jobs and transitions the copy holds. Raises StoreError if it is damaged, or none of ours."""
    with closing(sqlite3.connect(partial)) as copy:
        complaints = [str(row[0]) for row in copy.execute("PRAGMA integrity_check(1)")]
        if complaints != ["ok"]:
            raise StoreUnusableError(f"the database is damaged, no copy was kept: {complaints[0]}")
        names = {name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if VERSION_TABLE not in names:
            raise StoreUnusableError("the database is no store of finetune-watcher, no copy was kept")
        (counts,) = copy.execute("SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM transition)")
        return counts[0], counts[1]


def _flush(path: Path) -> None:
    """Have what was written survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
