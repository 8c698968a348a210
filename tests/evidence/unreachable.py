"""Sources that cannot be reached: a host name that does not resolve, and certificates that no client may accept."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from tests.e2e.settings import Settings
from tests.evidence.environment import Environment
from tests.evidence.faults import EXPIRED, LISTED, UNKNOWN_AUTHORITY, UNKNOWN_HOST
from watcher.simulator.server import HOST

UNRESOLVABLE_HOST = "simulated.invalid"
"""A host name that never resolves: RFC 6761."""
_CHUNK_BYTES = 65_536


class UnreachableSources:
    """Makes three APIs of an environment unreachable, and reachable again."""

    def __init__(self, environment: Environment, authority: trustme.CA, trust_file: Path) -> None:
        authority.cert_pem.write_to_path(trust_file)
        self.variables = {"SSL_CERT_FILE": str(trust_file)}
        """The environment variables that make the watcher trust our authority only."""
        self._environment = environment
        self._authority = authority
        self._proxies = {name: TlsProxy(_port(environment, name)) for name in (UNKNOWN_AUTHORITY, EXPIRED)}

    def broken_settings(self, **parts: Any) -> Settings:
        """Return settings with which none of the three can be reached."""
        return self._settings(UNRESOLVABLE_HOST, parts)

    def repaired_settings(self, **parts: Any) -> Settings:
        """Return settings with which all three can be reached, after `repair_certificates`."""
        return self._settings(HOST, parts)

    def break_certificates(self) -> None:
        """Use a certificate of an unknown authority, and one that expired yesterday."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._proxies[UNKNOWN_AUTHORITY].use_certificate(trustme.CA().issue_cert(HOST))
        self._proxies[EXPIRED].use_certificate(self._authority.issue_cert(HOST, not_after=yesterday))

    def repair_certificates(self) -> None:
        """Use valid certificates."""
        for proxy in self._proxies.values():
            proxy.use_certificate(self._authority.issue_cert(HOST))

    def _settings(self, host: str, parts: Mapping[str, Any]) -> Settings:
        settings = self._environment.settings(**parts)
        sources = settings["sources"]
        for name, source in sources.items():
            source |= {"timeout": "1s", "strategy": "list" if name == LISTED else "retrieve"}
        sources[UNKNOWN_HOST]["base_url"] = f"http://{host}:{_port(self._environment, UNKNOWN_HOST)}/v1"
        for name, proxy in self._proxies.items():
            sources[name]["base_url"] = f"https://{HOST}:{proxy.port}/v1"
        return settings

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Accept connections."""
        async with AsyncExitStack() as stack:
            for proxy in self._proxies.values():
                await stack.enter_async_context(proxy.listening())
            yield


@asynccontextmanager
async def unreachable(environment: Environment, trust_file: Path) -> AsyncIterator[UnreachableSources]:
    """Make three sources unreachable; write the certificate of the authority that the watcher trusts to a file."""
    sources = UnreachableSources(environment, trustme.CA(), trust_file)
    sources.break_certificates()
    async with sources.listening():
        yield sources


class TlsProxy:
    """Accepts TLS connections, and forwards them without TLS to a port on loopback."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        """The port on which it listens."""
        self._target_port = target_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def use_certificate(self, certificate: trustme.LeafCert) -> None:
        """Present this certificate on new connections."""
        certificate.configure_cert(self._context)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._forward, HOST, 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        await server.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection(HOST, self._target_port)
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(_copy(reader, target_writer), _copy(target_reader, writer))


def _port(environment: Environment, name: str) -> int:
    return int(environment.apis[name].base_url.rsplit(":", 1)[1].split("/")[0])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
