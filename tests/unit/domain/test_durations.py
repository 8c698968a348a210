"""How people's durations are read and written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.domain.durations import DURATION_RULE, LONGEST_DURATION, format_duration, parse_duration, write_duration

MICROSECOND = timedelta(microseconds=1)
durations = st.timedeltas(min_value=MICROSECOND, max_value=LONGEST_DURATION)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h30m", timedelta(minutes=90)),
        ("0.5s", timedelta(milliseconds=500)),
        ("250ms", timedelta(milliseconds=250)),
        ("7d", timedelta(days=7)),
        ("1d2h3m4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        (" 2H 5M ", timedelta(hours=2, minutes=5)),
        ("45", timedelta(seconds=45)),
        (45, timedelta(seconds=45)),
        (0.25, timedelta(milliseconds=250)),
        (timedelta(minutes=1), timedelta(minutes=1)),
        ("3650d", LONGEST_DURATION),
    ],
)
def test_reads_units_and_seconds(given_text: object, expected: timedelta) -> None:
    assert parse_duration(given_text) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "soon", "s", "5x", "5 minutes", "-5s", "1h-5m", "5s5", "nan", "inf", "1e400", "9" * 400 + "d"),
        *("0", "0s", 0, -1, 0.0, 1e-9, float("nan"), float("inf"), 10**400, timedelta(), timedelta(seconds=-1)),
        *("3650d1s", LONGEST_DURATION + MICROSECOND, True, None, [], {}, ["5s"]),
    ],
)
def test_refuses_anything_else_and_says_what_it_takes(wrong: object) -> None:
    with pytest.raises(ValueError, match="a duration such as") as caught:
        parse_duration(wrong)
    assert str(caught.value) == DURATION_RULE


@given(durations)
def test_what_is_written_is_read_back_exactly(duration: timedelta) -> None:
    assert parse_duration(write_duration(duration)) == duration


@given(
    st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"\A([0-9]{1,5}(\.[0-9])?(d|h|m|s|ms) ?){1,4}\Z"))
)
def test_reading_gives_a_usable_duration_or_the_rule(given_value: object) -> None:
    outcome = read_or_complain(given_value)
    if isinstance(outcome, timedelta):
        assert timedelta() < outcome <= LONGEST_DURATION
    else:
        assert outcome == DURATION_RULE


def read_or_complain(value: object) -> timedelta | str:
    try:
        return parse_duration(value)
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(), "0s"),
        (timedelta(seconds=-3), "0s"),
        (timedelta(milliseconds=500), "0.5s"),
        (timedelta(seconds=41), "41s"),
        (timedelta(seconds=59.7), "1m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=2, minutes=5, seconds=59), "2h 5m"),
        (timedelta(days=3), "3d"),
        (timedelta(days=3, minutes=7), "3d"),
        (timedelta(days=3, hours=1), "3d 1h"),
    ],
)
def test_people_are_shown_the_two_largest_units(duration: timedelta, expected: str) -> None:
    assert format_duration(duration) == expected


@given(durations)
def test_what_people_are_shown_is_close(duration: timedelta) -> None:
    """At most half of the last unit shown is lost to rounding, or that whole unit to what is left out."""
    shown = format_duration(duration)
    if shown == "0s":
        assert duration < timedelta(seconds=0.1)
    else:
        unit = {"d": timedelta(days=1), "h": timedelta(hours=1), "m": timedelta(minutes=1), "s": timedelta(seconds=1)}
        largest = unit[shown.split()[0][-1]]
        assert abs(parse_duration(shown) - duration) < max(largest / 24, timedelta(seconds=1))


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (timedelta(minutes=90), "1h30m"),
        (timedelta(days=90), "90d"),
        (timedelta(seconds=0.5), "0.5s"),
        (timedelta(seconds=600, microseconds=1), "10m0.000001s"),
        (timedelta(), "0s"),
    ],
)
def test_settings_are_written_with_every_unit(duration: timedelta, expected: str) -> None:
    assert write_duration(duration) == expected
