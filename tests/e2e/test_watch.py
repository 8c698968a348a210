"""`watcher watch`: what it shows, when it ends, and what its exit code says."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from signal import SIGINT, SIGTERM, Signals
from typing import Any

import pytest

from tests.e2e.processes import Command, Finished, Running
from tests.e2e.settings import API_KEY, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import Fault, FaultKind, JobScript, Step

JOB = "ftjob-watched"


class Watching:
    """`watcher watch` against the API, with nothing but the variables of OpenAI's own tools."""

    def __init__(self, command: Command, base_url: str) -> None:
        self.command = command
        self.env = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": API_KEY}

    async def run(self, *arguments: object, env: Mapping[str, str] | None = None) -> Finished:
        """Watch to the end."""
        return await self.command.run("watch", *self._with_interval(arguments), env=env or self.env)

    @asynccontextmanager
    async def start(self, *arguments: object, **options: Any) -> AsyncIterator[Running]:
        """Watch."""
        async with self.command.start("watch", *self._with_interval(arguments), env=self.env, **options) as running:
            yield running

    @staticmethod
    def _with_interval(arguments: tuple[object, ...]) -> tuple[object, ...]:
        return (*arguments, "--interval", "0.1s", "--log-level", "debug", "--log-format", "json")


@pytest.fixture
def watching(watcher: Command, api: FineTuningApi) -> Watching:
    return Watching(watcher, api.base_url)


@pytest.mark.parametrize(("last", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 3)])
async def test_the_end_of_the_job_is_the_exit_code(
    watching: Watching, api: FineTuningApi, last: str, code: int
) -> None:
    api.add_job(JobScript(JOB, (Step("queued", polls=2), Step("running", polls=2), Step(last))))
    ended = await watching.run(JOB)
    assert ended.code == code
    first, second, third = ended.lines
    assert f"{JOB}: first seen, queued" in first
    assert f"{JOB}: queued → running" in second
    assert f"{JOB}: running → {last}" in third


async def test_an_unknown_job_is_5_after_it_was_asked_for_four_times(watching: Watching, api: FineTuningApi) -> None:
    ended = await watching.run(JOB)
    assert (ended.code, ended.out) == (5, "")
    assert len(api.requests) == 4
    assert ended.log[-1]["event"] == "job not found"
    assert "Could not find fine tune" in ended.log[-1]["error"]


QUOTA = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded your current quota."}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(status_code=401, error={"message": "Incorrect API key provided.", "code": "invalid_api_key"}), "401"),
        (Fault(status_code=403, error={"message": "Country, region, or territory not supported."}), "403"),
        (Fault(status_code=429, error=QUOTA), "You exceeded your current quota"),
    ],
    ids=["401", "403", "quota"],
)
async def test_a_rejection_is_4_at_once(watching: Watching, api: FineTuningApi, fault: Fault, words: str) -> None:
    api.add_job(JobScript(JOB, (Step("running"),), faults=(fault,)))
    ended = await watching.run(JOB)
    assert (ended.code, ended.out) == (4, "")
    assert len(api.requests) == 1
    assert ended.log[-1]["event"] == "the source rejects us"
    assert words in ended.log[-1]["error"]
    assert ended.log[-1]["request_id"] == "req_1"


async def test_a_rejection_of_one_job_ends_the_watching_of_all(watching: Watching, api: FineTuningApi) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    api.add_job(JobScript("ftjob-refused", (Step("running"),), faults=(Fault(status_code=403),)))
    assert (await watching.run(JOB, "ftjob-refused")).code == 4


async def test_a_dead_port_is_given_up_with_6(watcher: Command, unused_tcp_port: int) -> None:
    env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{unused_tcp_port}/v1", "OPENAI_API_KEY": API_KEY}
    ended = await watcher.run(
        "watch", JOB, "--interval", "0.1s", "--give-up-after", "1s", "--log-format", "json", env=env
    )
    assert (ended.code, ended.out) == (6, "")
    assert ended.events("error") == ["gave up: nothing but failed polls"]
    assert ended.log[-1]["error"] == "cannot connect: Connection refused"


async def test_out_of_time_is_124(watching: Watching, api: FineTuningApi) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    ended = await watching.run(JOB, "--timeout", "0.5s")
    assert ended.code == 124
    assert len(ended.lines) == 1


@pytest.mark.parametrize("number", [SIGINT, SIGTERM])
async def test_a_signal_ends_it_quietly_with_128_and_its_number(
    watching: Watching, api: FineTuningApi, number: Signals
) -> None:
    api.add_job(JobScript(JOB, (Step("running"),)))
    async with watching.start(JOB) as running:
        await running.until_written()
        ended = await running.stop(number)
    assert ended.code == 128 + number
    assert ended.events("error") == []


MOMENTS = ("watcher.cli.output", "typer._click", "typer")
"""Modules, in the order in which they are loaded: much is still to be loaded after them."""


@pytest.mark.parametrize("number", [SIGINT, SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("command", [("watch", JOB), ("jobs", "list"), ("run",)], ids=" ".join)
async def test_a_signal_before_it_has_begun_ends_it_as_quietly(
    watching: Watching, api: FineTuningApi, command: tuple[str, ...], number: Signals
) -> None:
    """Python, told to report its imports, shows how far it is."""
    api.add_job(JobScript(JOB, (Step("running"),)))
    env = {**watching.env, "PYTHONPROFILEIMPORTTIME": "1"}
    for moment in MOMENTS:
        async with watching.command.start(*command, env=env) as running:
            await running.until(lambda moment=moment: f" {moment}\n" in running.err, f"import of {moment}")  # type: ignore[misc]
            ended = await running.stop(number)
        assert (moment, ended.code) == (moment, 128 + number)
        assert ended.out == ""
        assert all(line.startswith("import time:") for line in ended.err.splitlines())


async def test_a_closed_pipe_ends_it_quietly_with_141(watching: Watching, api: FineTuningApi) -> None:
    """As `watcher watch --json | head -1` does it: one line is read, then the reader is gone."""
    api.add_job(JobScript(JOB, (Step("queued", polls=2), Step("running", polls=2), Step("succeeded"))))
    reading, writing = os.pipe()
    async with watching.start(JOB, "--json", stdout=writing) as running:
        os.close(writing)
        with os.fdopen(reading) as pipe:
            await running.until_logged("poll answered", status="queued")
            first = pipe.readline()
        ended = await running.ended()
    assert json.loads(first)["data"]["status"] == "queued"
    assert ended.code == 141
    assert ended.events("error") == []


MISTAKES = {
    (): "give either the ids of jobs, or --all, --latest or --label",
    ("a b",): "'a b' is not a job: expected ID or SOURCE/ID",
    ("..",): "'..' is not a job: expected ID or SOURCE/ID",
    (JOB, "--interval", "soon"): "'soon' is not a duration",
    (JOB, "--interval", "0s"): "more than zero",
    (JOB, "--no-such-option"): "No such option: --no-such-option",
    (f"elsewhere/{JOB}",): "no source is named 'elsewhere'",
    (JOB, "--notify", "pager"): "there is none (looked for $WATCHER_CONFIG, ./watcher.toml, ./config/watcher.toml,",
    (JOB, "--config", "nowhere.toml"): "nowhere.toml: no such file (named by --config)",
    (JOB, "--api-key-file", "nowhere.key"): "cannot read nowhere.key: No such file or directory",
    (JOB, "--base-url", "api.example.com"): "base_url must be an http:// or https:// URL",
}


async def test_a_mistake_in_the_command_is_2(watching: Watching, api: FineTuningApi) -> None:
    commands = (watching.command.run("watch", *arguments, env=watching.env) for arguments in MISTAKES)
    for ended, words in zip(await asyncio.gather(*commands), MISTAKES.values(), strict=True):
        assert (ended.code, ended.out) == (2, "")
        assert words in " ".join(ended.err.replace("│", " ").split())
    assert api.requests == []


async def test_a_missing_key_is_2_and_says_where_to_put_it(watcher: Command) -> None:
    ended = await watcher.run("watch", JOB)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("watcher: source openai: no API key: set OPENAI_API_KEY")
    assert "this command also takes --api-key-file" in ended.err


async def test_the_key_may_come_from_a_file(watching: Watching, api: FineTuningApi) -> None:
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    key = watching.command.home / "key"
    key.write_text(f"{API_KEY}\n")
    ended = await watching.command.run("watch", JOB, "--base-url", api.base_url, "--api-key-file", key)
    assert ended.code == 0
    assert api.requests[0].headers["authorization"] == f"Bearer {API_KEY}"


@pytest.mark.parametrize("passed", ["queued", "running"])
async def test_until_ends_with_0_when_the_status_is_reached_or_passed(
    watching: Watching, api: FineTuningApi, passed: str
) -> None:
    api.add_job(JobScript(JOB, (Step("validating_files", polls=1), Step("running"))))
    ended = await watching.run(JOB, "--until", passed)
    assert ended.code == 0
    assert len(ended.lines) == 2


async def test_a_job_that_fails_on_the_way_has_not_reached_the_status(watching: Watching, api: FineTuningApi) -> None:
    api.add_job(JobScript(JOB, (Step("queued", polls=1), Step("failed"))))
    assert (await watching.run(JOB, "--until", "running")).code == 1


@pytest.mark.parametrize(
    ("order", "code"),
    [(["good", "cancelled", "failed"], 3), (["failed", "good", "cancelled"], 1), (["good", "good"], 0)],
)
async def test_of_several_jobs_the_first_in_order_that_did_not_succeed_decides(
    watching: Watching, api: FineTuningApi, order: list[str], code: int
) -> None:
    """In any order of their ends: here it is the reverse."""
    lives = {
        "good": (Step("running", polls=3), Step("succeeded")),
        "cancelled": (Step("running", polls=2), Step("cancelled")),
        "failed": (Step("failed"),),
    }
    for name, steps in lives.items():
        api.add_job(JobScript(name, steps))
    assert (await watching.run(*order)).code == code


async def test_json_is_the_envelope_that_webhooks_get(
    watching: Watching, api: FineTuningApi, receiver: Receiver
) -> None:
    """`--notify` sends the same transitions to a webhook, which makes them comparable."""
    command = watching.command
    command.configure(
        settings(
            api.base_url,
            command.database,
            jobs=[{"id": JOB, "name": "bot", "labels": {"team": "nlp"}}],
            notifiers={"pager": webhook(receiver.url)},
        )
    )
    api.add_job(JobScript(JOB, (Step("queued", polls=1), Step("running", polls=2), Step("succeeded"))))
    ended = await watching.run(JOB, "--json", "--notify", "pager")
    assert ended.code == 0
    assert statuses(ended.documents) == ["queued", "running", "succeeded"]
    assert [message.body.decode() for message in receiver.received] == ended.lines
    assert all(message.verified for message in receiver.received)
    assert ended.documents[-1]["data"]["name"] == "bot"
    assert ended.documents[-1]["data"]["labels"] == {"team": "nlp"}
    assert not command.database.exists()


async def test_an_interval_below_a_second_is_honoured(watching: Watching, api: FineTuningApi) -> None:
    api.add_job(JobScript(JOB, (Step("running", polls=10), Step("succeeded"))))
    ended = await watching.run(JOB)
    assert ended.code == 0
    gaps = [later.at - earlier.at for earlier, later in zip(api.requests, api.requests[1:], strict=False)]
    assert len(gaps) == 10
    assert min(gaps) >= timedelta(seconds=0.1)
    assert sum(gaps, timedelta()) < timedelta(seconds=10)


SURVIVED = {
    "ftjob-503": (Fault(at=2, headers={"retry-after-ms": "20"}), "HTTP 503: The server is overloaded."),
    "ftjob-reset": (Fault(FaultKind.RESET, at=2), ""),  # may be a kept connection that ended: asked again at once
    "ftjob-reset-mid-body": (Fault(FaultKind.RESET_MID_BODY, at=2), "broke"),
    "ftjob-html": (Fault(FaultKind.MALFORMED, at=2), "it is HTML, not JSON"),
    "ftjob-truncated": (Fault(FaultKind.TRUNCATED_JSON, at=2), "it is not JSON: {"),
    "ftjob-wrong-id": (Fault(FaultKind.WRONG_ID, at=2), "ftjob-another-one"),
    "ftjob-no-status": (Fault(FaultKind.NO_STATUS, at=2), "malformed answer: "),
    "ftjob-oversized": (Fault(FaultKind.OVERSIZED, at=2), "larger than 4,194,304 bytes"),
    "ftjob-redirect": (Fault(FaultKind.REDIRECT, at=2), "a redirect to /login"),
    "ftjob-hang": (Fault(FaultKind.HANG, at=2), "no answer within 1 s"),
    "ftjob-drip": (Fault(FaultKind.DRIP, at=2, pause=timedelta(milliseconds=100)), "no answer within 1 s"),
}
"""What one request of each job meets, and what is said of it."""


async def test_it_survives_whatever_a_server_may_do(watcher: Command, api: FineTuningApi) -> None:
    """Each job has its own trouble, when its second status would have been seen; afterwards all is well."""
    source = {"base_url": api.base_url, "api_key": API_KEY, "timeout": "1s"}
    watcher.configure(settings(api.base_url, watcher.database, sources={"openai": source}))
    life = (Step("queued", polls=1), Step("running", polls=1), Step("succeeded"))
    for job_id, (fault, _) in SURVIVED.items():
        api.add_job(JobScript(job_id, life, faults=(fault,)))
    ended = await watcher.run(
        "watch", *SURVIVED, "--json", "--interval", "0.1s", "--log-format", "json", "--log-level", "debug"
    )
    assert ended.code == 0
    for job_id, (_, words) in SURVIVED.items():
        seen = [each for each in ended.documents if each["data"]["id"] == job_id]
        assert statuses(seen) == ["queued", "running", "succeeded"]
        assert words in " ".join(entry["error"] for entry in ended.log if job_id in entry["job"] and "error" in entry)


async def test_statuses_that_are_unknown_or_go_backwards_are_shown_and_do_not_end_it(
    watching: Watching, api: FineTuningApi
) -> None:
    life = ("running", "paused", "queued", "running", "queued", "succeeded")
    api.add_job(JobScript(JOB, (*(Step(status, polls=1) for status in life[:-1]), Step(life[-1]))))
    ended = await watching.run(JOB, "--json")
    assert ended.code == 0
    assert [(each["data"]["status"], each["data"]["reason"]) for each in ended.documents] == [
        ("running", "first_seen"),
        ("paused", "unrecognised"),
        ("queued", "advanced"),
        ("running", "advanced"),
        ("queued", "regressed"),
        ("succeeded", "skipped"),
    ]
