"""What the values of settings must be: names, addresses, statuses."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from watcher.domain.addresses import is_base_url
from watcher.domain.durations import write_duration
from watcher.domain.holding import BY_SOURCE, BY_STATE, LABEL
from watcher.domain.jobs import ID_RULE, SOURCE_NAME_RULE, TEXT_RULE, is_job_id, is_plain, is_source_name
from watcher.domain.states import Status
from watcher.plugins.section import Duration, expected
from watcher.store.address import DriverMissingError, UrlError, parse_url

LONGEST_TIMEOUT = timedelta(minutes=1)
LONGEST_BATCH = timedelta(hours=1)
SHORTEST_REMINDER = timedelta(minutes=1)
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,126}")

_HEADER = re.compile("[A-Za-z][A-Za-z0-9-]{0,63}")
_SENT_BY_BROWSERS = frozenset(
    {
        *(
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "cache-control",
            "connection",
            "content-length",
        ),
        *(
            "content-type",
            "cookie",
            "host",
            "if-none-match",
            "origin",
            "pragma",
            "referer",
            "user-agent",
            "x-forwarded-for",
        ),
    }
)
"""Headers that say nothing of who is let in: every request may have them."""


def _check_name(name: str) -> str:
    if not is_source_name(name):
        raise expected(SOURCE_NAME_RULE)
    return name


def _check_job_id(job_id: str) -> str:
    if not is_job_id(job_id):
        raise expected(f"a job id: {ID_RULE}")
    return job_id


def _check_store_url(url: SecretStr) -> SecretStr:
    try:
        parse_url(url.get_secret_value())
    except DriverMissingError:
        pass  # opening the store raises it; `watch` needs none
    except UrlError as error:
        raise PydanticCustomError("mistake", "{why}", {"why": str(error)}) from None
    return url


def _check_heartbeat(url: SecretStr) -> SecretStr:
    if not is_base_url(url.get_secret_value()):
        raise expected("an http:// or https:// URL, without user, query or fragment")
    return url


def _check_host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise expected("the name of a host such as watcher.example.com, without a port")
    return name.lower()


def _check_user_header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _SENT_BY_BROWSERS:
        raise expected("a header that only the proxy writes, such as X-Forwarded-User")
    return name


def _check_status(status: str) -> str:
    # Any word may come from some service: that one is not known is for `config check` to note.
    if not status:
        raise expected("a status")
    return status


def _check_timeout(timeout: timedelta) -> timedelta:
    # A poll makes three attempts, and a service whose polls take minutes would pass for one that hangs.
    if timeout > LONGEST_TIMEOUT:
        raise expected(f"a duration of at most {write_duration(LONGEST_TIMEOUT)}")
    return timeout


def _check_text(text: str) -> str:
    if not is_plain(text):
        raise expected(TEXT_RULE)
    return text


def _check_statuses(statuses: list[str]) -> list[str]:
    if not statuses:
        raise expected("at least one status; leave it out for every status")
    return statuses


def _check_batch(wait: timedelta) -> timedelta:
    if wait > LONGEST_BATCH:
        raise expected(f"a duration of at most {write_duration(LONGEST_BATCH)}; for once a day there is digest")
    return wait


def _check_reminder(span: timedelta) -> timedelta:
    if span < SHORTEST_REMINDER:
        raise expected(f"a duration of at least {write_duration(SHORTEST_REMINDER)}")
    return span


def _check_batch_key(key: str) -> str:
    if key not in {BY_SOURCE, BY_STATE} and (not key.startswith(LABEL) or key == LABEL):
        raise expected("source, state or label:KEY")
    return key


Name = Annotated[str, AfterValidator(_check_name)]
BatchTime = Annotated[Duration, AfterValidator(_check_batch)]
ReminderTime = Annotated[Duration, AfterValidator(_check_reminder)]
BatchKey = Annotated[str, AfterValidator(_check_batch_key)]
JobId = Annotated[str, AfterValidator(_check_job_id)]
Timeout = Annotated[Duration, AfterValidator(_check_timeout)]
Pattern = Annotated[str, AfterValidator(_check_text)]
JobName = Annotated[str, AfterValidator(_check_text)]
Labels = dict[JobName, JobName]
HeartbeatUrl = Annotated[SecretStr, AfterValidator(_check_heartbeat)]
HostName = Annotated[str, AfterValidator(_check_host)]
UserHeader = Annotated[str, AfterValidator(_check_user_header)]
StoreUrl = Annotated[SecretStr, AfterValidator(_check_store_url)]
StatusName = Annotated[
    str, AfterValidator(_check_status), WithJsonSchema({"anyOf": [{"enum": list(Status)}, {"type": "string"}]})
]
Statuses = Annotated[list[StatusName], AfterValidator(_check_statuses)]
