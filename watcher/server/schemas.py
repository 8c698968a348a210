"""The shapes of what is taken and given, as JSON Schema says them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from watcher.domain.deliveries import DeliveryState
from watcher.domain.jobs import ID_PATTERN, LONGEST_TEXT, TEXT_PATTERN
from watcher.domain.overview import UNSEEN
from watcher.domain.silences import LONGEST_SILENCE
from watcher.domain.states import JobState
from watcher.domain.transitions import Reason

Json = dict[str, Any]

JOB_ID_PATTERN = f"^{ID_PATTERN}$"


def plain_text() -> Json:
    """Describe a text that may be given, as `is_plain` accepts it."""
    return {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT, "pattern": TEXT_PATTERN}


def new_job(sources: Collection[str]) -> Json:
    """Describe what adding a job takes."""
    chosen = {"enum": sorted(sources)} if sources else None
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string", "pattern": JOB_ID_PATTERN, "description": "The job's id at its source."},
            "source": {
                **(chosen or {"type": "string"}),
                "description": "A source that is polled. Default: that of the configured job with this id, else the "
                "only configured source, else `openai`.",
            },
            "name": {**plain_text(), "type": ["string", "null"], "description": "What people call it."},
            "labels": {
                "type": "object",
                "propertyNames": plain_text(),
                "additionalProperties": plain_text(),
                "description": "For notifiers to choose by, and for receivers to see.",
            },
        },
        "required": ["id"],
        "additionalProperties": False,
    }


def new_silence(sources: Collection[str]) -> Json:
    """Describe what adding a silence takes."""
    chosen: Json = {"enum": [*sorted(sources), None]} if sources else {"type": ["string", "null"]}
    longest = int(LONGEST_SILENCE.total_seconds())
    return {
        "type": "object",
        "properties": {
            "for_seconds": {"type": "integer", "minimum": 1, "maximum": longest, "description": "For how long."},
            "labels": {
                "type": "object",
                "propertyNames": plain_text(),
                "additionalProperties": plain_text(),
                "description": "Mutes what carries all of these.",
            },
            "source": {**chosen, "description": "Mutes what is of this source."},
            "all": {"type": "boolean", "description": "True, without labels and source: mutes everything."},
            "reason": {**plain_text(), "type": ["string", "null"], "description": "Why; it stands with what is muted."},
        },
        "required": ["for_seconds"],
        "additionalProperties": False,
        "anyOf": [
            {"properties": {"labels": {"minProperties": 1}, "all": {"const": False}}, "required": ["labels"]},
            {"properties": {"source": {"type": "string"}, "all": {"const": False}}, "required": ["source"]},
            {
                "properties": {"all": {"const": True}, "labels": {"maxProperties": 0}, "source": {"type": "null"}},
                "required": ["all"],
            },
        ],
    }


def _object(properties: Mapping[str, Json]) -> Json:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _optional(kind: str, **more: Any) -> Json:
    return {"type": [kind, "null"], **more}


def _page(schema: str) -> Json:
    following = _optional("string", description="To be given as `after`; null on the last page.")
    return _object({"data": {"type": "array", "items": {"$ref": f"#/components/schemas/{schema}"}}, "next": following})


_TIME: Json = {"type": "string", "format": "date-time"}
_OPTIONAL_TIME = _optional("string", format="date-time")
_ERROR: Json = _object({"code": _optional("string"), "message": _optional("string"), "param": _optional("string")}) | {
    "type": ["object", "null"],
    "description": "Why the job failed, in the words of its service.",
}
_LABELS: Json = {"type": "object", "additionalProperties": {"type": "string"}}

_FACTS: Mapping[str, Json] = {
    "model": _optional("string", description="The model that is fine-tuned."),
    "fine_tuned_model": _optional("string", description="The model that came of it."),
    "error": _ERROR,
}
_JOB: Mapping[str, Json] = {
    "source": {"type": "string"},
    "id": {"type": "string"},
    "name": _optional("string"),
    "title": {"type": "string", "description": "Its name, else the suffix of its result, else its id."},
    "labels": _LABELS,
    "status": {"type": "string", "description": f"As the API says it; `{UNSEEN}` before the first answer."},
    "state": {"enum": [*map(str, JobState), None], "description": "Null before the first answer."},
    "for": _optional("string", description="How long it has had this status, for people."),
    "for_seconds": _optional("number"),
    "is_since_exact": _optional("boolean", description="False where the beginning is not known, only a later time."),
    "next_poll": _optional("string", description="For people; null when it is no longer polled."),
    "trouble": _optional("string", description="What the last poll complained of."),
    "status_since": _OPTIONAL_TIME,
    "next_poll_at": _OPTIONAL_TIME,
    **_FACTS,
}

SCHEMAS: Mapping[str, Json] = {
    "Liveness": _object(
        {
            "status": {"enum": ["alive", "stalled"]},
            "stalled": {"type": "array", "items": {"type": "string"}, "description": "The loops that do not turn."},
        }
    ),
    "Readiness": _object(
        {
            "status": {"enum": ["ready", "not ready"]},
            "checks": _object({"store": {"type": "string"}, "sources": {"type": "string"}})
            | {"description": "`ok`, or what failed."},
        }
    ),
    "Job": _object(_JOB),
    "JobWithHistory": _object(
        {
            **_JOB,
            "history": {"type": "array", "items": {"$ref": "#/components/schemas/Transition"}},
            "next": _optional("string", description="To be given as `after` for older history; null where it ends."),
            "metrics": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/MetricPoint"},
                "description": "The last point of each series.",
            },
        }
    ),
    "Metrics": _object({"data": {"type": "array", "items": {"$ref": "#/components/schemas/MetricPoint"}}}),
    "MetricPoint": _object(
        {
            "series": {"type": "string"},
            "step": {"type": "integer"},
            "value": {"type": ["number", "string"], "description": "Text where it is NaN or infinite."},
            "at": _TIME,
        }
    ),
    "JobPage": _page("Job"),
    "Transition": _object(
        {
            "observed_at": _TIME,
            "happened_at": _OPTIONAL_TIME,
            "status": {"type": "string"},
            "state": {"enum": list(JobState)},
            "previous_status": _optional("string"),
            "reason": {"enum": list(Reason)},
            "skipped": {"type": "array", "items": {"type": "string"}},
            "skipped_at": {"type": "object", "additionalProperties": _TIME, "description": "As far as it is known."},
            "skipped_seconds": {"type": "object", "additionalProperties": {"type": "number"}},
            "lasted": _optional("string", description="For people; null when the job has ended with it."),
            "lasted_seconds": _optional("number"),
            "is_lasted_exact": _optional("boolean", description="False where it may have lasted longer."),
            "event_id": {"type": "string", "description": "What receivers know it by."},
            **_FACTS,
        }
    ),
    "Delivery": _object(
        {
            "id": {"type": "integer"},
            "notifier": {"type": "string"},
            "source": _optional("string", description="Null where the event is none of a job's."),
            "job": {"type": "string", "description": "The job's id, or what else the event is about."},
            "status": {"type": "string", "description": "The job's status, or the type of the event."},
            "state": {"enum": list(DeliveryState)},
            "attempts": {"type": "integer"},
            "next_attempt": _optional("string", description="For people."),
            "reason": _optional("string", description="Why it waits, is muted, or is told again."),
            "last_error": _optional("string"),
            "answer": _optional("string", description="What the receiver said when it accepted the message."),
            "observed_at": _TIME,
            "event_id": {"type": "string"},
            "next_attempt_at": _OPTIONAL_TIME,
            "settled_at": _OPTIONAL_TIME,
        }
    ),
    "DeliveryPage": _page("Delivery"),
    "Silence": _object(
        {
            "id": {"type": "integer"},
            "labels": _LABELS,
            "source": _optional("string"),
            "reason": _optional("string"),
            "ends": {"type": "string", "description": "For people."},
            "until": _TIME,
            "created_at": _OPTIONAL_TIME,
            "created_by": _optional("string", description="Who made it, as far as that is known."),
        }
    ),
    "Silences": _object({"data": {"type": "array", "items": {"$ref": "#/components/schemas/Silence"}}}),
    "Problem": {
        "type": "object",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "mistakes": {
                "type": "array",
                "items": _object({"where": {"type": "string"}, "why": {"type": "string"}}),
            },
        },
        "required": ["type", "title", "status", "detail"],
    },
}
