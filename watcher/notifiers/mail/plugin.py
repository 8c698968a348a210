"""The e-mail notifier: a letter handed in at a mail server."""

from __future__ import annotations

import asyncio
import re
import smtplib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.messages import Message
from watcher.domain.text import excerpt
from watcher.http import tls_context
from watcher.notifiers.blocking import BlockingAttempts
from watcher.notifiers.mail.letter import letter_of
from watcher.notifiers.mail.smtp import PORTS, Conversation, Security, Server, is_permanent, judge, tell_refused
from watcher.notifiers.wording import ends_job
from watcher.plugins.notifier import Context, Plugin
from watcher.plugins.section import Section, expected
from watcher.redaction import Redactor

PATIENCE = timedelta(seconds=15)
"""How long an attempt may take as a whole."""
PICTURE_LIMIT = timedelta(seconds=3)
"""How long drawing a picture may take before that."""
STEP_TIMEOUT = timedelta(seconds=30)
"""How long a step may take by itself. An attempt that is given up ends sooner, by being abandoned."""
CONCURRENCY = 2
STUCK_THREADS = 8
"""Conversations at most, those among them that were abandoned and have not noticed yet."""
_ANSWER_EXCERPT = 300
_REMEMBERED = 1000
"""Letters whose recipients are remembered while some of them are still to be reached."""
_HOST = re.compile(r"[A-Za-z0-9:][A-Za-z0-9.:_-]*")
_MAIL_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


def _check_host(host: str) -> str:
    if not _HOST.fullmatch(host):
        raise expected("the name of a mail server, such as smtp.example.com")
    return host


def _check_mail_address(address: str) -> str:
    if not _MAIL_ADDRESS.fullmatch(address):
        raise expected("an e-mail address such as team@example.com, without a name")
    return address


def _check_user(user: str) -> str:
    if not user.isascii() or not user.isprintable() or not user:
        raise expected("printable ASCII")
    return user


def _check_password(password: SecretStr) -> SecretStr:
    _check_user(password.get_secret_value())
    return password


MailAddress = Annotated[str, AfterValidator(_check_mail_address)]


class Config(Section):
    """Where letters are handed in, and to whom they go."""

    host: Annotated[str, AfterValidator(_check_host)]
    """The mail server that takes letters from here, such as `smtp.example.com`."""
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Default: 587 with STARTTLS, 465 with TLS, 25 without either."""
    sender: MailAddress
    """The address that letters come from."""
    to: Annotated[list[MailAddress], Field(min_length=1, max_length=50)]
    """The addresses that letters go to."""
    user: Annotated[str, AfterValidator(_check_user)] | None = None
    """The name to log in with; without it there is no login."""
    password: Annotated[SecretStr, AfterValidator(_check_password)] | None = None
    """The password, or a token in its place."""
    security: Annotated[Security, Field(validate_default=True)] = Security.STARTTLS
    """`starttls`: TLS from the first command on, and never without; `tls`: TLS from the first byte on; `none`."""

    @field_validator("security")
    @classmethod
    def _check_login(cls, security: Security, info: ValidationInfo) -> Security:
        user, password = info.data.get("user"), info.data.get("password")
        if "password" in info.data and bool(user) != bool(password):
            raise PydanticCustomError("mistake", "a login needs both user and password")
        if password and security is Security.NONE:
            raise PydanticCustomError("mistake", "a password is sent with starttls or tls only")
        return security


class Mail:
    """Hands in one letter for all recipients."""

    concurrency = CONCURRENCY

    def __init__(
        self, config: Config, context: Context, patience: timedelta = PATIENCE, drawing: timedelta = PICTURE_LIMIT
    ) -> None:
        """Make the notifier. Raises ConfigurationError for trusted certificates that are not there."""
        tls = None
        if config.security is not Security.NONE:
            tls = tls_context()
            tls.set_alpn_protocols([])  # a server that knows its protocols would refuse that of the web
            tls.with_roots()
        password = config.password.get_secret_value() if config.password else None
        port = config.port or PORTS[config.security]
        step_seconds = STEP_TIMEOUT.total_seconds()
        self._server = Server(config.host, port, config.security, tls, config.user, password, step_seconds)
        self._config = config
        self._context, self._drawing = context, drawing
        self._mask = Redactor([password] if password else [])
        self._attempts = BlockingAttempts(STUCK_THREADS, patience)
        self._reached: dict[str, set[str]] = {}
        """The recipients that a letter has reached while it has not reached others, by its id."""

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:  # noqa: ARG002 - threads
        """Make one attempt, for those recipients that the letter has not reached yet."""
        conversation = Conversation(self._server)
        reached = self._reached.get(message.id, set())
        owed = [address for address in self._config.to if address not in reached]
        curve = await self._curve(message)
        letter = letter_of(
            message,
            self._config.sender,
            self._config.to,
            self._context.clock(),
            curve=curve,
            public_url=self._context.public_url,
        ).as_bytes()
        outcome = await self._attempts.run(
            lambda: self._hand_in(conversation, message.id, owed, letter), conversation.abandon
        )
        return self._masked(outcome)

    async def _curve(self, message: Message) -> bytes | None:
        """Draw how a job trained that has ended; a letter does not wait long for its picture."""
        if self._context.curve is None or not ends_job(message):
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drawing.total_seconds()):
                return await self._context.curve(message)
        return None

    def _hand_in(self, conversation: Conversation, message_id: str, owed: Sequence[str], letter: bytes) -> Outcome:
        try:
            receipt = conversation.hand_in(self._config.sender, owed, letter)
        except (smtplib.SMTPException, OSError, UnicodeError) as error:
            return judge(error)
        later = {name: reply for name, reply in receipt.refused.items() if not is_permanent(reply[0])}
        if not later:
            self._reached.pop(message_id, None)
            told = f", but {tell_refused(receipt.refused)}" if receipt.refused else ""
            return Delivered(receipt.reply + told)
        if len(self._reached) < _REMEMBERED:
            self._reached.setdefault(message_id, set()).update(set(owed) - set(later))
        return Failed(f"not yet taken for {tell_refused(later)}")

    def _masked(self, outcome: Outcome) -> Outcome:
        # Masked before it is cut, so that no half of a secret stays at the cut.
        match outcome:
            case Delivered(answer):
                return Delivered(excerpt(self._mask.hide(answer), _ANSWER_EXCERPT))
            case Failed(error, wait):
                return Failed(excerpt(self._mask.hide(error), _ANSWER_EXCERPT), wait)
            case Rejected(error):
                return Rejected(excerpt(self._mask.hide(error), _ANSWER_EXCERPT))
            case _:
                return outcome


plugin = Plugin(Config, Mail)
