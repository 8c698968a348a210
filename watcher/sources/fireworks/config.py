"""The settings of Fireworks AI."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl, PathPart
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {
    "FIREWORKS_API_KEY": "api_key",
    "FIREWORKS_ACCOUNT_ID": "account",
    "FIREWORKS_BASE_URL": "base_url",
}
"""The variables of the official SDK."""


class Config(KeySettings):
    """Fireworks AI."""

    account: PathPart
    """The id of the account whose jobs are watched: what stands behind `accounts/` in the names of its jobs."""
    base_url: BaseUrl = "https://api.fireworks.ai"
    """Where the API is. Requests go to `{base_url}/v1/accounts/{account}/supervisedFineTuningJobs/{id}`, and to
    `dpoJobs` and `reinforcementFineTuningJobs` there."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a key."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no API key: set FIREWORKS_API_KEY, or api_key_file under [sources.{name}]"
            )
        return Endpoint(f"{self.base_url.removesuffix('/v1')}/v1/accounts/{self.account}", credential)
