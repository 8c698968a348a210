"""JSON that a service wrote, read tolerantly; what cannot be read is said to be what it is."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watcher.domain.text import excerpt, printable
from watcher.errors import MalformedResponseError
from watcher.redaction import without_addresses
from watcher.sources.errors import BODY_EXCERPT

M = TypeVar("M", bound=BaseModel)

LONGEST_STATUS = 128
"""Characters. The longest status known has 24."""


def text_of(body: bytes) -> str:
    """Return the body as text, without the mark that some services begin it with. Raises MalformedResponseError."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise malformed("it is not UTF-8 text", body[: BODY_EXCERPT * 4].decode(errors="replace")) from None


def read(model: type[M], document: str) -> M:
    """Read the document. Raises MalformedResponseError where the model demands what is not there."""
    try:
        return model.model_validate_json(document)
    except ValidationError as error:
        if _first(error)["type"] != "json_invalid":
            raise malformed(_what_is_wrong(error, document), document) from None
    try:
        return model.model_validate_json(_mended(document))
    except ValidationError as error:
        raise malformed(_what_is_wrong(error, document), document) from None


def malformed(complaint: str, quoted: str) -> MalformedResponseError:
    """Return the error that says what is wrong with an answer, and how it begins, but for what may be private."""
    beginning = excerpt(without_addresses(quoted[: BODY_EXCERPT * 4]), BODY_EXCERPT)
    return MalformedResponseError(f"malformed answer: {complaint}" + (f": {beginning}" if beginning else ""))


def complaint_about(status: str) -> str | None:
    """Return what is wrong with a status; None when it can be recorded."""
    if not status.strip():
        return "its status is empty"
    if len(status) > LONGEST_STATUS:
        return f"its status is longer than {LONGEST_STATUS} characters"
    return None if printable(status) == status else "its status holds control characters"


_LONGEST_NUMBER = 4000
"""Digits. Python itself reads 4300."""
_STRING_OR_NUMBER = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+', re.ASCII | re.DOTALL
)
"""Possessive, and content with a string that does not end: it takes each character once, however hostile the text."""
_LONE_SURROGATE = re.compile(
    r"(\\[^u]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
)
"""Half a character, in JSON. Group 1 is what only looks like it."""


def _mended(document: str) -> str:
    """Write anew what JSON allows and pydantic's reader refuses: half a character, a number of thousands of digits."""
    return _STRING_OR_NUMBER.sub(_mend, document)


def _mend(found: re.Match[str]) -> str:
    if not found[0].startswith('"'):
        return found[0] if len(found[0]) < _LONGEST_NUMBER else "null"
    return _LONE_SURROGATE.sub(lambda half: half[1] or r"\ufffd", found[0])


def _first(error: ValidationError) -> ErrorDetails:
    return error.errors(include_url=False, include_input=False)[0]


def _what_is_wrong(error: ValidationError, document: str) -> str:
    """Say in words what the first error is; only a field that the model demands can be in error within an object."""
    first = _first(error)
    if first["type"] == "json_invalid":
        if "recursion" in first["msg"]:
            return "it is nested too deeply"
        return _what_it_is_instead(document)
    if not first["loc"]:
        return f"it is JSON, but no {'list' if first['type'] == 'list_type' else 'object'}"
    field = first["loc"][0]
    if first["type"] == "too_long":
        return f"its {field} has more than {first['ctx']['max_length']:,} entries"
    if first["type"] == "missing":
        return f"it has no {field}"
    return f"its {field} is not a {'list' if first['type'] == 'list_type' else 'string'}"


def _what_it_is_instead(document: str) -> str:
    if not document.strip():
        return "it is empty"
    return "it is HTML, not JSON" if document.lstrip().startswith("<") else "it is not JSON"
