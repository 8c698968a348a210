"""The settings of Azure OpenAI and Azure AI Foundry."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from watcher.domain.addresses import is_base_url
from watcher.errors import ConfigurationError
from watcher.plugins.section import expected
from watcher.plugins.values import HeaderText, Key
from watcher.sources.access import CertificateSettings, Command, credential_of
from watcher.sources.endpoint import Endpoint
from watcher.sources.openai.config import Lists

VARIABLES = {
    "AZURE_OPENAI_ENDPOINT": "endpoint",
    "AZURE_OPENAI_API_KEY": "api_key",
    "AZURE_OPENAI_AD_TOKEN": "token",
    "OPENAI_API_VERSION": "api_version",
}
"""The variables of the official SDK."""
_WITHOUT_VERSION = "/openai/v1"
_WITH_VERSION = "/openai"


def _check_endpoint(url: str) -> str:
    if not is_base_url(url):
        raise expected("an https:// URL such as https://example.openai.azure.com, without user, query or fragment")
    return url.rstrip("/")


class Config(CertificateSettings):
    """Azure OpenAI, or a project of Azure AI Foundry."""

    endpoint: Annotated[str, AfterValidator(_check_endpoint)]
    """Where the resource or the project is: `https://example.openai.azure.com`, or
    `https://example.services.ai.azure.com/api/projects/example`. The rest of the path is added, unless it is there."""
    api_version: HeaderText | None = None
    """The version of the dated API, such as `2024-10-21`. Default: the API without dates, `/openai/v1`."""
    api_key: Key | None = None
    """The key of the resource, sent as `api-key`."""
    token: Key | None = None
    """An Entra token, sent as `Authorization: Bearer`. It prevails over the key."""
    token_command: Command | None = None
    """What prints an Entra token, such as `az account get-access-token --resource https://cognitiveservices.azure.com
    --query accessToken -o tsv`. It is run again when the token has expired, and prevails over the other two."""
    lists: Lists = "jobs"
    """Which list is read to find jobs and what has changed: that of fine-tuning `jobs`, or of `batches`. Both are asked
    for by their ids at any source."""

    def connection(self, name: str) -> Endpoint:
        """Return the endpoint of the source of this name. Raises ConfigurationError without a key or token."""
        token = credential_of(self.token, self.token_command)
        credential = token or credential_of(self.api_key)
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no key or token: set AZURE_OPENAI_API_KEY, or api_key_file or token_command under "
                f"[sources.{name}]"
            )
        cert_file, key_file = self.certificate()
        return Endpoint(
            self._base(),
            credential,
            key_header="Authorization" if token else "api-key",
            key_prefix="Bearer " if token else "",
            query={"api-version": self.api_version} if self.api_version else {},
            client_cert_file=cert_file,
            client_key_file=key_file,
        )

    def _base(self) -> str:
        """Return the URL that `/fine_tuning/jobs` is put behind."""
        path = urlsplit(self.endpoint).path
        if path.endswith((_WITHOUT_VERSION, _WITH_VERSION)):
            return self.endpoint
        is_dated = self.api_version and self.api_version[0].isdecimal()
        return self.endpoint + (_WITH_VERSION if is_dated else _WITHOUT_VERSION)
