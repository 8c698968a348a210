"""OpenAI shows a job on a page of its own; where another service shows one is not known."""

from __future__ import annotations

import httpx
import pytest

from tests.doubles import ManualClock, RecordingLog
from watcher.domain.jobs import JobKey
from watcher.http import Answer
from watcher.plugins.source import SourceContext
from watcher.sources.openai.dialect import OpenAIDialect
from watcher.sources.openai.endpoint import pages_of

CONTEXT = SourceContext("openai", ManualClock(), RecordingLog())


@pytest.mark.parametrize(
    ("base_url", "job_id", "page"),
    [
        ("https://api.openai.com/v1", "ftjob-1", "https://platform.openai.com/finetune/ftjob-1"),
        ("https://eu.api.openai.com/v1", "ft:a/b", "https://platform.openai.com/finetune/ft%3Aa%2Fb"),
        ("https://api.openai.com/v1", "batch_1", "https://platform.openai.com/batches/batch_1"),
        ("https://api.openai.com.example.net/v1", "ftjob-1", None),
        ("http://127.0.0.1:8010/v1", "ftjob-1", None),
    ],
)
def test_a_job_leads_to_its_page(base_url: str, job_id: str, page: str | None) -> None:
    answer = Answer(200, httpx.Headers(), f'{{"id": "{job_id}", "status": "failed", "object": "batch"}}'.encode())
    dialect = OpenAIDialect(pages=pages_of(base_url))
    assert dialect.read_job(answer, JobKey("openai", job_id), CONTEXT).facts.page_url == page
