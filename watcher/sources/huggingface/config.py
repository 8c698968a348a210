"""The settings of Hugging Face Jobs."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl, PathPart
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {"HF_TOKEN": "api_key", "HF_ENDPOINT": "endpoint"}
"""The variables of the official SDK."""


class Config(KeySettings):
    """Hugging Face Jobs."""

    namespace: PathPart
    """The user or the organization whose jobs are watched."""
    endpoint: BaseUrl = "https://huggingface.co"
    """Where the API is. Requests go to `{endpoint}/api/jobs/{namespace}/{id}`."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a token."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no token: set HF_TOKEN, or api_key_file under [sources.{name}], such as "
                "~/.cache/huggingface/token"
            )
        return Endpoint(f"{self.endpoint}/api/jobs/{self.namespace}", credential)

    def page_for_people(self) -> str:
        """Return the address below which each job has a page."""
        return f"{self.endpoint}/jobs/{self.namespace}"
