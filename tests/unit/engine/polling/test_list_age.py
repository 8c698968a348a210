"""A list is taken to be ordered by age where its service says so, or where it has shown that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.doubles import START
from watcher.domain.jobs import ListedJob, Page
from watcher.engine.polling.list_age import LEAST_JOBS, PROOF_INTERVAL, ListAge
from watcher.plugins.source import ListOrder

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def page(*ages: timedelta | None) -> Page:
    """Return a page with jobs of these ages, or of no known one."""
    jobs = {
        f"{number} {age}": ListedJob("failed", None if age is None else START - age) for number, age in enumerate(ages)
    }
    return Page(jobs, None)


class Steady:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_the_service_says_holds_until_a_page_refutes_it() -> None:
    age = ListAge(ListOrder.NEWEST_FIRST, Steady())
    assert age.is_known
    assert age.suffices()
    assert not age.refutes(page(HOUR, HOUR - MINUTE, None, 2 * HOUR))
    assert age.refutes(page(2 * HOUR, HOUR))
    assert not age.is_known
    assert not age.refutes(page(2 * HOUR, HOUR))


MANY = [HOUR * number for number in range(LEAST_JOBS)]


@pytest.mark.parametrize(
    ("whole", "is_shown"),
    [
        (MANY, True),
        (MANY[1:], False),
        ([*MANY, None], False),
        (MANY[::-1], False),
        ([*MANY, HOUR], False),
        ([timedelta(seconds=number) for number in range(LEAST_JOBS)], False),
    ],
    ids=["newest first", "few", "one undated", "oldest first", "one out of order", "all at once"],
)
def test_a_whole_list_shows_its_order(whole: list[timedelta | None], is_shown: bool) -> None:
    age = ListAge(ListOrder.UNKNOWN, Steady())
    assert not age.suffices()
    assert age.proves([page(*whole[:50]), page(*whole[50:])]) is is_shown
    assert (age.is_known, age.suffices()) == (is_shown, is_shown)


def test_an_order_that_was_shown_is_proven_anew() -> None:
    steady = Steady()
    age = ListAge(ListOrder.UNKNOWN, steady)
    assert age.proves([page(*MANY)])
    steady.now += PROOF_INTERVAL.total_seconds()
    assert age.is_known
    assert not age.suffices()
    assert not age.proves([page(*MANY)])
    assert age.suffices()
    assert not age.proves([page(*MANY[::-1])])
    assert not age.is_known


def test_each_part_of_a_list_is_by_age_until_a_page_shows_otherwise() -> None:
    age = ListAge(ListOrder.IN_PARTS, Steady())
    assert age.suffices()
    assert not age.proves([page(*MANY), page(*MANY)])
    assert age.suffices()
    assert age.refutes(page(*MANY[::-1]))
    assert not age.suffices()
