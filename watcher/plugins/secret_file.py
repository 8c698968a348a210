"""Reading a secret from a file: what container secrets and systemd credentials are."""

from __future__ import annotations

from pathlib import Path

SECRET_FILE_LIMIT = 64 * 1024
"""Bytes that a file with a secret may have: a device or a log named by mistake is not read whole."""


def read_secret(path: Path, shown: str) -> str:
    """Return what the file holds, without the white space around it.

    Raises ValueError that says what is wrong with the file, which it calls as `shown` says.
    """
    try:
        with path.open("rb") as file:
            secret = file.read(SECRET_FILE_LIMIT + 1)
        text = secret.decode("utf-8-sig").strip()  # some editors of Windows begin a file with a mark
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {shown}: it is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"cannot read {shown}: {error.strerror}") from None
    except ValueError:
        raise ValueError(f"cannot read {shown}: that cannot be a path") from None
    if not text:
        raise ValueError(f"{shown} is empty")
    if len(secret) > SECRET_FILE_LIMIT:
        raise ValueError(f"{shown} is too long to hold a secret")
    return text
