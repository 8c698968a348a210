"""What LocalAI says of a job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import START, ManualClock, RecordingLog
from tests.loopback import LoopbackReceiver, Reply
from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.errors import MissingError
from watcher.plugins.source import SourceContext
from watcher.sources.localai.config import Config
from watcher.sources.localai.plugin import plugin
from watcher.sources.localai.wire import parse

SAMPLES = Path(__file__).parents[3] / "contract" / "sources" / "samples"


def facts(**values: Any) -> JobFacts:
    document = {**json.loads((SAMPLES / "localai-training.json").read_bytes()), **values}
    return parse(json.dumps(document).encode(), JobKey("localai", document["id"]), START).facts


@pytest.mark.parametrize(
    ("status", "error"),
    [("failed", JobError(message="out of memory")), ("stopped", JobError(message="out of memory")), ("saving", None)],
)
def test_the_message_says_why_it_ended(status: str, error: JobError | None) -> None:
    assert facts(status=status, message="out of memory").error == error


def test_a_result_is_a_folder_and_perhaps_a_model() -> None:
    folder = ("Output folder", "fine-tune/5f0e8a3e-0000-4000-8000-000000000001")
    assert facts(status="completed").more == (folder,)
    assert facts(status="completed").fine_tuned_model is None
    assert facts(status="completed", export_status="completed", export_model_name="mine").fine_tuned_model == "mine"
    assert facts().more == ()


async def test_the_recorded_404_is_a_missing_job_and_no_key_is_wanted() -> None:
    async with LoopbackReceiver() as server:
        server.replies = [Reply(404, (SAMPLES / "localai-error-404.json").read_bytes())]
        config = Config.model_validate({"base_url": server.url})
        async with plugin.build(config, SourceContext("lab", ManualClock(), RecordingLog())) as source:
            with pytest.raises(MissingError, match="job not found: 5f0e8a3e"):
                await source.retrieve("5f0e8a3e-0000-4000-8000-000000000001")
    assert "authorization" not in server.requests[0].headers
