"""The services of clouds and of their like, none of which speaks OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlencode

from tests.contract.sources.trial import KEY, Json, Trial
from tests.loopback import Reply
from watcher.domain.states import JobState

FIREWORKS_WORDS = {
    "CREATING": JobState.QUEUED,
    "PENDING": JobState.QUEUED,
    "RE_QUEUEING": JobState.QUEUED,
    "CREATING_INPUT_DATASET": JobState.QUEUED,
    "VALIDATING": JobState.VALIDATING,
    "RUNNING": JobState.RUNNING,
    "WRITING_RESULTS": JobState.RUNNING,
    "ROLLOUT": JobState.RUNNING,
    "EVALUATION": JobState.RUNNING,
    "POLICY_UPDATE": JobState.RUNNING,
    "PAUSED": JobState.PAUSED,
    **dict.fromkeys(["IDLE", "CANCELLING", "DELETING", "DELETING_CLEANING_UP", "UNSPECIFIED"], JobState.UNKNOWN),
    **dict.fromkeys(["COMPLETED", "EARLY_STOPPED"], JobState.SUCCEEDED),
    **dict.fromkeys(["FAILED", "EXPIRED", "FAILED_CLEANING_UP"], JobState.FAILED),
    **dict.fromkeys(["CANCELLED", "DELETED"], JobState.CANCELLED),
}
SUPERVISED = "supervisedFineTuningJobs"


def own_id(name: str) -> str:
    return name.rpartition("/")[2]


def fireworks_job(job_id: str, status: str) -> Json:
    name = f"accounts/example/{SUPERVISED}/{job_id}"
    return {"name": name, "state": status, "status": {"code": "OK", "message": ""}, "outputModel": "named-at-once"}


def fireworks_page(jobs: Sequence[Json], after: str | None) -> Json:
    return {SUPERVISED: list(jobs), "nextPageToken": after or "", "totalSize": 51}


FIREWORKS = Trial(
    "fireworks",
    lambda url: {"base_url": url, "account": "example", "api_key": KEY},
    fireworks_job,
    fireworks_page,
    f"/v1/accounts/example/{SUPERVISED}",
    {prefix + word: state for prefix in ("JOB_STATE_", "") for word, state in FIREWORKS_WORDS.items()},
    progress={"updateTime": "2026-03-02T09:05:00Z", "epochs": 4, "jobProgress": {"epoch": 1, "percent": 20}},
    done=(30, 100),
    end="dpoJobs/",
    is_empty=True,
    id_of=lambda document: own_id(document["name"]),
    model_of=lambda document: document["baseModel"],
    private={
        "createdBy": "some.user@mail.example",
        "metricsFileSignedUrl": "https://storage.example/metrics?X-Signature=0123456789",
        "trainerLogsSignedUrl": "https://storage.example/logs?X-Signature=9876543210",
    },
    samples={
        "fireworks-JOB_STATE_RUNNING": ("JOB_STATE_RUNNING", JobState.RUNNING),
        "fireworks-JOB_STATE_COMPLETED": ("JOB_STATE_COMPLETED", JobState.SUCCEEDED),
        "fireworks-JOB_STATE_FAILED": ("JOB_STATE_FAILED", JobState.FAILED),
    },
)
VERTEX_PARENT = "projects/123456789012/locations/us-central1"
VERTEX = Trial(
    "vertex",
    lambda url: {"base_url": f"{url}/v1", "project": "my-project", "api_key": KEY},
    lambda job_id, status: {"name": f"{VERTEX_PARENT}/tuningJobs/{job_id}", "state": status},
    lambda jobs, after: {"tuningJobs": list(jobs), "nextPageToken": after},
    "/v1/projects/my-project/locations/us-central1/tuningJobs",
    {
        "JOB_STATE_QUEUED": JobState.QUEUED,
        "JOB_STATE_PENDING": JobState.QUEUED,
        "JOB_STATE_RUNNING": JobState.RUNNING,
        "JOB_STATE_UPDATING": JobState.RUNNING,
        "JOB_STATE_PAUSED": JobState.PAUSED,
        "JOB_STATE_CANCELLING": JobState.UNKNOWN,
        "JOB_STATE_UNSPECIFIED": JobState.UNKNOWN,
        "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
        "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.SUCCEEDED,
        "JOB_STATE_FAILED": JobState.FAILED,
        "JOB_STATE_EXPIRED": JobState.FAILED,
        "JOB_STATE_CANCELLED": JobState.CANCELLED,
    },
    progress={
        "updateTime": "2026-03-02T09:05:00Z",
        "tuningJobMetadata": {"completedStepCount": "24"},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": "72"}},
    },
    is_empty=True,
    id_of=lambda document: own_id(document["name"]),
    model_of=lambda document: document["baseModel"],
    result_of_failure=True,
    private={"serviceAccount": "tuner@my-project.iam.example", "userDatasetExamples": "a line of the training data"},
    samples={
        "vertex-JOB_STATE_RUNNING": ("JOB_STATE_RUNNING", JobState.RUNNING),
        "vertex-JOB_STATE_SUCCEEDED": ("JOB_STATE_SUCCEEDED", JobState.SUCCEEDED),
        "vertex-JOB_STATE_FAILED": ("JOB_STATE_FAILED", JobState.FAILED),
    },
)
BEDROCK = Trial(
    "bedrock",
    lambda url: {"base_url": url, "region": "us-east-1", "api_key": KEY},
    lambda job_id, status: {"jobName": job_id, "jobArn": "arn:aws:bedrock:…", "status": status},
    lambda jobs, after: {"modelCustomizationJobSummaries": list(jobs), **({"nextToken": after} if after else {})},
    "/model-customization-jobs",
    {
        "InProgress": JobState.RUNNING,
        "Stopping": JobState.UNKNOWN,
        "Completed": JobState.SUCCEEDED,
        "Failed": JobState.FAILED,
        "Stopped": JobState.CANCELLED,
    },
    id_of=lambda document: document["jobArn"],
    model_of=lambda document: document["baseModelArn"],
    samples={
        "bedrock-InProgress": ("InProgress", JobState.RUNNING),
        "bedrock-Completed": ("Completed", JobState.SUCCEEDED),
        "bedrock-Failed": ("Failed", JobState.FAILED),
    },
)


def replicate_page(jobs: Sequence[Json], after: str | None) -> Json:
    url = f"https://elsewhere.example/v1/trainings?{urlencode({'cursor': after})}" if after else None
    return {"results": list(jobs), "next": url, "previous": None}


REPLICATE = Trial(
    "replicate",
    lambda url: {"base_url": f"{url}/v1", "api_key": KEY},
    lambda job_id, status: {"id": job_id, "status": status},
    replicate_page,
    "/v1/trainings",
    {
        "starting": JobState.QUEUED,
        "processing": JobState.RUNNING,
        "succeeded": JobState.SUCCEEDED,
        "failed": JobState.FAILED,
        "canceled": JobState.CANCELLED,
    },
    private={
        "input": "https://files.example/data.zip?Signature=0123456789",
        "webhook_completed": "https://hooks.example/T0ken?key=0123456789",
        "weights": "https://weights.example/a-name-that-cannot-be-guessed",
    },
    samples={
        "replicate-processing": ("processing", JobState.RUNNING),
        "replicate-canceled": ("canceled", JobState.CANCELLED),
    },
)


def huggingface_page(jobs: Sequence[Json], after: str | None) -> Reply:
    query = urlencode({"limit": 9, "cursor": after})
    links = (
        f'<https://elsewhere.example/api/jobs/example?{query}>; rel="next"' if after else '<https://h/>; rel="first"'
    )
    return Reply(body=json.dumps(list(jobs)).encode(), headers={"link": links})


HUGGINGFACE = Trial(
    "huggingface",
    lambda url: {"endpoint": url, "namespace": "example", "api_key": KEY},
    lambda job_id, status: {"id": job_id, "status": {"stage": status, "message": None}},
    huggingface_page,
    "/api/jobs/example",
    {
        "SCHEDULING": JobState.QUEUED,
        "RUNNING": JobState.RUNNING,
        "COMPLETED": JobState.SUCCEEDED,
        "ERROR": JobState.FAILED,
        "CANCELED": JobState.CANCELLED,
        "DELETED": JobState.CANCELLED,
    },
    lead=lambda after: urlencode({"limit": 9, "cursor": after}),
    model_of=lambda _document: None,
    private={"owner": "Some Person", "initiator": "person@mail.example", "environment": "WANDB_API_KEY=0123456789"},
    samples={
        "huggingface-jobs-RUNNING": ("RUNNING", JobState.RUNNING),
        "huggingface-jobs-ERROR": ("ERROR", JobState.FAILED),
    },
)
CLOUDS = [FIREWORKS, VERTEX, BEDROCK, REPLICATE, HUGGINGFACE]
