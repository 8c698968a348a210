"""One conversation with a mail server, over the standard library's client, and what the server's words mean."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, BinaryIO

from watcher.domain.deliveries import Failed, Outcome, Rejected

ACCEPTED = frozenset({250, 251})
_NOT_SMTP = "the server broke off or does not speak SMTP"
REPLIES_LIMIT = 100_000
"""Bytes of all replies in a conversation; a usual one has less than two thousand."""
_CLOSING = 421
_CREDENTIAL_CODES = frozenset({530, 534, 535, 538})
"""What a server says of a credential: it can be mended while what is owed waits."""
_PERMANENT = 500
"""RFC 5321: a reply 5yz says that the same will never be accepted, 4yz that it may be later."""

Reply = tuple[int, str]


class Security(StrEnum):
    """How the conversation is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS: Mapping[Security, int] = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in, and as whom."""

    host: str
    port: int
    security: Security
    tls: ssl.SSLContext | None
    """None where the conversation is not protected."""
    user: str | None
    password: str | None
    timeout_seconds: float
    """For each step of the conversation."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said of one letter."""

    reply: str
    """To the letter itself, for people."""
    refused: Mapping[str, Reply] = field(default_factory=dict)
    """The recipients that it did not take."""


class _Replies:
    """What the server says, within bounds: the library would gather the lines of a reply without an end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = REPLIES_LIMIT

    def readline(self, limit: int) -> bytes:
        line = self._file.readline(limit)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the server says too much")
        return line

    def close(self) -> None:
        self._file.close()


class _Client(smtplib.SMTP):
    """Makes itself known before it waits for a reply: the greeting is waited for while the client is being made."""

    def __init__(self, known: list[smtplib.SMTP], **settings: Any) -> None:
        self._known = known
        super().__init__(**settings)

    def getreply(self) -> tuple[int, bytes]:
        self._known[:] = [self]
        if self.file is None and self.sock:
            self.file = _Replies(self.sock.makefile("rb"))
        return super().getreply()


class _TlsClient(_Client, smtplib.SMTP_SSL):
    """The same, with TLS from the first byte on."""


class Conversation:
    """Hands in one letter, blocking. Another thread may abandon it."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._known: list[smtplib.SMTP] = []
        """The client, once it is connected."""

    def hand_in(self, sender: str, recipients: Sequence[str], letter: bytes) -> Receipt:
        """Send the letter to as many recipients as the server takes.

        Raises SMTPException and OSError; SMTPRecipientsRefused if the server takes none of them.
        """
        client = self._connect()
        try:
            self._introduce(client)
            code, reply = client.mail(sender)
            if code not in ACCEPTED:
                raise smtplib.SMTPSenderRefused(code, reply, sender)
            refused = self._name(client, recipients)
            code, reply = client.data(letter)
            if code not in ACCEPTED:
                raise smtplib.SMTPDataError(code, reply)
            with contextlib.suppress(smtplib.SMTPException, OSError):  # the letter has been taken
                client.quit()
        finally:
            client.close()
        return Receipt(f"{code} {words_of(reply)}", refused)

    def abandon(self) -> None:
        """Make a conversation that goes on end with an error."""
        for client in self._known:
            if sock := client.sock:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        where = {"host": server.host, "port": server.port, "timeout": server.timeout_seconds}
        if server.security is Security.TLS:
            return _TlsClient(self._known, context=server.tls, **where)
        return _Client(self._known, **where)

    def _introduce(self, client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        if self._server.security is Security.STARTTLS:
            client.starttls(context=self._server.tls)
            client.ehlo()
        if self._server.user and self._server.password:
            client.login(self._server.user, self._server.password)

    def _name(self, client: smtplib.SMTP, recipients: Sequence[str]) -> Mapping[str, Reply]:
        refused: dict[str, Reply] = {}
        for recipient in recipients:
            code, reply = client.rcpt(recipient)
            if code == _CLOSING:
                raise smtplib.SMTPResponseException(code, reply)
            if code not in ACCEPTED:
                refused[recipient] = code, words_of(reply)
        if len(refused) == len(recipients):
            raise smtplib.SMTPRecipientsRefused({name: (code, text.encode()) for name, (code, text) in refused.items()})
        return refused


def is_permanent(code: int) -> bool:
    """Tell whether a reply says that the same will never be accepted."""
    return code >= _PERMANENT and code not in _CREDENTIAL_CODES


def judge(error: smtplib.SMTPException | OSError | UnicodeError) -> Outcome:
    """Say what an error means for the letter."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            replies = [code for code, _ in error.recipients.values()]
            told = tell_refused({name: (code, words_of(text)) for name, (code, text) in error.recipients.items()})
            return Rejected(told) if all(map(is_permanent, replies)) else Failed(told)
        case smtplib.SMTPSenderRefused() | smtplib.SMTPDataError():
            told = f"{error.smtp_code} {words_of(error.smtp_error)}"
            return Rejected(told) if is_permanent(error.smtp_code) else Failed(told)
        case smtplib.SMTPResponseException() if error.smtp_code < 0:
            return Failed(_NOT_SMTP)
        case smtplib.SMTPResponseException():
            return Failed(f"{error.smtp_code} {words_of(error.smtp_error)}")
        case ssl.SSLCertVerificationError():
            return Failed(f"TLS certificate not accepted: {error.verify_message}")
        case smtplib.SMTPServerDisconnected():
            return Failed(_NOT_SMTP)
        case smtplib.SMTPException():
            return Failed(str(error))
        case UnicodeError():
            return Failed("the name of the mail server cannot be looked up")
        case TimeoutError():
            return Failed("the server does not answer")
        case _:
            return Failed(f"cannot speak to the mail server: {error.strerror or type(error).__name__}")


def tell_refused(refused: Mapping[str, Reply]) -> str:
    """Name the recipients that were refused, with the server's words."""
    return "; ".join(f"{recipient}: {code} {words}" for recipient, (code, words) in refused.items())


def words_of(reply: bytes | str) -> str:
    """Return a reply as one line."""
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return " ".join(text.split())
