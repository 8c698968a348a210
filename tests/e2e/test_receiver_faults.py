"""Receivers that fail in every way: what is tried again, what is dead, who is told, and in which order it all arrives.

But for the last test, the time is that of a clock which the tests move; the pipeline, its SQLite file, the API and the
receivers are real.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, pairwise, takewhile
from pathlib import Path
from statistics import median

import pytest

from tests.doubles import START
from tests.e2e.processes import LIMIT, Command
from tests.e2e.settings import API_KEY, WEBHOOK_SECRET, jobs, settings, webhook
from tests.evidence.accepted import Acceptance, AcceptingReceiver
from tests.evidence.moved import HEALTHY, JOBS, MovedStage
from tests.evidence.truth import Truth
from watcher.domain.conditions import GRACE
from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.service.maintenance import MONITOR_INTERVAL
from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Manner, Reply
from watcher.store.sql import Selection

NOTHING, MINUTE = timedelta(), timedelta(minutes=1)
DISORDER = 6 * MINUTE
"""How long receivers are out of order: longer than the grace after which that is told."""
LONGEST_RECOVERY = 2 * SERVICE_RETRY_POLICY.waits[-1]
ASKED = timedelta(seconds=90)
RETRY_AFTER = {"retry-after": "90"}


@dataclass(frozen=True)
class Fault:
    """How the receiver of a notifier fails."""

    reply: Reply
    told: str
    """What is said of it."""
    asked: timedelta = NOTHING
    """How long it asks to be left alone."""


PASSING = {
    "webhook-429": Fault(Reply(429), "429 Too Many Requests"),
    "webhook-429-retry-after": Fault(Reply(429, RETRY_AFTER), "429 Too Many Requests", ASKED),
    "webhook-500": Fault(Reply(500), "500 Internal Server Error"),
    "webhook-503-retry-after": Fault(Reply(503, RETRY_AFTER), "503 Service Unavailable", ASKED),
    "webhook-redirect": Fault(Reply(307, {"location": "/elsewhere"}), "(redirects are not followed)"),
    "webhook-hang": Fault(Reply(manner=Manner.HANG), "no answer within 2 s"),
    "webhook-reset": Fault(Reply(manner=Manner.RESET), "Connection reset by peer"),
    "webhook-half": Fault(Reply(200, body=b"ok" * 50, manner=Manner.RESET_MID_BODY), "Connection reset by peer"),
    "slack-429": Fault(Reply(429), "429 Too Many Requests"),
    "slack-429-retry-after": Fault(Reply(429, RETRY_AFTER), "429 Too Many Requests", ASKED),
    "slack-503-retry-after": Fault(Reply(503, RETRY_AFTER), "503 Service Unavailable", ASKED),
    "slack-proxy": Fault(Reply(200, body=b"<html>sign in</html>"), "200 OK: <html>sign in</html>"),
}
FOR_GOOD = {
    f"{kind}-{status}": Fault(Reply(status), str(status))
    for kind, statuses in {"webhook": (400, 404, 410), "slack": (400, 403, 404, 410)}.items()
    for status in statuses
}


@pytest.fixture(scope="module", autouse=True)
def impatient() -> Iterator[None]:
    """Bound an attempt to two seconds, and let Slack be written to as often as the moved clock allows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("watcher.service.bootstrap.NOTIFIER_TIMEOUT", timedelta(seconds=2))
        patch.setattr("watcher.notifiers.slack.SPACING", NOTHING)
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, impatient: None) -> MovedStage:
    """A run in which every receiver but one is out of order for six minutes; jobs pass 2 statuses in that time."""
    stage = MovedStage(tmp_path_factory.mktemp("faults"), [*PASSING, *FOR_GOOD], timedelta(seconds=30))

    async def play() -> None:
        async with stage.opened(MINUTE, DISORDER):
            for name, fault in (PASSING | FOR_GOOD).items():
                stage.receivers[name].answers = [fault.reply]
            await stage.live(DISORDER)
            for name in PASSING | FOR_GOOD:
                stage.receivers[name].answers = [ACCEPTED]
            await stage.live(LONGEST_RECOVERY, until_delivered=True)
            for name in FOR_GOOD:
                assert await stage.store.requeue(Selection(notifier=name), stage.clock()) == len(JOBS) * 2
            await stage.live(NOTHING)

    asyncio.run(play())
    return stage


def schedule(asked: timedelta) -> list[timedelta]:
    """Return when something is tried that is owed from the start on, until it is tried after the disorder."""
    times = list(accumulate((max(wait, asked) for wait in SERVICE_RETRY_POLICY.waits), initial=NOTHING))
    return times[: len(list(takewhile(lambda at: at < DISORDER, times))) + 1]


@pytest.mark.parametrize("name", PASSING)
def test_what_may_pass_is_tried_again_until_it_has_passed_and_arrives_in_order(run: MovedStage, name: str) -> None:
    attempts = run.attempts(name)
    blocked = list(attempts)[: len(JOBS)]
    if name.startswith("webhook"):
        assert [attempts[event] for event in blocked] == [schedule(PASSING[name].asked)] * len(JOBS)
    assert all(len(at) == 1 for event, at in attempts.items() if event not in blocked)
    assert min(at[0] for event, at in attempts.items() if event not in blocked) > DISORDER
    assert {message.path for message in run.receivers[name].received} == {run.receivers[name].received[0].path}
    run.tally(name, HEALTHY).check()


@pytest.mark.parametrize("name", PASSING)
def test_that_it_fails_is_told_to_the_others_after_the_grace_and_that_it_recovered_at_once(
    run: MovedStage, name: str
) -> None:
    failing, recovered = run.conditions(name)
    assert failing[0] == "watcher.notifier.failing"
    assert GRACE <= failing[1] <= GRACE + MONITOR_INTERVAL
    assert PASSING[name].told in failing[2]
    assert recovered == ("watcher.notifier.recovered", run.receivers[name].accepted[0].at - START, "")


@pytest.mark.parametrize("name", [name for name in PASSING if name.startswith("slack")])
def test_slack_is_left_alone_for_as_long_as_it_asks_whatever_else_it_is_owed(run: MovedStage, name: str) -> None:
    refused = [message.at for message in run.receivers[name].received if message.at < START + DISORDER]
    assert all(after - before >= PASSING[name].asked for before, after in pairwise(refused))


@pytest.mark.parametrize("name", FOR_GOOD)
def test_what_is_refused_for_good_is_dead_at_once_told_and_holds_up_nothing(run: MovedStage, name: str) -> None:
    attempts = run.attempts(name)
    dead = [event for event, at in attempts.items() if at[0] < DISORDER]
    assert len(dead) == len(JOBS) * 2
    failing, recovered = run.conditions(name)
    assert failing[:2] == ("watcher.notifier.failing", NOTHING)
    assert FOR_GOOD[name].told in failing[2]
    after = min(at[0] for event, at in attempts.items() if event not in dead)
    assert after >= MINUTE + DISORDER
    assert recovered[:2] == ("watcher.notifier.recovered", after)
    # What came to be owed after the disorder arrived at once; what was dead on request, under the same id.
    assert [len(at) for event, at in attempts.items() if event not in dead] == [1] * len(JOBS)
    assert [len(attempts[event]) for event in dead] == [2] * len(dead)
    taken = [each.id for each in run.receivers[name].accepted]
    assert sorted(taken[len(JOBS) :]) == sorted(dead)
    assert set(run.states(name).values()) == {"delivered"}


@pytest.mark.parametrize(
    ("outage", "lasts", "interval"),
    [(5 * MINUTE, 2 * MINUTE, timedelta(seconds=30)), (480 * MINUTE, 150 * MINUTE, 10 * MINUTE)],
    ids=["5 minutes", "8 hours"],
)
async def test_after_an_outage_all_arrives_in_order(
    tmp_path: Path, outage: timedelta, lasts: timedelta, interval: timedelta
) -> None:
    """Nobody listens meanwhile."""
    stage = MovedStage(tmp_path, ["webhook"], interval)
    receiver = stage.receivers["webhook"]
    async with stage.opened(lasts, lasts):
        await stage.live(interval)
        await receiver.__aexit__()
        await stage.live(outage)
        mended = stage.clock()
        await receiver.__aenter__()
        await stage.live(LONGEST_RECOVERY, until_delivered=True)

    late = [each.at - mended for each in receiver.accepted[len(JOBS) :]]
    assert len(late) == len(JOBS) * 2
    assert max(late) <= SERVICE_RETRY_POLICY.waits[-1]
    assert [what for what, _, _ in stage.conditions("webhook")] == [
        "watcher.notifier.failing",
        "watcher.notifier.recovered",
    ]
    stage.tally("webhook", HEALTHY).check()


async def test_a_receiver_that_hangs_does_not_delay_a_healthy_one(watcher: Command) -> None:
    """Each time the two are owed more messages than may be on their way to one of them."""
    ids = [f"ftjob-{number:02}" for number in range(20)]
    async with AsyncExitStack() as stack:
        truth = await stack.enter_async_context(Truth(Script(api_key=API_KEY)))
        dying, healthy = [await stack.enter_async_context(AcceptingReceiver(secret=WEBHOOK_SECRET)) for _ in range(2)]
        notifiers = {"dying": webhook(dying.url), HEALTHY: webhook(healthy.url)}
        watcher.configure(settings(truth.base_url, watcher.database, jobs=jobs(*ids), notifiers=notifiers))
        for job in ids:
            truth.add_job(JobScript(job, (Step("queued"),)))
        running = await stack.enter_async_context(watcher.start("run"))

        async def pass_through(*names: str) -> list[Acceptance]:
            """Let each job pass the statuses, and return what the healthy receiver took of that."""
            before = len(healthy.accepted)
            for number, name in enumerate(names, 1):
                for job in ids:
                    truth.set_status(job, name)
                await healthy.wait_for(before + number * len(ids), LIMIT)
            return healthy.accepted[before:]

        await healthy.wait_for(len(ids), LIMIT)
        while_well = await pass_through("running", "paused", "running")
        await dying.wait_for(len(ids) * 4, LIMIT)
        dying.answers = [Reply(manner=Manner.HANG)]
        while_one_hangs = await pass_through("paused", "running", "succeeded")
        assert len(dying.received) == len(ids) * 4 + 16
        assert "delivery retry scheduled" not in running.err
        seen = observed(watcher)

    def median_delay(taken: Sequence[Acceptance]) -> float:
        return median((each.at - seen[each.id]).total_seconds() for each in taken)

    assert median_delay(while_one_hangs) <= median_delay(while_well) * 3 + 0.1


def observed(watcher: Command) -> Mapping[str, datetime]:
    """Say when each transition was detected, as the record has it."""
    with closing(sqlite3.connect(watcher.database)) as connection:
        rows = connection.execute("SELECT event_id, observed_at FROM transition").fetchall()
    return {event: datetime.fromisoformat(at) for event, at in rows}
