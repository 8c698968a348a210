"""The settings and the store reach the notifiers: templates, the page, pictures of how jobs trained."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.doubles import START, ManualClock, RecordingLog, a_transition, runtime
from tests.slack_api import TOKEN, Workspace
from watcher.domain.deliveries import Delivered
from watcher.domain.jobs import JobKey
from watcher.domain.messages import message_of
from watcher.domain.samples import points
from watcher.domain.telemetry import MetricPoint
from watcher.errors import StoreUnavailableError
from watcher.http import Pacer
from watcher.plugins.notifier import UpdatesInPlace
from watcher.service.notifiers import NotifierLimits, open_notifiers
from watcher.settings.validation import load

PNG = b"\x89PNG\r\n"


class NoWait(Pacer):
    """Lets everything go at once."""

    async def turn(self, address: str, spacing: object) -> None:
        """See `Pacer`."""


class Points:
    """What was measured, or why that is not known."""

    def __init__(self, found: Sequence[MetricPoint] | Exception) -> None:
        self.found = found
        self.asked: list[JobKey] = []

    async def __call__(self, key: JobKey) -> Sequence[MetricPoint]:
        self.asked.append(key)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


@pytest.fixture
async def workspace() -> AsyncIterator[Workspace]:
    async with Workspace() as opened:
        yield opened


async def tell(workspace: Workspace, tmp_path: Path, known: Points, log: RecordingLog) -> None:
    config = tmp_path / "watcher.toml"
    config.write_text(
        f'[http]\npublic_url = "https://watcher.example.com/"\n[notifiers.jobs]\nkind = "slack"\ntoken = "{TOKEN}"\n'
        f'channel = "#ml"\napi_url = "{workspace.url}/api"\ntitle_template = "{{{{ job.name }}}} is over"\n'
    )
    async with AsyncExitStack() as stack:
        opened = await open_notifiers(
            *(load(config), ["jobs"], runtime(ManualClock(), log), stack, NotifierLimits(pacer=NoWait())), points=known
        )
        assert isinstance(opened["jobs"], UpdatesInPlace)
        assert isinstance(await opened["jobs"].send(message_of(a_transition())), Delivered)


async def test_a_message_of_a_job_that_has_ended(workspace: Workspace, tmp_path: Path) -> None:
    known = Points(points(START))
    await tell(workspace, tmp_path, known, RecordingLog())
    [root], [(_, thread, _, png)] = workspace.roots(), workspace.pictures
    assert root.headline == "✅ support-bot v3 is over"
    assert "https://watcher.example.com/jobs/openai/ftjob-abc123|" in json.dumps(root.blocks)
    assert thread == root.ts
    assert png.startswith(PNG)
    assert known.asked == [JobKey("openai", "ftjob-abc123")]


@pytest.mark.parametrize(
    ("found", "level"), [([], None), (StoreUnavailableError("locked"), "debug"), (ValueError("a fault"), "exception")]
)
async def test_without_a_picture_the_message_is_sent_all_the_same(
    workspace: Workspace, tmp_path: Path, found: Sequence[MetricPoint] | Exception, level: str | None
) -> None:
    log = RecordingLog()
    await tell(workspace, tmp_path, Points(found), log)
    assert (len(workspace.roots()), workspace.pictures) == (1, [])
    assert [each for each, _, _ in log.lines] == ([level] if level else [])
