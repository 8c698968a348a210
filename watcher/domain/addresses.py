"""What can be the base URL of a service, and what can stand in a header of a request."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_BASE_URL = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^/?#@:\[\]\\ ]+)(:[0-9]{1,5})?(/[^?#\\ ]*)?", re.IGNORECASE)
"""No user, query or fragment: even an empty one would swallow the path that is put behind."""
_LONGEST_BASE_URL = 2000


def is_base_url(url: str) -> bool:
    """Return whether requests can be sent there, with a path put behind it."""
    if len(url) > _LONGEST_BASE_URL or not url.isprintable() or not _BASE_URL.fullmatch(url):
        return False
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def is_address(url: str) -> bool:
    """Return whether the URL can be asked for as it stands: a base URL, perhaps with a query."""
    address, _, query = url.partition("?")
    return is_base_url(address) and query.isprintable() and not {" ", "#", "\\"} & set(query)


def host_of(url: str) -> str | None:
    """Return the host of a base URL, in lower case; None for what is no base URL."""
    return urlsplit(url).hostname if is_base_url(url) else None


def is_header_text(text: str) -> bool:
    """Return whether a key or an id can stand in a header."""
    return text.isascii() and text.isprintable() and " " not in text
