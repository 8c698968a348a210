"""The simulated API with a clock that is moved by hand, and a client that may be told anything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import openai
import pytest

from tests.doubles import ManualClock
from watcher.simulator.api import FineTuningApi


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def api(clock: ManualClock) -> AsyncIterator[FineTuningApi]:
    async with FineTuningApi(clock=clock) as api:
        yield api


@pytest.fixture
async def client(api: FineTuningApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=api.base_url, trust_env=False, timeout=2) as client:
        yield client


@pytest.fixture
async def sdk(api: FineTuningApi) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, asking the simulator."""
    async with openai.AsyncOpenAI(
        base_url=api.base_url,
        api_key="sk-any",
        max_retries=0,
        http_client=openai.DefaultAsyncHttpxClient(trust_env=False),
    ) as sdk:
        yield sdk
