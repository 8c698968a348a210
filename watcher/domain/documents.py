"""The job object as its service gave it, and what of it may be told to others."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from typing import Any


def read_document(document: str) -> Any:
    """Return the object that the JSON text describes, as strict JSON can write it again."""
    # NaN and Infinity, which some services write, are not JSON, and 1e999 is Infinity in other words: they become
    # null, as does a number with more digits than Python reads.
    return json.loads(document, parse_constant=lambda _constant: None, parse_float=_finite, parse_int=_whole_number)


def without_fields(document: str, names: Collection[str]) -> str:
    """Return the JSON text without the fields of these names, however deep they stand."""
    return json.dumps(_without(read_document(document), names)) if names else document


def _without(value: Any, names: Collection[str]) -> Any:
    if isinstance(value, dict):
        return {name: _without(item, names) for name, item in value.items() if name not in names}
    return [_without(item, names) for item in value] if isinstance(value, list) else value


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole_number(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None
