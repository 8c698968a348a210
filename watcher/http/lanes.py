"""The ways to a server, for one exchange at a time: straight, or through the proxy that the environment names.

Both are transports as httpx defines them, so that another library's can take their place.
"""

from __future__ import annotations

import ssl
from http.cookiejar import CookieJar
from urllib.request import getproxies

import httpx

_PROXIES = {"http", "https", "all"}


def open_lane(tls: ssl.SSLContext, *, keeps_connection: bool) -> httpx.AsyncBaseTransport:
    """Open a lane: a straight one unless the environment names a proxy for anything.

    One connection a lane: httpx's pool looks at every connection and every waiting request for each request that
    comes or ends, which soon costs more than the requests themselves (encode/httpcore#1035). And a transport rather
    than a client, whose redirects, cookies, hooks and authentication are not wanted, and cost as much again.
    """
    limits = httpx.Limits(max_connections=1, max_keepalive_connections=int(keeps_connection))
    if _PROXIES & getproxies().keys():
        return ProxiedLane(tls, limits)
    return httpx.AsyncHTTPTransport(verify=tls, limits=limits)


class ProxiedLane(httpx.AsyncBaseTransport):
    """Goes the way that httpx's client finds in the environment: `HTTP_PROXY`, `NO_PROXY` and their like."""

    def __init__(self, tls: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._client = httpx.AsyncClient(
            verify=tls,
            limits=limits,
            timeout=None,  # noqa: S113 - HttpClient bounds the exchange as a whole
            cookies=_NoCookies(),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; its response must be closed before the next one. Raises httpx.HTTPError."""
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()


class _NoCookies(CookieJar):
    """A jar that keeps nothing: an API client has no use for cookies, and looking after them costs."""

    def extract_cookies(self, response: object, request: object) -> None:
        pass

    def add_cookie_header(self, request: object) -> None:
        pass
