"""The OpenAPI document of what is served."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus

from watcher.domain.deliveries import DeliveryState
from watcher.server import problems
from watcher.server.parsing import (
    JOB_CURSOR_PATTERN,
    LONGEST_PAGE,
    NAME_PATTERN,
    NUMBER_CURSOR_PATTERN,
    USUAL_PAGE,
)
from watcher.server.schemas import SCHEMAS, Json, new_job, new_silence, plain_text


def document(version: str, sources: Collection[str], *, has_token: bool) -> Json:
    """Describe the whole API, for the sources that there are; reading needs the token where there is one."""
    reading: list[Json] = [{"token": []}] if has_token else []
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "finetune-watcher",
            "version": version,
            "summary": "Watched fine-tuning jobs, and what is owed to whom.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": {
            "/livez": {"get": _probe("live", "Whether the loops of the service make progress.", "Liveness")},
            "/readyz": {
                "get": _probe("ready", "Whether the store can be reached, and whether any source answers.", "Readiness")
            },
            "/metrics": {"get": _metrics(reading)},
            "/openapi.json": {"get": _description(reading)},
            "/api/v1/jobs": {"get": _list_jobs(reading), "post": _add_job()},
            "/api/v1/jobs/{source}/{id}": {
                "parameters": _KEY,
                "get": _show_job(reading),
                "delete": _remove_job(),
            },
            "/api/v1/metrics/{source}/{id}": {"parameters": _KEY, "get": _show_metrics(reading)},
            "/hooks/{source}": {"parameters": [_SOURCE], "post": _take_webhook()},
            "/api/v1/deliveries": {"get": _list_deliveries(reading)},
            "/api/v1/silences": {"get": _list_silences(reading), "post": _add_silence()},
            "/api/v1/silences/{id}": {"parameters": [_SILENCE_ID], "delete": _expire_silence()},
        },
        "components": {
            "schemas": {**SCHEMAS, "NewJob": new_job(sources), "NewSilence": new_silence(sources)},
            "responses": {_problem_name(status): _problem(status, text) for status, text in _PROBLEMS.items()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "`http.token`"}},
        },
    }


def _probe(operation: str, summary: str, schema: str) -> Json:
    answer = _json(f"#/components/schemas/{schema}")
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": {
            "200": {"description": "Yes.", "content": answer},
            "503": {"description": "No; the body says why.", "content": answer},
            **_refusals(500),
        },
    }


def _metrics(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "metrics",
        "summary": "Everything in numbers, for Prometheus.",
        "security": reading,
        "responses": {
            "200": {
                "description": "The text format of Prometheus.",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **_refusals(401, 421, 500),
        },
    }


def _description(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "describe",
        "summary": "This document.",
        "security": reading,
        "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_refusals(401, 421, 500),
        },
    }


def _list_jobs(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "list_jobs",
        "summary": "The watched jobs, by source and id.",
        "security": reading,
        "parameters": [
            _LIMIT,
            _parameter("after", "query", {"type": "string", "pattern": JOB_CURSOR_PATTERN}, _CURSOR),
            _parameter("source", "query", {"type": "string", "pattern": NAME_PATTERN}, "Only jobs of this source."),
            _parameter("status", "query", plain_text(), "Only jobs in this status, written as in the answer."),
        ],
        "responses": {"200": _answer("A page.", "JobPage"), **_refusals(401, 421, 422, 500, 503)},
    }


def _add_job() -> Json:
    location = {"Location": {"description": "The job's path.", "schema": {"type": "string"}}}
    return {
        "operationId": "add_job",
        "summary": "Watch a job. One that has ended is asked for once more.",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": _json("#/components/schemas/NewJob")},
        "responses": {
            "201": {**_answer("It is new.", "Job"), "headers": location},
            "200": {**_answer("It was known; its name and labels are those given now.", "Job"), "headers": location},
            **_refusals(400, 401, 421, 403, 408, 413, 415, 422, 500, 503),
        },
    }


def _show_job(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "show_job",
        "summary": "A watched job, with a page of its history, the newest transition first.",
        "security": reading,
        "parameters": [
            _LIMIT,
            _parameter("after", "query", {"type": "string", "pattern": NUMBER_CURSOR_PATTERN}, _CURSOR),
        ],
        "responses": {"200": _answer("The job.", "JobWithHistory"), **_refusals(401, 421, 404, 422, 500, 503)},
    }


def _show_metrics(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "show_metrics",
        "summary": "What has been measured of a watched job, such as its losses: every point that is kept.",
        "security": reading,
        "responses": {"200": _answer("The points.", "Metrics"), **_refusals(401, 421, 404, 422, 500, 503)},
    }


def _remove_job() -> Json:
    return {
        "operationId": "remove_job",
        "summary": "Stop watching a job. Its history stays, and pending deliveries are still made.",
        "security": [{"token": []}],
        "responses": {
            "204": {"description": "It is no longer watched."},
            **_refusals(401, 421, 403, 404, 422, 500, 503),
        },
    }


def _take_webhook() -> Json:
    signed = {"description": "As Standard Webhooks has it."}
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    return {
        "operationId": "take_webhook",
        "summary": "A webhook of a source, signed with one of its secrets: the job is asked for now.",
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": plain_text()} | signed for name in names
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {
            "204": {"description": "It is taken, or was before."},
            **_refusals(400, 401, 404, 408, 413, 421, 422, 429, 500, 503),
        },
    }


def _list_deliveries(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "list_deliveries",
        "summary": "What is or was owed to notifiers, the newest first.",
        "security": reading,
        "parameters": [
            _LIMIT,
            _parameter("after", "query", {"type": "string", "pattern": NUMBER_CURSOR_PATTERN}, _CURSOR),
            _parameter("state", "query", {"enum": list(DeliveryState)}, "Only deliveries in this state."),
            _parameter(
                "notifier", "query", {"type": "string", "pattern": NAME_PATTERN}, "Only those to this notifier."
            ),
        ],
        "responses": {"200": _answer("A page.", "DeliveryPage"), **_refusals(401, 421, 422, 500, 503)},
    }


def _list_silences(reading: Sequence[Json]) -> Json:
    return {
        "operationId": "list_silences",
        "summary": "The silences in force, the newest first.",
        "security": reading,
        "responses": {"200": _answer("The silences.", "Silences"), **_refusals(401, 421, 422, 500, 503)},
    }


def _add_silence() -> Json:
    location = {"Location": {"description": "The silence's path.", "schema": {"type": "string"}}}
    return {
        "operationId": "add_silence",
        "summary": "Mute what has labels, or is of a source, from now on. What is muted is recorded.",
        "security": [{"token": []}],
        "requestBody": {"required": True, "content": _json("#/components/schemas/NewSilence")},
        "responses": {
            "201": {**_answer("It is in force.", "Silence"), "headers": location},
            **_refusals(400, 401, 421, 403, 408, 413, 415, 422, 500, 503),
        },
    }


def _expire_silence() -> Json:
    return {
        "operationId": "expire_silence",
        "summary": "End a silence now. What it has muted stays muted.",
        "security": [{"token": []}],
        "responses": {
            "204": {"description": "It has ended."},
            **_refusals(401, 421, 403, 404, 422, 500, 503),
        },
    }


def _parameter(name: str, place: str, schema: Json, description: str) -> Json:
    return {"name": name, "in": place, "required": place == "path", "schema": schema, "description": description}


def _json(reference: str) -> Json:
    return {"application/json": {"schema": {"$ref": reference}}}


def _answer(description: str, schema: str) -> Json:
    return {"description": description, "content": _json(f"#/components/schemas/{schema}")}


def _refusals(*statuses: int) -> Json:
    return {str(status): {"$ref": f"#/components/responses/{_problem_name(status)}"} for status in statuses}


def _problem_name(status: int) -> str:
    return f"Problem{status}"


def _problem(status: int, description: str) -> Json:
    answer: Json = {
        "description": description,
        "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == HTTPStatus.UNAUTHORIZED:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "description": "RFC 6750."}}
    return answer


_SOURCE = _parameter("source", "path", {"type": "string"}, "The source that it lives at.")
_KEY = [
    _SOURCE,
    _parameter("id", "path", {"type": "string", "minLength": 1}, "The job's id there."),
]
_SILENCE_ID = _parameter("id", "path", {"type": "string", "minLength": 1}, "The number of the silence.")
_CURSOR = "The `next` of the page before."
_LIMIT = _parameter(
    "limit",
    "query",
    {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE},
    "How many at most.",
)
_PROBLEMS: Mapping[int, str] = {
    400: "The body is not JSON, or a header of a webhook is there twice.",
    401: "The token, or the signature of a webhook, is missing or wrong.",
    403: "No token is configured, so nothing can be changed over HTTP.",
    404: "It is not watched, or not in force.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not said to be JSON.",
    421: "The Host header is no name of this server.",
    422: "The request has mistakes; the first 32 are named.",
    429: "Too many of them; Retry-After says when to come again.",
    500: "A fault of the watcher itself.",
    503: "The store cannot be reached.",
}
