"""Expressions that say where a value stands in an answer: JMESPath."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import EmptyExpressionError, JMESPathError, ParseError
from jmespath.functions import Functions
from jmespath.parser import ParsedResult
from pydantic import AfterValidator

from watcher.domain.text import excerpt
from watcher.plugins.section import expected

LONGEST = 1000
"""Characters of an expression."""
_EXCERPT = 100


def _check(text: str) -> str:
    try:
        _compiled(text)
    except ValueError as error:
        raise expected(f"a JMESPath expression such as 'run.status'; {error}") from None
    return text


Expression = Annotated[str, AfterValidator(_check)]
"""Says where a value stands, such as `run.status` or `events[-1].message`."""


def find(expression: str, document: Any) -> Any:
    """Return what the expression finds in a document; None where it finds nothing.

    Raises ValueError, which says what is wrong, where it cannot be applied to what stands there.
    """
    try:
        return _compiled(expression).search(document)
    except (JMESPathError, RecursionError) as error:
        raise ValueError(f"{expression!r} cannot be applied: {excerpt(str(error), _EXCERPT)}") from None


@lru_cache(maxsize=1024)
def _compiled(text: str) -> ParsedResult:
    """Compile an expression. Raises ValueError that says what is wrong, and in which column."""
    if len(text) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST} characters")
    try:
        compiled = jmespath.compile(text)
    except EmptyExpressionError:
        raise ValueError("it is empty") from None
    except ParseError as error:
        what = (
            f"{text[error.lex_position]!r} is not expected" if error.lex_position < len(text) else "it ends too early"
        )
        raise ValueError(f"{what} in column {error.lex_position + 1}") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    for name, given in _functions(compiled.parsed):
        if complaint := _complaint_about(name, given):
            at = re.search(rf"\b{re.escape(name)}\s*\(", text)
            raise ValueError(f"{complaint} in column {at.start() + 1 if at else 1}")
    return compiled


def _functions(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Find the functions that are called, with the number of their arguments: JMESPath looks when they are run."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, Mapping):
            yield from _functions(child)


def _complaint_about(name: str, given: int) -> str | None:
    known = Functions.FUNCTION_TABLE.get(name)
    if known is None:
        return f"there is no function {name!r}"
    signature = known["signature"]
    takes_more = bool(signature) and signature[-1].get("variadic", False)
    if given == len(signature) or (takes_more and given > len(signature)):
        return None
    return f"{name}() takes {'at least ' if takes_more else ''}{len(signature)}, not {given}"
