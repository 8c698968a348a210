"""Statements that are executed for many rows.

SQLAlchemy compiles them; the driver gets the rows as they are. SQLAlchemy's own way takes as long to look up the value
of each parameter of each row as SQLite to write it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Update

Rows = Sequence[Mapping[str, Any]]
"""Rows, which all name the same columns, and parameters of the statement."""


def insert_rows(connection: Connection, statement: Insert, rows: Rows) -> None:
    """Add rows. A column that is null in all of them is left out, and null all the same: each value costs time."""
    columns = _columns(rows)
    _execute(connection, statement, {name: of for name, of in columns.items() if of.count(None) < len(of)})


def update_rows(connection: Connection, statement: Update, rows: Rows) -> int:
    """Execute the statement for each row, in their order; return how many rows of the table that changed."""
    return _execute(connection, statement, _columns(rows))


class _Compiled(NamedTuple):
    sql: str
    is_positional: bool
    parameters: Sequence[tuple[str, Callable[[Any], Any] | None]]
    """The name of each, in their order, and what writes its values, where they are not written as they are."""


def _columns(rows: Rows) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _execute(connection: Connection, statement: Insert | Update, columns: Mapping[str, Sequence[Any]]) -> int:
    sql, is_positional, parameters = _compiled(statement, tuple(columns), connection.dialect)
    values = zip(*(map(write, columns[name]) if write else columns[name] for name, write in parameters), strict=True)
    if is_positional:
        return connection.exec_driver_sql(sql, list(values)).rowcount
    names = [name for name, _ in parameters]
    return connection.exec_driver_sql(sql, [dict(zip(names, row, strict=True)) for row in values]).rowcount


@lru_cache(maxsize=64)
def _compiled(statement: Insert | Update, names: Sequence[str], dialect: Dialect) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=names)
    types = {name: bound.type.dialect_impl(dialect) for name, bound in compiled.binds.items()}
    order = compiled.positiontup or list(types)
    parameters = [(name, types[name].bind_processor(dialect)) for name in order]
    return _Compiled(str(compiled), compiled.positional, parameters)
