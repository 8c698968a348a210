"""The settings of Google Vertex AI."""

from __future__ import annotations

from urllib.parse import quote

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl, HeaderText, PathPart, Region
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {
    "GOOGLE_CLOUD_PROJECT": "project",
    "GOOGLE_CLOUD_LOCATION": "location",
    "GOOGLE_CLOUD_QUOTA_PROJECT": "quota_project",
}
"""The variables of the official SDK."""
_GLOBAL = "global"


class Config(KeySettings):
    """Google Vertex AI.

    Its key is an OAuth token, which ends after an hour: `token_command` prints new ones, such as `gcloud auth
    print-access-token`.
    """

    project: PathPart
    """The id or the number of the project."""
    location: Region = "us-central1"
    """Where the jobs run."""
    quota_project: HeaderText | None = None
    """The project that pays for the requests, sent as `x-goog-user-project`: credentials of people may need it."""
    base_url: BaseUrl | None = None
    """Where the API is. Default: the host of the location, `https://{location}-aiplatform.googleapis.com/v1`. Requests
    go to `{base_url}/projects/{project}/locations/{location}/tuningJobs/{id}`."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a token."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f'source {name}: no token: set token_command = "gcloud auth print-access-token", or api_key_file for a '
                f"file that holds a token, under [sources.{name}]"
            )
        host = "" if self.location == _GLOBAL else f"{self.location}-"
        base_url = self.base_url or f"https://{host}aiplatform.googleapis.com/v1"
        return Endpoint(
            f"{base_url}/projects/{quote(self.project, safe='')}/locations/{self.location}",
            credential,
            headers={"x-goog-user-project": self.quota_project} if self.quota_project else {},
        )
