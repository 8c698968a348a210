"""What people would use instead: a loop over httpx, or over the official SDK.

`python -m tests.benchmarks.loops httpx|sdk BASE_URL AT_ONCE` polls until it is ended.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

JOBS = 320


async def httpx_loop(base_url: str, at_once: int) -> None:
    """Poll as a careful person would write it: one client, bounded."""
    import httpx

    async with httpx.AsyncClient(headers={"Authorization": "Bearer sk-benchmark"}, timeout=15) as client:

        async def worker(numbers: itertools.count[int]) -> None:
            for number in numbers:
                response = await client.get(f"{base_url}/fine_tuning/jobs/ftjob-{number % JOBS}")
                response.raise_for_status()
                assert response.json()["status"] == "running"

        await asyncio.gather(*(worker(itertools.count(number)) for number in range(at_once)))


async def sdk_loop(base_url: str, at_once: int) -> None:
    """Poll with the official SDK's asynchronous client."""
    import openai

    async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-benchmark", timeout=15) as client:

        async def worker(numbers: itertools.count[int]) -> None:
            for number in numbers:
                assert (await client.fine_tuning.jobs.retrieve(f"ftjob-{number % JOBS}")).status == "running"

        await asyncio.gather(*(worker(itertools.count(number)) for number in range(at_once)))


if __name__ == "__main__":
    asyncio.run({"httpx": httpx_loop, "sdk": sdk_loop}[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
