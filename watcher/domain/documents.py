"""The job object as its service gave it, and what of it may be told to others."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from functools import partial
from typing import Any

from watcher.redaction import shareable


def read_document(document: str) -> Any:
    """Return the object that the JSON text describes, as strict JSON can write it again."""
    # NaN and Infinity, which some services write, are not JSON, and 1e999 is Infinity in other words: they become
    # null, as does a number with more digits than Python reads.
    return json.loads(document, parse_constant=lambda _constant: None, parse_float=_finite, parse_int=_whole_number)


def shared_document(document: str, private: Collection[str] = (), *, shows_addresses: bool = False) -> str:
    """Return the JSON text without the fields of these names, however deep they stand.

    Unless addresses may be shown, it holds no e-mail address and no signature of a URL either. A text that has nothing
    of all this stays as it is.
    """
    is_suspicious = not shows_addresses and any(sign in document for sign in _SIGNS_OF_ADDRESSES)
    if not private and not is_suspicious:
        return document
    told = read_document(document)
    shared = _shared(told, private, hides_addresses=is_suspicious)
    return json.dumps(shared) if private or shared != told else document


_SIGNS_OF_ADDRESSES = ("@", "?", "\\u00")
"""What stands in each of them, also in other spellings of JSON."""


def _shared(value: Any, private: Collection[str], *, hides_addresses: bool) -> Any:
    share = partial(_shared, private=private, hides_addresses=hides_addresses)
    if isinstance(value, dict):
        return {name: share(item) for name, item in value.items() if name not in private}
    if isinstance(value, list):
        return list(map(share, value))
    return shareable(value) if hides_addresses and isinstance(value, str) else value


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _whole_number(digits: str) -> int | None:
    try:
        return int(digits)
    except ValueError:
        return None
