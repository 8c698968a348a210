"""A table of a TOML file, read key by key; every mistake is noted with the full name of its key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar

import h11

from watcher.domain.durations import parse_duration

_OWN_HEADERS = {"content-length", "transfer-encoding", "x-request-id"}
"""What the server itself says of an answer."""


T = TypeVar("T")
C = TypeVar("C", bound=StrEnum)


class Table:
    """A table that is read once, key by key. What is wrong is noted in `mistakes`, and read as if it were absent."""

    def __init__(self, entries: Mapping[str, Any], name: str, mistakes: list[str]) -> None:
        self._entries = entries
        self._name = name
        self._mistakes = mistakes
        self._known: set[str] = set()

    def complain(self, key: str, what: str) -> None:
        """Note a mistake of a key, or of the whole table when the key is empty."""
        name = ".".join(part for part in (self._name, key) if part)
        self._mistakes.append(f"{name}: {what}" if name else what)

    def given(self, *keys: str) -> list[str]:
        """Return those of the keys that the table has."""
        return [key for key in keys if key in self._entries]

    def refuse_the_rest(self) -> None:
        """Note every key that was not read, with the nearest one that would have been."""
        for key in self._entries:
            if key not in self._known:
                nearest = get_close_matches(key, self._known, 1)
                hint = f"did you mean {nearest[0]!r}?" if nearest else f"expected one of {_listed(self._known)}"
                self.complain(key, f"unknown key: {hint}")

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Read a text that is not empty."""
        return self._read(key, str, "a text", lambda text: text != "", required=required)

    def choice(self, key: str, usual: C) -> C:
        """Read one of the values of the enumeration that `usual` belongs to; `usual` when it is not given."""
        return self.one_of(key, type(usual)) or usual

    def one_of(self, key: str, choices: type[C]) -> C | None:
        """Read one of the values of an enumeration."""
        chosen = self._read(key, str, f"one of {_listed(choices)}", lambda text: text in set(choices))
        return None if chosen is None else choices(chosen)

    def some_of(self, key: str, choices: type[C]) -> frozenset[C] | None:
        """Read an array of values of an enumeration, one at least."""
        chosen = self._read(
            key,
            list,
            f"an array of some of {_listed(choices)}",
            lambda texts: bool(texts) and all(isinstance(text, str) and text in set(choices) for text in texts),
        )
        return None if chosen is None else frozenset(map(choices, chosen))

    def count(self, key: str, *, least: int = 1, most: int | None = None) -> int | None:
        """Read a whole number within the bounds."""
        expected = f"a whole number from {least}" + (f" to {most}" if most else " up")
        return self._read(
            key,
            int,
            expected,
            # To Python, true is a number.
            lambda number: not isinstance(number, bool) and number >= least and (most is None or number <= most),
        )

    def says(self, key: str, text: str) -> bool:
        """Return whether the key has exactly this value."""
        self._known.add(key)
        return bool(self._entries.get(key) == text)

    def duration(self, key: str) -> timedelta | None:
        """Read a duration."""
        self._known.add(key)
        if key not in self._entries:
            return None
        try:
            return parse_duration(self._entries[key])
        except ValueError as error:
            self.complain(key, f"given {self._entries[key]!r}, expected {error}")
            return None

    def mapping(self, key: str) -> dict[str, Any] | None:
        """Read a table whose keys are free; what it holds has to be sayable in JSON."""
        return self._read(key, dict, "a table of what JSON can say", _is_json)

    def texts(self, key: str) -> dict[str, str]:
        """Read a table of texts."""
        return self._read(key, dict, "a table of texts", _is_texts) or {}

    def headers(self, key: str) -> dict[str, str]:
        """Read a table of HTTP headers."""
        headers = self.texts(key)
        for name in headers:
            if name.lower() in _OWN_HEADERS:
                self.complain(f"{key}.{name}", "the server says this itself")
        try:
            h11.Response(status_code=200, headers=list(headers.items()))
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            self.complain(key, f"not HTTP headers: {error}")
        return headers

    def tables(self, key: str, *, required: bool = False) -> list[Table]:
        """Read an array of tables."""
        entries = self._read(key, list, "an array of tables", _is_tables, required=required) or []
        name = f"{self._name}.{key}" if self._name else key
        return [Table(entry, f"{name}[{index}]", self._mistakes) for index, entry in enumerate(entries)]

    def _read(
        self,
        key: str,
        kind: type[T],
        expected: str,
        is_right: Callable[[T], bool],
        *,
        required: bool = False,
    ) -> T | None:
        self._known.add(key)
        if key not in self._entries:
            if required:
                self.complain(key, f"missing: expected {expected}")
            return None
        value = self._entries[key]
        if isinstance(value, kind) and is_right(value):
            return value
        self.complain(key, f"given {value!r}, expected {expected}")
        return None


def _is_json(table: dict[str, Any]) -> bool:
    try:
        json.dumps(table, allow_nan=False)
    except (TypeError, ValueError):  # dates and times; numbers that are none
        return False
    return True


def _is_texts(table: dict[str, Any]) -> bool:
    return all(isinstance(text, str) for text in table.values())


def _is_tables(entries: list[Any]) -> bool:
    return bool(entries) and all(isinstance(entry, dict) for entry in entries)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in sorted(names))
