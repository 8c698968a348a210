"""What Mistral says of a job, and pages that have numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import START, ManualClock, RecordingLog
from watcher.domain.jobs import Job, JobKey, Observation, Progress
from watcher.domain.messages import message_of
from watcher.domain.telemetry import EventPage
from watcher.domain.transitions import Reason, detect, moved
from watcher.errors import ConfigurationError
from watcher.plugins.source import SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DialectName, JobScript, Script, Step
from watcher.sources.mistral.checkpoints import parse_checkpoints
from watcher.sources.mistral.config import Config
from watcher.sources.mistral.plugin import plugin
from watcher.sources.mistral.wire import parse, parse_page

SAMPLES = Path(__file__).parents[3] / "contract" / "sources" / "samples"


def sample(name: str) -> Any:
    return json.loads((SAMPLES / f"mistral-{name}.json").read_bytes())


def observed(document: Mapping[str, Any]) -> Observation:
    return parse(json.dumps(document).encode(), JobKey("mistral", document["id"]), START)


def test_the_last_change_is_the_time_of_the_end() -> None:
    end = observed(sample("SUCCESS")).facts
    assert end.finished_at == datetime(2024, 7, 19, 16, 14, 53, tzinfo=UTC)
    assert (end.trained_tokens, end.fine_tuned_model) == (1310720, "ft:open-mistral-7b:00000000:20240719:20178c3c")
    assert observed(sample("RUNNING")).facts.finished_at is None


@pytest.mark.parametrize(
    ("steps", "told"), [([10], (10, 10)), ([2, 6, 4], (6, 10)), ([None], None), ([], None), ([11], None)]
)
def test_the_last_checkpoint_says_how_far_it_has_come(steps: list[int | None], told: tuple[int, int] | None) -> None:
    checkpoints = [{"step_number": step} for step in steps]
    progress = observed({**sample("RUNNING"), "checkpoints": checkpoints}).progress
    assert (progress and (progress.done, progress.total)) == told


def test_a_success_may_have_no_model() -> None:
    assert observed({**sample("SUCCESS"), "fine_tuned_model": None}).facts.fine_tuned_model is None


@pytest.mark.parametrize(("auto_start", "told"), [(False, True), (True, False), (None, False)])
def test_a_job_that_its_owner_has_to_start_says_so(auto_start: bool | None, told: bool) -> None:
    """It would wait for ever."""
    seen = observed({**sample("VALIDATED"), "auto_start": auto_start})
    transition = detect(Job(seen.key), seen)
    assert transition is not None
    waits = [fact.value for fact in message_of(transition).facts if fact.label == "Waits for"]
    assert waits == (["its owner to start it: auto_start is off"] if told else [])


def test_validation_is_no_step_back_and_no_skipped_one() -> None:
    job, reasons = Job(JobKey("mistral", sample("QUEUED")["id"])), []
    for status in ("QUEUED", "VALIDATING", "VALIDATED", "RUNNING", "SUCCESS"):
        transition = detect(job, observed({**sample("QUEUED"), "status": status}))
        assert transition is not None
        reasons.append(transition.reason)
        job = moved(job, transition)
    assert reasons == [Reason.FIRST_SEEN, *[Reason.ADVANCED] * 3, Reason.ADVANCED]


def test_the_recorded_list_is_read() -> None:
    page = parse_page(json.dumps(sample("list")).encode(), 0)
    assert [job.status for job in page.jobs.values()] == ["RUNNING", "VALIDATED", "FAILED", "SUCCESS"]
    assert page.after is None
    assert page.jobs["7d0c9b8c-d3c7-4890-9788-ea12b917cb46"].model == "mistral-small-latest"


async def test_pages_are_asked_for_by_their_numbers() -> None:
    jobs = [JobScript(f"job-{number}", (Step("running"),)) for number in range(201)]
    async with FineTuningApi(Script(tuple(jobs), dialect=DialectName.MISTRAL)) as api:
        config = Config.model_validate({"base_url": api.base_url, "api_key": "k"})
        async with plugin.build(config, SourceContext("lab", ManualClock(), RecordingLog())) as source:
            found, cursor = list[str](), None
            for _ in range(3):
                page = await source.page(cursor)
                found += page.jobs
                cursor = page.after
            assert cursor is None
    assert found == [f"job-{number}" for number in reversed(range(201))]
    assert [request.query for request in api.requests] == [f"page={number}&page_size=100" for number in range(3)]


def test_an_empty_page_is_the_last_one() -> None:
    assert parse_page(b'{"data": [], "total": 500}', 0).after is None
    assert parse_page(b'{"data": null, "total": 500}', 0).after is None
    assert parse_page(b'{"data": [{"id": "a", "status": "RUNNING"}]}', 0).after is None


def test_a_key_is_wanted() -> None:
    with pytest.raises(ConfigurationError, match="source mine: no API key: set MISTRAL_API_KEY"):
        Config().connection("mine")


def test_checkpoints_are_read_from_the_job_object_as_far_as_they_are_new() -> None:
    body = json.dumps(sample("SUCCESS")).encode()
    page = parse_checkpoints(body, None)
    [saved] = page.checkpoints
    at = datetime(2024, 7, 19, 16, 14, 20, tzinfo=UTC)
    assert (saved.step, saved.at) == (10, at)
    assert saved.metrics == {"train_loss": 0.851776, "valid_loss": 0.92623, "valid_mean_token_accuracy": 1.900304}
    assert (page.progress, page.cursor, page.has_more) == (Progress(10, 10, at), "10", False)
    assert parse_checkpoints(body, "9").checkpoints == page.checkpoints
    assert parse_checkpoints(body, "10").checkpoints == ()
    assert parse_checkpoints(b"{}", "10").cursor == "10"
    assert parse_checkpoints(b"{}", None) == EventPage()


@pytest.mark.parametrize("cursor", ["", "-1", "x", "9" * 20, "²"])
def test_a_cursor_that_says_nothing_is_the_beginning(cursor: str) -> None:
    assert len(parse_checkpoints(json.dumps(sample("SUCCESS")).encode(), cursor).checkpoints) == 1


def test_odd_checkpoints_are_read_as_far_as_they_are_usable() -> None:
    odd = [None, 5, {}, {"step_number": 3, "metrics": "x"}, {"step_number": 2, "metrics": {"loss": "NaN", "a": "b"}}]
    page = parse_checkpoints(json.dumps({"checkpoints": odd, "hyperparameters": {"training_steps": 4}}).encode(), None)
    assert [(saved.step, list(saved.metrics)) for saved in page.checkpoints] == [(2, ["loss"]), (3, [])]
    assert page.progress is None  # when that was is not said
