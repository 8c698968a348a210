"""Servers are asked no faster than they want."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from watcher.http import Pacer, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


async def test_messages_to_one_address_are_spaced_out_and_others_are_not() -> None:
    pacer, loop = Pacer(), asyncio.get_running_loop()
    begin, at = loop.time(), []
    for address in ("a", "b", "a", "a"):
        await pacer.turn(address, timedelta(seconds=0.05))
        at.append(loop.time() - begin)

    assert at[1] < 0.05
    assert at[2] >= 0.049
    assert at[3] >= 0.099


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "3"}, timedelta(seconds=3)),
        ({"retry-after": "0.5"}, timedelta(seconds=0.5)),
        ({"retry-after-ms": "250", "retry-after": "9"}, timedelta(seconds=0.25)),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:00 GMT"}, timedelta(minutes=1)),
        ({"retry-after": "Sun, 01 Mar 2026 11:59:00 GMT"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, timedelta(days=365)),
        ({"retry-after": "Sun, 01 Mar 99999999999999999999 12:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 +2359"}, None),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 -2359"}, timedelta(days=365)),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:00 +99999999999999"}, None),
        ({"retry-after-ms": "x", "retry-after": "7"}, timedelta(seconds=7)),
    ],
)
def test_a_wish_to_be_left_alone_is_read_in_every_form(headers: dict[str, str], wait: timedelta | None) -> None:
    assert retry_after(httpx.Headers(headers), NOW) == wait
