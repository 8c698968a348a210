"""Commands that change the store while the service runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from tests.e2e.processes import LIMIT, Command, Running
from tests.e2e.settings import jobs, settings, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Step
from watcher.simulator.server import Reply

FIRST, SECOND = "ftjob-first", "ftjob-second"
SOON = timedelta(seconds=2)


@pytest.fixture
def command(watcher: Command, api: FineTuningApi, receiver: Receiver) -> Command:
    """The command, configured to watch one job and to tell one receiver."""
    watcher.configure(
        settings(api.base_url, watcher.database, jobs=jobs(FIRST), notifiers={"pager": webhook(receiver.url)})
    )
    return watcher


@pytest.fixture
async def service(command: Command, api: FineTuningApi) -> AsyncIterator[Running]:
    """The service, polling."""
    for job_id in (FIRST, SECOND):
        api.add_job(JobScript(job_id, (Step("running"),)))
    async with command.start("run") as running:
        await running.until_logged("delivery accepted", job=f"openai/{FIRST}")
        yield running
        assert (await running.stop()).code == 0


def asked_for(api: FineTuningApi, job_id: str) -> int:
    return sum(request.path.endswith(f"/{job_id}") for request in api.requests)


async def dead(command: Command) -> dict[str, object]:
    """Return the only delivery that is open, which must be dead."""
    (delivery,) = json.loads((await command.run("deliveries", "list", "--json")).out)
    assert delivery["state"] == "dead"
    return dict(delivery)


async def test_a_job_added_while_the_service_runs_is_polled_within_two_seconds(
    command: Command, service: Running, api: FineTuningApi, receiver: Receiver
) -> None:
    added = await command.run("jobs", "add", SECOND, "--name", "second bot", "--label", "team=nlp")
    assert (added.code, added.out) == (0, f"watching openai/{SECOND}\n")
    async with asyncio.timeout(SOON.total_seconds()):
        while not asked_for(api, SECOND):
            await asyncio.sleep(0.01)
    told = json.loads((await receiver.wait_for(2, LIMIT))[1].body)
    assert (told["data"]["id"], told["data"]["name"]) == (SECOND, "second bot")
    assert told["data"]["labels"] == {"team": "nlp"}


async def test_a_removed_job_is_polled_no_more(command: Command, service: Running, api: FineTuningApi) -> None:
    await command.run("jobs", "add", SECOND)
    await service.until_logged("delivery accepted", job=f"openai/{SECOND}")
    removed = await command.run("jobs", "remove", SECOND)
    assert (removed.code, removed.out) == (0, f"no longer watching openai/{SECOND}\n")
    polled = asked_for(api, SECOND)
    target = asked_for(api, FIRST) + 10
    async with asyncio.timeout(LIMIT.total_seconds()):
        while asked_for(api, FIRST) < target:
            await asyncio.sleep(0.01)
    assert asked_for(api, SECOND) - polled <= 1  # a poll that was under way
    listed = json.loads((await command.run("jobs", "list", "--json")).out)
    assert [each["id"] for each in listed] == [FIRST]


async def test_removing_a_configured_job_warns_that_it_comes_back(command: Command, service: Running) -> None:
    removed = await command.run("jobs", "remove", FIRST)
    assert removed.out.endswith("it is in the configuration, and comes back at the next start or reload\n")


async def test_a_dead_delivery_is_sent_again_on_request(
    command: Command, service: Running, api: FineTuningApi, receiver: Receiver
) -> None:
    receiver.answers = [Reply(410, body=b"no such channel"), ACCEPTED]
    api.set_status(FIRST, "succeeded")
    await service.until_logged("delivery rejected")
    delivery = await dead(command)
    assert delivery["last_error"] == "410 Gone: no such channel"

    retried = await command.run("deliveries", "retry", delivery["id"])
    assert (retried.code, retried.out) == (0, "1 to be sent again\n")
    accepted = await service.until_logged("delivery accepted", type="fine_tuning.job.succeeded")
    first, second = receiver.received[1:]
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == accepted["event_id"] == delivery["event_id"]
    assert (await command.run("deliveries", "list")).out == "no deliveries are pending or dead\n"


async def test_a_running_service_follows_a_silence_at_once_and_records_what_it_mutes(
    command: Command, service: Running, api: FineTuningApi, receiver: Receiver
) -> None:
    told = len(receiver.received)
    assert (await command.run("silence", "add", "--source", "openai", "--for", "2h", "--reason", "new rack")).code == 0
    tried = json.loads((await command.run("routes", "test", "--job", FIRST, "--state", "succeeded", "--json")).out)
    assert {(row["hears"], row["why"]) for row in tried} == {(False, "silence 1: new rack")}
    assert "silence 1: new rack" in (await command.run("explain", FIRST)).out
    api.set_status(FIRST, "succeeded")
    while not (muted := json.loads((await command.run("deliveries", "list", "--state", "muted", "--json")).out)):
        await asyncio.sleep(0.01)
    assert {(each["status"], each["reason"]) for each in muted} == {("succeeded", "silence 1: new rack")}
    ended = [(await command.run("silence", "expire", 1)).code for _ in range(2)]
    assert (ended, len(receiver.received)) == ([0, 1], told)


async def test_a_silence_of_labels_that_no_job_has_says_so(command: Command, service: Running) -> None:
    assert (await command.run("jobs", "add", FIRST, "--label", "team=nlp")).code == 0
    said = [await command.run("silence", "add", "--label", f"team={team}", "--for", "2h") for team in ("nlp", "npl")]
    assert [each.code for each in said] == [0, 0]
    assert ["no watched job has team=" in each.err for each in said] == [False, True]


async def test_a_discarded_delivery_is_never_sent(
    command: Command, service: Running, api: FineTuningApi, receiver: Receiver
) -> None:
    receiver.answers = [Reply(410), ACCEPTED]
    api.set_status(FIRST, "cancelled")
    await service.until_logged("delivery rejected")
    delivery = await dead(command)
    discarded = await command.run("deliveries", "discard", delivery["id"])
    assert (discarded.code, discarded.out) == (0, "1 discarded\n")
    assert (await command.run("deliveries", "retry", "--since", "1h")).out == "none of them is pending or dead\n"
    listed = await command.run("deliveries", "list", "--state", "discarded", "--json")
    assert [each["id"] for each in json.loads(listed.out)] == [delivery["id"]]
    assert len(receiver.received) == 2


async def test_a_job_that_was_reopened_is_found_when_somebody_asks_again(
    command: Command, service: Running, api: FineTuningApi, receiver: Receiver
) -> None:
    api.set_status(FIRST, "failed")
    await service.until_logged("delivery accepted", type="fine_tuning.job.failed")
    api.set_status(FIRST, "running")
    await command.run("jobs", "add", FIRST)
    await receiver.wait_for(3, LIMIT)
    told = [json.loads(message.body) for message in receiver.received]
    assert statuses(told) == ["running", "failed", "running"]
    assert told[2]["data"]["reason"] == "reopened"


async def test_what_the_record_holds_is_shown_as_tables_and_as_json(
    command: Command, service: Running, api: FineTuningApi
) -> None:
    history = await command.run("jobs", "history", FIRST)
    heading, row = history.lines
    assert heading.split() == [
        *("OBSERVED", "AT", "HAPPENED", "AT", "STATUS", "REASON", "SKIPPED", "LASTED", "RESULT", "EVENT", "ID")
    ]
    assert row.split()[2:5] == ["running", "first_seen", "-"]
    (listed,) = json.loads((await command.run("jobs", "list", "--json")).out)
    assert (listed["source"], listed["id"], listed["status"], listed["trouble"]) == ("openai", FIRST, "running", None)
    unknown = await command.run("jobs", "history", "ftjob-nobody")
    assert unknown.code == 2
    assert unknown.err.splitlines()[-1] == "watcher: ftjob-nobody is not watched; `watcher jobs list` shows what is"


async def test_people_are_shown_the_newest_rows_and_programs_all_of_them(
    command: Command, service: Running, api: FineTuningApi
) -> None:
    api.set_status(FIRST, "paused")
    await service.until_logged("transition", status="paused")
    await command.run("jobs", "add", SECOND, "ftjob-third")
    newest = await command.run("jobs", "history", FIRST, "--limit", "1")
    assert [line.split()[2] for line in newest.lines[1:]] == ["paused"]
    assert "watcher: and 1 more: --limit shows more of them, --json all" in newest.err.splitlines()
    every = await command.run("jobs", "history", FIRST, "--limit", "1", "--json")
    assert [row["status"] for row in json.loads(every.out)] == ["paused", "running"]
    first = await command.run("jobs", "list", "--limit", "1")
    assert [line.split()[1] for line in first.lines[1:]] == [FIRST]
    assert "watcher: and 2 more: --limit shows more of them, --json all" in first.err.splitlines()
    assert len(json.loads((await command.run("jobs", "list", "--limit", "1", "--json")).out)) == 3


async def test_what_came_of_a_job_is_shown_wherever_it_is_shown(
    command: Command, service: Running, api: FineTuningApi
) -> None:
    api.set_status(FIRST, "succeeded")
    await service.until_logged("delivery accepted", type="fine_tuning.job.succeeded")
    (listed,) = json.loads((await command.run("jobs", "list", "--json")).out)
    last, *_ = json.loads((await command.run("jobs", "history", FIRST, "--json")).out)
    explained = json.loads((await command.run("explain", FIRST, "--json")).out)
    model = listed["fine_tuned_model"]
    assert model.startswith("ft:")
    assert {last["fine_tuned_model"], explained["job"]["fine_tuned_model"]} == {model}
    assert listed["error"] is None
    assert explained["notifiers"][0]["wants"]["failed"] is True
    newest, *_ = explained["deliveries"]
    assert (newest["status"], newest["state"], newest["answer"]) == ("succeeded", "delivered", "200 OK: ok")
    assert "200 OK" in (await command.run("explain", FIRST)).out
    for arguments in (("jobs", "list"), ("jobs", "history", FIRST), ("explain", FIRST)):
        assert model in (await command.run(*arguments)).out


async def test_times_are_there_for_programs(command: Command, service: Running) -> None:
    (listed,) = json.loads((await command.run("jobs", "list", "--json")).out)
    assert datetime.fromisoformat(listed["next_poll_at"]).tzinfo
    assert datetime.fromisoformat(listed["status_since"]).tzinfo
    assert isinstance(listed["for_seconds"], float)


FILTERS = {
    ("--state", "pending"): set(),
    ("--status", "not seen yet"): {FIRST, SECOND},
    ("--label", "team=nlp"): {SECOND},
    ("--label", "team=nlp", "--label", "tier=1"): set(),
    ("--source", "openai"): {FIRST, SECOND},
    ("--source", "elsewhere"): set(),
    ("--name", "BOT"): {SECOND},
}


async def test_the_list_is_filtered(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    await watcher.run("jobs", "add", FIRST)
    await watcher.run("jobs", "add", SECOND, "--name", "second bot", "--label", "team=nlp")
    for arguments, found in FILTERS.items():
        listed = await watcher.run("jobs", "list", "--json", *arguments)
        assert (arguments, {each["id"] for each in json.loads(listed.out)}) == (arguments, found)


async def test_every_command_on_the_store_says_which_one_it_is(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    for arguments in (
        ("jobs", "add", FIRST),
        ("jobs", "list"),
        ("jobs", "history", FIRST),
        ("jobs", "remove", FIRST),
        ("explain", FIRST),
        ("deliveries", "list"),
        ("deliveries", "retry", "--since", "1h"),
        ("deliveries", "discard", "--since", "1h"),
    ):
        ended = await watcher.run(*arguments)
        assert (arguments, ended.code) == (arguments, 0)
        assert f"watcher: store: {watcher.database}\n" in ended.err


@pytest.mark.parametrize("verb", ["retry", "discard"])
async def test_a_delivery_that_is_not_there_is_1(watcher: Command, api: FineTuningApi, verb: str) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    ended = await watcher.run("deliveries", verb, "9999")
    assert (ended.code, ended.out) == (1, "")
    assert "delivery 9999 is not there, or neither pending nor dead" in ended.err
    as_json = await watcher.run("deliveries", verb, "9999", "--json")
    assert (as_json.code, json.loads(as_json.out)) == (1, {"count": 0, "asked_for": 1})


async def test_asking_again_keeps_the_name_and_the_labels(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    await watcher.run("jobs", "add", SECOND, "--name", "second bot", "--label", "team=nlp")
    await watcher.run("jobs", "add", SECOND, "--label", "tier=1")
    (row,) = json.loads((await watcher.run("jobs", "list", "--json")).out)

    assert (row["name"], row["labels"]) == ("second bot", {"team": "nlp", "tier": "1"})


@pytest.mark.parametrize(
    "arguments", [("--name", "x" * 201), ("--name", "a\nb"), ("--label", "team"), ("--label", "a\x1b=b")]
)
async def test_what_is_no_name_and_no_label_is_refused(
    watcher: Command, api: FineTuningApi, arguments: tuple[str, str]
) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    ended = await watcher.run("jobs", "add", SECOND, *arguments)

    assert (ended.code, ended.out) == (2, "")


async def test_commands_on_the_record_need_none_of_the_services_secrets(watcher: Command) -> None:
    unreadable = {"kind": "webhook", "url_file": "/nonexistent/url", "secret_file": "/nonexistent/secret"}
    watcher.configure(
        {
            "sources": {"openai": {"api_key_file": "/nonexistent/key"}},
            "store": {"url": f"sqlite:///{watcher.database}"},
            "http": {"token_file": "/nonexistent/token"},
            "notifiers": {"hook": unreadable},
        }
    )
    for arguments in (("add", SECOND), ("list",), ("history", SECOND), ("remove", SECOND)):
        assert (await watcher.run("jobs", *arguments)).code == 0
    assert (await watcher.run("deliveries", "list")).code == 0
    assert (await watcher.run("explain", SECOND)).code == 0


async def test_a_backup_of_the_running_service_is_a_store_of_its_own(command: Command, service: Running) -> None:
    copy = command.database.with_name("copy.db")
    made = await command.run("backup", str(copy), "--json")
    assert (made.code, json.loads(made.out)["transitions"]) == (0, 1)
    again = await command.run("backup", str(copy))
    assert again.out.startswith(f"{command.database} copied to {copy}: 1 job, 1 transition, ")
    refused = await command.run("backup", str(command.database))
    assert (refused.code, "is the store itself" in refused.err) == (2, True)
