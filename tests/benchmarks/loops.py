"""What people would use instead: a loop over httpx, or over the official SDK.

`python -m tests.benchmarks.loops NAME BASE_URL CONCURRENCY` asks for one job after the other until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.benchmarks.doors import DOORS, SECONDS, Ask, Door, one_client

JOBS = 320


@asynccontextmanager
async def httpx_loop(base_url: str, concurrency: int) -> AsyncIterator[Ask]:
    """Ask as a careful person would write it: one client, bounded, and the status read."""
    async with one_client(base_url, concurrency) as ask:

        async def read(job_id: str) -> object:
            return json.loads(str(await ask(job_id), "utf-8"))["status"]  # type: ignore[call-overload]

        yield read


@asynccontextmanager
async def sdk_loop(base_url: str, _at_once: int, *, over_aiohttp: bool = False) -> AsyncIterator[Ask]:
    """Ask by the official SDK's asynchronous client, as it comes or over aiohttp, as its README advises."""
    import openai

    client = openai.DefaultAioHttpClient() if over_aiohttp else None
    async with openai.AsyncOpenAI(
        base_url=base_url, api_key="sk-benchmark", timeout=SECONDS, max_retries=0, http_client=client
    ) as sdk:

        async def ask(job_id: str) -> object:
            return (await sdk.fine_tuning.jobs.retrieve(job_id)).status

        yield ask


LOOPS: dict[str, Door] = {
    "httpx": httpx_loop,
    "sdk": sdk_loop,
    "sdk over aiohttp": partial(sdk_loop, over_aiohttp=True),
    **DOORS,
}


async def poll(name: str, base_url: str, concurrency: int) -> None:
    """Keep so many requests in flight, for ever."""
    async with LOOPS[name](base_url, concurrency) as ask:

        async def worker(first: int) -> None:
            for number in itertools.count(first, concurrency):
                await ask(f"ftjob-{number % JOBS}")

        await asyncio.gather(*map(worker, range(concurrency)))


async def read_list(base_url: str) -> None:
    """Read the whole list by the SDK, page after page, for ever."""
    import openai

    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-benchmark", timeout=SECONDS, max_retries=0) as sdk:
        while True:
            async for job in sdk.fine_tuning.jobs.list(limit=100):
                assert job.status


if __name__ == "__main__":
    name, base_url, concurrency = sys.argv[1:]
    asyncio.run(read_list(base_url) if name == "sdk list" else poll(name, base_url, int(concurrency)))
