"""Mistakes in the settings, in people's words: where, which key, what was given, what is expected."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watcher.domain.escaping import excerpt

_LONGEST_GIVEN = 60
_SECRET = re.compile(r"key|token|secret|passw|credential|webhook|auth|url|headers", re.IGNORECASE)
"""Keys whose values are never repeated."""

Location = tuple[int | str, ...]


class Origin:
    """Where settings came from."""

    def __init__(self, path: Path | None, given: Mapping[str, Any]) -> None:
        """`given` are the merged settings, before validation."""
        self._path = path
        self._given = given

    def mistake(self, at: Location, text: str) -> str:
        """Put the place of a mistake before the words for it."""
        variable = "WATCHER_" + "__".join(str(part).upper() for part in at)
        if variable in {name.upper() for name in os.environ}:
            return f"environment: {variable}: {text}"
        key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
        return f"{self._path or 'environment'}: {excerpt(key, 200) + ': ' if key else ''}{text}"

    def value(self, at: Location) -> object:
        """Return what was given at a place; None for nothing."""
        value: Any = self._given
        for part in at:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value


def told(error: ValidationError, model: type[BaseModel], origin: Origin, at: Location = ()) -> list[str]:
    """Put each error of a validation into words; `at` is where the validated part stands in the settings."""
    return [
        origin.mistake((*at, *_key(details["loc"])), _words(details, model, origin, at))
        for details in error.errors(include_url=False, include_input=False)
    ]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant."""
    return next(iter(get_close_matches(str(word), list(map(str, known)), n=1)), None)


def _words(details: ErrorDetails, model: type[BaseModel], origin: Origin, at: Location) -> str:
    loc = _key(details["loc"])
    if details["type"] == "extra_forbidden":
        known = _keys_at(model, loc[:-1])
        near = nearest(str(loc[-1]), known)
        return f"unknown key; did you mean {near!r}?" if near else f"unknown key; expected one of: {', '.join(known)}"
    if details["type"] == "missing":
        return "missing; it is required"
    message = details["msg"].removeprefix("Value error, ")
    if details["type"] == "value_error" and not details["loc"]:
        return message  # of the section as a whole: a sentence of its own
    rule = _BEFORE_THE_RULE.sub("", message)
    given = _given(origin.value((*at, *loc)), (*at, *loc))
    return f"got {given}, expected {_lower_first(rule)}" if given else f"expected {_lower_first(rule)}"


_BEFORE_THE_RULE = re.compile(r"^(input should be (a valid )?|must be )", re.IGNORECASE)


def _given(value: object, at: Sequence[int | str]) -> str | None:
    """Repeat a value, unless it may be a secret or is a whole table."""
    if value is None or isinstance(value, dict | list) or any(_SECRET.search(str(part)) for part in at):
        return None
    return excerpt(repr(value), _LONGEST_GIVEN)


def _key(loc: Location) -> Location:
    """Drop from a location what pydantic adds to tell the members of a union apart, or a key from its value."""
    return tuple(part for part in loc if part != "[key]" and not re.search(r"[\[\]():]", str(part)))


def _keys_at(model: type[BaseModel], loc: Location) -> list[str]:
    """Name the keys that the section at a location takes."""
    section: Any = model
    for part in loc:
        if isinstance(section, type) and issubclass(section, BaseModel):
            field = section.model_fields.get(str(part))
            section = field.annotation if field else None
        else:
            section = (
                next(reversed(get_args(section)[:2] or (None,)), None) if isinstance(part, str) else _item(section)
            )
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return []
    secrets = getattr(section, "secret_names", list)()
    return sorted([*section.model_fields, *(f"{name}_file" for name in secrets)])


def _item(section: Any) -> Any:
    return next(iter(get_args(section)), None)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
