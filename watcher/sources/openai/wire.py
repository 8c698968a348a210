"""The job object of the fine-tuning API: every documented field, and those that real answers add.

Only `id` and `status` can be relied on. Everything else may be absent, null or of another shape, and then reads as
None; fields that are not known are kept.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import model_validator

from watcher.domain.jobs import JobError, JobFacts, JobKey, Observation, Progress
from watcher.domain.states import OPENAI_STATES, StateMap
from watcher.sources.job_object import JobObject, read_job
from watcher.sources.lenient import Count, Flag, Number, Part, Setting, Text, Texts, Timestamp, Tolerant, Words
from watcher.sources.openai.graders import Grader


class ErrorObject(Part):
    """Why a job failed. It may be there, with or without content, on jobs that did not fail."""

    code: Text = None
    message: Words = None
    param: Text = None
    error: Tolerant[ErrorObject] = None
    """Not documented: some answers hold the error within the error."""

    @model_validator(mode="before")
    @classmethod
    def _from_words(cls, given: object) -> object:
        """Take a text, or a list of texts, for the message: so some services write it."""
        return {"message": given} if isinstance(given, str | list) else given


class Hyperparameters(Part):
    """The hyperparameters of any method; each method uses some of them."""

    batch_size: Setting = None
    learning_rate_multiplier: Setting = None
    n_epochs: Setting = None


class DpoHyperparameters(Hyperparameters):
    """The hyperparameters of direct preference optimisation."""

    beta: Setting = None


class ReinforcementHyperparameters(Hyperparameters):
    """The hyperparameters of reinforcement fine-tuning."""

    compute_multiplier: Setting = None
    eval_interval: Setting = None
    eval_samples: Setting = None
    reasoning_effort: Text = None


class Supervised(Part):
    """Supervised fine-tuning."""

    hyperparameters: Tolerant[Hyperparameters] = None


class Dpo(Part):
    """Direct preference optimisation."""

    hyperparameters: Tolerant[DpoHyperparameters] = None


class Reinforcement(Part):
    """Reinforcement fine-tuning."""

    grader: Tolerant[Grader] = None
    hyperparameters: Tolerant[ReinforcementHyperparameters] = None


class Method(Part):
    """How the model is tuned."""

    type: Text = None
    """`supervised`, `dpo` or `reinforcement`."""
    supervised: Tolerant[Supervised] = None
    dpo: Tolerant[Dpo] = None
    reinforcement: Tolerant[Reinforcement] = None


class Wandb(Part):
    """Where metrics go at Weights & Biases."""

    project: Text = None
    entity: Text = None
    name: Text = None
    tags: Texts = None
    run_id: Text = None
    """Not documented."""


class Integration(Part):
    """A service that is told of the job's metrics."""

    type: Text = None
    wandb: Tolerant[Wandb] = None


class FineTuningJob(JobObject):
    """A fine-tuning job, as the API describes it. Six statuses are documented; services use others."""

    object: Text = None
    created_at: Timestamp = None
    finished_at: Timestamp = None
    """Null on real jobs that failed."""
    estimated_finish: Timestamp = None
    """Null on most real jobs."""
    model: Text = None
    fine_tuned_model: Text = None
    trained_tokens: Count = None
    error: Tolerant[ErrorObject] = None
    hyperparameters: Tolerant[Hyperparameters] = None
    """Of supervised jobs: null or absent for the other methods."""
    method: Tolerant[Method] = None
    organization_id: Text = None
    training_file: Text = None
    validation_file: Text = None
    result_files: Texts = None
    seed: Number = None
    integrations: Tolerant[list[Tolerant[Integration]]] = None
    metadata: Tolerant[dict[str, Text]] = None
    user_provided_suffix: Text = None
    """Not documented, as the three that follow."""
    suffix: Text = None
    """Azure's word for the same."""
    usage_metrics: Any = None
    shared_with_openai: Flag = None
    trained_steps: Count = None
    """Nebius, as the one that follows."""
    total_steps: Count = None

    def facts(self) -> JobFacts:
        """Return the parts that messages speak of."""
        return JobFacts(
            model=self.model or None,
            fine_tuned_model=self.fine_tuned_model or None,
            created_at=self.created_at,
            finished_at=self.finished_at,
            estimated_finish=self.estimated_finish,
            trained_tokens=self.trained_tokens,
            error=_job_error(self.error),
            suffix=self.user_provided_suffix or self.suffix or None,
        )

    def progress(self, at: datetime) -> Progress | None:
        """Return how far the job has come, as some services say."""
        done, total = self.trained_steps, self.total_steps
        return Progress(done, total, at) if done is not None and total and done <= total else None


def parse(body: bytes, key: JobKey, at: datetime, states: StateMap = OPENAI_STATES) -> Observation:
    """Read the answer to a retrieve, received at the time given: see `read_job`."""
    job, document = read_job(FineTuningJob, body, key)
    return Observation(key, job.status, states(job.status), at, job.facts(), document, progress=job.progress(at))


def _job_error(error: ErrorObject | None) -> JobError | None:
    """Return what an error says, or None when it says nothing; what it holds within counts where it is silent."""
    if error is None:
        return None
    within = _job_error(error.error) or JobError()
    found = JobError(
        code=error.code or within.code,
        message=error.message or within.message,
        param=error.param or within.param,
    )
    return None if found == JobError() else found
