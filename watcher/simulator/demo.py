"""The demonstration: the real service between a simulated API and a webhook receiver, all on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from watcher.domain.states import OPENAI_STATES, is_terminal
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step
from watcher.simulator.server import Received

API_KEY = "sk-demo-only"
SECRET = "whsec_ZmluZXR1bmUtd2F0Y2hlci1kZW1vLXNlY3JldC0zMg=="  # noqa: S105 - signs the demonstration, nothing else
LIMIT = timedelta(seconds=25)
"""How long the whole demonstration may take."""
STOP_LIMIT_SECONDS = 12.0

Say = Callable[[str, str], None]
"""Shows what one of the parties did."""


def _life(*statuses: str) -> tuple[Step, ...]:
    # The statuses move on with the answers, not with the clock: a slow machine sees the same.
    return (*(Step(status, polls=2) for status in statuses[:-1]), Step(statuses[-1]))


JOBS: Sequence[tuple[str, str, JobScript]] = (
    (
        "support-bot",
        "succeeds",
        JobScript("ftjob-demo1", _life("validating_files", "queued", "running", "succeeded"), suffix="support-bot"),
    ),
    ("sql-helper", "fails", JobScript("ftjob-demo2", _life("validating_files", "queued", "running", "failed"))),
    ("old-idea", "is cancelled", JobScript("ftjob-demo3", _life("queued", "running", "cancelled"))),
    ("tagger", "skips a status", JobScript("ftjob-demo4", _life("validating_files", "running", "succeeded"))),
    (
        "summariser",
        "meets a 503 and a 429",
        JobScript(
            "ftjob-demo5",
            _life("queued", "running", "succeeded"),
            faults=(
                Fault(FaultKind.STATUS, at=2, status_code=503),
                Fault(FaultKind.STATUS, at=4, status_code=429, headers={"retry-after": "1"}),
            ),
        ),
    ),
)

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


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """What the demonstration came to."""

    expected: int
    delivered: int
    problems: Sequence[str]


async def demonstrate(say: Say) -> RouteMatch:
    """Run the service on the demonstration's jobs until each has ended and every webhook has arrived."""
    script = Script(tuple(job for _, _, job in JOBS), api_key=API_KEY)
    async with FineTuningApi(script) as api, Receiver(secret=SECRET) as receiver:
        with _configuration(api.base_url, receiver.url) as config:
            problems = await _run_service(config, receiver, say)
        return RouteMatch(_expected(), len(receiver.received), [*problems, *_reconcile(receiver.received)])


async def _run_service(config: Path, receiver: Receiver, say: Say) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHER_", "OPENAI_"))}
    environment["STATE_DIRECTORY"] = str(config.parent)
    command = [sys.executable, "-m", "watcher", "run", "--config", str(config)]
    service = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    showing = [
        asyncio.create_task(_show_alerts(service.stdout, say)),
        asyncio.create_task(_show_log(service.stderr, say)),
        asyncio.create_task(_show_webhooks(receiver, say)),
    ]
    try:
        await receiver.wait_for(_expected(), LIMIT)
        problems = []
    except TimeoutError as error:
        problems = [f"not everything arrived within {LIMIT.total_seconds():g} s: {error}"]
    if service.returncode is None:
        service.terminate()
    code = await asyncio.wait_for(service.wait(), STOP_LIMIT_SECONDS)
    showing[2].cancel()
    await asyncio.gather(*showing, return_exceptions=True)
    return problems if code == 0 else [*problems, f"the service ended with exit code {code}"]


async def _show_alerts(stream: asyncio.StreamReader | None, say: Say) -> None:
    async for line in _lines(stream):
        say("watcher", line)


async def _show_log(stream: asyncio.StreamReader | None, say: Say) -> None:
    """Show what the service had to survive, and what it could not."""
    async for line in _lines(stream):
        try:
            entry: dict[str, Any] = json.loads(line)
        except ValueError:
            say("log", line)
            continue
        if entry.get("level") in {"warning", "error"} or entry["event"] == "request failed, trying again":
            say("log", f"{entry['event']}: {entry.get('job', '')} {entry.get('error', '')}")


async def _show_webhooks(receiver: Receiver, say: Say) -> None:
    shown = 0
    while True:
        received = await receiver.wait_for(shown + 1, LIMIT)
        for message in received[shown:]:
            event = json.loads(message.body)
            proof = "signature verified" if message.verified else "SIGNATURE WRONG"
            say(
                "webhook",
                f"{event['id']}  {event['data']['name'] or event['data']['id']} {event['data']['status']}  {proof}",
            )
        shown = len(received)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    while stream and (line := await stream.readline()):
        yield line.decode(errors="replace").rstrip("\n")


@contextmanager
def _configuration(base_url: str, url: str) -> Iterator[Path]:
    with TemporaryDirectory(prefix="watcher-demo-") as directory:
        text = CONFIG.format(base_url=base_url, api_key=API_KEY, url=url, secret=SECRET)
        text += "".join(f'[[jobs]]\nid = "{job.id}"\nname = "{name}"\n' for name, _, job in JOBS)
        path = Path(directory, "watcher.toml")
        path.write_text(text, encoding="utf-8")
        yield path


def _expected() -> int:
    return sum(len(job.steps) for _, _, job in JOBS)


def _reconcile(received: Sequence[Received]) -> list[str]:
    """Hold what arrived against the script: nothing lost, nothing twice, in order, each with a valid signature."""
    arrived: dict[str, list[str]] = defaultdict(list)
    for message in received:
        data = json.loads(message.body)["data"]
        arrived[data["id"]].append(data["status"])
    problems = [
        f"{name}: expected {[step.status for step in job.steps]}, but {arrived[job.id]} arrived"
        for name, _, job in JOBS
        if arrived[job.id] != [step.status for step in job.steps]
    ]
    if not all(message.verified for message in received):
        problems.append("a signature was wrong")
    if not all(is_terminal(OPENAI_STATES(statuses[-1])) for statuses in arrived.values()):
        problems.append("a job did not end")
    return problems
