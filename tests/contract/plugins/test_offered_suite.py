"""The suite that authors of plugins are offered: plugins that keep the contract pass it, and a fault fails it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self, cast

import pytest
from pydantic import SecretStr

from tests.third_party import install
from watcher.domain.states import JobState
from watcher.plugins import (
    Address,
    Delivered,
    Failed,
    Message,
    NotifierContext,
    NotifierPlugin,
    Outcome,
    Receiver,
    Section,
    SourceContext,
    SourcePlugin,
    StateMap,
)
from watcher.plugins.registry import notifiers, sources
from watcher.plugins.testing import NotifierContract, SourceContract

SECRET = "t0ken-of-the-trial"
FORGE = Path(__file__).parents[1] / "sources" / "third_party"
BULLETIN = Path(__file__).parents[1] / "notifiers" / "third_party"


class TestWebhook(NotifierContract):
    """One of our own, over HTTP."""

    plugin = notifiers.plugin("webhook")
    secrets = (SECRET,)

    def settings(self, url: str) -> Mapping[str, object]:
        return {"url": f"{url}/hooks", "headers": {"Authorization": f"Bearer {SECRET}"}}


class TestStandardOutput(NotifierContract):
    """One that posts nothing."""

    plugin = notifiers.plugin("stdout")
    speaks_http = False

    def settings(self, url: str) -> Mapping[str, object]:
        del url
        return {"format": "json"}


class TestOpenAI(SourceContract):
    """A source of our own."""

    plugin = sources.plugin("openai")
    secrets = (SECRET,)
    job_id = "ftjob-1"
    statuses = MappingProxyType({"running": JobState.RUNNING, "succeeded": JobState.SUCCEEDED})

    def settings(self, url: str) -> Mapping[str, object]:
        return {"base_url": url, "api_key": SECRET}

    def job(self, status: str) -> bytes:
        return json.dumps({"object": "fine_tuning.job", "id": self.job_id, "status": status}).encode()


@pytest.mark.parametrize("package", [BULLETIN, FORGE], ids=["notifier", "source"])
def test_an_installed_package_passes(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(install(package, tmp_path)))
    suite = _bulletin() if package is BULLETIN else _forge()
    for trial in _trials(suite):
        trial()


class Config(Section):
    """The settings of a notifier with faults."""

    url: Address
    token: SecretStr = SecretStr(SECRET)


class Careless(Section):
    """Settings that show their secret."""

    url: Address
    token: str = SECRET


class Faulty:
    """A notifier, right but for what a test makes wrong."""

    concurrency = 2

    def __init__(self, config: Any, context: NotifierContext) -> None:
        self._receiver = Receiver(context, config.url)

    async def send(self, message: Message, *_: object) -> Outcome:
        return await self._receiver.post(f"{message.title} {message.id}", {"x-token": SECRET})


class KnowsJobsOnly(Faulty):
    """Breaks at a condition."""

    async def send(self, message: Message, *_: object) -> Outcome:
        return await self._receiver.post(f"{message.data['id']} {message.id}", {})


class LeavesTheIdOut(Faulty):
    """Sends no id."""

    async def send(self, message: Message, *_: object) -> Outcome:
        return await self._receiver.post(message.title, {})


class TriesTwice(Faulty):
    """Retries by itself."""

    async def send(self, message: Message, *_: object) -> Outcome:
        first = await super().send(message)
        return await super().send(message) if isinstance(first, Failed) else first


class Hopes(Faulty):
    """Takes every message for sent."""

    async def send(self, message: Message, *_: object) -> Outcome:
        await super().send(message)
        return Delivered()


class Remembers(Faulty):
    """Sends nothing twice."""

    def __init__(self, config: Any, context: NotifierContext) -> None:
        super().__init__(config, context)
        self._sent: set[str] = set()

    async def send(self, message: Message, *_: object) -> Outcome:
        if message.id in self._sent:
            return Delivered()
        self._sent.add(message.id)
        return await super().send(message)


class OnceOnly(Faulty):
    """Says that nothing may be under way."""

    concurrency = 0


FAULTS: list[tuple[str, Any, Any]] = [
    ("test_settings_show_no_secret", Faulty, Careless),
    ("test_every_kind_of_event_is_sent_with_its_id", KnowsJobsOnly, Config),
    ("test_every_kind_of_event_is_sent_with_its_id", LeavesTheIdOut, Config),
    ("test_another_attempt_is_the_same_message", Remembers, Config),
    ("test_as_many_as_it_allows_go_out_side_by_side", OnceOnly, Config),
    ("test_what_goes_wrong_at_the_receiver_is_an_outcome", TriesTwice, Config),
    ("test_what_goes_wrong_at_the_receiver_is_an_outcome", Hopes, Config),
    ("test_a_receiver_that_repeats_secrets_does_not_get_them_told", Faulty, Config),
]


@pytest.mark.parametrize(("test", "notifier", "config"), FAULTS)
def test_a_fault_of_a_notifier_is_found_by_its_test(test: str, notifier: Any, config: Any) -> None:
    class Suite(NotifierContract):
        plugin = NotifierPlugin(config, notifier)
        secrets = (SECRET,)

        def settings(self, url: str) -> Mapping[str, object]:
            return {"url": url}

    assert test in _failing(Suite())


def test_a_right_notifier_passes_without_a_secret_of_its_own() -> None:
    class Suite(NotifierContract):
        plugin = NotifierPlugin(Config, Faulty)

        def settings(self, url: str) -> Mapping[str, object]:
            return {"url": url}

    assert _failing(Suite()) == []


def test_faults_of_a_source_are_found() -> None:
    class Suite(SourceContract):
        plugin = SourcePlugin(Config, cast("Any", Asleep), StateMap({}))
        job_id = "1"
        statuses = MappingProxyType({"DONE": JobState.SUCCEEDED})

        def settings(self, url: str) -> Mapping[str, object]:
            return {"url": url}

        def job(self, status: str) -> bytes:
            return status.encode()

    assert _failing(Suite()) == [
        "test_each_status_is_kept_and_means_its_state",
        "test_the_object_of_another_job_is_no_answer",
        "test_the_same_answer_again_says_nothing_new",
        "test_trouble_has_its_kind",
    ]


class Asleep:
    """A source that never says anything."""

    def __init__(self, config: Any, context: SourceContext) -> None:
        pass

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        pass

    async def retrieve(self, job_id: str, known: str | None = None) -> None:
        pass


def _trials(suite: object) -> list[Callable[[], None]]:
    return [getattr(suite, name) for name in dir(suite) if name.startswith("test_")]


def _failing(suite: object) -> list[str]:
    failing = []
    for trial in _trials(suite):
        try:
            trial()
        except (AssertionError, KeyError):
            failing.append(trial.__name__)
    return failing


def _bulletin() -> NotifierContract:
    class Suite(NotifierContract):
        plugin = import_module("bulletin_notifier").plugin
        secrets = (SECRET,)

        def settings(self, url: str) -> Mapping[str, object]:
            return {"board": f"{url}/board", "token": SECRET}

    return Suite()


def _forge() -> SourceContract:
    forge = import_module("forge_source")

    class Suite(SourceContract):
        plugin = forge.plugin
        secrets = (SECRET,)
        job_id = "7"
        statuses = MappingProxyType({word: forge.STATES(word) for word in forge.STATES.statuses()})

        def settings(self, url: str) -> Mapping[str, object]:
            return {"url": url, "api_key": SECRET}

        def job(self, status: str) -> bytes:
            return json.dumps({"name": "forges/main/runs/7", "phase": status, "metal": "steel"}).encode()

    return Suite()
