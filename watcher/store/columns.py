"""The kinds of columns that neither database has of itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

Number = BigInteger().with_variant(Integer, "sqlite")
"""A whole number of 64 bits; SQLite numbers rows by itself only in a column declared INTEGER."""


class UtcTime(TypeDecorator[datetime]):
    """A moment, aware, in UTC, to the microsecond.

    SQLite has no such type: there it is text of fixed width, so that text order is the order in time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Store text in SQLite, `timestamp with time zone` elsewhere."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Write a moment. Raises ValueError for one without a time zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be recorded")
        return value.astimezone(UTC).isoformat(" ", "microseconds") if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Read a moment."""
        if value is None:
            return None
        return datetime.fromisoformat(value) if dialect.name == "sqlite" else value.astimezone(UTC)


class AnyText(TypeDecorator[str]):
    r"""Text of any kind, read back exactly as it was written.

    PostgreSQL holds no NUL, and neither database a lone surrogate; an API can send both. Such text, and any with a
    backslash, is stored with the escapes of JSON (`\u0000`).
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Write text."""
        if value is None or _is_plain(value):
            return value
        return json.dumps(value)[1:-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - fixed by SQLAlchemy
        """Read text."""
        if value is None or "\\" not in value:
            return value
        text: str = json.loads(f'"{value}"')
        return text


def _is_plain(text: str) -> bool:
    if "\\" in text or "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
