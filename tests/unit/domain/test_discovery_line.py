"""The line of a rule: a moment and a few ids stand for all jobs that were decided."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START
from watcher.domain.discovery_line import LAG, LONGEST_SKEW, MOST_RECENT, MOST_UNDECIDED, Line

SECOND = timedelta(seconds=1)
OLD = START - timedelta(days=1)


def drawn(seen: dict[str, datetime | None], now: datetime = START) -> Line:
    return Line.new(now, timedelta()).advanced(seen, (), now)


def test_what_was_seen_is_decided_and_what_comes_is_not() -> None:
    line = drawn({"a": START, "b": OLD})
    assert line.is_drawn
    assert line.settles("a", START, has_ended=False)
    assert line.settles("b", OLD, has_ended=True)
    assert not line.settles("c", START + SECOND, has_ended=True)
    assert line.recent == {"a": START}  # an hour later the others are told by their time alone


def test_a_job_that_comes_late_into_the_list_is_new() -> None:
    """A list may lag behind: a younger job may stand in it already."""
    line = drawn({"a": START})
    assert not line.settles("late", START - LAG, has_ended=True)
    assert line.settles("too-late", START - LAG - SECOND, has_ended=True)


def test_the_line_moves_on_with_what_it_sees_and_never_back() -> None:
    line = drawn({"a": START})
    on = line.advanced({"b": START + LAG, "a": START}, (), START + LAG)
    assert on.recent == {"b": START + LAG, "a": START}
    further = on.advanced({"c": START + 3 * LAG}, (), START + 3 * LAG)
    assert (further.before, further.recent) == (START + 2 * LAG, {"c": START + 3 * LAG})
    assert further.advanced({"z": OLD}, (), START + 4 * LAG).before == further.before
    assert further.advanced({}, (), START + 4 * LAG).before == further.before


def test_a_list_that_was_empty_has_only_new_jobs_whatever_the_clock_of_the_service_says() -> None:
    line = drawn({})
    assert not line.settles("a", START - LONGEST_SKEW, has_ended=True)
    assert not drawn({"undated": None}).settles("b", START - LONGEST_SKEW, has_ended=True)


def test_a_job_from_the_future_hides_nothing() -> None:
    line = drawn({"liar": START + timedelta(days=9999), "a": START})
    assert line.settles("liar", START + timedelta(days=9999), has_ended=False)
    assert not line.settles("b", START + SECOND, has_ended=True)


def test_backfill_lets_old_ends_be_told() -> None:
    line = Line.new(START, timedelta(days=7))
    assert not line.settles("a", START - timedelta(days=7), has_ended=True)
    assert line.settles("b", START - timedelta(days=8), has_ended=True)
    assert not line.settles("c", START - timedelta(days=8), has_ended=False)


def test_a_rule_that_has_changed_judges_again_what_runs_and_tells_no_old_ends() -> None:
    line = drawn({"a": START, "b": OLD}).reopened(START + LAG, timedelta())
    assert not line.settles("b", OLD, has_ended=False)
    assert not line.settles("a", START, has_ended=False)
    assert line.settles("a", START, has_ended=True)
    assert line.settles("b", OLD, has_ended=True)
    assert not line.settles("new", START + SECOND, has_ended=True)


def test_jobs_without_a_time_are_known_by_their_ids() -> None:
    line = drawn({"a": None, "b": START})
    assert line.settles("a", None, has_ended=False)
    assert not line.settles("c", None, has_ended=False)
    assert line.settles("c", None, has_ended=True)  # nothing says whether it is new


def test_a_line_stays_small_however_many_jobs_came_at_once() -> None:
    crowd: dict[str, datetime | None] = {f"job-{number}": START - number * SECOND / 10 for number in range(5000)}
    line = drawn({"undated": None, **crowd})
    assert len(line.recent) == MOST_RECENT
    assert all(line.settles(job_id, at, has_ended=True) for job_id, at in crowd.items())
    assert not line.settles("new", START + SECOND, has_ended=True)
    same_second: dict[str, datetime | None] = {f"job-{number}": START for number in range(5000)}
    line = drawn(same_second)
    assert all(line.settles(job_id, at, has_ended=True) for job_id, at in same_second.items())


def test_undecided_jobs_are_bounded() -> None:
    line = Line.new(START, timedelta()).advanced({}, map(str, range(2 * MOST_UNDECIDED)), START)
    assert len(line.undecided) == MOST_UNDECIDED


TIMES = st.none() | st.integers(-10_000, 10_000).map(lambda seconds: START + seconds * SECOND)


@given(st.lists(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), TIMES, max_size=8), max_size=5))
def test_whatever_was_seen_once_is_decided_for_ever(scans: list[dict[str, datetime | None]]) -> None:
    line, created = Line.new(START, timedelta()), dict[str, datetime | None]()
    for scan in scans:
        line = line.advanced({job_id: created.setdefault(job_id, at) for job_id, at in scan.items()}, (), START)
    assert all(line.settles(job_id, at, has_ended=False) for job_id, at in created.items() if scans)
