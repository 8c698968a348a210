"""Expressions that say where a value stands: what is wrong with one is told before it is used."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from watcher.sources.http.expressions import LONGEST, Expression, find

CHECKED = TypeAdapter(Expression)


@pytest.mark.parametrize(
    ("expression", "complaint"),
    [
        ("", "it is empty"),
        ("run..status", "'.' is not expected in column 5"),
        ("run.status[", "it ends too early in column 12"),
        ("run status", "'s' is not expected in column 5"),
        ("run-status", "'-' is not expected in column 4"),
        ('run."status', "'\"' is not expected in column 5"),
        ("runs[?a=b]", "'=' is not expected in column 8"),
        ("run.lower(status)", "there is no function 'lower' in column 5"),
        ("length(a, b)", "length() takes 1, not 2 in column 1"),
        ("not_null()", "not_null() takes at least 1, not 0 in column 1"),
        ("a" * (LONGEST + 1), "it is longer than 1000 characters"),
        ("(" * LONGEST, "it is nested too deeply"),
    ],
)
def test_a_mistake_is_told_with_its_column(expression: str, complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        CHECKED.validate_python(expression)
    [error] = caught.value.errors()
    assert error["msg"] == f"expected a JMESPath expression such as 'run.status'; {complaint}"


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("run.status", "DONE"),
        ('run."odd-name"', 1),
        ("events[-1].message", "last"),
        ("events[?level=='error'] | [0].message", "first"),
        ("[run.done, run.total]", [3, 4]),
        ("not_null(run.missing, run.status)", "DONE"),
        ("nothing.of.it", None),
    ],
)
def test_a_value_is_found(expression: str, found: Any) -> None:
    document = {
        "run": {"status": "DONE", "odd-name": 1, "done": 3, "total": 4},
        "events": [{"message": "first", "level": "error"}, {"message": "last"}],
    }
    assert CHECKED.validate_python(expression) == expression
    assert find(expression, document) == found


def test_what_cannot_be_applied_is_told() -> None:
    with pytest.raises(ValueError, match=r"'length\(a\)' cannot be applied: .*invalid type"):
        find("length(a)", {"a": 5})
