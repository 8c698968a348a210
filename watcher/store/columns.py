"""The kinds of columns that neither database has of itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

Number = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of 64 bits; SQLite numbers rows by itself only in a column declared INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware, in UTC, to the microsecond.

    SQLite has no such type: there it is text of fixed width, so that text order is the order in time. Writing one
    without a time zone raises ValueError.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Store text in SQLite, `timestamp with time zone` elsewhere."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """Return what writes a moment: itself, for SQLAlchemy's own way makes two more calls for each value."""
        return _write_as_text if dialect.name == "sqlite" else _checked

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 - fixed by SQLAlchemy
        """Return what reads a moment."""
        return _read_text if dialect.name == "sqlite" else _in_utc


class AnyText(TypeDecorator[str]):
    r"""Text of any kind, read back exactly as it was written.

    PostgreSQL holds no NUL, and neither database a lone surrogate; an API can send both. Such text, and any with a
    backslash, is stored with the escapes of JSON (`\u0000`).
    """

    impl = Text
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], str | None]:  # noqa: ARG002 - fixed by SQLAlchemy
        """Return what writes text."""
        return _escaped

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:  # noqa: ARG002 - fixed by SQLAlchemy
        """Return what reads text."""
        return _unescaped


@lru_cache(maxsize=256)  # one transition writes the same few moments nine times
def _write_as_text(value: datetime | None) -> str | None:
    checked = _checked(value)
    return None if checked is None else checked.astimezone(UTC).isoformat(" ", "microseconds")


def _checked(value: datetime | None) -> datetime | None:
    if value is not None and value.tzinfo is None:
        raise ValueError("a moment without a time zone cannot be recorded")
    return value


@lru_cache(maxsize=256)  # thousands of jobs are claimed until the same moment
def _read_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _in_utc(value: datetime | None) -> datetime | None:
    return value and value.astimezone(UTC)


def _escaped(value: str | None) -> str | None:
    return value if value is None or _is_plain(value) else json.dumps(value)[1:-1]


def _unescaped(value: str | None) -> str | None:
    if value is None or "\\" not in value:
        return value
    text: str = json.loads(f'"{value}"')
    return text


def _is_plain(text: str) -> bool:
    if "\\" in text or "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
