"""What rules would make of a list can be seen without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from tests.doubles import START, ManualClock, ScriptedSource
from watcher.domain.discovery import Matcher, Rule, Verdict
from watcher.domain.discovery_line import Line
from watcher.domain.jobs import NO_METADATA, ListedJob, Page
from watcher.domain.states import OPENAI_STATES
from watcher.engine.polling.list_scan import MOST_PAGES
from watcher.engine.polling.preview import judge_all, whole_list
from watcher.engine.ports import RecordedLine
from watcher.errors import TransientError
from watcher.plugins.source import Capabilities

OLD = START - timedelta(days=1)
PAGE = Page(
    {"new": ListedJob("running", START, "a"), "b": ListedJob("failed", OLD, "b"), "old": ListedJob("failed", OLD, "a")},
    None,
)


def verdicts(rule: Rule, lines: Mapping[str, RecordedLine]) -> dict[str, Verdict]:
    return {each.job_id: each.verdict for each in judge_all([PAGE], [rule], lines, OPENAI_STATES, START)}


def test_why_a_rule_means_another_job_goes_before_its_line() -> None:
    rule = Rule("r", "openai", Matcher(models=("a",)))
    assert verdicts(rule, {}) == {
        "new": Verdict.ADOPTED,
        "b": Verdict.OTHER_MODEL,
        "old": Verdict.ENDED_BEFORE,
    }
    drawn = RecordedLine(Line(START, {"new": START}, is_drawn=True), rule.fingerprint, 1)
    assert verdicts(rule, {"r": drawn}) == {
        "new": Verdict.SEEN_BEFORE,
        "b": Verdict.OTHER_MODEL,
        "old": Verdict.SEEN_BEFORE,
    }


def test_what_is_beyond_the_limit_is_said_to_be() -> None:
    rule = Rule("r", "openai", limit=1, backfill=timedelta(days=2))
    assert list(verdicts(rule, {}).values()) == [Verdict.ADOPTED, Verdict.LIMIT_REACHED, Verdict.LIMIT_REACHED]


async def test_a_service_that_does_not_take_a_filter_is_asked_for_all() -> None:
    source = ScriptedSource(ManualClock(), {"a": ["running"]})
    source.capabilities = Capabilities(filters=True)
    whole, status_code = source.page, 400

    async def page(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        if metadata:
            raise TransientError("HTTP", status_code=status_code)
        return await whole(cursor)

    source.page = page  # type: ignore[method-assign]
    assert len(await whole_list(source, {"team": "nlp"})) == 1
    status_code = 503
    with pytest.raises(TransientError):
        await whole_list(source, {"team": "nlp"})


async def test_the_whole_list_is_read_as_far_as_it_leads_anywhere() -> None:
    source = ScriptedSource(ManualClock(), {f"job-{number}": ["running"] for number in range(250)})
    assert [len(page.jobs) for page in await whole_list(source)] == [100, 100, 50]
    asked: list[str | None] = []

    async def same(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        asked.append(cursor)
        return Page(PAGE.jobs, f"after-{len(asked)}")

    source.page = same  # type: ignore[method-assign]
    assert len(await whole_list(source)) == 2

    async def endless(cursor: str | None = None, /, *, metadata: Mapping[str, str] = NO_METADATA) -> Page:
        asked.append(cursor)
        return Page({f"job-{len(asked)}": ListedJob("running")}, f"after-{len(asked)}")

    source.page = endless  # type: ignore[method-assign]
    assert len(await whole_list(source)) == MOST_PAGES
