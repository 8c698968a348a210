"""The settings in force, for people to see and for the log to keep quiet about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from watcher.redaction import MASK, looks_secret, masked_url, passwords_in
from watcher.settings.model import Settings


def masked(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values, with secrets masked, without what is not set."""
    whole = settings.model_dump(mode="json", exclude_none=True)
    whole["store"]["url"] = settings.store.resolved_url()
    return {name: _masked(section) for name, section in whole.items() if section}


def to_toml(document: Mapping[str, Any]) -> str:
    """Write plain values as TOML."""
    import tomli_w

    return tomli_w.dumps(document)


def secrets_of(settings: Settings) -> frozenset[str]:
    """Return every secret in the settings, whole and in the parts that could appear alone, for the log to hide."""
    # The URL of the store is no secret as a whole: it may be the path of a file.
    whole = {secret for name, section in settings if name != "store" for secret in _secrets(section)}
    addresses = [*whole, settings.store.resolved_url()]
    words = (word for secret in whole for word in secret.replace(",", " ").split())
    passwords = (password for address in addresses for password in passwords_in(address))
    return frozenset(filter(None, (*whole, *words, *passwords)))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name, field in value:
            yield from [field] if isinstance(field, str) and looks_secret(name) else _secrets(field)
    elif isinstance(value, Mapping | list | tuple):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(item)


def _masked(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        inner = {name: _masked(item, name) for name, item in value.items()}
        return {name: item for name, item in inner.items() if item not in ({}, [])}
    if isinstance(value, list):
        return [_masked(item, key) for item in value]
    if not isinstance(value, str) or not value:
        return value
    return MASK if looks_secret(key) or set(value) == {"*"} else masked_url(value)
