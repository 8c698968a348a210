"""The settings of Together AI."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {"TOGETHER_API_KEY": "api_key", "TOGETHER_BASE_URL": "base_url"}
"""The variables of the official SDK."""


class Config(KeySettings):
    """Together AI."""

    base_url: BaseUrl = "https://api.together.ai/v1"
    """Where the API is. Requests go to `{base_url}/fine-tunes/{id}`."""

    def connection(self, name: str) -> Endpoint:
        """Return the endpoint of the source of this name. Raises ConfigurationError without a key."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no API key: set TOGETHER_API_KEY, or api_key_file under [sources.{name}]"
            )
        return Endpoint(self.base_url, credential)
