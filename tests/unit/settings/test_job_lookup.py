"""Which job is meant by an id, on the command line as over HTTP."""

from __future__ import annotations

import pytest

from tests.unit.settings.conftest import Configure
from watcher.domain.jobs import JobKey, JobSpec
from watcher.errors import ConfigurationError
from watcher.settings.job_lookup import find_job

MINE = '[sources.mine]\nbase_url = "http://h/v1"\n'
BOTH = '[sources.openai]\nbase_url = "http://h/v1"\n' + MINE
JOB = '[[jobs]]\nid = "ftjob-1"\nsource = "mine"\nname = "bot v3"\nlabels = { team = "nlp" }\n'
CONFIGURED = JobSpec(JobKey("mine", "ftjob-1"), "bot v3", {"team": "nlp"})


@pytest.mark.parametrize(
    ("toml", "source", "job_id", "found"),
    [
        pytest.param("", None, "x", JobSpec(JobKey("openai", "x")), id="nothing configured"),
        pytest.param(MINE, None, "x", JobSpec(JobKey("mine", "x")), id="the only source"),
        pytest.param(BOTH, None, "x", JobSpec(JobKey("openai", "x")), id="openai among others"),
        pytest.param(BOTH + JOB, None, "ftjob-1", CONFIGURED, id="a configured job"),
        pytest.param(BOTH + JOB, "mine", "ftjob-1", CONFIGURED, id="a configured job by its source"),
        pytest.param(BOTH + JOB, "openai", "ftjob-1", JobSpec(JobKey("openai", "ftjob-1")), id="at another source"),
    ],
)
def test_a_job_is_found(configure: Configure, toml: str, source: str | None, job_id: str, found: JobSpec) -> None:
    assert find_job(configure(toml), source, job_id) == found


def test_a_source_that_is_not_there_is_named_with_those_that_are(configure: Configure) -> None:
    with pytest.raises(ConfigurationError, match="no source is named 'nowhere'; the configuration has: mine, openai"):
        find_job(configure(MINE), "nowhere", "x")
