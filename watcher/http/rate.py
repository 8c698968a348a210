"""How fast servers want to be asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_A_YEAR_SECONDS = 365 * 86_400.0
"""Longer than any server asks for; keeps absurd numbers within the range of a timedelta."""


class Pacer:
    """Spaces out messages to one address, over all senders."""

    def __init__(self) -> None:
        """Make a pacer that has seen nothing yet."""
        self._next: dict[str, float] = {}

    async def turn(self, address: str, spacing: timedelta) -> None:
        """Wait until the address may be written to again."""
        now = asyncio.get_running_loop().time()
        at = max(self._next.get(address, now), now)
        self._next[address] = at + spacing.total_seconds()
        await asyncio.sleep(at - now)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Return how long a server asks to be left alone: `retry-after-ms`, else `retry-after` in seconds or as a date.

    None when it does not say, or says nothing usable.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    seconds = _number(headers.get("retry-after"))
    if milliseconds is not None:
        wait = milliseconds / 1000
    elif seconds is not None:
        wait = seconds
    else:
        wait = _seconds_until(headers.get("retry-after"), now)
    return timedelta(seconds=min(wait, _A_YEAR_SECONDS)) if wait > 0 else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(date: str | None, now: datetime) -> float:
    try:
        at = parsedate_to_datetime(date or "")
        # Numbers that no calendar holds overflow in the parser, and offsets at its edges in the subtraction.
        return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, OverflowError):
        return 0.0
