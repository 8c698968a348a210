"""What the values of settings must be: names, addresses, statuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from watcher.domain.addresses import is_base_url
from watcher.domain.durations import write_duration
from watcher.domain.jobs import ID_RULE, SOURCE_NAME_RULE, TEXT_RULE, is_job_id, is_plain, is_source_name
from watcher.domain.states import Status
from watcher.plugins.section import Duration, expected
from watcher.settings.error_text import nearest
from watcher.store.address import DriverMissingError, UrlError, parse_url

LONGEST_TIMEOUT = timedelta(minutes=1)


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
        pass  # whoever opens the store is told; `watch` needs none
    except UrlError as error:
        raise PydanticCustomError("mistake", "{why}", {"why": str(error)}) from None
    return url


def _check_heartbeat(url: SecretStr) -> SecretStr:
    if not is_base_url(url.get_secret_value()):
        raise expected("an http:// or https:// URL, without user, query or fragment")
    return url


def _check_status(status: str) -> str:
    # Any status may come from some service, but one that is nearly one of the six is a typing error.
    if status in set(Status):
        return status
    if near := nearest(status, Status):
        raise expected(f"a status; did you mean {near!r}?")
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


Name = Annotated[str, AfterValidator(_check_name)]
JobId = Annotated[str, AfterValidator(_check_job_id)]
Timeout = Annotated[Duration, AfterValidator(_check_timeout)]
JobName = Annotated[str, AfterValidator(_check_text)]
Labels = dict[JobName, JobName]
HeartbeatUrl = Annotated[SecretStr, AfterValidator(_check_heartbeat)]
StoreUrl = Annotated[SecretStr, AfterValidator(_check_store_url)]
StatusName = Annotated[
    str, AfterValidator(_check_status), WithJsonSchema({"anyOf": [{"enum": list(Status)}, {"type": "string"}]})
]
Statuses = Annotated[list[StatusName], AfterValidator(_check_statuses)]
