"""What keeps an event back from a notifier, until when, and with which others."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, a_transition
from watcher.domain.conditions import Condition, ConditionChange
from watcher.domain.holding import Digest, Holding, QuietHours, is_one_message

BERLIN = ZoneInfo("Europe/Berlin")
STUCK = ConditionChange(
    Condition("job openai/ftjob-1 stuck", "stuck", "watcher.job.stuck", "it is stuck", False, (), {}), 1, START
)
NIGHT = QuietHours(time(20), time(7), BERLIN, frozenset({"failed", "stuck"}))


def at(text: str) -> datetime:
    """Return a moment that Berlin's clocks show."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        pytest.param("2026-11-24 19:59", None, id="before"),
        pytest.param("2026-11-24 20:00", "2026-11-25 07:00", id="evening"),
        pytest.param("2026-11-25 06:59", "2026-11-25 07:00", id="morning"),
        pytest.param("2026-11-25 07:00", None, id="after"),
        pytest.param("2026-03-28 22:00", "2026-03-29 07:00", id="a night of one hour less"),
        pytest.param("2026-10-24 22:00", "2026-10-25 07:00", id="a night of one hour more"),
    ],
)
def test_quiet_hours_over_midnight_end_when_the_clock_on_the_wall_says_so(now: str, until: str | None) -> None:
    assert NIGHT.until(at(now)) == (at(until) if until else None)


def test_quiet_hours_within_a_day() -> None:
    lunch = QuietHours(time(12), time(13))
    assert lunch.until(datetime(2026, 11, 24, 12, 30, tzinfo=UTC)) == datetime(2026, 11, 24, 13, tzinfo=UTC)
    assert lunch.until(datetime(2026, 11, 24, 13, tzinfo=UTC)) is None


def test_a_time_that_a_changed_clock_leaves_out_is_an_hour_later() -> None:
    assert Digest(time(2, 30), BERLIN).next_after(at("2026-03-28 12:00")) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_time_that_a_changed_clock_shows_twice_is_its_first() -> None:
    digest, night = Digest(time(2, 30), BERLIN), QuietHours(time(22), time(2, 30), BERLIN)
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert digest.next_after(at("2026-10-24 12:00")) == night.until(at("2026-10-24 23:00")) == first
    assert digest.next_after(first) == at("2026-10-26 02:30")
    assert night.until(first + timedelta(hours=1)) is None  # it is 2:30 again


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("hour", [0, 2, 23])
def test_each_day_of_a_year_has_one_digest_at_its_time(zone: str, hour: int) -> None:
    digest, wall = Digest(time(hour, 30), ZoneInfo(zone)), ZoneInfo(zone)
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    shown = [(now := digest.next_after(now)).astimezone(wall) for _ in range(365)]
    assert len({each.date() for each in shown}) == 365
    changed = [f"{each:%H:%M}" for each in shown if (each.hour, each.minute) != (hour, 30)]
    assert len(changed) == (1 if hour == 2 and zone in {"Europe/Berlin", "America/New_York"} else 0), changed


@given(st.integers(0, 2 * 365 * 24 * 60), st.times(), st.times())
def test_quiet_hours_end_and_digests_come_within_about_a_day(minute: int, begin: time, end: time) -> None:
    now = START + timedelta(minutes=minute)
    until = QuietHours(begin.replace(second=0, microsecond=0), end, BERLIN).until(now)
    assert until is None or now < until <= now + timedelta(hours=25)
    assert now < Digest(begin, BERLIN).next_after(now) <= now + timedelta(hours=25)


def test_only_what_is_exempt_comes_in_quiet_hours() -> None:
    holding, night = Holding(quiet=NIGHT), at("2026-11-24 23:00")
    assert holding.hold(a_transition(status="failed"), night) is None
    assert holding.hold(STUCK, night) is None
    held = holding.hold(a_transition(status="succeeded"), night)
    assert held is not None
    assert (held.until, held.reason) == (at("2026-11-25 07:00"), "quiet hours")
    assert held.group_key == "quiet 2026-11-25T06:00:00+00:00"
    assert holding.hold(a_transition(status="succeeded"), at("2026-11-24 12:00")) is None


@given(st.integers(0, 100_000), st.integers(1, 3600))
def test_a_batch_ends_within_its_time_and_for_all_at_once(second: int, wait: int) -> None:
    holding, now = Holding(batch=timedelta(seconds=wait)), START + timedelta(seconds=second)
    held = holding.hold(a_transition(), now)
    assert held is not None
    assert now < held.until <= now + timedelta(seconds=wait)
    just_before_its_end = holding.hold(a_transition(), held.until - timedelta(microseconds=1))
    assert just_before_its_end == held


@pytest.mark.parametrize(
    ("by", "shared"),
    [
        ((), ""),
        (("label:sweep",), " label:sweep=a 1"),
        (("label:none", "source", "state"), " label:none= source=openai state=failed"),
    ],
)
def test_a_batch_is_of_events_that_have_something_in_common(by: tuple[str, ...], shared: str) -> None:
    event = a_transition(status="failed", labels={"sweep": "a 1"})
    held = Holding(batch=timedelta(minutes=1), batch_by=by).hold(event, START)
    assert held is not None
    assert held.group_key == f"batch 2026-11-24T12:01:00+00:00{shared}"


def test_conditions_have_no_source_in_common_with_jobs() -> None:
    held = Holding(batch=timedelta(minutes=1), batch_by=("source",)).hold(STUCK, START)
    assert held is not None
    assert held.group_key == "batch 2026-11-24T12:01:00+00:00 source="


def test_a_digest_holds_everything_and_what_is_not_grouped_has_no_key() -> None:
    digest = Holding(digest=Digest(time(8), BERLIN), quiet=NIGHT, is_grouped=False)
    held = digest.hold(a_transition(status="failed"), at("2026-11-24 23:00"))
    assert held is not None
    assert (held.until, held.group_key, held.reason) == (at("2026-11-25 08:00"), None, "waits for the digest")
    assert bool(digest)
    assert Holding().hold(a_transition(), START) is None


@pytest.mark.parametrize(
    ("key", "count", "is_one"),
    [(None, 9, False), ("batch x", 2, False), ("batch x", 3, True), ("quiet x", 1, False), ("digest x", 2, True)],
)
def test_three_of_a_batch_are_one_message(key: str | None, count: int, is_one: bool) -> None:
    assert is_one_message(key, count) is is_one
