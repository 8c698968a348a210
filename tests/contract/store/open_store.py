"""The store as tests open it: they may look into its database through its own connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, text

from watcher.store.sql import SqlStore

T = TypeVar("T")


class OpenStore(SqlStore):
    """A store with its connections open to tests."""

    @property
    def engine(self) -> Engine:
        """What connects it to where it writes."""
        return self._access.database.engine

    @property
    def view_engine(self) -> Engine:
        """What connects it to where it reads for people."""
        return self._access.view.engine

    async def read(self, work: Callable[..., T], *args: Any) -> T:
        """Run work in a transaction that reads."""
        return await self._read(work, *args)

    async def write(self, work: Callable[..., T], *args: Any) -> T:
        """Run work in a transaction that writes."""
        return await self._write(work, *args)

    async def statement(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Run a statement, and return the rows as the database gives them."""

        def run(connection: Connection) -> list[tuple[Any, ...]]:
            result = connection.execute(text(sql), values or {})
            return [tuple(row) for row in result] if result.returns_rows else []

        return await self._write(run)

    async def count_rows(self, table: str) -> int:
        """Count the rows of a table."""
        ((count,),) = await self.statement(f"SELECT count(*) FROM {table}")
        return int(count)
