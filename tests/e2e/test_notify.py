"""`watcher notify test`, and `watch --notify`: whether a message arrives, in the receiver's own words."""

from __future__ import annotations

import json

import pytest

from tests.e2e.processes import Command
from tests.e2e.settings import API_KEY, SLACK_TOKEN, console, settings, slack, statuses, webhook
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import ACCEPTED, Receiver
from watcher.simulator.script import JobScript, Step
from watcher.simulator.server import Manner, Reply

JOB = "ftjob-notified"


@pytest.fixture
def command(watcher: Command, api: FineTuningApi, receiver: Receiver, unused_tcp_port: int) -> Command:
    """The command, with a notifier of each kind, and one for a port without a server."""
    notifiers = {
        "pager": webhook(receiver.url),
        "chat": slack(receiver.url),
        "screen": console(format="json"),
        "nobody": webhook(f"http://127.0.0.1:{unused_tcp_port}/hooks"),
    }
    watcher.configure(settings(api.base_url, watcher.database, notifiers=notifiers))
    return watcher


async def test_an_accepted_test_message_is_0_with_the_answer_of_the_receiver(
    command: Command, receiver: Receiver
) -> None:
    receiver.answers = [Reply(202, body=b"queued as no. 17")]
    tried = await command.run("notify", "test", "pager")
    assert (tried.code, tried.err) == (0, "")
    assert tried.out == "pager: accepted: 202 Accepted: queued as no. 17\n"
    (message,) = receiver.received
    assert message.verified
    assert json.loads(message.body)["type"] == "watcher.test"


async def test_slack_and_stdout_are_tried_in_the_same_way(command: Command, receiver: Receiver) -> None:
    chat = await command.run("notify", "test", "chat")
    assert (chat.code, chat.out) == (0, "chat: accepted: 200 OK: ok\n")
    assert "Test message for notifier chat" in json.loads(receiver.received[0].body)["text"]
    screen = await command.run("notify", "test", "screen")
    assert (screen.code, screen.err) == (0, "screen: accepted\n")
    assert [each["data"] for each in screen.documents] == [{"test": True, "notifier": "screen"}]


async def test_a_sample_of_any_kind_of_event_says_that_it_is_one(command: Command, receiver: Receiver) -> None:
    tried = await command.run("notify", "test", "pager", "--sample", "failed")
    assert (tried.code, tried.err) == (0, "")
    envelope = json.loads(receiver.received[0].body)
    assert (envelope["type"], envelope["data"]["sample"]) == ("fine_tuning.job.failed", True)
    wrong = await command.run("notify", "test", "pager", "--sample", "fialed")
    assert wrong.code == 2
    assert "is none of" in wrong.err
    assert "source-unreachable" in " ".join(wrong.err.split())


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(500, body=b"database is down"),
            "not accepted, may be later: 500 Internal Server Error: database is down",
        ),
        (Reply(429, {"retry-after": "90"}), "not accepted, may be later: 429 Too Many Requests (asks to wait 1m 30s)"),
        (Reply(404, body=b"no_service"), "not accepted, may be later: 404 Not Found: no_service"),
        (Reply(410, body=b"no_service"), "rejected for good: 410 Gone: no_service"),
        (Reply(302, {"location": "/x"}), "not accepted, may be later: 302 Found (redirects are not followed)"),
        (Reply(manner=Manner.RESET), "not accepted, may be later: "),
    ],
    ids=["500", "429", "404", "410", "302", "reset"],
)
async def test_a_message_that_is_not_accepted_is_1(
    command: Command, receiver: Receiver, reply: Reply, words: str
) -> None:
    receiver.answers = [reply]
    tried = await command.run("notify", "test", "pager")
    assert (tried.code, tried.err) == (1, "")
    (line,) = tried.lines
    assert line.startswith(f"pager: {words}")


async def test_a_receiver_that_is_not_there_is_1(command: Command) -> None:
    tried = await command.run("notify", "test", "nobody")
    assert (tried.code, tried.err) == (1, "")
    assert tried.out == "nobody: not accepted, may be later: cannot connect: Connection refused\n"


async def test_an_unknown_name_is_2_and_the_known_ones_are_listed(command: Command, receiver: Receiver) -> None:
    tried = await command.run("notify", "test", "pagr")
    assert (tried.code, tried.out) == (2, "")
    assert tried.err == "watcher: no notifier is named 'pagr'; the configuration has: chat, nobody, pager, screen\n"
    assert receiver.received == []


BROKEN = """
from pydantic import SecretStr
from watcher.plugins import NotifierPlugin, Section


class Config(Section):
    token: SecretStr


class Pigeon:
    concurrency = 1

    def __init__(self, token):
        self._token = token

    async def send(self, message, previous_receipt=None):
        raise KeyError(f"no loft for {self._token}")


plugin = NotifierPlugin(Config, lambda config, context: Pigeon(config.token.get_secret_value()))
"""


async def test_a_plugin_that_breaks_is_named_with_its_own_words_and_lines(watcher: Command, api: FineTuningApi) -> None:
    (watcher.home / "pigeon.py").write_text(BROKEN)
    info = watcher.home / "pigeon-0.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon\nVersion: 0.3\n")
    (info / "entry_points.txt").write_text("[watcher.notifiers]\npigeon = pigeon:plugin\n")
    notifiers = {"bird": {"kind": "pigeon", "token": SLACK_TOKEN}}
    watcher.configure(settings(api.base_url, watcher.database, notifiers=notifiers))
    tried = await watcher.run("notify", "test", "bird", env={"PYTHONPATH": str(watcher.home)})
    assert (tried.code, tried.out) == (1, "")
    first, second, *frames, last = tried.err.splitlines()
    assert first == "watcher: bird: the plugin pigeon of the package pigeon 0.3, kind 'pigeon', broke"
    assert second == "watcher: KeyError: 'no loft for ***'"
    assert "pigeon.py" in frames[0]
    assert not any("/watcher/cli/" in frame for frame in frames)
    assert last == "watcher: the plugin is no part of the watcher: please report this to those who make it"


async def test_watch_delivers_before_it_ends_and_tries_again(
    command: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    """The first message is refused twice: the second status waits for it, and so does the end of the command."""
    receiver.answers = [Reply(503), Reply(503), ACCEPTED]
    api.add_job(JobScript(JOB, (Step("running", polls=1), Step("failed"))))
    ended = await command.run("watch", JOB, "--interval", "0.1s", "--notify", "pager", env={"OPENAI_API_KEY": API_KEY})
    assert ended.code == 1
    told = [json.loads(message.body) for message in receiver.received]
    assert statuses(told) == ["running", "running", "running", "failed"]
    assert len({body["id"] for body in told}) == 2
    assert all(message.verified for message in receiver.received)


async def test_watch_says_what_could_not_be_delivered_and_keeps_the_exit_code_of_the_job(
    command: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    receiver.answers = [Reply(410)]
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    ended = await command.run("watch", JOB, "--notify", "pager")
    assert ended.code == 0
    assert ended.err == "watcher: pager: not delivered: 410 Gone\n"
    receiver.answers = [Reply(410)]
    logged = await command.run("watch", JOB, "--notify", "pager", "--log-format", "json")
    assert logged.events("error") == ["delivery rejected", "not delivered"]


@pytest.mark.parametrize(("last", "code"), [("succeeded", 7), ("failed", 1)])
async def test_a_required_notice_that_is_not_delivered_is_7_unless_the_job_itself_is_worse(
    command: Command, api: FineTuningApi, receiver: Receiver, last: str, code: int
) -> None:
    receiver.answers = [Reply(410)]
    api.add_job(JobScript(JOB, (Step(last),)))
    assert (await command.run("watch", JOB, "--notify", "pager", "--notify-required")).code == code


async def test_json_says_what_became_of_a_test_message(command: Command, receiver: Receiver) -> None:
    receiver.answers = [Reply(429, {"retry-after": "90"})]
    tried = await command.run("notify", "test", "pager", "--json")
    assert tried.code == 1
    assert json.loads(tried.out) == {
        "notifier": "pager",
        "outcome": "failed",
        "answer": None,
        "error": "429 Too Many Requests",
        "retry_after_seconds": 90.0,
    }


async def test_watch_tells_several_notifiers(command: Command, api: FineTuningApi, receiver: Receiver) -> None:
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    ended = await command.run("watch", JOB, "--notify", "pager", "--notify", "chat")
    assert ended.code == 0
    assert sorted(message.path.split("/")[1] for message in receiver.received) == ["hooks", "services"]
