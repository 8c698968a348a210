"""The settings of LocalAI."""

from __future__ import annotations

from watcher.plugins.values import BaseUrl
from watcher.sources.access import KeySettings
from watcher.sources.credentials import FixedCredential
from watcher.sources.endpoint import Endpoint

VARIABLES = {"LOCALAI_API_KEY": "api_key"}
"""The variable of its server."""


class Config(KeySettings):
    """LocalAI. Its statuses move only while something, such as its own page, reads the progress of the job."""

    base_url: BaseUrl = "http://localhost:8080"
    """Where the server is. Requests go to `{base_url}/api/fine-tuning/jobs/{id}`."""

    def connection(self) -> Endpoint:
        """Return where the source asks, and as whom: a server may want no key."""
        return Endpoint(self.base_url, self.credential() or FixedCredential())
