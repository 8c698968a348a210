"""Times of day, and the time zones that they are told in."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watcher.errors import ConfigurationError
from watcher.settings.quiet_hours import zone_of
from watcher.settings.validation import load


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


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param('{ from = "20:00", to = "07:00", days = ["sat"] }', "quiet.days: unknown key", id="unknown key"),
        pytest.param('{ from = "20:00" }', "quiet.to: missing", id="no end"),
        pytest.param('{ from = "20:00", to = "20:00" }', "from and to are the same", id="no length"),
        pytest.param('{ from = "8", to = "20:00" }', "got '8', expected a time of day such as \"20:00\"", id="no time"),
        pytest.param('"20:00-07:00"', "expected a table such as { from = ", id="no table"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_the_file(tmp_path: Path, given: str, words: str) -> None:
    file = tmp_path / "watcher.toml"
    file.write_text(f'[notifiers.a]\nkind = "stdout"\nquiet = {given}\n')
    with pytest.raises(ConfigurationError) as told:
        load(file)
    assert words in str(told.value)
    assert "begin" not in str(told.value)
