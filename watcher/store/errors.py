"""Errors of a database, as messages for the person who runs the watcher."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    OperationalError,
)

from watcher.domain.text import excerpt
from watcher.errors import StoreError, StoreUnavailableError, StoreUnusableError

BUSY_SECONDS = 5
"""How long a statement waits for another process before it gives up."""
STATEMENT_SECONDS = 8
"""How long a statement may take in PostgreSQL; the watcher's own take milliseconds."""
_LONGEST_COMPLAINT = 300
_DAMAGED = "restore it from a backup, or move it away and start anew"

NO_SHARED_MEMORY = (
    "is on a file system where processes cannot share memory (a network file system, or some FUSE and 9p mounts),"
    " which SQLite's write-ahead log needs: put it on a local disk, or use PostgreSQL for the store"
)
_SHARED_MEMORY_CODES = frozenset(
    {
        sqlite3.SQLITE_IOERR_SHMOPEN,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMLOCK,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)

_SQLITE: Mapping[int, str] = {
    sqlite3.SQLITE_BUSY: f"is locked by another process and stayed so for {BUSY_SECONDS} s",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_FULL: "cannot grow: the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "is read-only: make the file and its directory writable for this user",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its directory must exist and be writable for this user",
    sqlite3.SQLITE_PERM: "cannot be opened: this user has no permission",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk reports an error",
}
_SQLITE_FOR_GOOD: Mapping[int, str] = {
    sqlite3.SQLITE_CORRUPT: f"is damaged: {_DAMAGED}",
    sqlite3.SQLITE_NOTADB: f"is no SQLite database, or is damaged: choose another file for the store, or {_DAMAGED}",
}
# By SQLSTATE, or the class that it begins with: https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL: Mapping[str, str] = {
    "08": "cannot be reached: the connection failed",
    "25006": "is read-only: perhaps another server has taken over, and this address still leads to the old one",
    "26": "has forgotten a statement that was prepared: the connection led to another server",
    "28": "refuses the user or the password",
    "3D000": "does not exist: create it first",
    "3F": "has no schema for the tables: the search_path of the user names none that exists",
    "40": "was busy with a conflicting change of another process",
    "42P05": "has already prepared such a statement: the connection led to another server",
    "42501": "refuses permission: the user needs rights to its tables, and to create them at the first start",
    "53": "is out of resources",
    "53100": "cannot grow: the disk is full; free some space",
    "53300": "has no connection left for us",
    "55P03": f"is locked by another process and stayed so for {BUSY_SECONDS} s",
    "57014": f"took longer than {STATEMENT_SECONDS} s to answer",
    "57P": "is shutting down or starting up: the connection was lost",
    "58": "cannot be read or written: the disk reports an error",
    "XX": f"is damaged, or has failed inside: {_DAMAGED}",
}
_FOR_GOOD = {"XX"}
STALE_CONNECTION = frozenset({"25006", "26000", "42P05"})
"""SQLSTATEs after which only a new connection helps: it led to a server that stands by now, or to another one."""


@contextmanager
def in_plain_words(label: str) -> Iterator[None]:
    """Turn the errors of the database called `label` into a StoreError.

    The original is not chained: it would show the statement, and could show an address with a password. A value that
    the database refuses is no fault of the database, and stays what it is: IntegrityError or DataError.
    """
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
        raise _translate(error, label) from None


def _translate(error: DBAPIError, label: str) -> StoreError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return _translate_sqlite(cause, label)
    state = getattr(cause, "sqlstate", None)
    if state:
        return _translate_postgresql(state, label, _complaint(cause))
    if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
        return StoreUnavailableError(f"the database {label} cannot be reached: {_complaint(cause)}")
    return StoreUnusableError(f"the database {label} cannot be used: {_complaint(cause)}")


def _translate_sqlite(cause: sqlite3.Error, label: str) -> StoreError:
    # The low byte is the kind; the rest only refines it. An error of the driver itself has no code.
    refined = getattr(cause, "sqlite_errorcode", 0)
    if refined in _SHARED_MEMORY_CODES:
        return StoreUnusableError(f"the database {label} {NO_SHARED_MEMORY}")
    code = refined & 0xFF
    if code in _SQLITE:
        return StoreUnavailableError(f"the database {label} {_SQLITE[code]}")
    told = _SQLITE_FOR_GOOD.get(code, f"cannot be used: {_complaint(cause)}")
    return StoreUnusableError(f"the database {label} {told}")


def _translate_postgresql(state: str, label: str, complaint: str) -> StoreError:
    for known in (state, state[:3], state[:2]):
        if known in _POSTGRESQL:
            kind = StoreUnusableError if known in _FOR_GOOD else StoreUnavailableError
            return kind(f"the database {label} {_POSTGRESQL[known]} ({complaint})")
    return StoreUnusableError(f"the database {label} cannot be used: {complaint}")


def _complaint(cause: BaseException | None) -> str:
    # The first line says what happened; those after it can show the data of a row.
    lines = str(cause).strip().splitlines() if cause else []
    return excerpt(lines[0], _LONGEST_COMPLAINT) if lines else "it does not say why"
