"""Kinds of values that settings of several plugins have: addresses, keys, what stands in a header."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, SecretStr

from watcher.domain.addresses import is_base_url, is_header_text
from watcher.plugins.section import expected

_PATH_PART = re.compile("[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_REGION = re.compile("[a-z0-9]{1,30}(-[a-z0-9]{1,30}){0,5}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")
_OF_THE_CONNECTION = frozenset({"content-type", "content-length", "transfer-encoding", "connection", "host"})
"""Headers that the message and the connection decide on."""


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


def _check_path_part(text: str) -> str:
    if not _PATH_PART.fullmatch(text):
        raise expected("1 to 128 of the characters A-Z a-z 0-9 . _ : -, the first of them a letter or a digit")
    return text


def _check_region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise expected("the name of a region such as us-east-1")
    return text


def _check_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be the name of a header")
    if name.lower() in _OF_THE_CONNECTION:
        raise ValueError(f"{name} is set by the watcher and cannot be given")
    return name


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    for name, value in headers.items():
        _check_header_name(name)
        if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of {name} must be one line of printable ASCII, without spaces at its ends")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    return headers


BaseUrl = Annotated[str, AfterValidator(_check_base_url)]
"""Where a service is: requests go to a path behind it."""
HeaderText = Annotated[str, AfterValidator(_check_header)]
"""What stands in a header as it is."""
Key = Annotated[SecretStr, AfterValidator(_check_key)]
"""A key or a token: a secret that is sent in a header."""
PathPart = Annotated[str, AfterValidator(_check_path_part)]
"""An account, a project or the like, which is one part of the path of a request."""
Region = Annotated[str, AfterValidator(_check_region)]
"""The region of a service, which is a part of the name of its host."""
HeaderName = Annotated[str, AfterValidator(_check_header_name)]
"""The name of a header that the connection does not decide on."""
Headers = Annotated[dict[str, SecretStr], AfterValidator(_check_headers)]
"""Further headers, each a secret: one whose name ends in `_file` is read from a file by `Section`."""
