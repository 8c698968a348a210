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

import pytest

from tests.doubles import ManualClock
from tests.loopback import LoopbackReceiver
from tests.third_party import install
from watcher.engine.ports import Notifier
from watcher.http import Bounds, HttpClient, Pacer, tls_context
from watcher.plugins import registry
from watcher.plugins.notifier import Context

THIRD_PARTY = Path(__file__).parent / "third_party"
TOKEN = "Zr8mQ2xW5tKq"
PASSWORD = "pA55-of-the-hook"
KEY = "whsec_" + "c2VjcmV0LWtleS1vZi10aGUtaG9vay1mb3ItdGVzdHM="
BEARER = "Bearer tok-9f8e7d6c5b"


@dataclass(frozen=True)
class Trial:
    """A kind of notifier and the settings to test it with."""

    kind: str
    settings: Callable[[str], dict[str, Any]]
    """Makes the settings from the URL of a receiver."""
    secrets: tuple[str, ...] = ()


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
TRIALS = [STDOUT, WEBHOOK, SLACK, BULLETIN]
OVER_HTTP = [WEBHOOK, SLACK, BULLETIN]


class NoPacer(Pacer):
    """A pacer that never waits: pacing has its own tests."""

    async def turn(self, address: str, spacing: timedelta) -> None:
        """Return at once."""


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


@pytest.fixture
def make(
    site: Path, receiver: LoopbackReceiver, context: Context, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Notifier]:
    """Build notifiers that write to the receiver, through the registry."""
    monkeypatch.syspath_prepend(str(site))

    def build(trial: Trial, given: Context = context) -> Notifier:
        plugin = registry.notifiers.plugin(trial.kind)
        return plugin.build(plugin.config.model_validate(trial.settings(receiver.url)), given)

    return build


@pytest.fixture
def arrived(receiver: LoopbackReceiver, capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    """Return what has arrived at the receiver and on standard output, decoded."""

    def texts() -> list[str]:
        posted = [json.dumps(dict(r.headers)) + r.body.decode() for r in receiver.requests]
        return posted + capsys.readouterr().out.splitlines()

    return texts


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
