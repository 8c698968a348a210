"""`watcher watch` on a terminal: a line for each job below the transitions, and nothing of it left behind."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable
from datetime import timedelta
from signal import SIGINT

import pytest

from tests.e2e.processes import LIMIT, Command, Running
from tests.e2e.settings import API_KEY
from tests.e2e.terminal import Terminal
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Step

JOBS = ("ftjob-abcdefghijklmnopqrstuvwx", "ftjob-second000000000000000000")


async def until(terminal: Terminal, condition: Callable[[list[str]], object]) -> list[str]:
    """Wait until the terminal shows what is expected. Fails with what it shows instead."""
    try:
        async with asyncio.timeout(LIMIT.total_seconds()):
            while not condition(terminal.lines):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError("\n".join(["it shows", *terminal.lines])) from None
    return terminal.lines


def environment(api: FineTuningApi) -> dict[str, str]:
    return {"OPENAI_BASE_URL": api.base_url, "OPENAI_API_KEY": API_KEY, "TERM": "xterm-256color", "NO_COLOR": "1"}


async def interrupted(running: Running) -> int:
    return (await running.stop(SIGINT)).code


async def test_nothing_is_left_behind_when_the_window_shrinks(watcher: Command, api: FineTuningApi) -> None:
    for job_id in JOBS:
        api.add_job(JobScript(job_id, (Step("running"),)))
    with Terminal(100) as terminal:
        async with watcher.start("watch", *JOBS, env=environment(api), stdout=terminal.theirs) as running:
            await until(terminal, lambda lines: len(lines) == 5 and "running" in lines[-1])
            for width in (60, 40):
                terminal.resize(width)
                shown = await until(
                    terminal, lambda lines: len(lines) == 5 and max(map(len, lines[2:])) < terminal.width
                )
                assert "running" in shown[-1]
            assert await interrupted(running) == 130
        await asyncio.sleep(0)
        assert len(terminal.lines) == 2
        for job_id, line in zip(sorted(JOBS), sorted(terminal.lines, key=lambda line: line[11:]), strict=True):
            assert re.fullmatch(rf"\d\d:\d\d:\d\d • {job_id}: first seen, running", line)
        # The title of the window is put back as it was.
        assert terminal.commands[0].endswith(" · watcher")
        assert terminal.commands[-1] == "0;"


async def test_a_row_tells_progress_losses_and_what_is_left_and_a_summary_the_outcome(
    watcher: Command, api: FineTuningApi
) -> None:
    api.add_job(JobScript(JOBS[0], (Step("running", timedelta(seconds=30)), Step("succeeded"))))
    env = {**environment(api), "TERM_PROGRAM": "ghostty"}
    with Terminal(140) as terminal:
        arguments = ("--interval", "0.2s", "--notify-desktop")
        async with watcher.start("watch", JOBS[0], *arguments, env=env, stdout=terminal.theirs) as running:
            heading, row = (await until(terminal, lambda lines: "/100" in lines[-1] and "(API)" in lines[-1]))[-2:]
            api.set_status(JOBS[0], "succeeded")
            assert (await running.ended()).code == 0
        shown = await until(terminal, lambda lines: len(lines) == 4 and lines[-1].startswith("  ft:"))
    assert heading.split() == ["job", "status", "progress", "loss", "age", "left", "heard"]
    assert re.search(r"running  .*\d+/100  +\d+%  \d\.\d\d  [▁▂▃▄▅▆▇█]", row)
    assert re.fullmatch(
        rf"✔ {JOBS[0]} succeeded · after [\d.]+s · 1,234,567 tokens · train loss [\d.]+ · valid loss [\d.]+", shown[-2]
    )
    assert [command for command in terminal.commands if command.startswith("9;4;1;")]
    assert terminal.commands[-2:] == ["9;4;0;0", f"9;watcher: {JOBS[0]} succeeded"]


async def test_more_jobs_than_rows_are_counted_by_status(watcher: Command, api: FineTuningApi) -> None:
    jobs = [f"ftjob-{number}" for number in range(12)]
    for job_id in jobs:
        api.add_job(JobScript(job_id, (Step("running" if job_id in jobs[:9] else "queued"),)))
    with Terminal(80) as terminal:
        async with watcher.start("watch", *jobs, env=environment(api), stdout=terminal.theirs) as running:
            shown = await until(terminal, lambda lines: len(lines) == 22 and "3 queued" in lines[-1])
            assert shown[-1].endswith("12 jobs: 9 running, 3 queued")
            assert await interrupted(running) == 130


async def test_without_an_id_a_terminal_offers_the_jobs_that_run(watcher: Command, api: FineTuningApi) -> None:
    api.add_job(JobScript("ended", (Step("failed"),), suffix="old"))
    for job_id in ("one", "two"):
        api.add_job(JobScript(job_id, (Step("running", polls=4), Step("succeeded")), suffix=f"bot-{job_id}"))
    with Terminal(80) as terminal:
        arguments = ("watch", "--interval", "0.1s")
        async with watcher.start(
            *arguments, env=environment(api), stdin=terminal.theirs, stdout=terminal.theirs
        ) as running:
            shown = await until(terminal, lambda lines: lines[-1].startswith("Which?"))
            assert shown[0] == "openai runs 2 jobs:"
            assert [line.split()[:3] for line in shown[1:3]] == [["1", "bot-two", "two"], ["2", "bot-one", "one"]]
            terminal.type("7\n")
            await until(terminal, lambda lines: lines[-1].startswith("Which?") and len(lines) > 5)
            terminal.type("2\n")
            assert (await running.ended()).code == 0
        shown = await until(terminal, lambda lines: lines[-1].startswith("  ft:"))
    assert "'7' is not among them." in shown
    assert any(line.startswith("✔ bot-one succeeded") for line in shown)
    assert not any(line.startswith("✔ bot-two") for line in shown)


async def test_the_shell_prompts_on_a_line_of_its_own_after_an_interrupted_choice(
    watcher: Command, api: FineTuningApi
) -> None:
    for job_id in JOBS:
        api.add_job(JobScript(job_id, (Step("running"),)))
    with Terminal(80) as terminal:
        async with watcher.start(
            "watch", env=environment(api), stdin=terminal.theirs, stdout=terminal.theirs
        ) as running:
            await until(terminal, lambda lines: lines[-1].startswith("Which?"))
            assert await interrupted(running) == 130
        os.write(terminal.theirs, b"$")
        await until(terminal, lambda lines: lines[-1] == "$")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
async def test_a_terminal_of_another_encoding_is_no_reason_to_fail(
    watcher: Command, api: FineTuningApi, encoding: str
) -> None:
    api.add_job(JobScript(JOBS[0], (Step("running", polls=2), Step("succeeded"))))
    env = environment(api) | {"PYTHONIOENCODING": encoding}
    with Terminal(80) as terminal:
        async with watcher.start("watch", JOBS[0], "--interval", "0.1s", env=env, stdout=terminal.theirs) as running:
            assert (await running.ended()).code == 0
        shown = await until(terminal, lambda lines: "succeeded" in lines[-2] and lines[-1].startswith("  ft:"))
    arrow = "→" if encoding == "utf-8" else r"\u2192"
    assert f"{arrow} succeeded" in shown[1]
    assert shown[-2].startswith(f"{'✔' if encoding == 'utf-8' else '+'} {JOBS[0]} succeeded")


async def test_trouble_is_told_above_the_view_in_words(watcher: Command, unused_tcp_port: int) -> None:
    env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{unused_tcp_port}/v1", "OPENAI_API_KEY": API_KEY}
    with Terminal(80) as terminal:
        arguments = ("--interval", "0.1s", "--give-up-after", "1s")
        async with watcher.start("watch", JOBS[0], *arguments, env=env, stdout=terminal.theirs) as running:
            await until(terminal, lambda lines: "cannot connect, trying again" in lines[-1])
            ended = await running.ended()
        assert terminal.lines == [""]
    assert ended.code == 6
    first, last = ended.err.splitlines()
    assert first == f"watcher: {JOBS[0]}: poll failed, going on: cannot connect: Connection refused"
    assert last.startswith(f"watcher: {JOBS[0]}: gave up: nothing but failed polls: cannot connect")
