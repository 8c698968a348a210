"""Kinds of values that settings of several plugins have: addresses, keys, what stands in a header."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from watcher.domain.addresses import is_base_url, is_header_text
from watcher.plugins.section import expected


def _check_base_url(url: str) -> str:
    if not is_base_url(url):
        raise expected("an http:// or https:// URL such as https://api.example.com/v1, without user, query or fragment")
    return url.rstrip("/")


def _check_header(text: str) -> str:
    if not text or not is_header_text(text):
        raise expected("printable ASCII without spaces")
    return text


def _check_key(key: SecretStr) -> SecretStr:
    _check_header(key.get_secret_value())
    return key


BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
"""Where a service is: requests go to a path behind it."""
HeaderText = Annotated[str, AfterValidator(_check_header)]
"""What stands in a header as it is."""
Key = Annotated[SecretStr, AfterValidator(_check_key)]
"""A key or a token: a secret that is sent in a header."""
