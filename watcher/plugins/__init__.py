"""What the author of a plugin imports: `from watcher.plugins import Section, NotifierPlugin, Message, Delivered`.

A name is loaded from its module on first use: `watch` needs no settings, and no pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
    from watcher.domain.jobs import JobError, JobFacts, JobKey, ListedJob, Observation, Page, Progress, ProgressUnit
    from watcher.domain.messages import Detail, Message, Severity
    from watcher.domain.states import OPENAI_STATES, JobState, StateMap
    from watcher.domain.telemetry import Checkpoint, EventPage, JobEvent, MetricPoint, Milestone
    from watcher.domain.text import excerpt, printable
    from watcher.errors import (
        ConfigurationError,
        MalformedResponseError,
        MissingError,
        RejectedError,
        SourceError,
        TransientError,
        WebhookError,
    )
    from watcher.http import Answer
    from watcher.notifiers.http import Address, Receiver
    from watcher.plugins.context import Clock, Log
    from watcher.plugins.notifier import Context as NotifierContext
    from watcher.plugins.notifier import Notifier
    from watcher.plugins.notifier import Plugin as NotifierPlugin
    from watcher.plugins.section import Duration, Section
    from watcher.plugins.source import (
        Capabilities,
        ListOrder,
        ReadWebhook,
        Source,
        SourceContext,
        SourcePlugin,
        TakesWebhooks,
        Webhook,
        any_id,
        documented_words,
        own_words,
    )
    from watcher.plugins.values import BaseUrl, HeaderName, Headers, HeaderText, Key, PathPart, Region
    from watcher.sources.access import CertificateSettings, Command, KeySettings, credential_of
    from watcher.sources.credentials import Credential, FixedCredential
    from watcher.sources.decoding import complaint_about, malformed, read, text_of
    from watcher.sources.endpoint import Endpoint
    from watcher.sources.errors import Complaint, ErrorRules
    from watcher.sources.http_source import Dialect, HttpSource, Question, TellsEvents, quoted
    from watcher.sources.lenient import Count, Flag, Part, Text, Timestamp, Tolerant
    from watcher.sources.listing import Fact, ListEntry, listed_jobs

_HOMES = {
    "watcher.domain.deliveries": "Delivered Failed Outcome Rejected",
    "watcher.domain.jobs": "JobError JobFacts JobKey ListedJob Observation Page Progress ProgressUnit",
    "watcher.domain.messages": "Detail Message Severity",
    "watcher.domain.states": "OPENAI_STATES JobState StateMap",
    "watcher.domain.telemetry": "Checkpoint EventPage JobEvent MetricPoint Milestone",
    "watcher.domain.text": "excerpt printable",
    "watcher.errors": (
        "ConfigurationError MalformedResponseError MissingError RejectedError SourceError TransientError WebhookError"
    ),
    "watcher.http": "Answer",
    "watcher.notifiers.http": "Address Receiver",
    "watcher.plugins.context": "Clock Log",
    "watcher.plugins.notifier": "NotifierContext=Context Notifier NotifierPlugin=Plugin",
    "watcher.plugins.section": "Duration Section",
    "watcher.plugins.source": (
        "Capabilities ListOrder ReadWebhook Source SourceContext SourcePlugin TakesWebhooks Webhook any_id "
        "documented_words own_words"
    ),
    "watcher.plugins.values": "BaseUrl HeaderName Headers HeaderText Key PathPart Region",
    "watcher.sources.access": "CertificateSettings Command KeySettings credential_of",
    "watcher.sources.credentials": "Credential FixedCredential",
    "watcher.sources.decoding": "complaint_about malformed read text_of",
    "watcher.sources.endpoint": "Endpoint",
    "watcher.sources.errors": "Complaint ErrorRules",
    "watcher.sources.http_source": "Dialect HttpSource Question TellsEvents quoted",
    "watcher.sources.lenient": "Count Flag Part Text Timestamp Tolerant",
    "watcher.sources.listing": "Fact ListEntry listed_jobs",
}
"""The module where each name lives; `name=its name there` where the two differ."""

_PLACES = {
    name: (module, there or name)
    for module, names in _HOMES.items()
    for name, _, there in (entry.partition("=") for entry in names.split())
}

__all__ = [
    "OPENAI_STATES",
    "Address",
    "Answer",
    "BaseUrl",
    "Capabilities",
    "CertificateSettings",
    "Checkpoint",
    "Clock",
    "Command",
    "Complaint",
    "ConfigurationError",
    "Count",
    "Credential",
    "Delivered",
    "Detail",
    "Dialect",
    "Duration",
    "Endpoint",
    "ErrorRules",
    "EventPage",
    "Fact",
    "Failed",
    "FixedCredential",
    "Flag",
    "HeaderName",
    "HeaderText",
    "Headers",
    "HttpSource",
    "JobError",
    "JobEvent",
    "JobFacts",
    "JobKey",
    "JobState",
    "Key",
    "KeySettings",
    "ListEntry",
    "ListOrder",
    "ListedJob",
    "Log",
    "MalformedResponseError",
    "Message",
    "MetricPoint",
    "Milestone",
    "MissingError",
    "Notifier",
    "NotifierContext",
    "NotifierPlugin",
    "Observation",
    "Outcome",
    "Page",
    "Part",
    "PathPart",
    "Progress",
    "ProgressUnit",
    "Question",
    "ReadWebhook",
    "Receiver",
    "Region",
    "Rejected",
    "RejectedError",
    "Section",
    "Severity",
    "Source",
    "SourceContext",
    "SourceError",
    "SourcePlugin",
    "StateMap",
    "TakesWebhooks",
    "TellsEvents",
    "Text",
    "Timestamp",
    "Tolerant",
    "TransientError",
    "Webhook",
    "WebhookError",
    "any_id",
    "complaint_about",
    "credential_of",
    "documented_words",
    "excerpt",
    "listed_jobs",
    "malformed",
    "own_words",
    "printable",
    "quoted",
    "read",
    "text_of",
]


def __getattr__(name: str) -> Any:
    """Load a name from where it lives."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _PLACES[name]
    return getattr(import_module(module), there)


def __dir__() -> list[str]:
    """Name what can be imported."""
    return sorted(_PLACES)
