"""What reaches a terminal or a pipe: the stdout notifier of the service, help, the version, and colours."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.processes import LIMIT, Command, Finished
from tests.e2e.settings import API_KEY, console, jobs, settings, statuses, webhook
from watcher import __version__
from watcher.simulator.api import FineTuningApi
from watcher.simulator.receiver import Receiver
from watcher.simulator.script import JobScript, Step

JOB = "ftjob-output"
VERBS = [
    (),
    ("run",),
    ("watch",),
    ("retrieve",),
    ("jobs",),
    ("jobs", "list"),
    ("jobs", "add"),
    ("jobs", "remove"),
    ("jobs", "history"),
    ("deliveries",),
    ("deliveries", "list"),
    ("deliveries", "retry"),
    ("deliveries", "discard"),
    ("silence",),
    ("silence", "add"),
    ("silence", "list"),
    ("silence", "expire"),
    ("routes",),
    ("routes", "test"),
    ("notify",),
    ("notify", "test"),
    ("config",),
    ("config", "check"),
    ("config", "show"),
    ("config", "schema"),
    ("demo",),
    ("simulate",),
    ("explain",),
    ("metrics",),
]


def configure(watcher: Command, api: FineTuningApi, **notifiers: object) -> None:
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs(JOB), notifiers=notifiers))


async def test_the_service_writes_a_line_for_each_transition_and_nothing_else(
    watcher: Command, api: FineTuningApi
) -> None:
    """What an API says cannot forge a second line, nor drive a terminal."""
    configure(watcher, api, text=console(), json=console(format="json"))
    error = {"code": "bad", "message": "no\nftjob-forged: succeeded \x1b[2J", "param": None}
    api.add_job(JobScript(JOB, (Step("running", polls=1), Step("failed")), error=error))
    async with watcher.start("run") as running:
        await running.until_written(4)
        ended = await running.stop()
    assert ended.code == 0
    envelopes = [json.loads(line) for line in ended.lines if line.startswith("{")]
    texts = [line for line in ended.lines if not line.startswith("{")]
    assert statuses(envelopes) == ["running", "failed"]
    assert len(texts) == 2
    assert r"error: no / ftjob-forged: succeeded \x1b[2J" in texts[1]
    assert "\x1b" not in ended.out


async def test_a_closed_pipe_ends_the_service_quietly_with_141(watcher: Command, api: FineTuningApi) -> None:
    configure(watcher, api, console=console())
    api.add_job(JobScript(JOB, (Step("running"),)))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        async with watcher.start("run", stdout=writing) as running:
            ended = await running.ended()
    finally:
        os.close(writing)
    assert ended.code == 141
    assert ended.events("error") == []
    listed = json.loads((await watcher.run("deliveries", "list", "--json")).out)
    assert [(each["state"], each["attempts"]) for each in listed] == [("pending", 0)]


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


def redirected(redirection: str) -> Sequence[str]:
    """Return what starts a command as a shell does with this redirection."""
    return ("sh", "-c", f'exec "$0" "$@" {redirection}')


@FULL
@pytest.mark.parametrize("arguments", [("watch", JOB, "--json"), ("retrieve", JOB), ("config", "show")], ids=" ".join)
async def test_a_full_disk_behind_standard_output_is_74_in_clear_words(
    watcher: Command, api: FineTuningApi, arguments: tuple[str, ...]
) -> None:
    configure(watcher, api)
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    ended = await watcher.run(*arguments, "--config", watcher.config, prefix=redirected(">/dev/full"))
    assert ended.code == 74
    assert ended.err.endswith("watcher: standard output: No space left on device\n")


async def test_without_a_standard_output_it_works_unseen(watcher: Command, api: FineTuningApi) -> None:
    """No file or connection may take the place of the closed stream, and get what was meant for it."""
    configure(watcher, api)
    api.add_job(JobScript(JOB, (Step("cancelled"),)))
    for arguments, code in ((("jobs", "add", JOB), 0), (("watch", JOB), 3)):
        assert (await watcher.run(*arguments, prefix=redirected(">&-"))).code == code
    assert [each["id"] for each in json.loads((await watcher.run("jobs", "list", "--json")).out)] == [JOB]


@FULL
async def test_a_full_disk_behind_the_log_does_not_disturb_the_service(
    watcher: Command, api: FineTuningApi, receiver: Receiver
) -> None:
    configure(watcher, api, pager=webhook(receiver.url))
    api.add_job(JobScript(JOB, (Step("running", polls=3), Step("succeeded"))))
    async with watcher.start("run", prefix=redirected("2>/dev/full")) as running:
        await receiver.wait_for(2, LIMIT)
        assert (await running.stop()).code == 0


async def test_the_version_is_shown(watcher: Command) -> None:
    shown = await watcher.run("--version")
    assert (shown.code, shown.out, shown.err) == (0, f"watcher {__version__}\n", "")


async def test_the_installed_command_is_the_same(watcher: Command) -> None:
    command = Path(sys.executable).with_name("watcher")
    process = await asyncio.create_subprocess_exec(
        command, "--version", stdout=asyncio.subprocess.PIPE, cwd=watcher.home
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (0, f"watcher {__version__}\n")


NAMES_OF_TYPES = re.compile(r"<(parsed|str|path|function)>")


async def test_every_verb_has_help(watcher: Command) -> None:
    slots = asyncio.Semaphore(4)

    async def help_of(verb: tuple[str, ...]) -> Finished:
        async with slots:
            return await watcher.run(*verb, "--help")

    for verb, shown in zip(VERBS, await asyncio.gather(*map(help_of, VERBS)), strict=True):
        assert (shown.code, shown.err) == (0, "")
        assert f"Usage: {' '.join(('python -m watcher', *verb))} " in shown.out
        assert not NAMES_OF_TYPES.search(shown.out)


async def test_the_help_of_watch_tells_every_exit_code(watcher: Command) -> None:
    shown = await watcher.run("watch", "--help")
    told = dict(re.findall(r"• ([0-9, ]+): (\w+)", shown.out))
    assert told == {
        "0": "succeeded",
        "1": "failed",
        "2": "usage",
        "3": "cancelled",
        "4": "rejected",
        "5": "not",
        "6": "gave",
        "7": "undelivered",
        "124": "timed",
        "130, 143": "interrupted",
    }


COMPLETING = "_PYTHON _M WATCHER_COMPLETE"
"""The variable by which a shell asks, for a command of the name `python -m watcher`."""
OFFERED = {
    "watcher watch ftjob-c": ["ftjob-configured"],
    "watcher jobs remove ftjob-": ["ftjob-added", "ftjob-configured"],
    "watcher explain nothing": [""],
    "watcher notify test p": ["pager"],
    "watcher watch a --until su": ["succeeded"],
    "watcher jobs list --state pau": ["paused"],
}


async def test_a_shell_completes_jobs_notifiers_and_statuses(watcher: Command, api: FineTuningApi) -> None:
    notifiers = {"pager": webhook("http://127.0.0.1:9/hooks")}
    watcher.configure(settings(api.base_url, watcher.database, jobs=jobs("ftjob-configured"), notifiers=notifiers))
    await watcher.run("jobs", "add", "ftjob-added")
    for words, offered in OFFERED.items():
        count = words.count(" ")
        env = {COMPLETING: "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
        completed = await watcher.run(env=env)
        assert (words, completed.lines, completed.err) == (words, offered, "")


async def test_completing_a_word_makes_no_database(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    env = {COMPLETING: "complete_bash", "COMP_WORDS": "watcher explain f", "COMP_CWORD": "2"}
    await watcher.run(env=env)
    assert not watcher.database.exists()


async def test_the_option_that_was_meant_is_suggested_alone(watcher: Command) -> None:
    refused = await watcher.run("watch", JOB, "--untill", "running")
    assert refused.code == 2
    assert "--until)" in refused.err
    assert "--notify" not in refused.err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
async def test_help_is_shown_in_any_encoding(watcher: Command, encoding: str) -> None:
    shown = await asyncio.gather(
        *(watcher.run(*verb, "--help", env={"PYTHONIOENCODING": encoding}) for verb in (("watch",), ("retrieve",)))
    )
    assert {each.code for each in shown} == {0}


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["colour", "NO_COLOR", "dumb"])
async def test_a_terminal_gets_colours_unless_they_are_not_wanted(
    watcher: Command, api: FineTuningApi, env: dict[str, str]
) -> None:
    """On a terminal the transitions stand above one live line; a dumb one gets them alone, without any escapes."""
    api.add_job(JobScript(JOB, (Step("running", polls=2), Step("succeeded"))))
    ours, theirs = pty.openpty()
    try:
        env = {"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY, "TERM": "xterm-256color", **env}
        async with watcher.start("watch", JOB, "--interval", "0.1s", env=env, stdout=theirs) as watching:
            ended = await watching.ended()
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert ended.code == 0
    assert f"{JOB}: running → succeeded" in shown
    assert ("\x1b[32m" in shown) is (env["TERM"] != "dumb" and "NO_COLOR" not in env)
    assert ("\x1b" in shown) is (env["TERM"] != "dumb")


async def test_a_dumb_terminal_rings_for_the_desktop_and_a_pipe_says_that_it_cannot(
    watcher: Command, api: FineTuningApi
) -> None:
    api.add_job(JobScript(JOB, (Step("succeeded"),)))
    env = {"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY, "TERM": "dumb"}
    ours, theirs = pty.openpty()
    try:
        async with watcher.start("watch", JOB, "--notify-desktop", env=env, stdout=theirs) as watching:
            ended = await watching.ended()
        shown = os.read(ours, 65536).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert (ended.code, ended.err) == (0, "")
    assert f"{JOB}: first seen, succeeded" in shown
    assert shown.endswith("\r\n\a")
    piped = await watcher.run("watch", JOB, "--notify-desktop", env=env)
    assert piped.code == 0
    assert "\a" not in piped.out
    assert "no output goes to a terminal" in piped.err
