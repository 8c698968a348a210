"""The source, against a real HTTP server that does what a script says."""

from __future__ import annotations

import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doubles import ManualClock, RecordingLog
from tests.unit.sources.requests_made import KEY, failing, world
from watcher.errors import (
    ConfigurationError,
    MalformedResponseError,
    MissingError,
    RejectedError,
    SourceError,
    TransientError,
)
from watcher.plugins.source import SourceContext
from watcher.simulator.script import Fault, FaultKind, JobScript, Script, Step
from watcher.sources.client import ATTEMPTS
from watcher.sources.http_source import HttpSource
from watcher.sources.openai.dialect import OpenAIDialect
from watcher.sources.openai.endpoint import Access


async def test_a_job_is_retrieved() -> None:
    async with world(organization="org-1", project="proj_1") as w:
        observation = await w.source.retrieve("ftjob-1")

        assert observation is not None
        assert (observation.key.source, observation.key.id, observation.status) == ("openai", "ftjob-1", "running")
        request = w.api.requests[0]
        assert (request.method, request.path) == ("GET", "/v1/fine_tuning/jobs/ftjob-1")
        assert request.headers["authorization"] == f"Bearer {KEY}"
        assert request.headers["openai-organization"] == "org-1"
        assert request.headers["openai-project"] == "proj_1"
        assert request.headers["user-agent"].startswith("finetune-watcher/")
        assert "cookie" not in request.headers


async def test_an_answer_equal_to_the_last_one_is_nothing_new() -> None:
    """It is not parsed again, unless what the caller knows differs from what it said."""
    async with world() as w:
        assert await w.source.retrieve("ftjob-1", None) is not None
        assert await w.source.retrieve("ftjob-1", "running") is None
        again = await w.source.retrieve("ftjob-1", "queued")
        assert again is not None
        assert again.status == "running"
        w.source.forget("ftjob-1")
        assert await w.source.retrieve("ftjob-1", "running") is not None


@pytest.mark.parametrize("job_id", ["..", ".", "a/../b", "a/..", "..\\b", "a b", "", "a" * 1025, "a\r\nb", "\u00e4"])
async def test_no_id_can_change_the_path(job_id: str) -> None:
    async with world() as w:
        with pytest.raises(ConfigurationError, match="not a job id"):
            await w.source.retrieve(job_id)
        assert w.api.requests == []


@pytest.mark.parametrize("status_code", [408, 409, 429, 500, 502, 503, 504])
async def test_what_passes_is_tried_again_within_the_poll(status_code: int) -> None:
    async with world(failing(status_code, times=ATTEMPTS - 1)) as w:
        assert await w.source.retrieve("ftjob-1") is not None
        assert len(w.api.requests) == ATTEMPTS
        assert all(0.5 <= seconds <= 8 for seconds in w.slept)
        retries = [facts for _, event, facts in w.log.lines if event == "request failed, trying again"]
        assert [facts["request_id"] for facts in retries] == ["req_1", "req_2"]


async def test_after_three_attempts_the_poll_has_failed() -> None:
    async with world(failing(times=None)) as w:
        with pytest.raises(TransientError, match="HTTP 503") as raised:
            await w.source.retrieve("ftjob-1")
        assert (len(w.api.requests), raised.value.request_id) == (3, "req_3")


@pytest.mark.parametrize(
    ("headers", "waited"),
    [({"retry_after": "2"}, 2.0), ({"retry_after_ms": "1500"}, 1.5), ({"retry_after": "0.25"}, 0.25)],
)
async def test_a_short_wish_to_wait_is_granted_within_the_poll(headers: dict[str, str], waited: float) -> None:
    async with world(failing(429, times=1, **headers)) as w:
        assert await w.source.retrieve("ftjob-1") is not None
        assert w.slept == [waited]


async def test_a_long_wish_to_wait_ends_the_poll_and_is_passed_on() -> None:
    async with world(failing(429, retry_after="60")) as w:
        with pytest.raises(TransientError) as raised:
            await w.source.retrieve("ftjob-1")
        assert (raised.value.retry_after, w.slept) == (timedelta(seconds=60), [])


async def test_the_server_may_forbid_or_demand_another_attempt() -> None:
    async with world(failing(503, x_should_retry="false")) as w:
        with pytest.raises(TransientError):
            await w.source.retrieve("ftjob-1")
        assert len(w.api.requests) == 1
    async with world(failing(400, x_should_retry="true")) as w:
        assert await w.source.retrieve("ftjob-1") is not None


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.MALFORMED, "HTML"),
        (FaultKind.TRUNCATED_JSON, "JSON"),
        (FaultKind.WRONG_ID, "another job"),
        (FaultKind.NO_STATUS, "status"),
        (FaultKind.REDIRECT, "redirect"),
    ],
)
async def test_what_is_no_job_object_is_malformed_and_says_why(kind: FaultKind, words: str) -> None:
    async with world(Fault(kind, times=None)) as w:
        with pytest.raises(MalformedResponseError, match=words) as raised:
            await w.source.retrieve("ftjob-1")
        assert raised.value.request_id
        assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.HANG, "no answer within"),
        (FaultKind.DRIP, "no answer within"),
        (FaultKind.RESET, "broke"),
        (FaultKind.RESET_MID_BODY, "broke"),
        (FaultKind.OVERSIZED, "larger than"),
    ],
)
async def test_what_breaks_on_the_way_is_transient(kind: FaultKind, words: str) -> None:
    async with world(Fault(kind, times=None)) as w:
        with pytest.raises(TransientError, match=words):
            await w.source.retrieve("ftjob-1")


async def test_an_answer_that_is_too_large_is_not_asked_for_again_at_once() -> None:
    async with world(Fault(FaultKind.OVERSIZED, times=1)) as w:
        with pytest.raises(TransientError, match="larger than"):
            await w.source.retrieve("ftjob-1")
        assert len(w.api.requests) == 1


@pytest.mark.parametrize("kind", [kind for kind in FaultKind if kind is not FaultKind.OVERSIZED])
async def test_every_other_fault_passes_within_a_poll(kind: FaultKind) -> None:
    async with world(Fault(kind, times=1)) as w:
        assert await w.source.retrieve("ftjob-1") is not None


async def test_a_wrong_key_is_a_rejection_and_is_never_repeated() -> None:
    async with world(api_key="sk-another-secret-key-99") as w:
        with pytest.raises(RejectedError, match="HTTP 401") as raised:
            await w.source.retrieve("ftjob-1")
        assert len(w.api.requests) == 1
        assert "sk-another-secret-key-99" not in f"{raised.value!r}{w.log.lines!r}"


async def test_a_service_that_echoes_the_key_does_not_get_it_into_an_error() -> None:
    fault = Fault(FaultKind.STATUS, times=None, status_code=401, error={"message": f"no such key: {KEY}"})
    async with world(fault) as w:
        with pytest.raises(RejectedError, match=r"no such key: \*\*\*"):
            await w.source.retrieve("ftjob-1")


@pytest.mark.parametrize("key", ["k", "ok", "running", "ftjob"])
async def test_an_ordinary_word_for_a_key_changes_nothing_in_an_answer(key: str) -> None:
    script = Script((JobScript("ftjob-1", (Step("running"),)),), api_key=key)
    async with world(script=script, api_key=key) as w:
        observation = await w.source.retrieve("ftjob-1")
        assert observation is not None
        assert observation.status == "running"
        assert "***" not in observation.document


async def test_an_unknown_job_is_missing() -> None:
    async with world() as w:
        with pytest.raises(MissingError, match="HTTP 404"):
            await w.source.retrieve("ftjob-unknown")


async def test_nobody_listening_is_transient() -> None:
    async with world(base_url="http://127.0.0.1:9/v1") as w:
        with pytest.raises(SourceError, match="cannot connect"):
            await w.source.retrieve("ftjob-1")


async def test_every_log_line_about_an_answer_names_its_request() -> None:
    async with world(failing()) as w:
        await w.source.retrieve("ftjob-1")
        await w.source.retrieve("ftjob-1", "running")

    assert [facts["request_id"] for _, _, facts in w.log.lines] == ["req_1", "req_2", "req_3"]


def test_a_certificate_that_cannot_be_used_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("this is no certificate")
    for name in ("cert.pem", "missing.pem"):
        access = Access("http://localhost/v1", client_cert_file=str(tmp_path / name))
        with pytest.raises(ConfigurationError, match=name):
            make(access)


@pytest.mark.parametrize("base_url", ["http://256.1.1.1/v1", "http://xn--a/v1", "http://\u0661/v1"])
def test_a_host_that_cannot_be_is_a_mistake_of_the_configuration(base_url: str) -> None:
    with pytest.raises(ConfigurationError, match="source openai: no request can be sent to http://"):
        make(Access(base_url))


def make(access: Access) -> HttpSource:
    return HttpSource(
        access.endpoint("openai"), OpenAIDialect(), SourceContext("openai", ManualClock(), RecordingLog())
    )


def test_certificates_are_verified() -> None:
    from watcher.http import tls_context

    assert tls_context().verify_mode is ssl.CERT_REQUIRED
    assert tls_context().check_hostname
