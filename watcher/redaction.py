"""Keeping secrets out of texts that others write: a receiver may echo the address or the headers it was sent."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, unquote, urlsplit

MASK = "***"
_SHORTEST_PART = 8
"""Parts of a secret that are shorter are ordinary words far more often than secrets."""

_NEEDLESS_ESCAPES = str.maketrans({"/": "\\/", "&": "\\u0026", "<": "\\u003c", ">": "\\u003e"})


class Redactor:
    """Hides known secrets, whole or in telling parts, in whatever spelling an answer may use."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Make a mask for these secrets: URLs, values of headers, signing secrets."""
        spellings = {spelling for secret in secrets for spelling in _spellings_of_all(secret)}
        longest_first = sorted(spellings, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if spellings else None

    def hide(self, text: str) -> str:
        """Return the text with each occurrence of a secret replaced by `***`."""
        return self._pattern.sub(MASK, text) if self._pattern else text


def _spellings_of_all(secret: str) -> Iterator[str]:
    for part in (secret, *_parts(secret)):
        yield from filter(None, _spellings(part))


def _parts(secret: str) -> Iterator[str]:
    if "://" in secret:
        yield from _parts_of_url(secret)
    else:
        words = secret.replace(",", " ").split()  # `Bearer …`, or several signing secrets
        yield from filter(_is_telling, words)
        yield from filter(_is_telling, (word.removeprefix("whsec_") for word in words))


def _parts_of_url(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    if parts.password is not None:
        user, password = unquote(parts.username or ""), unquote(parts.password)
        yield from (password, b64encode(f"{user}:{password}".encode()).decode())
    target = f"{parts.path}?{parts.query}"
    values = (value for _, value in parse_qsl(parts.query))
    yield from filter(_is_telling, (target, parts.path, parts.query, *parts.path.split("/"), *values))


def _is_telling(part: str) -> bool:
    return len(part) >= _SHORTEST_PART


def _spellings(text: str) -> set[str]:
    plain = unquote(text)
    in_urls = {text, plain, quote(plain), quote(plain, safe="")}
    in_pages = {html.escape(form) for form in in_urls}
    in_json = {json.dumps(form)[1:-1] for form in in_urls}
    # Writers of JSON differ in what they escape beyond need.
    return in_urls | in_pages | in_json | {form.translate(_NEEDLESS_ESCAPES) for form in in_json}
