"""Whether a service works on a store: what the commands say of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from tests.doubles import START
from watcher.cli.store import tell_if_unattended


class Seen:
    """A store that tells when a service last left a sign of life."""

    def __init__(self, at: datetime | None) -> None:
        self._at = at

    async def service_seen(self) -> datetime | None:
        return self._at


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (START - timedelta(seconds=20), None),
        (START + timedelta(seconds=5), None),
        (START - timedelta(hours=2), "the last sign of one is 2h old"),
        (None, "none has left a sign"),
    ],
    ids=["just now", "ahead of us", "long ago", "never"],
)
async def test_it_is_said_when_no_service_works_on_the_store(
    seen: datetime | None, words: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    is_unattended = await tell_if_unattended(cast(Any, Seen(seen)), START)
    told = capsys.readouterr().err
    assert is_unattended is (words is not None)
    assert (words in told and "nothing is polled until `watcher run` is started on it" in told) if words else not told
