"""Sources that cannot be reached: a host that no name server knows, and certificates that nobody should accept."""

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
from tests.evidence.faults import EXPIRED, LISTED, UNKNOWN_AUTHORITY, UNKNOWN_HOST
from tests.evidence.stage import Stage
from watcher.simulator.server import HOST

NOWHERE = "simulated.invalid"
"""A host that does not exist, and never will: RFC 6761."""
_CHUNK_BYTES = 65_536


class Unreachable:
    """What stands between a watcher and three of the APIs of a stage, and can be mended."""

    def __init__(self, scene: Stage, authority: trustme.CA, trust: Path) -> None:
        authority.cert_pem.write_to_path(trust)
        self.environment = {"SSL_CERT_FILE": str(trust)}
        """Makes the watcher trust our authority, and nobody else."""
        self._scene = scene
        self._authority = authority
        self._fronts = {name: TlsFront(_port(scene, name)) for name in (UNKNOWN_AUTHORITY, EXPIRED)}

    def broken(self, **parts: Any) -> Settings:
        """Return settings with which none of the three can be reached."""
        return self._settings(NOWHERE, parts)

    def whole(self, **parts: Any) -> Settings:
        """Return settings with which all three can be reached, once `mend` was called."""
        return self._settings(HOST, parts)

    def spoil(self) -> None:
        """Show a certificate of an authority that no client trusts, and one that was good until yesterday."""
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._fronts[UNKNOWN_AUTHORITY].show(trustme.CA().issue_cert(HOST))
        self._fronts[EXPIRED].show(self._authority.issue_cert(HOST, not_after=yesterday))

    def mend(self) -> None:
        """Show good certificates from now on."""
        for front in self._fronts.values():
            front.show(self._authority.issue_cert(HOST))

    def _settings(self, host: str, parts: Mapping[str, Any]) -> Settings:
        settings = self._scene.settings(**parts)
        sources = settings["sources"]
        for name, source in sources.items():
            source |= {"timeout": "1s", "strategy": "list" if name == LISTED else "retrieve"}
        sources[UNKNOWN_HOST]["base_url"] = f"http://{host}:{_port(self._scene, UNKNOWN_HOST)}/v1"
        for name, front in self._fronts.items():
            sources[name]["base_url"] = f"https://{HOST}:{front.port}/v1"
        return settings

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Take connections."""
        async with AsyncExitStack() as stack:
            for front in self._fronts.values():
                await stack.enter_async_context(front.listening())
            yield


@asynccontextmanager
async def unreachable(scene: Stage, trust: Path) -> AsyncIterator[Unreachable]:
    """Stand between the watcher and the APIs; `trust` is written: whom the watcher trusts."""
    hosts = Unreachable(scene, trustme.CA(), trust)
    hosts.spoil()
    async with hosts.listening():
        yield hosts


class TlsFront:
    """Takes TLS connections, and passes on what they say to a port of this machine."""

    def __init__(self, behind: int) -> None:
        self.port = 0
        """Where it listens."""
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def show(self, certificate: trustme.LeafCert) -> None:
        """Show this certificate to whoever connects from now on."""
        certificate.configure_cert(self._context)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen on a port of its own."""
        server = await asyncio.start_server(self._pass_on, HOST, 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
        await server.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(HOST, self._behind)
        with suppress(ConnectionError, ssl.SSLError):
            await asyncio.gather(_copy(reader, back), _copy(there, writer))


def _port(scene: Stage, name: str) -> int:
    return int(scene.truths[name].base_url.rsplit(":", 1)[1].split("/")[0])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
