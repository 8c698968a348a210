"""A table of a TOML file, read key by key; every mistake is noted with the full name of its key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import h11

from watcher.domain.durations import parse_duration

_OWN_HEADERS = {"content-length", "transfer-encoding", "x-request-id"}
"""What the server itself says of an answer."""


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
        return self._read(key, lambda value: isinstance(value, str) and value != "", "a text", required=required)

    def choice(self, key: str, choices: Iterable[str]) -> str | None:
        """Read one of the texts given."""
        choices = list(choices)
        return self._read(key, lambda value: value in choices, f"one of {_listed(choices)}")

    def count(self, key: str, *, least: int = 1, most: int | None = None) -> int | None:
        """Read a whole number within the bounds."""
        expected = f"a whole number from {least}" + (f" to {most}" if most else " up")
        return self._read(key, lambda value: _is_count(value, least, most), expected)

    def is_always(self, key: str) -> bool:
        """Tell whether the key says `always`."""
        return self._entries.get(key) == "always"

    def duration(self, key: str) -> timedelta | None:
        """Read a duration."""
        if key not in self._entries:
            self._known.add(key)
            return None
        try:
            self._known.add(key)
            return parse_duration(self._entries[key])
        except ValueError as error:
            self.complain(key, f"given {self._entries[key]!r}, expected {error}")
            return None

    def mapping(self, key: str) -> Mapping[str, Any] | None:
        """Read a table whose keys are free."""
        return self._read(key, lambda value: isinstance(value, dict), "a table")

    def texts(self, key: str) -> Mapping[str, str]:
        """Read a table of texts."""
        return self._read(key, _is_texts, "a table of texts") or {}

    def headers(self, key: str) -> Mapping[str, str]:
        """Read a table of HTTP headers."""
        headers = self.texts(key)
        for name in headers:
            if name.lower() in _OWN_HEADERS:
                self.complain(f"{key}.{name}", "the server says this itself")
        try:
            h11.Response(status_code=200, headers=list(headers.items()))
        except h11.LocalProtocolError as error:
            self.complain(key, f"not HTTP headers: {error}")
            return {}
        return headers

    def tables(self, key: str, *, required: bool = False) -> list[Table]:
        """Read an array of tables."""
        entries = self._read(key, _is_tables, "an array of tables", required=required) or []
        name = f"{self._name}.{key}" if self._name else key
        return [Table(entry, f"{name}[{index}]", self._mistakes) for index, entry in enumerate(entries)]

    def _read(self, key: str, is_right: Callable[[Any], bool], expected: str, *, required: bool = False) -> Any:
        self._known.add(key)
        if key not in self._entries:
            if required:
                self.complain(key, f"missing: expected {expected}")
            return None
        value = self._entries[key]
        if is_right(value):
            return value
        self.complain(key, f"given {value!r}, expected {expected}")
        return None


def _is_count(value: object, least: int, most: int | None) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and least <= value and (most is None or value <= most)


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(str(name)) for name in sorted(names))
