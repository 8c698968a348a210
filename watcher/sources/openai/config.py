"""A source as its settings describe it, and as the environment alone describes the one named `openai`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from urllib.parse import urlsplit

from watcher.errors import ConfigurationError

DEFAULT_SOURCE = "openai"
DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_TIMEOUT = timedelta(seconds=15)
_HOST_OF_OPENAI = ".api.openai.com"
_BASE_URL = re.compile(r"https?://(\[[0-9a-f:.]+\]|[^/?#@:\[\]\\ ]+)(:[0-9]{1,5})?(/[^?#\\ ]*)?", re.IGNORECASE)
"""No user, query or fragment: even an empty one would swallow the path that is put behind."""
_LONGEST_BASE_URL = 2000


OPENAI_VARIABLES: Mapping[str, str] = {
    "OPENAI_BASE_URL": "base_url",
    "OPENAI_API_KEY": "api_key",
    "OPENAI_ORG_ID": "organization",
    "OPENAI_PROJECT_ID": "project",
    "OPENAI_MTLS_CLIENT_CERT_FILE": "client_cert_file",
    "OPENAI_MTLS_CLIENT_KEY_FILE": "client_key_file",
}
"""The variables of OpenAI's own tools, and the settings of the source `openai` that they give."""

Auth = Literal["bearer", "api-key"]


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where jobs live, and how to ask for them. Raises ConfigurationError when it cannot be used."""

    name: str = DEFAULT_SOURCE
    base_url: str = DEFAULT_BASE_URL
    api_key: str | None = field(default=None, repr=False)
    """None: the service wants no key. OpenAI's does."""
    organization: str | None = None
    project: str | None = None
    auth: Auth = "bearer"
    """How the key is sent: `Authorization: Bearer …`, or Azure's `api-key: …`."""
    api_version: str | None = None
    """Azure's `?api-version=`."""
    timeout: timedelta = DEFAULT_TIMEOUT
    client_cert_file: str | None = None
    client_key_file: str | None = None

    def __post_init__(self) -> None:
        """Refuse what could never work."""
        mistakes = [mistake for mistake in (self._url_mistake(), self._key_mistake()) if mistake]
        if mistakes:
            raise ConfigurationError(*mistakes)

    def headers(self) -> dict[str, str]:
        """Return the headers of every request."""
        headers = {"Accept": "application/json"}
        if self.api_key:
            name, value = (
                ("api-key", self.api_key) if self.auth == "api-key" else ("Authorization", f"Bearer {self.api_key}")
            )
            headers[name] = value
        if self.organization:
            headers["OpenAI-Organization"] = self.organization
        if self.project:
            headers["OpenAI-Project"] = self.project
        return headers

    def _url_mistake(self) -> str | None:
        if is_base_url(self.base_url):
            return None
        return f"source {self.name}: base_url must be an http:// or https:// URL such as {DEFAULT_BASE_URL}"

    def _key_mistake(self) -> str | None:
        if self.api_key is None:
            if not _is_of_openai(self.base_url):
                return None
            return f"source {self.name}: no API key: set OPENAI_API_KEY, or api_key_file under [sources.{self.name}]"
        texts = (self.api_key, self.organization or "", self.project or "")
        if all(map(is_header_text, texts)):
            return None
        return f"source {self.name}: the API key, organization and project must be printable ASCII without spaces"


def is_base_url(url: str) -> bool:
    """Tell whether requests can be sent there, with a path put behind it."""
    if len(url) > _LONGEST_BASE_URL or not url.isprintable() or not _BASE_URL.fullmatch(url):
        return False
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _is_of_openai(url: str) -> bool:
    """Tell whether this is OpenAI's own service, in any of its regions."""
    host = urlsplit(url).hostname if is_base_url(url) else None
    return host is not None and f".{host}".endswith(_HOST_OF_OPENAI)


def is_header_text(text: str) -> bool:
    """Tell whether a key or an id can stand in a header."""
    return text.isascii() and text.isprintable() and " " not in text


def source_from_environment(env: Mapping[str, str], **overrides: str | None) -> SourceConfig:
    """Return the source `openai` as the `OPENAI_*` variables describe it, with the overrides that are given."""
    given = {name: env.get(variable, "").strip() for variable, name in OPENAI_VARIABLES.items()} | {
        name: value.strip() for name, value in overrides.items() if value is not None
    }
    return SourceConfig(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
