"""The settings of AWS Bedrock."""

from __future__ import annotations

from watcher.errors import ConfigurationError
from watcher.plugins.values import BaseUrl, Region
from watcher.sources.access import KeySettings
from watcher.sources.endpoint import Endpoint

VARIABLES = {
    "AWS_BEARER_TOKEN_BEDROCK": "api_key",
    "AWS_REGION": "region",
    "AWS_DEFAULT_REGION": "region",
}
"""The variables of the official SDK."""
_OF_CHINA = "cn-"


class Config(KeySettings):
    """AWS Bedrock, model customization.

    Its key is an API key of Bedrock; requests are not signed. A short-term key ends after twelve hours at most:
    `token_command` prints new ones.
    """

    region: Region
    """Where the jobs run, such as `us-east-1`."""
    base_url: BaseUrl | None = None
    """Where the API is. Default: the host of the region, `https://bedrock.{region}.amazonaws.com`. Requests go to
    `{base_url}/model-customization-jobs/{name or ARN}`."""

    def connection(self, name: str) -> Endpoint:
        """Return where the source of this name asks, and as whom. Raises ConfigurationError without a key."""
        credential = self.credential()
        if credential is None:
            raise ConfigurationError(
                f"source {name}: no API key: set AWS_BEARER_TOKEN_BEDROCK, or api_key_file or token_command under "
                f"[sources.{name}]; requests are not signed with access keys"
            )
        domain = "amazonaws.com.cn" if self.region.startswith(_OF_CHINA) else "amazonaws.com"
        return Endpoint(self.base_url or f"https://bedrock.{self.region}.{domain}", credential)
