"""Times of day, and the time zones that they are told in."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from watcher.settings.quiet_hours import zone_of


@pytest.fixture
def without_zones_of_the_system() -> Iterator[None]:
    zoneinfo.reset_tzpath(to=[])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("without_zones_of_the_system")
def test_a_container_without_time_zones_knows_them_all_the_same() -> None:
    assert datetime(2026, 7, 1, tzinfo=zone_of("Europe/Berlin")).utcoffset() == timedelta(hours=2)
    assert zone_of(None) is UTC
    with pytest.raises(ValueError, match="Europe/Berin"):
        zone_of("Europe/Berin")
