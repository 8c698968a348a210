"""The settings of Mistral."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {"MISTRAL_API_KEY": "api_key"}
"""The variable of the official SDK."""


class Config(KeySettings):
    """Mistral, whose vendor no longer supports fine-tuning by this API."""

    base_url: BaseUrl = "https://api.mistral.ai/v1"
    """Where the API is. Requests go to `{base_url}/fine_tuning/jobs/{id}`."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a key."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no API key: set MISTRAL_API_KEY, or api_key_file under [sources.{name}]"
            )
        return Endpoint(self.base_url, credential)
