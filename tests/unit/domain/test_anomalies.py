"""What metric points show to be wrong while a job trains."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START, job_in
from watcher.domain.anomalies import LEAST_PATIENCE, WINDOW, Anomaly, Pace, anomaly_of, pace_of, stalled_for
from watcher.domain.conditions import ConditionChange, training_condition
from watcher.domain.routing import Events, Route, RouteMatch, match_route
from watcher.domain.telemetry import MetricPoint

MINUTE = timedelta(minutes=1)


def points(values: Iterable[float], series: str = "train_loss") -> list[MetricPoint]:
    """Return points a minute apart, from START on."""
    return [MetricPoint(series, step, value, START + step * MINUTE) for step, value in enumerate(values)]


FALLS = [2.0 - 0.1 * step for step in range(12)]
RISES = FALLS[::-1]
FLAT = [0.5, 0.3, 0.9, 0.4] * 5
SOON = START + 12 * MINUTE


@pytest.mark.parametrize(
    ("train", "valid", "minutes", "expected"),
    [
        pytest.param([], [], 600, None, id="no points"),
        pytest.param(FALLS, FALLS, 1, None, id="both fall"),
        pytest.param(FALLS, RISES, 1, Anomaly.DIVERGES, id="the validation loss rises"),
        pytest.param(RISES, RISES, 1, None, id="both rise"),
        pytest.param(FALLS, RISES[:5], 1, None, id="too few to say"),
        pytest.param(FALLS, [1.0] * 6 + [1.04] * 6, 1, None, id="hardly rises"),
        pytest.param([*FALLS, nan], FALLS, 1, Anomaly.NO_NUMBER, id="no number"),
        pytest.param(FALLS, [*FALLS, inf], 1, Anomaly.NO_NUMBER, id="infinite"),
        pytest.param([nan, *FALLS], RISES, 1, Anomaly.DIVERGES, id="no number long ago"),
        pytest.param([*FALLS[:4], nan, *FALLS[:4]], RISES, 1, None, id="no number just now"),
        pytest.param([*FLAT, *[2.0, 0.7, 1.6, 1.3] * 3], [], 1, Anomaly.CLIMBS, id="the training loss has climbed"),
        pytest.param([*FLAT, 1.5, 2.0, 1.4], [], 1, None, id="single batches are hard"),
        pytest.param([3.0, *FLAT], [], 1, None, id="it jumps at first"),
        pytest.param([0.0] * WINDOW, [], 1, None, id="there is nothing to lose"),
        pytest.param(FALLS, FALLS, 9, None, id="late, but not too late"),
        pytest.param(FALLS, FALLS, 11, Anomaly.STALLED, id="no step for long"),
        pytest.param(FALLS[:5], [], 600, None, id="a pace that is not known yet"),
    ],
)
def test_what_is_wrong_with_a_run(
    train: list[float], valid: list[float], minutes: float, expected: Anomaly | None
) -> None:
    told = [*points(train), *points(valid, "valid_loss")]
    last = max((point.at for point in told), default=START)
    assert anomaly_of(told, pace_of(told), last + minutes * MINUTE) is expected


def test_a_step_is_missed_by_the_pace_of_the_run_and_by_the_patience_of_whoever_waits() -> None:
    pace = Pace(START, START + 100 * MINUTE, 50)
    assert stalled_for(pace, pace.end + 20 * MINUTE) is None
    assert stalled_for(pace, pace.end + 21 * MINUTE) == 21 * MINUTE
    fast = Pace(START, START + MINUTE, 60)
    assert stalled_for(fast, fast.end + LEAST_PATIENCE) is None
    assert stalled_for(fast, fast.end + MINUTE, timedelta(seconds=5)) == MINUTE
    assert stalled_for(None, START + 600 * MINUTE) is None


@given(st.lists(st.floats(), max_size=2 * WINDOW), st.lists(st.floats(), max_size=2 * WINDOW), st.integers(0, 10_000))
def test_any_points_can_be_judged(train: list[float], valid: list[float], minutes: int) -> None:
    told = [*points(train), *points(valid, "valid_loss")]
    found = anomaly_of(told, pace_of(told), START + minutes * MINUTE)
    assert found is None or found.words


@given(st.lists(st.floats(0.1, 9), min_size=12, max_size=12), st.integers(1, 100))
def test_a_loss_of_another_size_is_judged_alike(values: list[float], factor: int) -> None:
    larger = [value * factor for value in values]
    both = [anomaly_of([*points(FALLS), *points(valid, "valid_loss")], None, SOON) for valid in (values, larger)]
    assert both[0] is both[1]


def test_it_is_told_where_it_is_asked_for() -> None:
    bad, good = (training_condition(job_in("running"), anomaly) for anomaly in (Anomaly.STALLED, None))
    assert (bad.type, bad.data["anomaly"], bad.is_good) == ("watcher.job.metrics", "stalled", False)
    assert (good.type, good.is_good, good.subject) == ("watcher.job.metrics_recovered", True, bad.subject)
    event = ConditionChange(bad, 1, START)
    assert match_route(Route("usual"), event) is RouteMatch.OTHER_EVENTS
    assert match_route(Route("all", events=frozenset(Events)), event) is RouteMatch.WANTED
    assert match_route(Route("nlp", events=frozenset(Events), labels={"team": "x"}), event) is RouteMatch.OTHER_LABELS
