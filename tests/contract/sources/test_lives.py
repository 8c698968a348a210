"""A day of a job's life at each service: the words and fields of a recorded job, through the simulator's dialect.

The job waits and trains for hours of virtual time, is asked for every ten minutes, and each answer is decided upon.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from tests.contract.sources.conftest import SAMPLES
from tests.contract.sources.trial import KEY
from tests.doubles import START, ManualClock, RecordingLog
from tests.simulated import settings_for, word_of
from watcher.domain.decision import PollContext, decide
from watcher.domain.jobs import Job, JobFacts, JobKey, Progress, ProgressUnit
from watcher.domain.milestones import with_true_times
from watcher.domain.overview import history_rows
from watcher.domain.polling_policy import PollingPolicy
from watcher.domain.states import JobState
from watcher.domain.telemetry import Milestone
from watcher.domain.transitions import Transition
from watcher.plugins.registry import sources
from watcher.plugins.source import Source, SourceContext
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import DEFAULT_MODEL, DialectName, JobScript, Script, Step

INTERVAL = timedelta(minutes=10)
A_DAY = timedelta(days=1)
MOVING = {
    *("id", "name", "jobArn", "jobName", "status", "state", "error", "failureMessage", "message", "object"),
    *("created_at", "createTime", "createdAt", "creationTime", "started_at", "startedAt", "startTime"),
    *("updated_at", "updateTime", "modified_at", "lastModifiedTime"),
    *("finished_at", "finishedAt", "endTime", "completedTime", "completed_at", "estimated_finish"),
    *("fine_tuned_model", "tunedModel", "output", "outputModelArn", "result_files", "trained_tokens"),
    *("events", "checkpoints", "jobProgress", "tuningDataStats", "durations", "request_counts", "hyperparameters"),
    *(f"{status}_at" for status in ("in_progress", "finalizing", "failed", "expired", "cancelling", "cancelled")),
    *("output_file_id", "error_file_id", "expires_at", "errors"),
}
"""Fields of a recorded job that change while it lives: the dialect writes them."""


Steps = tuple[tuple[str, float], ...]
"""Words, and for how many hours the service says each; the last one stays."""


@dataclass(frozen=True)
class Life:
    """The life of a job, and what is told of it."""

    dialect: DialectName
    sample: str | None
    """The recorded job whose fields it has."""
    steps: Steps
    """In the words of a script, or of the service."""
    told: tuple[tuple[str, JobState], ...]
    """The statuses in the words of the service, and what they mean."""
    model: str | None = DEFAULT_MODEL
    result: str | None = None
    error: str | None = None
    """What is told of why it failed."""
    done: tuple[int, int | None, ProgressUnit] | None = None
    """The last progress that was told while it ran."""
    job_id: str = "ftjob-1"
    kind: str | None = None
    """The kind of source that asks; None: the one that is called like the dialect."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Further settings of the source."""

    def lasted(self) -> Steps:
        """Return the words of the service, and for how long it said each."""
        said: list[tuple[str, float]] = []
        for step, hours in self.steps:
            word = word_of(self.dialect, step)
            before = said.pop()[1] if said and said[-1][0] == word else 0.0
            said.append((word, before + hours))
        return tuple(said)


PENDING, VALIDATING, QUEUED, RUNNING = JobState.PENDING, JobState.VALIDATING, JobState.QUEUED, JobState.RUNNING
SUCCEEDED, FAILED, CANCELLED = JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED
STEPS, PERCENT, REQUESTS = ProgressUnit.STEPS, ProgressUnit.PERCENT, ProgressUnit.REQUESTS
CHECKED, WAITS, TRAINS = ("validating_files", 0.3), ("queued", 2.05), ("running", 15.4)
ENDS, FAILS, IS_CANCELLED = ("succeeded", 0.0), ("failed", 0.0), ("cancelled", 0.0)
BATCH = (("validating", 0.3), ("in_progress", 10.0), ("finalizing", 0.4), ("completed", 0.0))
BATCH_TOLD = (("validating", VALIDATING), ("in_progress", RUNNING), ("finalizing", RUNNING), ("completed", SUCCEEDED))
OPENAIS = (("validating_files", VALIDATING), ("queued", QUEUED), ("running", RUNNING))
LLAMA, TITAN = "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference", "amazon.titan-text-lite-v1:0:4k"
AT_AWS, AT_GOOGLE = "arn:aws:bedrock:us-east-1", "projects/123456789012/locations/us-central1"
UNREADABLE = "The training file could not be read: line 3 is not valid JSON"
LIVES = {
    "openai": Life(
        *(DialectName.OPENAI, None, (CHECKED, WAITS, TRAINS, ENDS), (*OPENAIS, ("succeeded", SUCCEEDED))),
        result="ft:gpt-4o-mini-2024-07-18:simulated::9ba7566b",
        done=(99, 100, STEPS),
    ),
    "openai, failed": Life(
        *(DialectName.OPENAI, None, (CHECKED, WAITS, TRAINS, FAILS), (*OPENAIS, ("failed", FAILED))),
        error=UNREADABLE,
        done=(99, 100, STEPS),
    ),
    "a batch at openai": Life(DialectName.OPENAI, None, BATCH, BATCH_TOLD, done=(100, 100, REQUESTS), job_id="batch_1"),
    "nebius": Life(
        *(DialectName.OPENAI, "nebius-running", (CHECKED, WAITS, TRAINS, ENDS), (*OPENAIS, ("succeeded", SUCCEEDED))),
        model="Qwen/Qwen3-4B",
        result="ft:Qwen3-4B:simulated::9ba7566b",  # as the simulator names it; Nebius leaves it to the checkpoints
        done=(99, 100, STEPS),
        kind="nebius",
    ),
    "bedrock-mantle": Life(
        *(DialectName.OPENAI, None, (CHECKED, WAITS, TRAINS, ENDS), (*OPENAIS, ("succeeded", SUCCEEDED))),
        result="ft:gpt-4o-mini-2024-07-18:simulated::9ba7566b",
        done=(99, 100, STEPS),
        kind="bedrock-mantle",
    ),
    "litellm": Life(  # which has no events
        *(DialectName.OPENAI, None, (CHECKED, WAITS, TRAINS, FAILS), (*OPENAIS, ("failed", FAILED))),
        error=UNREADABLE,
        kind="litellm",
        settings={"query": {"custom_llm_provider": "azure"}},
    ),
    "a service of one's own": Life(
        *(DialectName.OPENAI, None, (WAITS, TRAINS, ENDS), (*OPENAIS[1:], ("succeeded", SUCCEEDED))),
        result="ft:gpt-4o-mini-2024-07-18:simulated::9ba7566b",
        kind="http",
        settings={
            "status_path": "status",
            "states": {"queued": "queued", "running": "running", "succeeded": "succeeded"},
            "model_path": "model",
            "result_path": "fine_tuned_model",
        },
    ),
    "azure": Life(
        *(DialectName.AZURE, "azure-succeeded", (("pending", 0.5), TRAINS, ENDS)),
        (("pending", PENDING), ("running", RUNNING), ("succeeded", SUCCEEDED)),
        model="gpt-4.1-2025-04-14",
        result="gpt-4.1-2025-04-14.ft-9ba7566b3dc26ebc597621",
        done=(99, None, STEPS),
    ),
    "a batch at azure": Life(
        *(DialectName.AZURE, "azure-batch-validating", BATCH, BATCH_TOLD),
        model=None,
        done=(100, 100, REQUESTS),
        job_id="batch_1",
    ),
    "together": Life(
        *(DialectName.TOGETHER, "together-completed"),
        (WAITS, TRAINS, ("compressing", 0.3), ("uploading", 0.4), ENDS),
        (*OPENAIS[1:], ("compressing", RUNNING), ("uploading", RUNNING), ("completed", SUCCEEDED)),
        model=LLAMA,
        result="example/Meta-Llama-3.1-8B-Instruct-Reference-30b975fd",
        done=(100, 100, STEPS),
    ),
    "together, failed": Life(
        *(DialectName.TOGETHER, "together-user_error", (WAITS, ("user_error", 0.0))),
        (("queued", QUEUED), ("user_error", FAILED)),
        model=LLAMA,
        error=UNREADABLE,
    ),
    "fireworks": Life(
        *(DialectName.FIREWORKS, "fireworks-JOB_STATE_COMPLETED", (CHECKED, WAITS, TRAINS, ENDS)),
        (
            ("JOB_STATE_VALIDATING", VALIDATING),
            ("JOB_STATE_PENDING", QUEUED),
            ("JOB_STATE_RUNNING", RUNNING),
            ("JOB_STATE_COMPLETED", SUCCEEDED),
        ),
        model="accounts/fireworks/models/qwen3-8b",
        result="accounts/example/models/example-model",
        done=(99, 100, PERCENT),
    ),
    "fireworks, failed": Life(
        *(DialectName.FIREWORKS, "fireworks-JOB_STATE_FAILED", (CHECKED, FAILS)),
        (("JOB_STATE_VALIDATING", VALIDATING), ("JOB_STATE_FAILED", FAILED)),
        model="accounts/fireworks/models/qwen3-8b",
        error="The dataset could not be read.",
    ),
    "vertex": Life(
        *(DialectName.VERTEX, "vertex-JOB_STATE_SUCCEEDED", (CHECKED, WAITS, TRAINS, ENDS)),
        (
            ("JOB_STATE_PENDING", QUEUED),
            ("JOB_STATE_QUEUED", QUEUED),
            ("JOB_STATE_RUNNING", RUNNING),
            ("JOB_STATE_SUCCEEDED", SUCCEEDED),
        ),
        model="gemini-2.5-flash",
        result=f"{AT_GOOGLE}/models/model-3c114718bfb70ebcc0203a@1",
        done=(99, 100, STEPS),
    ),
    "vertex, failed": Life(
        *(DialectName.VERTEX, "vertex-JOB_STATE_FAILED", (WAITS, TRAINS, FAILS)),
        (("JOB_STATE_QUEUED", QUEUED), ("JOB_STATE_RUNNING", RUNNING), ("JOB_STATE_FAILED", FAILED)),
        model="gemini-1.5-pro-002",
        error="Failed to create endpoint.",
        done=(99, 100, STEPS),
    ),
    "bedrock": Life(
        *(DialectName.BEDROCK, "bedrock-Completed", (WAITS, TRAINS, ENDS)),
        (("InProgress", RUNNING), ("Completed", SUCCEEDED)),
        model=f"{AT_AWS}::foundation-model/{TITAN}",
        result=f"{AT_AWS}:123456789012:custom-model/{TITAN}/m-3c114718bfb70ebcc0203a",
    ),
    "bedrock, failed": Life(
        *(DialectName.BEDROCK, "bedrock-Failed", (WAITS, FAILS)),
        (("InProgress", RUNNING), ("Failed", FAILED)),
        model=f"{AT_AWS}::foundation-model/amazon.nova-lite-v1:0:300k",
        error="The training data could not be read.",
    ),
    "replicate": Life(
        *(DialectName.REPLICATE, "replicate-processing", (WAITS, TRAINS, ENDS)),
        (("starting", QUEUED), ("processing", RUNNING), ("succeeded", SUCCEEDED)),
        model="stability-ai/sdxl",
        result="example/model:v-3c114718bfb70ebcc0203a",
    ),
    "replicate, cancelled": Life(
        *(DialectName.REPLICATE, "replicate-canceled", (WAITS, IS_CANCELLED)),
        (("starting", QUEUED), ("canceled", CANCELLED)),
        model="stability-ai/sdxl",
    ),
    "huggingface": Life(
        *(DialectName.HUGGINGFACE, "huggingface-jobs-RUNNING", (WAITS, TRAINS, ENDS)),
        (("SCHEDULING", QUEUED), ("RUNNING", RUNNING), ("COMPLETED", SUCCEEDED)),
        model=None,
    ),
    "huggingface, failed": Life(
        *(DialectName.HUGGINGFACE, "huggingface-jobs-ERROR", (WAITS, TRAINS, FAILS)),
        (("SCHEDULING", QUEUED), ("RUNNING", RUNNING), ("ERROR", FAILED)),
        model=None,
        error="Job failed with exit code: 1",
    ),
    "mistral": Life(
        *(DialectName.MISTRAL, "mistral-SUCCESS", (CHECKED, ("VALIDATED", 1.0), TRAINS, ENDS)),
        (("VALIDATING", VALIDATING), ("VALIDATED", QUEUED), ("RUNNING", RUNNING), ("SUCCESS", SUCCEEDED)),
        model="open-mistral-7b",
        result="ft:open-mistral-7b:simulated",
        done=(80, 100, STEPS),
    ),
    "mistral, failed": Life(  # which says no reason
        *(DialectName.MISTRAL, "mistral-FAILED", (WAITS, FAILS), (("QUEUED", QUEUED), ("FAILED", FAILED))),
        model="mistral-small-latest",
    ),
    "localai": Life(  # whose result is named when it is exported, after the end
        *(DialectName.LOCALAI, "localai-training"),
        (WAITS, ("loading_model", 0.2), TRAINS, ("saving", 0.3), ENDS),
        (
            ("queued", QUEUED),
            ("loading_model", RUNNING),
            ("training", RUNNING),
            ("saving", RUNNING),
            ("completed", SUCCEEDED),
        ),
        model="Qwen/Qwen3-0.6B",
    ),
}


def settings_of(life: Life, api: FineTuningApi) -> dict[str, object]:
    """Return the settings with which a source of the kind asks the simulator."""
    where = settings_for(api)
    if life.kind == "http":
        where = {"url": f"{api.base_url}/fine_tuning/jobs/{{id}}"}
    return {**where, **life.settings}


@dataclass
class Lived:
    """What was seen of a life."""

    transitions: list[Transition] = field(default_factory=list)
    progress: list[Progress] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    facts: JobFacts = field(default_factory=JobFacts)


def script_of(life: Life) -> JobScript:
    """Return a script with the fields of the recorded job, but for those that change while it lives."""
    recorded = json.loads((SAMPLES / f"{life.sample}.json").read_bytes()) if life.sample else {}
    kept = {name: value for name, value in recorded.items() if name not in MOVING}
    *passing, (last, _) = life.steps
    steps = (*(Step(word, lasts=timedelta(hours=hours)) for word, hours in passing), Step(last))
    error = {"message": life.error} if life.error else None
    model = (life.model or DEFAULT_MODEL).rpartition("/")[2]
    return JobScript(life.job_id, steps, model=model, error=error, fields=kept)


async def live(source: Source, job: Job, clock: ManualClock) -> Lived:
    """Ask for the job until it has ended, or a day is over."""
    lived, policy = Lived(), PollingPolicy(INTERVAL, INTERVAL, is_adaptive=False)
    while job.due_at is not None and job.due_at < START + A_DAY:
        clock.at = job.due_at
        observation = await source.retrieve(job.key.id, job.status)
        claimed = job._replace(due_at=clock.at + INTERVAL)
        decision = decide(claimed, observation, PollContext(policy, claimed_at=clock.at), clock.at, 0)
        job = decision.job
        if decision.transition:
            lived.transitions.append(decision.transition)
        lived.milestones += observation.milestones if observation else ()
        if job.state is JobState.RUNNING:
            told = observation and observation.progress
            if source.capabilities.events:
                told = told or (await source.events(job.key.id)).progress
            lived.progress += [told] if told else []
    lived.facts = job.facts or JobFacts()
    return lived


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
async def test_a_job_lives_a_day(life: Life) -> None:
    clock = ManualClock()
    async with FineTuningApi(Script(api_key=KEY, dialect=life.dialect), clock=clock) as api:
        plugin = sources.plugin(life.kind or life.dialect)
        config = plugin.config.model_validate({"api_key": KEY, **settings_of(life, api)})
        async with plugin.build(config, SourceContext("lab", clock, RecordingLog())) as source:
            api.add_job(script_of(life))
            lived = await live(source, Job(JobKey("lab", life.job_id), due_at=START), clock)
    facts, progress = lived.facts, [(each.done, each.total, each.unit) for each in lived.progress]
    assert tuple((each.status, each.state) for each in lived.transitions) == life.told
    check_durations(life, lived, clock())
    check_true_times(life, lived)
    assert (facts.model, facts.fine_tuned_model) == (life.model, life.result)
    assert (facts.error and facts.error.message) == life.error
    assert progress == sorted(progress)
    assert (progress[-1] if progress else None) == life.done


def check_durations(life: Life, lived: Lived, now: datetime) -> None:
    """Check that each status is said to have lasted as long as it did, to an interval, and where that is a guess."""
    rows = history_rows(lived.transitions[::-1], now)[::-1]
    for number, (row, (word, hours)) in enumerate(zip(rows, life.lasted(), strict=True)):
        if word == life.told[-1][0]:
            assert row["lasted"] is None
            return
        assert abs(row["lasted_seconds"] - 3600 * hours) <= INTERVAL.total_seconds()
        # Nobody has seen when the first status began, but some begin with the job.
        assert row["is_lasted_exact"] is (number > 0 or life.told[0][1] in {PENDING, VALIDATING})


def check_true_times(life: Life, lived: Lived) -> None:
    """Check that it is known when each status truly began whose beginning the object of the job tells."""
    began = dict[str, datetime]()
    at = START
    for word, hours in life.lasted():
        began[word], at = at, at + timedelta(hours=hours)
    true = {each.status: with_true_times(each, lived.milestones) for each in lived.transitions}
    happened = {word: each.happened_at for word, each in true.items() if each.happened_at}
    ends = {each.status for each in lived.transitions if each.facts.finished_at}
    told = {milestone.state for milestone in lived.milestones}
    assert happened.keys() == {word for word, state in life.told if state in told} | ends
    assert all(abs(at - began[word]) <= timedelta(seconds=1) for word, at in happened.items())
