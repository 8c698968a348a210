"""Where OpenAI's API is, and the credential for it: also from the environment alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

from watcher.domain.addresses import is_base_url, is_header_text
from watcher.errors import ConfigurationError
from watcher.sources.credentials import Credential, FileCredential, FixedCredential
from watcher.sources.endpoint import Endpoint
from watcher.sources.openai.sunset import is_of_openai

DEFAULT_BASE_URL = "https://api.openai.com/v1"
_PAGES = "https://platform.openai.com"
VARIABLES: Mapping[str, str] = {
    "OPENAI_BASE_URL": "base_url",
    "OPENAI_API_KEY": "api_key",
    "OPENAI_ORG_ID": "organization",
    "OPENAI_PROJECT_ID": "project",
    "OPENAI_MTLS_CLIENT_CERT_FILE": "client_cert_file",
    "OPENAI_MTLS_CLIENT_KEY_FILE": "client_key_file",
}
"""The variables of OpenAI's own tools, and the settings that they give."""


@dataclass(frozen=True, slots=True)
class Access:
    """The settings of the endpoint and the credential."""

    base_url: str = DEFAULT_BASE_URL
    credential: Credential | None = None
    """None: the service wants no key. OpenAI's does."""
    organization: str | None = None
    project: str | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    client_cert_file: str | None = None
    client_key_file: str | None = None
    key_variable: str | None = None
    """The variable that a key is expected in, where another service refuses requests without a key."""

    def endpoint(self, name: str) -> Endpoint:
        """Return what the requests of the source of this name have in common.

        Raises ConfigurationError where the service wants a key and there is none.
        """
        url = self.base_url.partition("?")[0]
        variable = "OPENAI_API_KEY" if is_of_openai(url) else self.key_variable
        if self.credential is None and variable:
            raise ConfigurationError(
                f"source {name}: no API key: set {variable}, or api_key_file under [sources.{name}]"
            )
        given = {"OpenAI-Organization": self.organization, "OpenAI-Project": self.project}
        return Endpoint(
            url.rstrip("/"),
            self.credential or FixedCredential(),
            headers={header: value for header, value in given.items() if value},
            query=self.parameters(),
            client_cert_file=self.client_cert_file,
            client_key_file=self.client_key_file,
        )

    def parameters(self) -> dict[str, str]:
        """Return the parameters of every request."""
        return {**dict(parse_qsl(self.base_url.partition("?")[2])), **self.query}


def access_from_environment(environment: Mapping[str, str], *, base_url: str | None, key_file: Path | None) -> Access:
    """Return the access that the `OPENAI_*` variables describe, with the base URL given in place of theirs.

    `key_file` is where `OPENAI_API_KEY` was read from, if it was. Raises ConfigurationError for what could never work.
    """
    given = {name: environment.get(variable, "").strip() for variable, name in VARIABLES.items()}
    given = {name: value for name, value in given.items() if value} | ({"base_url": base_url} if base_url else {})
    key = given.pop("api_key", None)
    mistakes = []
    if not is_service_url(given.get("base_url", DEFAULT_BASE_URL)):
        mistakes.append(f"base_url must be an http:// or https:// URL such as {DEFAULT_BASE_URL}")
    if not all(map(is_header_text, (key or "", given.get("organization", ""), given.get("project", "")))):
        mistakes.append("the API key, organization and project must be printable ASCII without spaces")
    if mistakes:
        raise ConfigurationError(*(f"source openai: {mistake}" for mistake in mistakes))
    credential = FileCredential(key_file, key) if key_file else FixedCredential(key) if key else None
    return Access(credential=credential, **given)  # type: ignore[arg-type] # none gives the query


def pages_of(base_url: str) -> str | None:
    """Return where the service at this URL shows its jobs to people; None where that is not known."""
    return _PAGES if is_of_openai(base_url) else None


def is_service_url(url: str) -> bool:
    """Return whether requests can be sent there, with a path put before its query."""
    address, _, query = url.partition("?")
    return is_base_url(address) and query.isprintable() and not {" ", "#", "\\"} & set(query)
