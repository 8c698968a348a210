"""The settings of a service that answers with JSON: where it is asked, and where in the answers the values stand."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from watcher.domain.addresses import is_base_url
from watcher.domain.states import JobState, StateMap, is_terminal, named_state
from watcher.plugins.section import Section, expected
from watcher.plugins.values import HeaderName, Headers
from watcher.sources.access import CertificateSettings, KeySettings
from watcher.sources.credentials import FixedCredential
from watcher.sources.endpoint import Endpoint
from watcher.sources.http.expressions import Expression

ID = "{id}"
"""What stands in the URL for the id of a job."""


def origin_of(url: str) -> str:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _check_url(url: str) -> str:
    address, _, query = url.partition("?")
    if not is_base_url(address) or not query.isprintable() or set(query) & set(" #\\") or ID in origin_of(url):
        raise expected("an http:// or https:// URL without user or fragment")
    return url


def _check_job_url(url: str) -> str:
    if ID not in _check_url(url):
        raise expected("a URL with {id} in it, such as https://example.com/api/jobs/{id}")
    return url


def _read_state(word: object) -> JobState:
    state = named_state(word) if isinstance(word, str) else None
    if state is None:
        raise expected(f"one of the states {', '.join(JobState)}")
    return state


def _check_states(states: dict[str, JobState]) -> dict[str, JobState]:
    if not any(map(is_terminal, states.values())):
        raise expected("a word for succeeded, failed or cancelled among them: a job would never end")
    return states


States = Annotated[dict[str, Annotated[JobState, BeforeValidator(_read_state)]], AfterValidator(_check_states)]
"""The statuses of a service, and what they mean."""


class EntryPaths(Section):
    """Where the values of a job stand."""

    created_path: Expression | None = None
    """When the job was created: a number of seconds or milliseconds since 1970, or RFC 3339."""
    model_path: Expression | None = None
    """The model that is tuned."""
    name_path: Expression | None = None
    """What people called the job."""


class ListSettings(EntryPaths):
    """The list of jobs. What is not said about an entry stands where it stands in the answer about a job."""

    url: Annotated[str, AfterValidator(_check_url)]
    """Where the list is, at the same host."""
    jobs_path: Expression | None = None
    """Where the jobs stand in the answer. Default: the answer is a list of them."""
    id_path: Expression | None = None
    """The id of a job. Default: the `id_path` of the source, or `id`."""
    status_path: Expression | None = None
    """The status of a job."""
    metadata_path: Expression | None = None
    """What people attached to the job: a table of texts."""
    next_path: Expression | None = None
    """What leads to the next page: a URL at the same host, or what `next_parameter` is to be. Nothing there: it was the
    last page."""
    next_parameter: str | None = Field(default=None, min_length=1)
    """The parameter of a request for the next page."""

    @field_validator("next_parameter")
    @classmethod
    def _check_next(cls, parameter: str | None, info: ValidationInfo) -> str | None:
        if parameter and info.data.get("next_path", ...) is None:
            raise PydanticCustomError("mistake", "given without next_path")
        return parameter


class Config(EntryPaths, CertificateSettings, KeySettings):
    """Any service that answers a GET with JSON. Values are found by JMESPath expressions."""

    url: Annotated[str, AfterValidator(_check_job_url)]
    """Where a job is: `https://example.com/api/jobs/{id}`. The id is quoted."""
    status_path: Expression
    """The status of the job."""
    states: States
    """What the statuses mean: `{ DONE = "succeeded" }`. Capitals count only where two statuses differ in nothing else.
    A status that is not listed is unknown, and the job goes on being watched."""
    id_path: Expression | None = None
    """The id of the job: an answer about another job is refused. Default: the answer is believed."""
    finished_path: Expression | None = None
    """When the job ended."""
    result_path: Expression | None = None
    """The name of what a job that succeeded has made."""
    error_path: Expression | None = None
    """Why a job failed: a text, or an object with `message` and `code`."""
    progress_path: Expression | None = None
    """How far the job has come: a percentage, or with `[done, total]` two numbers of steps."""
    key_header: HeaderName = "Authorization"
    """The header that holds the key or token."""
    key_prefix: Annotated[str, Field(pattern="^[!-~]*[ ]?$")] = "Bearer "
    """What stands before the key there."""
    headers: Headers = Field(default_factory=dict)
    """Further headers of every request. A name that ends in `_file` gives the path of a file that holds the value."""
    list: ListSettings | None = None
    """Where the list of jobs is, if there is one."""

    @field_validator("list")
    @classmethod
    def _check_host(cls, listed: ListSettings | None, info: ValidationInfo) -> ListSettings | None:
        url = info.data.get("url")
        if listed and url and origin_of(listed.url) != origin_of(url):
            raise PydanticCustomError(
                "mistake", "its url has to be at the host of the other url: the key is sent there"
            )
        return listed

    def state_map(self) -> StateMap:
        """Return what the statuses mean."""
        return StateMap(self.states, any_case=True)

    def connection(self) -> Endpoint:
        """Return where the source asks, and as whom."""
        cert_file, key_file = self.certificate()
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        return Endpoint(
            origin_of(self.url),
            self.credential() or FixedCredential(),
            key_header=self.key_header,
            key_prefix=self.key_prefix,
            headers=headers,
            secrets=tuple(headers.values()),
            client_cert_file=cert_file,
            client_key_file=key_file,
        )
