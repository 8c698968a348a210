"""Rules of discovery: which jobs they adopt, what they give them, and why they do not adopt the others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import START
from watcher.domain.discovery import Matcher, Rule, Verdict, check_template, watch_all
from watcher.domain.discovery_line import Line
from watcher.domain.jobs import LONGEST_TEXT, JobKey, JobSpec, ListedJob, is_plain
from watcher.domain.states import OPENAI_STATES

BEFORE, AFTER = START - timedelta(hours=1), START + timedelta(hours=1)
DRAWN = Line(START, is_drawn=True)
JOB = ListedJob("running", AFTER, "gpt-4o-mini", "support-bot", {"team": "nlp", "run": "7"})


def judge(job: ListedJob, matcher: Matcher | None = None, line: Line = DRAWN) -> Verdict:
    rule = Rule("nlp", "openai", matcher or Matcher())
    return rule.judge("ftjob-1", job, OPENAI_STATES(job.status), line, START + timedelta(hours=2))


@pytest.mark.parametrize(
    ("matcher", "verdict"),
    [
        (Matcher(), Verdict.ADOPTED),
        (Matcher(models=("gpt-3*", "gpt-4o-*")), Verdict.ADOPTED),
        (Matcher(models=("gpt-4o",)), Verdict.OTHER_MODEL),
        (Matcher(models=("GPT-4o*",)), Verdict.OTHER_MODEL),
        (Matcher(suffixes=("support-???",)), Verdict.ADOPTED),
        (Matcher(suffixes=("support",)), Verdict.OTHER_SUFFIX),
        (Matcher(metadata={"team": "n*", "run": "[0-9]"}), Verdict.ADOPTED),
        (Matcher(metadata={"team": "nlp", "owner": "*"}), Verdict.OTHER_METADATA),
        (Matcher(metadata={"team": "vision"}), Verdict.OTHER_METADATA),
        (Matcher(created_after=AFTER), Verdict.ADOPTED),
        (Matcher(created_after=AFTER + timedelta.resolution), Verdict.TOO_OLD),
        (Matcher(max_age=timedelta(hours=1)), Verdict.ADOPTED),
        (Matcher(max_age=timedelta(minutes=59)), Verdict.TOO_OLD),
        (Matcher(created_after=BEFORE, max_age=timedelta(minutes=59)), Verdict.TOO_OLD),
        (Matcher(states=frozenset({"queued", "running"})), Verdict.ADOPTED),
        (Matcher(states=frozenset({"failed"})), Verdict.OTHER_STATE),
    ],
)
def test_a_rule_adopts_what_is_as_everything_given_says(matcher: Matcher, verdict: Verdict) -> None:
    assert judge(JOB, matcher) is verdict


@pytest.mark.parametrize(
    ("matcher", "verdict"),
    [
        (Matcher(models=("*",)), Verdict.OTHER_MODEL),
        (Matcher(suffixes=("*",)), Verdict.OTHER_SUFFIX),
        (Matcher(metadata={"team": "*"}), Verdict.OTHER_METADATA),
        (Matcher(created_after=BEFORE), Verdict.TOO_OLD),
        (Matcher(), Verdict.ADOPTED),
    ],
)
def test_what_the_list_does_not_tell_matches_nothing(matcher: Matcher, verdict: Verdict) -> None:
    assert judge(ListedJob("running"), matcher) is verdict


@pytest.mark.parametrize(
    ("job", "line", "verdict"),
    [
        (JOB._replace(created_at=BEFORE, status="failed"), Line(START), Verdict.ENDED_BEFORE),
        (JOB._replace(created_at=BEFORE), Line(START), Verdict.ADOPTED),
        (JOB._replace(created_at=START, status="failed"), Line(START), Verdict.ADOPTED),
        (JOB._replace(created_at=None, status="failed"), Line(START), Verdict.UNDATED),
        (JOB._replace(created_at=None, status="failed"), DRAWN, Verdict.UNDATED),
        (JOB._replace(created_at=None), DRAWN, Verdict.ADOPTED),
        (JOB._replace(created_at=BEFORE), DRAWN, Verdict.SEEN_BEFORE),
        (JOB._replace(created_at=START), DRAWN, Verdict.ADOPTED),
        (JOB, Line(START, {"ftjob-1": AFTER}, is_drawn=True), Verdict.SEEN_BEFORE),
        (JOB._replace(created_at=None), Line(START, {"ftjob-1": None}, is_drawn=True), Verdict.SEEN_BEFORE),
        (JOB, Line(START, {"ftjob-1": AFTER}), Verdict.ADOPTED),
        (JOB._replace(status="failed"), Line(START, {"ftjob-1": AFTER}), Verdict.ENDED_BEFORE),
        (JOB._replace(created_at=BEFORE), Line(START, {}, frozenset({"ftjob-1"}), is_drawn=True), Verdict.ADOPTED),
    ],
)
def test_the_line_tells_new_jobs_from_old_ones(job: ListedJob, line: Line, verdict: Verdict) -> None:
    assert judge(job, line=line) is verdict


def test_each_verdict_has_words_for_people() -> None:
    assert len({verdict.words for verdict in Verdict}) == len(Verdict)


def test_a_rule_gives_its_jobs_labels_and_a_name() -> None:
    rule = Rule(
        "nlp",
        "azure",
        labels={"watched": "yes", "team": "ours"},
        labels_from=("team", "run", "absent"),
        job_name="{suffix} on {model} ({metadata.run}, {id}) {{}}",
    )
    assert rule.adopts("ftjob-1", JOB) == JobSpec(
        JobKey("azure", "ftjob-1"),
        "support-bot on gpt-4o-mini (7, ftjob-1) {}",
        {"watched": "yes", "team": "ours", "run": "7"},
    )


def test_a_job_of_which_the_list_tells_too_little_has_no_name() -> None:
    assert watch_all("openai").adopts("ftjob-1", ListedJob("running")).name is None
    assert Rule("nlp", "openai").adopts("ftjob-1", JOB).name is None
    assert watch_all("openai").adopts("ftjob-1", JOB).name == "support-bot"


@given(st.text(), st.text())
def test_names_and_labels_from_elsewhere_are_safe_to_show(suffix: str, team: str) -> None:
    rule = Rule("nlp", "openai", labels_from=("team",), job_name="{suffix}")
    spec = rule.adopts("ftjob-1", JOB._replace(name=suffix or None, metadata={"team": team}))
    assert spec.name is None if not suffix else is_plain(spec.name or "")
    assert all(is_plain(label) for label in spec.labels.values())
    assert len(spec.name or "") <= LONGEST_TEXT


@pytest.mark.parametrize("template", ["{suffix}", "job {id}", "{model}/{metadata.team}", "plain", "{{}}"])
def test_a_template_names_facts_of_a_job(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    "template", ["{name}", "{}", "{0}", "{suffix!r}", "{suffix:>9}", "{suffix", "}", "{suffix.__class__}", "{metadata}"]
)
def test_a_template_that_asks_for_anything_else_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"\{suffix\}"):
        check_template(template)


def test_a_service_is_asked_for_what_is_given_without_wildcards() -> None:
    assert Matcher(metadata={"team": "nlp", "run": "*", "a": "b?", "c": "[d]"}).filter == {"team": "nlp"}


def test_a_rule_that_looks_for_other_jobs_is_another_rule() -> None:
    rule = Rule("nlp", "openai", Matcher(metadata={"a": "1", "b": "2"}))
    same = Rule("nlp", "openai", Matcher(metadata={"b": "2", "a": "1"}), labels={"x": "y"}, job_name="{id}")
    others = [
        Rule("nlp", "azure"),
        Rule("nlp", "openai", limit=5),
        Rule("nlp", "openai", backfill=timedelta(days=1)),
        Rule("nlp", "openai", Matcher(models=("a",))),
        Rule("nlp", "openai", Matcher(suffixes=("a",))),
        Rule("nlp", "openai", Matcher(states=frozenset({"failed"}))),
        Rule("nlp", "openai", Matcher(max_age=timedelta(1))),
        Rule("nlp", "openai", Matcher(created_after=START)),
    ]
    assert rule.fingerprint == same.fingerprint
    assert len({rule.fingerprint, Rule("nlp", "openai").fingerprint, *(other.fingerprint for other in others)}) == 10
    assert rule.origin == "rule:nlp"
