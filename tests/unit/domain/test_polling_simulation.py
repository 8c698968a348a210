"""What the polling policy is worth: the simulation of `tests.benchmarks.policies`, with fewer lives."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.benchmarks.following import MAX_INTERVAL, Case, adaptive, fixed, p95_of_fixed
from tests.benchmarks.policies import CASES

COUNT = 250
INTERVAL = timedelta(seconds=30)
BY_NAME = {case.name: replace(case, population=replace(case.population, count=COUNT)) for case in CASES}


@pytest.mark.parametrize(
    ("case", "product", "p95"),
    [
        (BY_NAME["estimate ±20 %"], 0.6, 1.0),
        (BY_NAME["progress"], 0.6, 1.0),
        (BY_NAME["earlier jobs, alike"], 0.64, 1.05),  # of which the first ones know of none
        (BY_NAME["earlier jobs, of all kinds"], 1.01, 1.01),
        (BY_NAME["estimate always 0.3 x"], 1.0, 1.0),
        (BY_NAME["estimate always 3 x"], 1.0, 1.06),
    ],
    ids=lambda value: value.name if isinstance(value, Case) else "",
)
def test_the_policy_is_worth_its_requests(case: Case, product: float, p95: float) -> None:
    """`product` and `p95` are the most that requests times delay, and p95 for as many requests, may be of fixed."""
    toll, plain = adaptive(INTERVAL, case), fixed(INTERVAL, case.population)

    assert toll.product <= product * plain.product
    assert toll.p95 <= p95 * p95_of_fixed(toll.mean_requests, case.population)


def test_webhooks_that_arrive_spare_most_requests_and_nearly_all_delay() -> None:
    """They come two seconds after the end; what is measured here stands in the README."""
    case = BY_NAME["no estimate"]
    told, plain = adaptive(INTERVAL, replace(case, told_after=timedelta(seconds=2))), adaptive(INTERVAL, case)

    assert told.mean_requests <= 0.25 * plain.mean_requests
    assert told.mean_delay <= 0.2 * plain.mean_delay


def test_webhooks_that_are_lost_leave_the_longest_wait() -> None:
    case = replace(BY_NAME["no estimate"], told_after=timedelta(days=365))

    assert max(adaptive(INTERVAL, case).delays) <= MAX_INTERVAL.total_seconds()


def test_without_an_estimate_the_policy_is_the_fixed_one() -> None:
    """But for the first wait in a status, which spreads jobs that were seen together."""
    case = BY_NAME["no estimate"]
    toll, plain = adaptive(INTERVAL, case), fixed(INTERVAL, case.population)

    assert toll.mean_requests == pytest.approx(plain.mean_requests, rel=0.01)
    assert toll.product == pytest.approx(plain.product, rel=0.03)
