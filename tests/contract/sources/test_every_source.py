"""What the pipeline may expect of any source, built-in or not."""

from __future__ import annotations

import asyncio
import json
import traceback
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import unquote

import pytest
from pydantic import ValidationError

from tests.contract.sources.conftest import (
    FORGE,
    HTTP,
    JOB,
    OPENAI,
    OPENAIS_WORDS,
    SAMPLES,
    TOGETHER,
    TRIALS,
    Make,
    World,
    every_kind,
)
from tests.contract.sources.trial import KEY, Trial
from tests.doubles import statuses_on
from tests.loopback import Reply
from watcher.domain.jobs import Job
from watcher.domain.messages import encode, message_of
from watcher.domain.states import JobState, documented_word, is_terminal
from watcher.domain.transitions import detect
from watcher.errors import (
    ConfigurationError,
    MalformedResponseError,
    MissingError,
    RejectedError,
    SourceError,
    TransientError,
)
from watcher.plugins import registry
from watcher.plugins.source import Source
from watcher.sources.listing import MOST_ENTRIES

UNASSIGNED = {299, 399, 420, 430, 450, 498, 499, 509, 520, 521, 522, 523, 524, 525, 526, 529, 530, 598, 599, 600, 999}
STATUS_CODES = sorted({int(status) for status in HTTPStatus if status >= 200} | UNASSIGNED)
RETRIED = {408, 409, 429}
ERRORS_IN_WORDS = [
    (b'{"error": {"message": "no such thing", "type": "invalid_request_error", "code": "gone"}}', "thing (gone)"),
    (b'{"error": {"code": 404, "message": "no such thing", "status": "NOT_FOUND"}}', "no such thing (NOT_FOUND)"),
    (b'{"message": "no such thing"}', "no such thing"),
    (b'{"Message": "no such thing"}', "no such thing"),
    (b'{"detail": "no such thing", "status": 404}', "no such thing"),
    (b'{"detail": [{"loc": ["path"], "msg": "no such thing", "type": "value_error"}]}', "no such thing"),
    (b'{"error": "no such thing"}', "no such thing"),
    (b'{"error": ["no such", "thing"]}', "no such; thing"),
    (b'{"code": "Gone", "message": "no such thing", "request_id": "r"}', "no such thing (Gone)"),
    (b"<html>no such thing", "<html>no such thing"),
    (b"", "no body"),
]
"""Bodies of services, and the end of what is told of them."""
NO_JOBS = [
    *(b"", b"{}", b"[]", b"null", b"5", b'"text"', b"<html></html>", b'{"id": "job-1"', b"\xff\xfe"),
    *(b"[" * 100_000, b" " * (5 * 1024 * 1024)),
]
OF_EACH_READER = [OPENAI, TOGETHER, HTTP, FORGE]
"""Kinds whose lists are read in a way of their own; all others share one of them."""
OTHER_KEY = "sk-renewed-Yt7nB4pL-secret"


def expected_of(status_code: int) -> type[SourceError]:
    if status_code in {401, 403}:
        return RejectedError
    if status_code == 404:
        return MissingError
    return MalformedResponseError if status_code < 400 else TransientError


async def failure(source: Source) -> SourceError:
    with pytest.raises(SourceError) as caught:
        await source.retrieve(JOB)
    return caught.value


@pytest.mark.usefixtures("make")
def test_every_installed_kind_keeps_this_contract() -> None:
    assert registry.sources.kinds() == sorted(trial.kind for trial in TRIALS)


@every_kind
async def test_a_job_is_asked_for_with_the_key_and_observed_whole(trial: Trial, make: Make, world: World) -> None:
    document = trial.job(JOB, trial.word[JobState.RUNNING])
    world.answer(document)
    async with make(trial) as source:
        observation = await source.retrieve(JOB)
    assert observation is not None
    assert (str(observation.key), observation.at) == ("lab/job-1", world.clock())
    assert (observation.status, observation.state) == (trial.word[JobState.RUNNING], JobState.RUNNING)
    assert observation.document == json.dumps(document)
    [request] = world.server.requests
    assert request.target.partition("?") == (f"{trial.path}/job-1", "?" if trial.query else "", trial.query)
    assert KEY in {request.headers.get("api-key"), request.headers.get("authorization", "").removeprefix("Bearer ")}
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"].startswith("finetune-watcher/")


@every_kind
async def test_each_status_means_what_the_facts_say(trial: Trial, make: Make, world: World) -> None:
    world.answer(*(trial.job(JOB, status) for status in trial.states))
    async with make(trial) as source:
        observed = [await source.retrieve(JOB) for _ in trial.states]
    assert {seen.status: seen.state for seen in observed if seen} == trial.states
    plugin = registry.sources.plugin(trial.kind)
    config = plugin.config.model_validate(trial.settings(world.server.url))
    assert plugin.states_at(config).statuses() == trial.states.keys()


@every_kind
async def test_an_event_is_named_by_a_word_that_receivers_know(trial: Trial, make: Make, world: World) -> None:
    """A word of OpenAI's stands at the services that answer at its paths; else it is one of the documented words."""
    world.answer(*(trial.job(JOB, status) for status in trial.states))
    async with make(trial) as source:
        for status, state in trial.states.items():
            observation = await source.retrieve(JOB)
            assert observation is not None
            transition = detect(Job(observation.key), observation)
            assert transition is not None
            stands = status in OPENAIS_WORDS or state is JobState.UNKNOWN
            word = status if stands and trial.has_openais_words else documented_word(state)
            assert transition.type == f"fine_tuning.job.{word}"
            assert transition.status == status


@every_kind
async def test_a_status_that_is_not_known_is_kept_and_ends_nothing(trial: Trial, make: Make, world: World) -> None:
    world.answer(trial.job(JOB, "on_holiday"))
    async with make(trial) as source:
        observation = await source.retrieve(JOB)
    assert observation is not None
    assert (observation.status, observation.state) == ("on_holiday", JobState.UNKNOWN)


@pytest.mark.parametrize(
    ("trial", "sample"),
    [pytest.param(trial, sample, id=sample) for trial in TRIALS for sample in trial.samples],
)
async def test_recorded_answers_are_read(trial: Trial, sample: str, make: Make, world: World) -> None:
    body = (SAMPLES / f"{sample}.json").read_bytes()
    document = json.loads(body)
    world.answer(Reply(body=body))
    async with make(trial) as source:
        observation = await source.retrieve(trial.id_of(document))
    assert observation is not None
    assert (observation.status, observation.state) == trial.samples[sample]
    facts = observation.facts
    assert facts.model == trial.model_of(document)
    assert facts.created_at is not None
    has_result = {JobState.SUCCEEDED} | ({JobState.FAILED} if trial.result_of_failure else set())
    assert bool(facts.fine_tuned_model) is (observation.state in has_result)
    assert bool(facts.error) is (observation.state is JobState.FAILED and trial.tells_why)
    assert bool(facts.finished_at) is is_terminal(observation.state)


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.private], ids=lambda trial: trial.kind)
async def test_private_fields_are_observed_and_not_told(trial: Trial, make: Make, world: World) -> None:
    private = {**trial.private, "deeper": [dict(trial.private)]}
    world.answer({**trial.job(JOB, trial.word[JobState.RUNNING]), **private})
    async with make(trial) as source:
        observation = await source.retrieve(JOB)
    assert observation is not None
    transition = detect(Job(observation.key), observation)
    assert transition is not None
    told = encode(message_of(transition)) + transition.document
    for name, value in trial.private.items():
        assert json.dumps(value) in observation.document
        assert name not in told
        assert value not in told


@every_kind
@pytest.mark.parametrize("is_wanted", [False, True])
async def test_addresses_are_told_only_where_they_are_asked_for(
    is_wanted: bool, trial: Trial, make: Make, world: World
) -> None:
    reason = "some.user@mail.example may not read https://h.example/x?X-Signature=0123456789"
    job = {**trial.job(JOB, trial.word[JobState.FAILED]), "note": [reason]} if JobState.FAILED in trial.word else None
    if job is None:
        return
    world.answer({**job, "message": reason, "error": {"message": reason}})
    async with make(trial, shows_addresses=is_wanted) as source:
        observation = await source.retrieve(JOB)
    assert observation is not None
    transition = detect(Job(observation.key), observation)
    assert transition is not None
    told = encode(message_of(transition)) + transition.document + repr(transition.facts)
    assert ("some.user" in told, "0123456789" in told) == (is_wanted, is_wanted)


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.private], ids=lambda trial: trial.kind)
async def test_no_error_quotes_an_address_or_a_signature(trial: Trial, make: Make, world: World) -> None:
    world.answer({name: value for name, value in trial.private.items() if "@" in value or "?" in value} or {"a": 1})
    async with make(trial) as source:
        error = await failure(source)
    assert isinstance(error, MalformedResponseError)
    assert "@" not in str(error)
    assert "Signature" not in str(error)


@every_kind
async def test_the_status_of_the_answer_decides(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for status_code in STATUS_CODES:
            with subtests.test(status_code=status_code):
                world.answer(Reply(status_code, b'{"error": {"message": "so it is"}}'))
                error = await failure(source)
                assert type(error) is expected_of(status_code)
                if status_code == 200:
                    continue
                assert error.status_code == status_code
                assert str(error).startswith(f"HTTP {status_code}: ")
                is_retried = status_code in RETRIED or status_code >= 500 or status_code < 400
                assert len(world.server.requests) == (3 if is_retried else 1)


@every_kind
async def test_an_error_is_told_in_the_words_of_the_service(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for body, told in ERRORS_IN_WORDS:
            with subtests.test(body=body):
                world.answer(Reply(400, body))
                assert str(await failure(source)).endswith(told)


@every_kind
async def test_a_short_wish_to_wait_is_granted(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    wishes = [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:03 GMT"}, 3.0),
    ]
    async with make(trial) as source:
        for headers, waited in wishes:
            for status_code in (429, 503):
                with subtests.test(headers=headers, status_code=status_code):
                    world.slept.clear()
                    world.answer(Reply(status_code, headers=headers), trial.job(JOB, trial.word[JobState.RUNNING]))
                    assert await source.retrieve(JOB) is not None
                    assert world.slept == [waited]


@every_kind
async def test_a_long_wish_to_wait_is_passed_on(trial: Trial, make: Make, world: World) -> None:
    world.answer(Reply(429, headers={"retry-after": "60"}))
    async with make(trial) as source:
        error = await failure(source)
    assert isinstance(error, TransientError)
    assert (error.retry_after, len(world.server.requests)) == (timedelta(seconds=60), 1)


@every_kind
@pytest.mark.parametrize("instead", ["hang", "reset", "not-http"])
async def test_what_breaks_on_the_way_may_pass(instead: str, trial: Trial, make: Make, world: World) -> None:
    world.answer(Reply(instead=instead))  # type: ignore[arg-type]
    async with make(trial, timeout=timedelta(seconds=0.1)) as source:
        assert type(await failure(source)) is TransientError
    assert len(world.server.requests) >= 3


@every_kind
async def test_a_service_that_is_not_there_may_come_back(trial: Trial, make: Make, world: World) -> None:
    async with make(trial) as source:
        await world.server.__aexit__()
        assert type(await failure(source)) is TransientError


@every_kind
async def test_what_is_no_job_is_said_to_be_what_it_is(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for body in NO_JOBS:
            with subtests.test(body=body[:20], length=len(body)):
                world.answer(Reply(body=body))
                error = await failure(source)
                assert isinstance(error, TransientError)
                assert len(str(error)) < 400
                assert str(error).isprintable()


@every_kind
async def test_the_object_of_another_job_is_refused(trial: Trial, make: Make, world: World) -> None:
    world.answer(trial.job("job-2", trial.word[JobState.SUCCEEDED]))
    async with make(trial) as source:
        error = await failure(source)
    assert isinstance(error, MalformedResponseError)
    assert "another job" in str(error)


@every_kind
async def test_a_status_that_cannot_be_recorded_is_refused(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for status in ("", " ", "x" * 1000, "run\x1b[2Jning", "a\nb"):
            with subtests.test(status=status):
                world.answer(trial.job(JOB, status))
                assert isinstance(await failure(source), MalformedResponseError)


@every_kind
async def test_an_answer_equal_to_the_last_one_is_nothing_new(trial: Trial, make: Make, world: World) -> None:
    status = trial.word[JobState.RUNNING]
    world.answer(trial.job(JOB, status))
    async with make(trial) as source:
        assert await source.retrieve(JOB) is not None
        assert await source.retrieve(JOB, status) is None
        assert await source.retrieve(JOB, "something else") is not None
        source.forget(JOB)
        assert await source.retrieve(JOB, status) is not None


HOSTILE = [
    *("a/b", "a?b=c", "a#b", "a%2F..%2Fb", "a;b", "a\\b", "a+b", "a=", "*", "'", '"', "<b>", "{x}", "$(id)"),
    "projects/p/locations/l/tuningJobs/1",
    "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/m:0:300k/abc",
    "x" * 1024,
]


NO_IDS = ["", ".", "..", "a/../b", "../b", "a/..", "a\\..\\b", "a b", "a\r\nb", "\x00", "ä", "x" * 1025]


@every_kind
async def test_an_id_is_one_segment_of_the_path(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for job_id in HOSTILE:
            with subtests.test(job_id=job_id[:20]):
                world.answer(trial.job(job_id, trial.word[JobState.RUNNING]))
                try:
                    await source.retrieve(job_id)
                except MalformedResponseError:
                    assert trial.has_short_ids  # this would be the object of another job
                target, _, query = world.server.requests[0].target.partition("?")
                before, _, segment = target.rpartition("/")
                assert (before, unquote(segment), query) == (trial.path, job_id, trial.query)


@every_kind
async def test_what_could_leave_its_segment_is_no_id(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for job_id in NO_IDS:
            with subtests.test(job_id=job_id[:20]):
                with pytest.raises(ConfigurationError, match="not a job id"):
                    await source.retrieve(job_id)
                with pytest.raises(ValueError, match="a job id"):
                    registry.sources.plugin(trial.kind).read_id(job_id)
    assert world.server.requests == []


@every_kind
async def test_a_list_tells_the_status_of_each_job(trial: Trial, make: Make, world: World) -> None:
    jobs = [trial.job(f"job-{number}", word) for number, word in enumerate(trial.states)]
    world.answer(trial.page(jobs, None))
    async with make(trial) as source:
        page = await source.page()
        assert await source.page() is page
    assert statuses_on(page) == {f"job-{number}": word for number, word in enumerate(trial.states)}
    assert page.after == trial.end
    assert world.paths() == [trial.path] * 2


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.pages], ids=lambda trial: trial.kind)
async def test_pages_lead_to_each_other_by_opaque_cursors(trial: Trial, make: Make, world: World) -> None:
    """And a service that gives the same page for ever leads nowhere."""
    cursor = "bW9y&=ZQ/+=="
    world.answer(trial.page([trial.job(cursor, trial.word[JobState.RUNNING])], cursor))
    async with make(trial) as source:
        page = await source.page()
        assert page.after in {trial.lead(cursor), "=="}  # a short id is an id as well
        again = await source.page(trial.lead(cursor))
    assert again.after is None or again.after != trial.lead(cursor)
    query = world.server.requests[1].target.partition("?")[2]
    assert "bW9y%26%3DZQ%2F%2B%3D%3D" in query


@every_kind
async def test_what_is_no_list_is_refused(trial: Trial, make: Make, world: World, subtests: pytest.Subtests) -> None:
    async with make(trial) as source:
        for body in (b"{}", b"null", b"", b"<html>", b'{"data": 5, "runs": 5}'):
            with subtests.test(body=body):
                world.answer(Reply(body=body))
                if body == b"{}" and trial.is_empty:
                    assert not (await source.page()).jobs
                    continue
                with pytest.raises(MalformedResponseError):
                    await source.page()


@pytest.mark.parametrize("trial", OF_EACH_READER, ids=lambda trial: trial.kind)
async def test_a_page_of_more_jobs_than_memory_is_spent_on_is_refused(trial: Trial, make: Make, world: World) -> None:
    """It would be kept, and so would the next one, which a hostile service makes of other jobs."""
    word = trial.word[JobState.RUNNING]
    jobs = [trial.job(f"job-{number}", word) for number in range(MOST_ENTRIES + 1)]
    world.answer(trial.page(jobs[1:], None), trial.page(jobs, None))
    async with make(trial, timeout=timedelta(seconds=20)) as source:
        assert len((await source.page()).jobs) == MOST_ENTRIES
        with pytest.raises(MalformedResponseError, match="more than 10,000"):
            await source.page()


@every_kind
async def test_odd_entries_of_a_list_are_left_out(trial: Trial, make: Make, world: World) -> None:
    good, word = trial.job("job-1", trial.word[JobState.RUNNING]), trial.word[JobState.RUNNING]
    odd = [None, 5, "x", {}, trial.job("..", word), trial.job("a b", word), trial.job("job-3", "")]
    world.answer(trial.page([*odd, good], None))  # type: ignore[list-item]
    async with make(trial) as source:
        assert statuses_on(await source.page()) == {"job-1": word}


@pytest.mark.parametrize("trial", [trial for trial in TRIALS if trial.progress], ids=lambda trial: trial.kind)
async def test_a_job_that_says_how_far_it_has_come_needs_no_further_request(
    trial: Trial, make: Make, world: World
) -> None:
    world.answer({**trial.job(JOB, trial.word[JobState.RUNNING]), **trial.progress})
    async with make(trial) as source:
        observation = await source.retrieve(JOB)
    assert observation is not None
    assert observation.progress is not None
    assert (observation.progress.done, observation.progress.total) == trial.done
    assert len(world.server.requests) == 1


@every_kind
async def test_progress_is_told_where_the_service_tells_it(trial: Trial, make: Make, world: World) -> None:
    async with make(trial) as source:
        assert source.capabilities.events is (trial.events is not None)
        if trial.events is None:
            return
        world.answer(trial.events, {"data": []})
        page = await source.events(JOB)
        assert page.progress is not None
        assert (page.progress.done, page.progress.total) == (24, 72)
        assert (await source.events(JOB)).progress is None
    assert world.paths() == [f"{trial.path}/job-1{trial.events_path}"] * 2


@every_kind
async def test_a_key_that_is_refused_is_not_tried_again(trial: Trial, make: Make, world: World) -> None:
    world.answer(Reply(401))
    async with make(trial) as source:
        assert isinstance(await failure(source), RejectedError)
    assert len(world.server.requests) == 1


@every_kind
async def test_a_rotated_key_file_is_taken_up(trial: Trial, make: Make, world: World, tmp_path: Path) -> None:
    """At the next request; and at once, where the old key is refused before the file is seen to have changed."""
    path = tmp_path / "key"
    path.write_text(KEY)
    world.answer(trial.job(JOB, trial.word[JobState.RUNNING]))
    async with make(trial, api_key=None, api_key_file=str(path)) as source:
        await source.retrieve(JOB)
        path.write_text(OTHER_KEY + "\n")
        await source.retrieve(JOB)
    assert [KEY in str(request.headers) for request in world.server.requests] == [True, False]
    assert OTHER_KEY in str(world.server.requests[1].headers)
    assert world.hidden == [KEY, OTHER_KEY]


@every_kind
async def test_an_expired_token_is_renewed_once_and_the_request_tried_again(
    trial: Trial, make: Make, world: World, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    command = ["sh", "-c", f"echo x >> {runs}; printf token-%s-of-the-command $(wc -l < {runs})"]
    job = trial.job(JOB, trial.word[JobState.RUNNING])
    world.answer(job, Reply(401), job, Reply(401))
    async with make(trial, api_key=None, token_command=command) as source:
        assert await source.retrieve(JOB) is not None
        assert await source.retrieve(JOB) is not None
        assert isinstance(await failure(source), RejectedError)  # the second one within a moment is not renewed
    sent = [request.headers["authorization"] for request in world.server.requests]
    tokens = [f"Bearer token-{number}-of-the-command" for number in (1, 1, 2, 2)]
    assert sent == tokens
    assert world.hidden == ["token-1-of-the-command", "token-2-of-the-command"]
    assert runs.read_text() == "x\n" * 2


@every_kind
async def test_a_service_that_echoes_the_key_does_not_get_it_told(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for status_code in (200, 302, 400, 401, 404, 500):
            with subtests.test(status_code=status_code):
                world.answer(Reply(status_code, instead="echo", headers={"x-request-id": "r"}))
                error = await failure(source)
                told = "".join(traceback.format_exception(error)) + repr(world.log.lines)
                assert KEY not in told + repr(source) + repr(vars(source))
                assert KEY[:12] not in str(error)


@every_kind
async def test_headers_that_echo_the_key_do_not_get_it_told(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    headers = {"x-request-id": KEY, "location": f"https://login.example/?token={KEY}"}
    async with make(trial) as source:
        for status_code in (200, 302, 403, 500):
            with subtests.test(status_code=status_code):
                world.answer(Reply(status_code, b"", headers))
                error = await failure(source)
                told = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(world.log.lines)
                assert KEY not in told


@every_kind
async def test_no_half_a_key_stays_where_an_answer_is_cut(
    trial: Trial, make: Make, world: World, subtests: pytest.Subtests
) -> None:
    async with make(trial) as source:
        for length in range(140, 260, 9):
            for status_code in (200, 500):
                with subtests.test(length=length, status_code=status_code):
                    world.answer(Reply(status_code, b"x" * length + KEY.encode() + b"x" * 100))
                    assert KEY[:8] not in str(await failure(source))


@every_kind
def test_settings_that_are_wrong_are_refused_without_being_repeated(trial: Trial, make: Make, world: World) -> None:
    make(trial)
    config = registry.sources.plugin(trial.kind).config
    with pytest.raises(ValidationError) as caught:
        config.model_validate(trial.settings(world.server.url) | {"surplus": KEY, "api_key": f"{KEY} and more"})
    assert KEY not in "".join(traceback.format_exception(caught.value))
    valid = config.model_validate(trial.settings(world.server.url))
    assert KEY not in f"{valid!r}{valid}{valid.model_dump_json()}"


@every_kind
async def test_many_requests_go_out_side_by_side(trial: Trial, make: Make, world: World) -> None:
    world.answer(trial.job(JOB, trial.word[JobState.RUNNING]))
    async with make(trial) as source:
        answers = await asyncio.gather(*(source.retrieve(JOB) for _ in range(20)))
    assert all(answers)


@every_kind
def test_a_host_that_cannot_be_is_a_mistake_of_the_configuration(trial: Trial, make: Make, world: World) -> None:
    world.server.url = "http://127.0.0.999"
    with pytest.raises(ConfigurationError, match="source lab: no request can be sent"):
        make(trial)
