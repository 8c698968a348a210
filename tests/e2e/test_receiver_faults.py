"""Receivers that fail in every way: what is retried, what is dead, which conditions are sent, in which order.

Except in the last test, the tests move the clock; the pipeline, its SQLite file, the API and the receivers are real.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
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
from tests.evidence.accepted import AcceptedMessage, RecordingReceiver
from tests.evidence.expected import RecordingApi
from tests.evidence.manual_time import HEALTHY, JOBS, ManualTimeEnvironment
from watcher.domain.conditions import GRACE
from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.service.maintenance import MONITOR_INTERVAL
from watcher.simulator.receiver import ACCEPTED
from watcher.simulator.script import JobScript, Script, Step
from watcher.simulator.server import Manner, Reply
from watcher.store.sql import Selection

ZERO, MINUTE = timedelta(), timedelta(minutes=1)
FAULTY_FOR = 6 * MINUTE
"""How long receivers fail: longer than the grace after which the condition is sent."""
LONGEST_RECOVERY = 2 * SERVICE_RETRY_POLICY.waits[-1]
RETRY_AFTER_TIME = timedelta(seconds=90)
RETRY_AFTER = {"retry-after": "90"}


@dataclass(frozen=True)
class Fault:
    """How the receiver of a notifier fails."""

    reply: Reply
    error: str
    """The error that the condition names."""
    retry_after: timedelta = ZERO
    """How long it asks the sender to wait."""


TEMPORARY = {
    "webhook-429": Fault(Reply(429), "429 Too Many Requests"),
    "webhook-429-retry-after": Fault(Reply(429, RETRY_AFTER), "429 Too Many Requests", RETRY_AFTER_TIME),
    "webhook-500": Fault(Reply(500), "500 Internal Server Error"),
    "webhook-503-retry-after": Fault(Reply(503, RETRY_AFTER), "503 Service Unavailable", RETRY_AFTER_TIME),
    "webhook-redirect": Fault(Reply(307, {"location": "/elsewhere"}), "(redirects are not followed)"),
    "webhook-hang": Fault(Reply(manner=Manner.HANG), "no answer within 2 s"),
    "webhook-reset": Fault(Reply(manner=Manner.RESET), "Connection reset by peer"),
    "webhook-half": Fault(Reply(200, body=b"ok" * 50, manner=Manner.RESET_MID_BODY), "Connection reset by peer"),
    "slack-429": Fault(Reply(429), "429 Too Many Requests"),
    "slack-429-retry-after": Fault(Reply(429, RETRY_AFTER), "429 Too Many Requests", RETRY_AFTER_TIME),
    "slack-503-retry-after": Fault(Reply(503, RETRY_AFTER), "503 Service Unavailable", RETRY_AFTER_TIME),
    "webhook-404": Fault(Reply(404), "404 Not Found"),
    "slack-403-proxy": Fault(Reply(403, body=b"<html>sign in</html>"), "403 Forbidden: <html>sign in</html>"),
}
PERMANENT = {
    "webhook-410": Fault(Reply(410), "410 Gone"),
    **{
        f"slack-{status}": Fault(Reply(status, body=word), word.decode())
        for status, word in {
            400: b"invalid_payload",
            403: b"action_prohibited",
            404: b"no_service",
            410: b"channel_is_archived",
        }.items()
    },
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ManualTimeEnvironment:
    """A run in which every receiver but one fails for six minutes; each job has two statuses in that time."""
    environment = ManualTimeEnvironment(
        tmp_path_factory.mktemp("faults"), [*TEMPORARY, *PERMANENT], timedelta(seconds=30)
    )

    async def run_all() -> None:
        async with environment.started(MINUTE, FAULTY_FOR):
            for name, fault in (TEMPORARY | PERMANENT).items():
                environment.receivers[name].answers = [fault.reply]
            await environment.advance(FAULTY_FOR)
            for name in TEMPORARY | PERMANENT:
                environment.receivers[name].answers = [ACCEPTED]
            await environment.advance(LONGEST_RECOVERY, until_delivered=True)
            for name in PERMANENT:
                assert await environment.store.requeue(Selection(notifier=name), environment.clock()) == len(JOBS) * 2
            await environment.advance(ZERO)

    asyncio.run(run_all())
    return environment


def schedule(retry_after: timedelta) -> list[timedelta]:
    """Return the times of the attempts of a first delivery, up to the first one after the faults."""
    times = list(accumulate((max(wait, retry_after) for wait in SERVICE_RETRY_POLICY.waits), initial=ZERO))
    return times[: len(list(takewhile(lambda at: at < FAULTY_FOR, times))) + 1]


@pytest.mark.parametrize("name", TEMPORARY)
def test_a_temporary_fault_is_retried_until_it_ends_and_all_arrives_in_order(
    run: ManualTimeEnvironment, name: str
) -> None:
    attempts = run.attempts(name)
    blocked = list(attempts)[: len(JOBS)]
    if name.startswith("webhook"):
        assert [attempts[event] for event in blocked] == [schedule(TEMPORARY[name].retry_after)] * len(JOBS)
    assert all(len(at) == 1 for event, at in attempts.items() if event not in blocked)
    assert min(at[0] for event, at in attempts.items() if event not in blocked) > FAULTY_FOR
    assert {message.path for message in run.receivers[name].received} == {run.receivers[name].received[0].path}
    run.report(name, HEALTHY).check()


@pytest.mark.parametrize("name", TEMPORARY)
def test_a_failing_notifier_is_a_condition_after_the_grace_and_its_recovery_at_once(
    run: ManualTimeEnvironment, name: str
) -> None:
    failing, recovered = run.conditions(name)
    assert failing[0] == "watcher.notifier.failing"
    assert GRACE <= failing[1] <= GRACE + MONITOR_INTERVAL
    assert TEMPORARY[name].error in failing[2]
    assert recovered == ("watcher.notifier.recovered", run.receivers[name].accepted[0].at - START, "")


@pytest.mark.parametrize("name", [name for name in TEMPORARY if name.startswith("slack")])
def test_no_message_is_sent_to_slack_while_its_retry_after_lasts(run: ManualTimeEnvironment, name: str) -> None:
    refused = [message.at for message in run.receivers[name].received if message.at < START + FAULTY_FOR]
    assert all(after - before >= TEMPORARY[name].retry_after for before, after in pairwise(refused))


@pytest.mark.parametrize("name", PERMANENT)
def test_a_permanent_refusal_is_dead_at_once_and_delays_nothing(run: ManualTimeEnvironment, name: str) -> None:
    attempts = run.attempts(name)
    dead = [event for event, at in attempts.items() if at[0] < FAULTY_FOR]
    assert len(dead) == len(JOBS) * 2
    failing, recovered = run.conditions(name)
    assert failing[:2] == ("watcher.notifier.failing", ZERO)
    assert PERMANENT[name].error in failing[2]
    after = min(at[0] for event, at in attempts.items() if event not in dead)
    assert after >= MINUTE + FAULTY_FOR
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
    """No server listens meanwhile."""
    environment = ManualTimeEnvironment(tmp_path, ["webhook"], interval)
    receiver = environment.receivers["webhook"]
    async with environment.started(lasts, lasts):
        await environment.advance(interval)
        await receiver.__aexit__()
        await environment.advance(outage)
        repaired = environment.clock()
        await receiver.__aenter__()
        await environment.advance(LONGEST_RECOVERY, until_delivered=True)

    late = [each.at - repaired for each in receiver.accepted[len(JOBS) :]]
    assert len(late) == len(JOBS) * 2
    assert max(late) <= SERVICE_RETRY_POLICY.waits[-1]
    assert [what for what, _, _ in environment.conditions("webhook")] == [
        "watcher.notifier.failing",
        "watcher.notifier.recovered",
    ]
    environment.report("webhook", HEALTHY).check()


async def test_a_receiver_that_hangs_does_not_delay_a_healthy_one(watcher: Command) -> None:
    """Each time, both have more pending messages than a notifier may send at once."""
    ids = [f"ftjob-{number:02}" for number in range(20)]
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(RecordingApi(Script(api_key=API_KEY)))
        hanging, healthy = [await stack.enter_async_context(RecordingReceiver(secret=WEBHOOK_SECRET)) for _ in range(2)]
        notifiers = {"hanging": webhook(hanging.url), HEALTHY: webhook(healthy.url)}
        watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(*ids), notifiers=notifiers))
        for job in ids:
            api.add_job(JobScript(job, (Step("queued"),)))
        running = await stack.enter_async_context(watcher.start("run"))

        async def change_all(*names: str) -> list[AcceptedMessage]:
            """Give each job the statuses in turn; return the messages that the healthy receiver accepted of them."""
            before = len(healthy.accepted)
            for number, name in enumerate(names, 1):
                for job in ids:
                    api.set_status(job, name)
                await healthy.wait_for(before + number * len(ids), LIMIT)
            return healthy.accepted[before:]

        await healthy.wait_for(len(ids), LIMIT)
        while_both_work = await change_all("running", "paused", "running")
        await hanging.wait_for(len(ids) * 4, LIMIT)
        hanging.answers = [Reply(manner=Manner.HANG)]
        while_one_hangs = await change_all("paused", "running", "succeeded")
        assert len(hanging.received) == len(ids) * 4 + 16
        assert "delivery retry scheduled" not in running.err
        seen = detection_times(watcher)

    def median_delay(messages: Sequence[AcceptedMessage]) -> float:
        return median((each.at - seen[each.id]).total_seconds() for each in messages)

    assert median_delay(while_one_hangs) <= median_delay(while_both_work) * 3 + 0.1


def detection_times(watcher: Command) -> Mapping[str, datetime]:
    """Return when each transition was detected, by its event id."""
    with closing(sqlite3.connect(watcher.database)) as connection:
        rows = connection.execute("SELECT event_id, observed_at FROM transition").fetchall()
    return {event: datetime.fromisoformat(at) for event, at in rows}
