"""What a poll costs, and how many of them one process can do."""

from __future__ import annotations

import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import median

from tests.benchmarks.doors import DOORS
from tests.benchmarks.processes import (
    LATENCY_SECONDS,
    Setup,
    SourceClient,
    api,
    cpu_seconds,
    pinned,
    process,
    until,
    watcher,
)
from tests.benchmarks.results import Table, Target, spread, verdict

CONCURRENCY = 32
WARM_UP_SECONDS = 2.0
MEASURED_SECONDS = 4.0
CORE = 0
HIGH_CONCURRENCY = 512
"""As many as the watcher has in flight at four sources."""
SOURCES = 4
BRIEF_SECONDS = 2.0
MOST_DOORS = 1
"""There are fourteen of them."""
INTERVAL_SECONDS = 2
LONGEST_START_SECONDS = 10.0
"""In which all jobs must have been polled once, or the rate is too high."""
OFFERED = range(500, 6001, 500)
"""Polls a second."""
MOST_LADDERS = 1
"""Each takes two minutes."""
OURS = "`watcher run`"

Measure = Callable[[], float]


def interleaved(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Take the measures in turn, so that a machine that drifts drifts for all of them."""
    figures: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        for name, measure in measures.items():
            figures[name].append(measure())
    return figures


def cost(rounds: int) -> Table:
    """Measure the processor time of a poll, with 32 in flight."""
    measures: dict[str, Measure] = {
        OURS: cpu_of_run,
        "`watcher run` with uvloop": partial(cpu_of_run, "uvloop"),
        "its requests alone, as a loop": partial(cpu_of_loop, "watcher.http"),
        "bare httpx loop": partial(cpu_of_loop, "httpx"),
        "bare aiohttp loop": partial(cpu_of_loop, "aiohttp"),
        "openai SDK loop": partial(cpu_of_loop, "sdk"),
        "openai SDK loop over aiohttp": partial(cpu_of_loop, "sdk over aiohttp"),
        "raw sockets": partial(cpu_of_loop, "raw sockets"),
    }
    figures = interleaved(measures, rounds)
    targets = {
        "bare httpx loop": Target(1.25),
        "openai SDK loop": Target(0.2),
        "openai SDK loop over aiohttp": Target(0.3),
    }
    verdicts = [verdict(f"a poll, of {name}", [_ratio(name, figures)], target, 2) for name, target in targets.items()]
    return Table(
        "Processor time of a poll",
        ("", "µs", "ours is … x of it", "target", "met"),
        [_compared(name, figures, targets.get(name)) for name in figures],
        "32 in flight, each answer takes 100 ms. The watcher also schedules, compares and keeps a store.",
        verdicts,
    )


def _ratio(name: str, figures: Mapping[str, Sequence[float]]) -> float:
    return median(figures[OURS]) / median(figures[name])


def _compared(name: str, figures: Mapping[str, Sequence[float]], target: Target | None) -> list[str]:
    ratio = _ratio(name, figures)
    judged = target.judged(ratio) if target else ("", "")
    return [name, spread(figures[name]), "" if name == OURS else f"{ratio:.2f}", *judged]


def doors(rounds: int) -> Table:
    """Compare what the door to HTTP may be made of."""
    measures = {name: partial(cpu_of_loop, name, seconds=BRIEF_SECONDS) for name in DOORS}
    figures = interleaved(measures, min(rounds, MOST_DOORS))
    return Table(
        "The door to HTTP",
        ("", f"µs a request, {CONCURRENCY} in flight"),
        [[name, spread(each)] for name, each in figures.items()],
        "Processor time of a request for a job of 1.4 kB, by what it is sent through.",
    )


def cpu_of_run(event_loop: str = "asyncio") -> float:
    """Let `watcher run` poll 320 jobs a second: with 100 ms latency, 32 are in flight."""
    setup = Setup(jobs=CONCURRENCY * 10, interval="1s", event_loop=event_loop)
    with api(*_latency()) as each, watcher(setup, each.base_url) as pid:
        return cpu_of_poll(pid, each)


def cpu_of_loop(name: str, concurrency: int = CONCURRENCY, seconds: float = MEASURED_SECONDS) -> float:
    """Let a loop poll, so many at once."""
    with api(*_latency()) as each, process(_loop(name, each, concurrency)) as running:
        return cpu_of_poll(running.pid, each, seconds)


def cpu_of_poll(pid: int, each: SourceClient, seconds: float = MEASURED_SECONDS) -> float:
    """Return microseconds of processor time per poll, after a warm-up."""
    until(lambda: each.tally().seen > 0, "the first poll")
    time.sleep(WARM_UP_SECONDS)
    each.tally()
    cpu = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - cpu) / each.tally().retrieved * 1e6


def rate(rounds: int) -> Table:
    """Find how many polls a second one process sustains on one core, with 100 ms latency."""
    figures = interleaved(
        {
            OURS: highest_sustained,
            "bare httpx loop": partial(rate_of_loop, "httpx"),
            "bare aiohttp loop": partial(rate_of_loop, "aiohttp"),
            "openai SDK loop": partial(rate_of_loop, "sdk"),
            "openai SDK loop over aiohttp": partial(rate_of_loop, "sdk over aiohttp"),
            "raw sockets": partial(rate_of_loop, "raw sockets"),
        },
        min(rounds, MOST_LADDERS),
    )
    target = Target(4000, "/s", is_minimum=True)
    return Table(
        "Polls a second on one core, a request for each job",
        ("", "polls/s", "target", "met"),
        [
            [name, spread(each), *(target.judged(median(each)) if name == OURS else ("", ""))]
            for name, each in figures.items()
        ],
        f"Each answer takes 100 ms, at most {HIGH_CONCURRENCY} are in flight, for the watcher at {SOURCES} sources. The"
        f" watcher is offered jobs for up to {OFFERED[-1]:,} polls/s (steps of {OFFERED.step}): most that it sustains"
        " without one being late by more than its interval; the loops go as fast as they can, on time or not.",
        [verdict("polls a second on one core", figures[OURS], target)],
    )


def highest_sustained() -> float:
    """Find by halves how many polls a second may be offered before the watcher falls behind."""
    first_too_many = bisect_left(OFFERED, True, key=lambda offered: not keeps_up(_offer(offered)))
    return OFFERED[first_too_many - 1] if first_too_many else 0


def _offer(polls_a_second: int) -> Setup:
    jobs, interval = polls_a_second * INTERVAL_SECONDS, f"{INTERVAL_SECONDS}s"
    return Setup(jobs=jobs, interval=interval, core=CORE, sources=SOURCES)


def keeps_up(setup: Setup) -> bool:
    """Return whether no job is late by more than an interval."""
    with api(*_latency(), "--jobs", str(setup.jobs)) as each, watcher(setup, each.base_url):
        deadline = time.monotonic() + LONGEST_START_SECONDS
        until(lambda: each.tally().seen == setup.jobs or time.monotonic() > deadline, "the first poll of each job")
        time.sleep(WARM_UP_SECONDS)
        each.tally()
        time.sleep(MEASURED_SECONDS + INTERVAL_SECONDS)
        tally = each.tally()
        return tally.seen == setup.jobs and tally.longest_gap <= 2 * INTERVAL_SECONDS


def rate_of_loop(name: str) -> float:
    """Return how many polls a second a loop comes to on one core."""
    with api(*_latency()) as each, process([*pinned(CORE), *_loop(name, each, HIGH_CONCURRENCY)]):
        until(lambda: each.tally().seen > 0, "the first poll")
        time.sleep(WARM_UP_SECONDS)
        each.tally()
        time.sleep(MEASURED_SECONDS)
        return each.tally().retrieved / MEASURED_SECONDS


def _loop(name: str, each: SourceClient, concurrency: int) -> list[str]:
    return [sys.executable, "-m", "tests.benchmarks.loops", name, each.base_url, str(concurrency)]


def _latency() -> tuple[str, str]:
    return "--latency", str(LATENCY_SECONDS)
