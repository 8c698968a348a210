"""Messages for mistakes in the settings: where, which key, what was given, what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from watcher.domain.text import excerpt, printable
from watcher.plugins.section import FILE_SUFFIX, Section
from watcher.redaction import MASK, looks_secret, masked_url

_LONGEST_GIVEN = 60
_LONGEST_KEY = 200
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BEFORE_THE_RULE = re.compile(r"^(input should be|must be) ", re.IGNORECASE)
_CHOICE = re.compile(r"'([^']*)'")
_NAME_MARK = "[key]"
"""What pydantic puts behind the location of a key that is wrong itself."""
_CONTAINERS = (dict, list, tuple, frozenset)
_KINDS: Mapping[str, str] = {
    "string_type": "text",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "list_type": "a list",
    "tuple_type": "a list",
    "path_type": "the path of a file",
}
"""What errors of pydantic say is expected."""

Location = tuple[int | str, ...]
Layer = tuple[Mapping[str, Any], Callable[[Location], str]]
"""What a layer gives, and what it calls a place in the settings."""


class Origin:
    """Where settings came from."""

    def __init__(self, given: Mapping[str, Any], layers: Sequence[Layer]) -> None:
        """`given` are the settings merged from the layers, the first of which prevails."""
        self._given = given
        self._layers = layers

    def mistake(self, at: Location, text: str) -> str:
        """Put the place of a mistake before its message."""
        return f"{self._place(at)}: {text}"

    def existing(self, at: Location) -> Location:
        """Cut a location down to what was given: validation adds the members of unions, and marks keys."""
        return at[: _depth(self._given, at)]

    def value(self, at: Location) -> object:
        """Return what was given at a place that exists."""
        value: Any = self._given
        for part in at:
            value = value[part]
        return value

    def _place(self, at: Location) -> str:
        depths = [_depth(given, at) for given, _ in self._layers]
        deepest = max(depths)
        layers = [place for depth, (_, place) in zip(depths, self._layers, strict=True) if depth == deepest]
        # What is missing is missed where the rest of its section stands: in the file rather than in a variable.
        return layers[0 if deepest == len(at) and at else -1](at)


def told(error: ValidationError, model: type[BaseModel], origin: Origin, at: Location = ()) -> list[str]:
    """Return a message for each error of a validation; `at` is where the validated part stands in the settings."""
    mistakes: dict[str, None] = {}  # in order, each once: the members of a union may all complain
    for details in error.errors(include_url=False, include_input=False):
        key = _Key(details, model, origin, at)
        mistakes.setdefault(origin.mistake(key.at, _words(details, key, origin)))
    return list(mistakes)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant. The words of other services are not taken for typing errors."""
    return next(iter(get_close_matches(word, list(map(str, known)), n=1, cutoff=0.75)), None)


def written(at: Location) -> str:
    """Write a location as people write keys: `jobs[0].id`."""
    parts = (
        f"[{part}]" if isinstance(part, int) else f".{part}" if _BARE_KEY.fullmatch(part) else f".'{printable(part)}'"
        for part in at
    )
    return excerpt("".join(parts).removeprefix("."), _LONGEST_KEY)


class _Key:
    """The key of a mistake."""

    def __init__(self, details: ErrorDetails, model: type[BaseModel], origin: Origin, within: Location) -> None:
        self.at = _location(details, origin, within)
        self.is_in_file = _is_twin(self.at, details)
        """Whether it is the content of a file that is wrong, not what stands in the settings."""
        in_model = self.at[len(within) :]
        self.is_name = details["loc"][-1:] == (_NAME_MARK,)
        """Whether the key itself is wrong, not its value."""
        section = _annotation(model, in_model[:-1])
        self.siblings = _keys(section)
        self.table = _table_with(section, str(self.at[-1])) if details["type"] == "extra_forbidden" else None
        """The table beside an unknown key that takes it."""
        self.annotation = _annotation(model, in_model)
        """What the key takes; None for a key that is not known."""
        self.is_secret = self.is_in_file or "SecretStr" in str(self.annotation) or any(map(looks_secret, self.at))


def _location(details: ErrorDetails, origin: Origin, within: Location) -> Location:
    at = (*within, *details["loc"])
    if details["type"] == "missing":
        return at
    if details["type"] == "mistake_in_file":
        return (*at[:-1], f"{at[-1]}{FILE_SUFFIX}")
    twin = (*at[:-1], f"{at[-1]}{FILE_SUFFIX}")
    return twin if len(origin.existing(at)) < len(at) and origin.existing(twin) == twin else origin.existing(at)


def _is_twin(at: Location, details: ErrorDetails) -> bool:
    """Return whether a location is that of a file whose content did not pass."""
    is_of_content = details["type"] not in {"mistake_in_file", "missing", "extra_forbidden"}
    return is_of_content and bool(details["loc"]) and bool(at) and at[-1] == f"{details['loc'][-1]}{FILE_SUFFIX}"


def _words(details: ErrorDetails, key: _Key, origin: Origin) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "extra_forbidden":
            if key.table:
                return f"unknown key; it belongs in the table {key.table!r}"
            return f"unknown key; {_meant(str(key.at[-1]), key.siblings)}"
        case "missing":
            name = str(key.at[-1])
            twin = name + FILE_SUFFIX
            return f"missing; give it as {name} or {twin}" if twin in key.siblings else "missing"
        case "mistake" | "mistake_in_file":
            return details["msg"]
        case "literal_error" | "enum":
            rule = f"expected {context['expected']}"
            near = nearest(str(origin.value(key.at)), _CHOICE.findall(rule))
            return _got(key, origin) + rule + (f"; did you mean {near!r}?" if near else "")
        case "value_error":
            text = str(context["error"])
            if _BEFORE_THE_RULE.match(text):
                return _got(key, origin) + _BEFORE_THE_RULE.sub("expected ", text)
            value = str(origin.value(key.at))
            return text.replace(value, MASK) if key.is_secret and value else text
        case kind if kind in _KINDS:
            return _got(key, origin) + f"expected {_KINDS[kind]}"
        case _:
            return _got(key, origin) + _BEFORE_THE_RULE.sub("expected ", details["msg"])


def _meant(word: str, known: Sequence[str]) -> str:
    near = nearest(word.lower(), known)
    return f"did you mean {near!r}?" if near else f"expected one of: {', '.join(known)}"


def _got(key: _Key, origin: Origin) -> str:
    """Repeat what was given, unless it is, or may be, a secret."""
    value = origin.value(key.at)
    if key.is_in_file:
        return "the content of the file: "
    if key.is_secret or key.is_name:
        return ""
    if not isinstance(value, str | int | float) or key.annotation is None or _is_table(key.annotation):
        return f"got {_kind(value)}, "  # text in the place of a table may be anything, a secret too
    shown = masked_url(value) if isinstance(value, str) else value
    return f"got {excerpt(repr(shown), _LONGEST_GIVEN)}, "


def _kind(value: object) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case int() | float():
            return "a number"
        case Mapping():
            return "a table"
        case list():
            return "a list"
        case _:
            return "a date or time"


def _annotation(model: Any, at: Location) -> Any:
    """Find what the settings take at a location; None where they take nothing."""
    for part in at:
        model = _within(model, part)
        while get_origin(model) not in {None, *_CONTAINERS}:  # Annotated, or one of several
            model = get_args(model)[0]
    return model


def _within(model: Any, part: int | str) -> Any:
    if _is_section(model):
        field: FieldInfo | None = _fields(model).get(str(part))
        return field.annotation if field else None
    return get_args(model)[-1 if isinstance(part, str) else 0] if get_args(model) else None


def _is_section(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _is_table(model: Any) -> bool:
    return _is_section(model) or get_origin(model) in _CONTAINERS


def _fields(section: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return the fields by the names that they have in a file."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def _keys(section: Any) -> Sequence[str]:
    if not _is_section(section):
        return []
    secrets = section.secret_names() if issubclass(section, Section) else ()
    return sorted([*_fields(section), *(name + FILE_SUFFIX for name in secrets)])


def _table_with(section: Any, key: str) -> str | None:
    """Return the name of a table in a section that takes this key."""
    tables = _fields(section) if _is_section(section) else {}
    return next((name for name in tables if key in _keys(_annotation(section, (name,)))), None)


def _depth(given: Any, at: Location) -> int:
    """Count the parts of a location that were given."""
    for depth, part in enumerate(at):
        within = range(len(given)) if isinstance(given, list) else given if isinstance(given, Mapping) else ()
        if part not in within:
            return depth
        given = given[part]
    return len(at)
