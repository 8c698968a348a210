"""A dead man's switch, in the manner of healthchecks: its silence is the alarm."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from watcher.errors import ConfigurationError
from watcher.http import Bounds, HttpClient, HttpError

_BOUNDS = Bounds(timeout=timedelta(seconds=10), concurrency=1, size_limit=64 * 1024)


class Heartbeat:
    """Asks for a URL while all is well, and for the one that says so while it is not."""

    def __init__(self, url: str) -> None:
        """Raises ConfigurationError for a URL that cannot be asked for."""
        self._client = HttpClient(_BOUNDS)
        try:
            self._well = self._client.request("GET", url)
            self._unwell = self._client.request("GET", failing(url))
        except ValueError:
            raise ConfigurationError("heartbeat.url cannot be used as an address") from None

    async def __aenter__(self) -> Self:
        """Open the connection."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._client.__aexit__(exc_type, error, traceback)

    async def beat(self, *, is_well: bool) -> str | None:
        """Send the heartbeat; return why it did not arrive, None if it did."""
        try:
            answer = await self._client.exchange(self._well if is_well else self._unwell)
        except HttpError as error:
            return str(error)
        return None if answer.is_success else f"HTTP {answer.status_code}"


def failing(url: str) -> str:
    """Return where to say that not all is well. Raises ValueError for what is no address.

    healthchecks takes `/fail` behind the path. A push URL of Uptime Kuma says `status=up` in its query: it would take
    anything behind that for a sign of life, and is told `status=down`.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if query.get("status") == "up":
        return urlunsplit(parts._replace(query=urlencode(query | {"status": "down", "msg": "not well"})))
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/fail"))
