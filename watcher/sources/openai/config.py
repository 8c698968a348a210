"""The settings of OpenAI's API, and of services that speak it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from watcher.domain.addresses import is_address
from watcher.plugins.section import expected
from watcher.plugins.values import HeaderText
from watcher.sources.access import CertificateSettings, KeySettings
from watcher.sources.openai.endpoint import DEFAULT_BASE_URL, Access
from watcher.sources.openai.webhooks import WebhookSecret


def _check_url(url: str) -> str:
    if not is_address(url):
        raise expected("an http:// or https:// URL such as https://api.example.com/v1, without user or fragment")
    return url.rstrip("/")


ServiceUrl = Annotated[str, AfterValidator(_check_url)]
"""Where a service is: requests go to a path behind it, with the parameters of its query."""


Lists = Literal["jobs", "batches"]
"""Which list is read."""


class ServiceSettings(CertificateSettings, KeySettings):
    """What speaks OpenAI's API, wherever it is."""

    base_url: ServiceUrl = DEFAULT_BASE_URL
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""
    query: dict[str, str] = Field(default_factory=dict)
    """Further parameters of every request, such as the `custom_llm_provider` of a LiteLLM proxy. They may also stand
    behind the base URL."""


class Config(ServiceSettings):
    """OpenAI's API, or a service that speaks it."""

    organization: HeaderText | None = None
    """Sent as `OpenAI-Organization`."""
    project: HeaderText | None = None
    """Sent as `OpenAI-Project`."""

    lists: Lists = "jobs"
    """Which list is read to find jobs and what has changed: that of fine-tuning `jobs`, or of `batches`. Both are asked
    for by their ids at any source."""

    webhook_secret: WebhookSecret | None = None
    """`whsec_…`, or several while a secret is replaced: webhooks that OpenAI sends to `/hooks/{source}` of the server
    have a job asked for at once. Polling goes on beside them, and is slower for jobs that run once they have proven to
    arrive."""

    def access(self) -> Access:
        """Return where the API is, and the credential."""
        cert, key = self.certificate()
        return Access(self.base_url, self.credential(), self.organization, self.project, self.query, cert, key)
