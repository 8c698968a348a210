"""The settings of Replicate."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {"REPLICATE_API_TOKEN": "api_key"}
"""The variable of the official SDK."""


class Config(KeySettings):
    """Replicate."""

    base_url: BaseUrl = "https://api.replicate.com/v1"
    """Where the API is. Requests go to `{base_url}/trainings/{id}`."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a token."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no API token: set REPLICATE_API_TOKEN, or api_key_file under [sources.{name}]"
            )
        return Endpoint(self.base_url, credential)
