"""Servers on loopback that send what an HTTP library would not let us send."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from watcher.http import Bounds

SHORT_TIMEOUT = Bounds(timedelta(seconds=1), concurrency=4, size_limit=1000)
LONG_TIMEOUT = Bounds(timedelta(seconds=5), concurrency=4, size_limit=100_000)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(handle: Handler) -> AsyncIterator[str]:
    """Hand each connection over once its first request has arrived, and close it afterwards."""

    async def first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await handle(reader, writer)

    async with connections(first) as url:
        yield url


@asynccontextmanager
async def connections(
    handle: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """Hand each connection over as it is opened, and close it afterwards."""
    open_ones: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await handle(reader, writer)
        finally:
            writer.close()

    def start(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        open_ones.add(asyncio.create_task(closing(reader, writer)))

    listening = await asyncio.start_server(start, host, 0, ssl=tls)
    try:
        scheme = "https" if tls else "http"
        written = f"[{host}]" if ":" in host else host
        yield f"{scheme}://{written}:{listening.sockets[0].getsockname()[1]}/hooks/very-secret"
    finally:
        listening.close()
        for task in open_ones:
            task.cancel()
        await asyncio.gather(*open_ones, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()  # data that the client has not read
        await asyncio.sleep(0)  # asyncio closes the sockets in its next turn


def answering(*pieces: bytes, pause: float = 0.0) -> Handler:
    """Write the pieces to any request, with a pause after each."""

    async def handle(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return handle


_AT_LOOPBACK = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])


class Authority:
    """A certificate authority on disk, with the files that each side needs."""

    def __init__(self, directory: Path, server: str = "127.0.0.1") -> None:
        authority = trustme.CA()
        self.trusted = directory / "ca.pem"
        self.client_cert, self.client_key = directory / "client.pem", directory / "client.key"
        authority.cert_pem.write_to_path(self.trusted)
        client = authority.issue_cert("watcher@example.com")
        client.cert_chain_pems[0].write_to_path(self.client_cert)
        client.private_key_pem.write_to_path(self.client_key)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(server).configure_cert(self.server)
        authority.configure_trust(self.server)


class Plain:
    """An authority as people make them by hand: no key identifiers, and no word about what its key is for.

    Its server is known by an address, or by nothing but a common name.
    """

    def __init__(self, directory: Path, common_name: str | None = None) -> None:
        self.trusted = directory / "plain.pem"
        key, authority_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")])
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name or "A server")])
        is_one = x509.BasicConstraints(ca=True, path_length=None)
        authority = _certificate(issuer, issuer, authority_key).add_extension(is_one, critical=True)
        certificate = _certificate(subject, issuer, key)
        if common_name is None:
            certificate = certificate.add_extension(_AT_LOOPBACK, critical=False)
        self.trusted.write_bytes(_pem(authority.sign(authority_key, hashes.SHA256())))
        self.server = _server_with(directory / "chain.pem", certificate.sign(authority_key, hashes.SHA256()), key)


class SelfSigned:
    """A server whose certificate is its own authority, as `openssl req -x509` makes it."""

    def __init__(self, directory: Path) -> None:
        self.trusted = directory / "self-signed.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A gateway")])
        is_one = x509.BasicConstraints(ca=True, path_length=None)
        certificate = _certificate(name, name, key).add_extension(_AT_LOOPBACK, critical=False)
        signed = certificate.add_extension(is_one, critical=True).sign(key, hashes.SHA256())
        self.trusted.write_bytes(_pem(signed))
        self.server = _server_with(directory / "self-signed-with-key.pem", signed, key)


def _server_with(file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(_pem(certificate) + key.private_bytes(*form))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
