"""A secret that an option names the file of."""

from __future__ import annotations

from pathlib import Path

from watcher.errors import ConfigurationError

SECRET_LIMIT = 64 * 1024
"""Bytes of a file that are read for a secret."""


def read_secret_file(path: Path) -> str:
    """Return what a file holds, without the white space around it. Raises ConfigurationError."""
    try:
        with path.open("rb") as file:
            secret = file.read(SECRET_LIMIT).decode("utf-8-sig").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"cannot read {path}: {why}") from None
    if not secret:
        raise ConfigurationError(f"{path} is empty")
    if len(secret.split()) > 1:
        raise ConfigurationError(f"{path}: expected one line, without blanks: the secret alone")
    return secret
