"""The settings of OpenAI's API, and of services that speak it."""

from __future__ import annotations

from pydantic import Field

from watcher.plugins.values import BaseUrl, HeaderText
from watcher.sources.access import CertificateSettings, KeySettings
from watcher.sources.openai.endpoint import DEFAULT_BASE_URL, Access


class Config(CertificateSettings, KeySettings):
    """OpenAI's API, or a service that speaks it."""

    base_url: BaseUrl = DEFAULT_BASE_URL
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""
    organization: HeaderText | None = None
    """Sent as `OpenAI-Organization`."""
    project: HeaderText | None = None
    """Sent as `OpenAI-Project`."""
    query: dict[str, str] = Field(default_factory=dict)
    """Further parameters of every request, such as the `custom_llm_provider` of a LiteLLM proxy."""

    def access(self) -> Access:
        """Return where the API is, and the credential."""
        cert, key = self.certificate()
        return Access(self.base_url, self.credential(), self.organization, self.project, self.query, cert, key)
