"""Rows named by their numbers, however many: in one parameter, which costs less than one for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ARRAY, BigInteger, Dialect, Select, Text, TypeDecorator, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from watcher.store.columns import Number


def each_of(parameter: str) -> Select[int]:
    """Select the numbers that the parameter of this name holds."""
    rows = _Elements(bindparam(parameter, type_=_Numbers)).table_valued(column("value", Number), name="value")
    return select(rows.c.value)


class _Numbers(TypeDecorator[Sequence[int]]):
    """Numbers: an array, or where there is none, in SQLite, JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(BigInteger))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return json.dumps if dialect.name == "sqlite" else list


class _Elements(FunctionElement[int]):
    """A row for each element."""

    inherit_cache = True


@compiles(_Elements)
def _of_array(element: _Elements, compiler: SQLCompiler, **how: Any) -> str:
    return f"unnest({compiler.process(element.clauses, **how)})"


@compiles(_Elements, "sqlite")
def _of_json(element: _Elements, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"
