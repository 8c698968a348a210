"""Lists in one parameter, however long: that costs less than a parameter for each element."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ARRAY, Dialect, Select, Text, TypeDecorator, bindparam, column, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


def each_of(parameter: str, kind: TypeEngine[Any]) -> Select[Any]:
    """Select the elements, all of one kind, of the list that the parameter of this name holds."""
    rows = _Elements(bindparam(parameter, type_=_List(kind))).table_valued(column("value", kind), name="value")
    return select(rows.c.value)


class _List(TypeDecorator[Sequence[Any]]):
    """A list: an array, or where there is none, in SQLite, JSON."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: TypeEngine[Any]) -> None:
        super().__init__()
        self.kind = kind

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else ARRAY(self.kind))

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        return json.dumps if dialect.name == "sqlite" else list


class _Elements(FunctionElement[Any]):
    """A row for each element."""

    inherit_cache = True


@compiles(_Elements)
def _of_array(element: _Elements, compiler: SQLCompiler, **how: Any) -> str:
    return f"unnest({compiler.process(element.clauses, **how)})"


@compiles(_Elements, "sqlite")
def _of_json(element: _Elements, compiler: SQLCompiler, **how: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **how)})"
