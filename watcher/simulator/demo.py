"""The demonstration: the real service between a simulated API and its receivers, all on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from watcher.domain.states import OPENAI_STATES, is_terminal
from watcher.simulator.api import FineTuningApi
from watcher.simulator.demo_scenes import CHAT_STATUSES, Scene
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Script
from watcher.simulator.server import Received

API_KEY = "sk-demo-only"
SECRET = "whsec_ZmluZXR1bmUtd2F0Y2hlci1kZW1vLXNlY3JldC0zMg=="  # noqa: S105 - signs the demonstration, nothing else
LIMIT = timedelta(seconds=60)
"""How long everything may take to arrive."""
STOP_LIMIT_SECONDS = 12.0
RETRY = "request failed, trying again"
"""What the service logs of a request that it repeats."""
_SERVING = "serving HTTP"

CONFIG = """\
[sources.openai]
base_url = "{base_url}"
api_key = "{api_key}"
[polling]
interval = "0.4s"
[notifiers.console]
kind = "stdout"
first_seen = "always"
[notifiers.hook]
kind = "webhook"
url = "{url}"
secret = "{secret}"
first_seen = "always"
[log]
format = "json"
"""
PAGE = """\
[http]
listen = "127.0.0.1:0"
"""
CHAT = """\
[notifiers.chat]
kind = "slack"
webhook_url = "{url}"
statuses = {statuses}
first_seen = "always"
events = ["jobs"]
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the demonstration came to."""

    expected: int
    delivered: int
    problems: Sequence[str]


class Audience(Protocol):
    """Whoever looks on."""

    def began(self, api: FineTuningApi) -> None:
        """Note that the jobs have begun."""
        ...

    def page(self, address: str) -> None:
        """Note where the page is."""
        ...

    def printed(self, line: str) -> None:
        """Note a line of the service's standard output."""
        ...

    def logged(self, entry: Mapping[str, Any]) -> None:
        """Note an entry of the service's log."""
        ...

    def delivered(self, event: Mapping[str, Any], *, verified: bool) -> None:
        """Note a webhook that arrived, and whether its signature holds."""
        ...

    def posted(self, message: Mapping[str, Any]) -> None:
        """Note a message that arrived in the chat."""
        ...

    async def run(self) -> None:
        """Look on until cancelled."""
        ...

    async def ended(self, verdict: Verdict) -> None:
        """Note what it came to; the service runs until this returns."""
        ...


async def demonstrate(scene: Scene, audience: Audience) -> Verdict:
    """Run the service on the jobs of a scene until each has ended and everything has arrived."""
    script = Script(tuple(actor.script for actor in scene.actors), api_key=API_KEY)
    async with FineTuningApi(script) as api, Receiver(secret=SECRET) as receiver, Receiver() as chat:
        audience.began(api)
        with _configuration(scene, api.base_url, receiver.url, chat.url) as config:
            return await _run_service(config, scene, (receiver, chat), audience)


async def _run_service(config: Path, scene: Scene, receivers: tuple[Receiver, Receiver], audience: Audience) -> Verdict:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHER_", "OPENAI_"))}
    environment["STATE_DIRECTORY"] = str(config.parent)
    command = [sys.executable, "-m", "watcher", "run", "--config", str(config)]
    service = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    receiver, chat = receivers
    reading = [
        asyncio.create_task(_read_output(service.stdout, audience)),
        asyncio.create_task(_read_log(service.stderr, audience)),
    ]
    showing = [
        asyncio.create_task(_show_webhooks(receiver, audience)),
        asyncio.create_task(_show_posts(chat, audience)),
        asyncio.create_task(audience.run()),
    ]
    try:
        problems = await _all_arrived(scene, receiver, chat)
        problems += _reconcile(scene, receiver.received)
        for task in showing:
            task.cancel()
        await asyncio.gather(*showing, return_exceptions=True)
        await audience.ended(Verdict(scene.expected, len(receiver.received), problems))
    finally:
        for task in showing:
            task.cancel()
        if service.returncode is None:
            service.terminate()
        code = await asyncio.wait_for(service.wait(), STOP_LIMIT_SECONDS)
        await asyncio.gather(*showing, *reading, return_exceptions=True)
    end = [] if code == 0 else [f"the service ended with exit code {code}"]
    return Verdict(scene.expected, len(receiver.received), [*problems, *end])


async def _all_arrived(scene: Scene, receiver: Receiver, chat: Receiver) -> list[str]:
    try:
        await receiver.wait_for(scene.expected, LIMIT)
        await chat.wait_for(scene.expected_posts, LIMIT)
    except TimeoutError as error:
        return [f"not everything arrived within {LIMIT.total_seconds():g} s: {error}"]
    await asyncio.sleep(0)  # what arrived last is shown first
    return []


async def _read_output(stream: asyncio.StreamReader | None, audience: Audience) -> None:
    async for line in _lines(stream):
        audience.printed(line)


async def _read_log(stream: asyncio.StreamReader | None, audience: Audience) -> None:
    async for line in _lines(stream):
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            entry = {"event": line, "level": "error"}
        if entry.get("event") == _SERVING:
            audience.page(f"http://{entry.get('listen')}/")
        audience.logged(entry)


async def _show_webhooks(receiver: Receiver, audience: Audience) -> None:
    async for message in _arriving(receiver):
        audience.delivered(json.loads(message.body), verified=bool(message.verified))


async def _show_posts(chat: Receiver, audience: Audience) -> None:
    async for message in _arriving(chat):
        audience.posted(json.loads(message.body))


async def _arriving(receiver: Receiver) -> AsyncIterator[Received]:
    shown = 0
    while True:
        received = await receiver.wait_for(shown + 1, LIMIT * 2)
        for message in received[shown:]:
            shown += 1
            yield message


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    while stream and (line := await stream.readline()):
        yield line.decode(errors="replace").rstrip("\n")


@contextmanager
def _configuration(scene: Scene, base_url: str, url: str, chat_url: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="watcher-demo-") as directory:
        text = CONFIG.format(base_url=base_url, api_key=API_KEY, url=url, secret=SECRET)
        text += PAGE if scene.has_page else ""
        text += CHAT.format(url=chat_url, statuses=json.dumps(CHAT_STATUSES)) if scene.has_chat else ""
        text += "".join(f'[[jobs]]\nid = "{actor.script.id}"\nname = "{actor.name}"\n' for actor in scene.actors)
        path = Path(directory, "watcher.toml")
        path.write_text(text, encoding="utf-8")
        yield path


def _reconcile(scene: Scene, received: Sequence[Received]) -> list[str]:
    """Hold what arrived against the script: nothing lost, nothing twice, in order, each with a valid signature."""
    arrived: dict[str, list[str]] = defaultdict(list)
    for message in received:
        data = json.loads(message.body)["data"]
        arrived[data["id"]].append(data["status"])
    problems = []
    for actor in scene.actors:
        expected = [step.status for step in actor.script.steps]
        if arrived[actor.script.id] != expected:
            problems.append(f"{actor.name}: expected {expected}, but {arrived[actor.script.id]} arrived")
    if not all(message.verified for message in received):
        problems.append("a signature was wrong")
    if not all(statuses and is_terminal(OPENAI_STATES(statuses[-1])) for statuses in arrived.values()):
        problems.append("a job did not end")
    return problems
