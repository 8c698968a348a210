"""Every kind of notifier, each with secrets in its settings."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.doubles import ManualClock, NoPacer
from tests.loopback import LoopbackReceiver, Reply
from tests.mailbox import Letter, Mailbox, certificates
from tests.third_party import install
from watcher.engine.ports import Notifier
from watcher.http import Bounds, HttpClient, tls_context
from watcher.plugins import registry
from watcher.plugins.notifier import Context

THIRD_PARTY = Path(__file__).parent / "third_party"
TOKEN = "Zr8mQ2xW5tKq"
PASSWORD = "pA55-of-the-hook"
KEY = "whsec_" + "c2VjcmV0LWtleS1vZi10aGUtaG9vay1mb3ItdGVzdHM="
ROUTING_KEY = "r0uting4key5of6thirty2characters"
BEARER = "Bearer tok-9f8e7d6c5b"


@dataclass(frozen=True)
class Trial:
    """A kind of notifier and the settings to test it with."""

    kind: str
    settings: Callable[[str], dict[str, Any]]
    """Makes the settings from the URL of a receiver."""
    secrets: tuple[str, ...] = ()
    accepts: bytes = b"ok"
    """The body with which its receiver takes a message."""


STDOUT = Trial("stdout", lambda _url: {"format": "json"})
WEBHOOK = Trial(
    "webhook",
    lambda url: {
        "url": url.replace("://", f"://hook:{PASSWORD}@") + f"/hooks/{TOKEN}?key={TOKEN}",
        "secret": KEY,
        "headers": {"Authorization": BEARER},
    },
    (TOKEN, PASSWORD, KEY, KEY.removeprefix("whsec_"), BEARER.removeprefix("Bearer ")),
)
SLACK = Trial("slack", lambda url: {"webhook_url": f"{url}/services/T00000000/B00000000/{TOKEN}"}, (TOKEN,))
BULLETIN = Trial("bulletin", lambda url: {"board": f"{url}/boards/{TOKEN}", "token": PASSWORD}, (TOKEN, PASSWORD))
DISCORD = Trial("discord", lambda url: {"webhook_url": f"{url}/api/webhooks/1234567890/{TOKEN}"}, (TOKEN,))
NTFY = Trial("ntfy", lambda url: {"url": f"{url}/{TOKEN}", "token": PASSWORD}, (TOKEN, PASSWORD))
PAGERDUTY = Trial("pagerduty", lambda url: {"routing_key": ROUTING_KEY, "url": url}, (ROUTING_KEY,))
TEAMS = Trial("teams", lambda url: {"webhook_url": f"{url}/workflows/0123/triggers/manual?sig={TOKEN}"}, (TOKEN,))
OVER_HTTP = [WEBHOOK, SLACK, BULLETIN, DISCORD, NTFY, PAGERDUTY, TEAMS]
EMAIL = Trial(
    "email",
    lambda url: {
        "host": "127.0.0.1",
        "port": urlsplit(url).port or 25,
        "sender": "watcher@example.com",
        "to": ["ann@example.com"],
        "user": "watcher",
        "password": PASSWORD,
    },
    (PASSWORD,),
)
APPRISE = Trial(
    "apprise", lambda url: {"url": url.replace("http://", f"json://hook:{PASSWORD}@") + f"/{TOKEN}"}, (TOKEN, PASSWORD)
)
SLACK_BOT = Trial(
    "slack",
    lambda url: {"token": TOKEN, "channel": "#ml", "api_url": url},
    (TOKEN,),
    b'{"ok": true, "channel": "C0", "ts": "1.0"}',
)
TRIALS = [STDOUT, EMAIL, APPRISE, SLACK_BOT, *OVER_HTTP]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the third-party package, as its users would, into a directory of its own."""
    return install(THIRD_PARTY, tmp_path_factory.mktemp("site"))


@pytest.fixture
async def receiver() -> AsyncIterator[LoopbackReceiver]:
    async with LoopbackReceiver() as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def tls() -> ssl.SSLContext:
    return tls_context()


@pytest.fixture
async def context(clock: ManualClock, tls: ssl.SSLContext) -> AsyncIterator[Context]:
    bounds = Bounds(timeout=timedelta(seconds=5), concurrency=16, size_limit=1_000_000)
    async with HttpClient(bounds, tls=tls) as http:
        yield Context("chat", http, NoPacer(), clock)


@pytest.fixture(scope="session")
def mail_tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def mailbox(mail_tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Mailbox]:
    async with Mailbox(mail_tls[0], login=("watcher", PASSWORD)) as opened:
        yield opened


@pytest.fixture
def make(
    site: Path,
    receiver: LoopbackReceiver,
    mailbox: Mailbox,
    mail_tls: tuple[ssl.SSLContext, Path],
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Notifier]:
    """Build notifiers that write to the receiver or to the mailbox, through the registry."""
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("SSL_CERT_FILE", str(mail_tls[1]))

    def build(trial: Trial, given: Context = context) -> Notifier:
        plugin = registry.notifiers.plugin(trial.kind)
        url = mailbox.url if trial is EMAIL else receiver.url
        if receiver.replies == [Reply()]:
            receiver.replies = [Reply(body=trial.accepts)]
        return plugin.build(plugin.config.model_validate(trial.settings(url)), given)

    return build


@pytest.fixture
def arrived(
    receiver: LoopbackReceiver, mailbox: Mailbox, capsys: pytest.CaptureFixture[str]
) -> Callable[[], list[str]]:
    """Return what has arrived at the receiver, in the mailbox and on standard output, decoded."""

    def texts() -> list[str]:
        posted = [json.dumps(dict(r.headers)) + r.body.decode() for r in receiver.requests]
        letters = [json.dumps([*letter.content.items(), _text_of(letter)]) for letter in mailbox.letters]
        return posted + letters + capsys.readouterr().out.splitlines()

    return texts


def _text_of(letter: Letter) -> str:
    return "".join(part.get_content() for part in letter.content.walk() if not part.is_multipart())


@pytest.fixture
def written(
    context: Context, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> Callable[[], str]:
    """Return everything that was logged at any level, and the representation of the context."""
    caplog.set_level(logging.DEBUG)

    def texts() -> str:
        logging.getLogger("anybody").debug("the log is being watched")
        assert "the log is being watched" in caplog.text
        return "\n".join([caplog.text, *map(repr, caplog.records), capsys.readouterr().err, repr(context)])

    return texts
