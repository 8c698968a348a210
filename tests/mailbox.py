"""A real mail server on loopback that keeps what is handed in, and refuses on request."""

from __future__ import annotations

import asyncio
import email
import ssl
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Letter:
    """A letter as it arrived."""

    sender: str
    recipients: list[str]
    content: EmailMessage
    raw: bytes


@dataclass
class Mailbox:
    """Takes letters with STARTTLS, TLS, or neither; with a user and a password only those who log in may send."""

    tls: ssl.SSLContext | None = None
    is_tls_from_the_start: bool = False
    login: tuple[str, str] | None = None
    letters: list[Letter] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    refuse_sender: str | None = None
    """The reply to MAIL FROM, instead of 250; so for recipients, of whom each has his own, and for letters."""
    refuse: dict[str, list[str]] = field(default_factory=dict)
    """For each recipient the replies in turn; once they are used up he is accepted."""
    refuse_letters: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it is, as a URL."""
        return f"smtp://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._loop = asyncio.get_running_loop()
        direct = self.tls if self.is_tls_from_the_start else None
        self._server = await self._loop.create_server(self._serve, HOST, 0, ssl=direct)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop."""
        self._server.close()

    def _serve(self) -> SMTP:
        starttls = None if self.is_tls_from_the_start else self.tls
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # it does not know that TLS stands before it
            return self._protocol(starttls)

    def _protocol(self, starttls: ssl.SSLContext | None) -> SMTP:
        return SMTP(
            self,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            authenticator=self._authenticate,
            auth_require_tls=starttls is not None,
            auth_required=self.login is not None,
            loop=self._loop,
            command_call_limit=None,
        )

    def _authenticate(self, _server: Any, _session: Session, _envelope: Envelope, _how: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=self.logins[-1] == self.login, handled=False)

    async def handle_MAIL(  # noqa: N802 - the hooks of aiosmtpd are named after commands
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.refuse_sender or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if replies := self.refuse.get(address):
            return replies.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse_letters:
            return self.refuse_letters.pop(0)
        assert isinstance(envelope.content, bytes)
        content = email.message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(content, EmailMessage)
        letter = Letter(envelope.mail_from or "", list(envelope.rcpt_tos), content, envelope.content)
        self.letters.append(letter)
        return f"250 2.0.0 kept as letter {len(self.letters)}"


def certificates(directory: Path) -> tuple[ssl.SSLContext, Path]:
    """Make a server's TLS settings, and the file of the authority to be trusted."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    trusted = directory / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    return context, trusted


class Scripted:
    """A server that answers each line it reads with the next of its replies, whatever the line says."""

    def __init__(self, replies: Iterable[bytes | None]) -> None:
        """Send these in turn, the first one as a greeting; None: say nothing more."""
        self._replies = list(replies)
        self._open: set[asyncio.Task[None]] = set()
        self.ended = asyncio.Event()
        self.port = 0

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Stop, and end what is still open."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._answer(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for reply in self._replies:
                if reply is None:
                    await reader.read()  # until the client gives up
                    break
                writer.write(reply)
                await writer.drain()
                await reader.readline()
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.ended.set()
