"""The job object is read whole, tolerantly, and what is no job object is said to be what it is."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.errors import MalformedResponseError
from watcher.sources.openai.graders import MultiGrader, OtherGrader, PythonGrader, ScoreModelGrader, StringCheckGrader
from watcher.sources.openai.wire import FineTuningJob, Reinforcement, parse

KEY = JobKey("openai", "ftjob-abc123")
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CREATED = 1_795_518_000
"""2026-11-24 11:00:00 UTC."""

EVERY_CONTENT = [
    "plain {{item.text}}",
    {"type": "input_text", "text": "in"},
    {"type": "output_text", "text": "out"},
    {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
]
GRADERS: dict[str, dict[str, Any]] = {
    "string_check": {
        "type": "string_check",
        "name": "exact",
        "input": "{{sample.output_text}}",
        "reference": "{{item.answer}}",
        "operation": "eq",
    },
    "text_similarity": {
        "type": "text_similarity",
        "name": "alike",
        "input": "{{sample.output_text}}",
        "reference": "{{item.answer}}",
        "evaluation_metric": "rouge_l",
    },
    "python": {
        "type": "python",
        "name": "script",
        "source": "def grade(sample, item): return 1.0",
        "image_tag": "2025-05-08",
    },
    "score_model": {
        "type": "score_model",
        "name": "judge",
        "model": "o3-mini",
        "input": [{"role": "user", "type": "message", "content": EVERY_CONTENT}],
        "range": [0, 1.5],
        "sampling_params": {
            "max_completions_tokens": 256,
            "reasoning_effort": "xhigh",
            "seed": 1,
            "temperature": 0.5,
            "top_p": 1,
        },
    },
}
LABEL_MODEL = {
    "type": "label_model",
    "name": "labels",
    "model": "gpt-4o",
    "input": [{"role": "developer", "type": "message", "content": part} for part in EVERY_CONTENT],
    "labels": ["good", "bad"],
    "passing_labels": ["good"],
}
GRADERS["multi"] = {
    "type": "multi",
    "name": "all",
    "calculate_output": "0.5 * exact + 0.5 * judge",
    "graders": {"exact": GRADERS["string_check"], "judge": GRADERS["score_model"], "labels": LABEL_MODEL},
}


def a_document(grader: str = "string_check", **changes: Any) -> dict[str, Any]:
    """Return a job object with every field that the reference page and recorded answers show."""
    return {
        "id": KEY.id,
        "object": "fine_tuning.job",
        "created_at": CREATED,
        "finished_at": CREATED + 3600,
        "estimated_finish": CREATED + 3000,
        "status": "succeeded",
        "model": "gpt-4o-mini-2024-07-18",
        "fine_tuned_model": "ft:gpt-4o-mini-2024-07-18:my-org::AbC",
        "trained_tokens": 1_234_567,
        "error": {"code": "c", "message": "m", "param": "training_file", "error": {"code": "inner"}},
        "hyperparameters": {"batch_size": "auto", "learning_rate_multiplier": 1.8, "n_epochs": 3},
        "method": {
            "type": "reinforcement",
            "supervised": {
                "hyperparameters": {"batch_size": "auto", "learning_rate_multiplier": "auto", "n_epochs": "auto"}
            },
            "dpo": {
                "hyperparameters": {"batch_size": 1, "beta": 0.1, "learning_rate_multiplier": "auto", "n_epochs": 2}
            },
            "reinforcement": {
                "grader": GRADERS[grader],
                "hyperparameters": {
                    "batch_size": 8,
                    "compute_multiplier": 1.5,
                    "eval_interval": 10,
                    "eval_samples": 2,
                    "learning_rate_multiplier": "auto",
                    "n_epochs": "auto",
                    "reasoning_effort": "medium",
                },
            },
        },
        "organization_id": "org-123",
        "training_file": "file-train",
        "validation_file": "file-valid",
        "result_files": ["file-result"],
        "seed": 42,
        "integrations": [
            {
                "type": "wandb",
                "wandb": {"project": "p", "entity": "e", "name": "n", "tags": ["t"], "run_id": "r"},
            }
        ],
        "metadata": {"team": "nlp"},
        "user_provided_suffix": "support",
        "usage_metrics": {"tokens": 7},
        "shared_with_openai": False,
        **changes,
    }


def as_body(document: object) -> bytes:
    return json.dumps(document).encode()


def read(**changes: Any) -> FineTuningJob:
    return FineTuningJob.model_validate_json(as_body(a_document(**changes)))


GRADER = "method.reinforcement.grader"
ITEM = f"{GRADER}.input.0"
PAGE: dict[str, list[str]] = {
    "string_check": [
        "id",
        "created_at",
        "error.code",
        "error.message",
        "error.param",
        "fine_tuned_model",
        "finished_at",
        "hyperparameters.batch_size",
        "hyperparameters.learning_rate_multiplier",
        "hyperparameters.n_epochs",
        "model",
        "object",
        "organization_id",
        "result_files.0",
        "seed",
        "status",
        "trained_tokens",
        "training_file",
        "validation_file",
        "estimated_finish",
        "integrations.0.type",
        "integrations.0.wandb.project",
        "integrations.0.wandb.entity",
        "integrations.0.wandb.name",
        "integrations.0.wandb.tags.0",
        "metadata.team",
        "method.type",
        "method.dpo.hyperparameters.batch_size",
        "method.dpo.hyperparameters.beta",
        "method.dpo.hyperparameters.learning_rate_multiplier",
        "method.dpo.hyperparameters.n_epochs",
        "method.supervised.hyperparameters.batch_size",
        "method.supervised.hyperparameters.learning_rate_multiplier",
        "method.supervised.hyperparameters.n_epochs",
        "method.reinforcement.hyperparameters.batch_size",
        "method.reinforcement.hyperparameters.compute_multiplier",
        "method.reinforcement.hyperparameters.eval_interval",
        "method.reinforcement.hyperparameters.eval_samples",
        "method.reinforcement.hyperparameters.learning_rate_multiplier",
        "method.reinforcement.hyperparameters.n_epochs",
        "method.reinforcement.hyperparameters.reasoning_effort",
        f"{GRADER}.input",
        f"{GRADER}.name",
        f"{GRADER}.operation",
        f"{GRADER}.reference",
        f"{GRADER}.type",
        # Not on the page, but returned:
        "error.error.code",
        "integrations.0.wandb.run_id",
        "user_provided_suffix",
        "usage_metrics",
        "shared_with_openai",
    ],
    "text_similarity": [
        f"{GRADER}.evaluation_metric",
        f"{GRADER}.input",
        f"{GRADER}.name",
        f"{GRADER}.reference",
        f"{GRADER}.type",
    ],
    "python": [f"{GRADER}.name", f"{GRADER}.source", f"{GRADER}.type", f"{GRADER}.image_tag"],
    "score_model": [
        f"{ITEM}.role",
        f"{ITEM}.type",
        f"{ITEM}.content.0",
        f"{ITEM}.content.1.text",
        f"{ITEM}.content.1.type",
        f"{ITEM}.content.2.text",
        f"{ITEM}.content.2.type",
        f"{ITEM}.content.3.image_url",
        f"{ITEM}.content.3.type",
        f"{ITEM}.content.3.detail",
        f"{ITEM}.content.4.input_audio.data",
        f"{ITEM}.content.4.input_audio.format",
        f"{ITEM}.content.4.type",
        f"{GRADER}.model",
        f"{GRADER}.name",
        f"{GRADER}.type",
        f"{GRADER}.range.0",
        f"{GRADER}.sampling_params.max_completions_tokens",
        f"{GRADER}.sampling_params.reasoning_effort",
        f"{GRADER}.sampling_params.seed",
        f"{GRADER}.sampling_params.temperature",
        f"{GRADER}.sampling_params.top_p",
    ],
    "multi": [
        f"{GRADER}.calculate_output",
        f"{GRADER}.name",
        f"{GRADER}.type",
        f"{GRADER}.graders.exact.operation",
        f"{GRADER}.graders.judge.sampling_params.seed",
        f"{GRADER}.graders.labels.input.0.content",
        f"{GRADER}.graders.labels.input.1.content.text",
        f"{GRADER}.graders.labels.input.2.content.text",
        f"{GRADER}.graders.labels.input.3.content.image_url",
        f"{GRADER}.graders.labels.input.4.content.input_audio.data",
        f"{GRADER}.graders.labels.labels.0",
        f"{GRADER}.graders.labels.model",
        f"{GRADER}.graders.labels.name",
        f"{GRADER}.graders.labels.passing_labels.0",
        f"{GRADER}.graders.labels.type",
    ],
}
"""Every field of the reference page, by the grader that a document must have to show it."""


def step_into(value: Any, name: str) -> Any:
    """Return what stands under a name, which must be a declared field where the value is an object."""
    if isinstance(value, BaseModel):
        assert name in type(value).model_fields, f"{type(value).__name__} does not declare {name}"
        return getattr(value, name)
    return value[int(name)] if isinstance(value, list) else value[name]


@pytest.mark.parametrize(("grader", "path"), [(grader, path) for grader, paths in PAGE.items() for path in paths])
def test_every_field_of_the_reference_is_declared_and_read(grader: str, path: str) -> None:
    value: Any = read(grader=grader)
    for name in path.split("."):
        value = step_into(value, name)
    assert value is not None


def undeclared(value: object) -> list[str]:
    """Name the fields that were kept but are not declared."""
    if isinstance(value, BaseModel):
        return [*(value.model_extra or {}), *(name for _, each in value for name in undeclared(each))]
    if isinstance(value, dict):
        return [name for each in value.values() for name in undeclared(each)]
    return [name for each in value for name in undeclared(each)] if isinstance(value, list) else []


@pytest.mark.parametrize("grader", GRADERS)
def test_a_full_document_holds_nothing_that_is_not_declared(grader: str) -> None:
    assert undeclared(read(grader=grader)) == []


def test_unknown_fields_are_kept_at_every_level() -> None:
    job = read(novelty=[1], metadata={}, method={"type": "distillation", "distillation": {"teacher": "o3"}})

    assert job.model_extra == {"novelty": [1]}
    assert job.method is not None
    assert job.method.type == "distillation"
    assert job.method.model_extra == {"distillation": {"teacher": "o3"}}


STRANGE_SHAPES: list[Any] = [
    None,
    {},
    [],
    "words",
    3,
    2.5,
    True,
    [None],
    {"a": [1]},
    [[{}]],
    math.nan,
    math.inf,
    -1,
    10**30,
]


@pytest.mark.parametrize("field", sorted(set(FineTuningJob.model_fields) - {"id", "status"}))
@pytest.mark.parametrize("shape", STRANGE_SHAPES, ids=repr)
def test_a_field_of_an_unexpected_shape_hurts_nothing(field: str, shape: Any) -> None:
    observation = parse(as_body(a_document(**{field: shape})), KEY, NOW)

    assert observation.status == "succeeded"
    assert (observation.facts.fine_tuned_model is None) == (field == "fine_tuned_model" and shape != "words")


@pytest.mark.parametrize(
    ("field", "shape"),
    [("model", 4), ("trained_tokens", "many"), ("trained_tokens", -1), ("result_files", {}), ("method", "dpo")],
)
def test_an_unexpected_shape_reads_as_none(field: str, shape: object) -> None:
    assert getattr(read(**{field: shape}), field) is None


def test_one_strange_member_leaves_its_neighbours_readable() -> None:
    job = read(result_files=["file-a", 7], metadata={"a": "b", "c": 1}, integrations=["x", {"type": "wandb"}])

    assert job.result_files == ["file-a", None]
    assert job.metadata == {"a": "b", "c": None}
    assert [each and each.type for each in job.integrations or []] == [None, "wandb"]


def test_id_and_status_are_enough() -> None:
    observation = parse(b'{"id":"ftjob-abc123","status":"paused"}', KEY, NOW)

    assert (observation.key, observation.status, observation.at) == (KEY, "paused", NOW)
    assert observation.facts == JobFacts()


def test_facts_are_what_messages_speak_of() -> None:
    facts = parse(as_body(a_document(error=None)), KEY, NOW).facts

    assert facts == JobFacts(
        model="gpt-4o-mini-2024-07-18",
        fine_tuned_model="ft:gpt-4o-mini-2024-07-18:my-org::AbC",
        created_at=datetime(2026, 11, 24, 11, tzinfo=UTC),
        finished_at=NOW,
        estimated_finish=datetime(2026, 11, 24, 11, 50, tzinfo=UTC),
        trained_tokens=1_234_567,
        error=None,
        suffix="support",
    )


@pytest.mark.parametrize(
    ("changes", "suffix"),
    [({"user_provided_suffix": None, "suffix": "azures"}, "azures"), ({"user_provided_suffix": ""}, None)],
)
def test_the_suffix_of_the_training_is_the_name_of_a_job_without_one(
    changes: dict[str, Any], suffix: str | None
) -> None:
    assert parse(as_body(a_document(**changes)), KEY, NOW).facts.suffix == suffix


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, None),
        ({}, None),
        ({"code": None, "message": None, "param": None}, None),
        ({"code": "", "message": 5, "param": []}, None),
        ({"code": None, "message": None, "param": None, "error": None}, None),
        ("words", JobError(message="words")),
        (["bad line 1", None, {"message": "bad line 2", "code": "c"}], JobError(message="bad line 1; bad line 2")),
        ({"code": "c", "message": ["one", "two"]}, JobError("c", "one; two")),
        ({"code": "c", "error": "within"}, JobError("c", "within")),
        ([], None),
        ([5, {"code": "c"}], None),
        (5, None),
        ({"code": "bad_file", "message": "No.", "param": None}, JobError("bad_file", "No.", None)),
        ({"message": "No.", "param": "training_file", "code": 500}, JobError(None, "No.", "training_file")),
        ({"code": "outer", "error": {"code": "inner", "message": "Why"}}, JobError("outer", "Why", None)),
    ],
)
def test_an_error_counts_for_what_it_says(error: object, expected: JobError | None) -> None:
    assert parse(as_body(a_document(error=error)), KEY, NOW).facts.error == expected


ABSURD_MOMENTS: list[Any] = [0, -1, 10**18, 10**400, math.nan, math.inf, True, "", "soon", [], {}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (CREATED, datetime(2026, 11, 24, 11, tzinfo=UTC)),
        (CREATED + 0.5, datetime(2026, 11, 24, 11, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-24T12:00:00+01:00", datetime(2026, 11, 24, 11, tzinfo=UTC)),
        ("2026-11-24T11:00:00Z", datetime(2026, 11, 24, 11, tzinfo=UTC)),
        ("2026-11-24t11:00:00.123456789z", datetime(2026, 11, 24, 11, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-24 11:00:00", datetime(2026, 11, 24, 11, tzinfo=UTC)),
        *((absurd, None) for absurd in ABSURD_MOMENTS),
        ("0001-01-01T00:00:00+23:00", None),
        ("9999-12-31T23:59:59-23:00", None),
    ],
)
def test_moments_are_read_in_every_form(given: object, expected: datetime | None) -> None:
    facts = parse(as_body(a_document(created_at=given)), KEY, NOW).facts

    assert facts.created_at == expected
    assert facts.created_at is None or facts.created_at.tzinfo is UTC


@pytest.mark.parametrize("value", ["auto", 3, 0.25, -1, None])
def test_a_hyperparameter_is_auto_or_a_number(value: object) -> None:
    job = read(hyperparameters={"n_epochs": value})

    assert job.hyperparameters is not None
    assert job.hyperparameters.n_epochs == value


def grader_of(given: object) -> Any:
    return Reinforcement.model_validate_json(as_body({"grader": given})).grader


def test_an_unknown_grader_is_kept_as_it_is() -> None:
    grader = grader_of({"type": "endpoint", "name": "mine", "url": "https://example.com"})

    assert isinstance(grader, OtherGrader)
    assert (grader.type, grader.name, grader.model_extra) == ("endpoint", "mine", {"url": "https://example.com"})


@pytest.mark.parametrize("given", [None, 5, "python", [], {}, {"type": 7}])
def test_what_is_no_grader_reads_as_none(given: object) -> None:
    assert grader_of(given) is None


def test_a_multi_grader_holds_one_grader_a_map_or_a_list() -> None:
    one, script = GRADERS["string_check"], GRADERS["python"]

    single = grader_of({"type": "multi", "graders": one}).graders
    mapped = grader_of({"type": "multi", "graders": {"type": one, "b": script, "c": 5}}).graders
    listed = grader_of({"type": "multi", "graders": [one, script]}).graders

    assert isinstance(single, StringCheckGrader)
    assert [type(each) for each in mapped.values()] == [StringCheckGrader, PythonGrader, type(None)]
    assert [type(each) for each in listed] == [StringCheckGrader, PythonGrader]


def test_graders_nest() -> None:
    outer = grader_of({"type": "multi", "graders": {"inner": GRADERS["multi"]}})

    inner = outer.graders["inner"]
    assert isinstance(inner, MultiGrader)
    assert isinstance(inner.graders, dict)
    assert isinstance(inner.graders["judge"], ScoreModelGrader)


def test_the_document_is_the_text_as_given() -> None:
    text = '{ "status":"running",\n "x": 1.0, "id":"ftjob-abc123" , "é": NaN}'

    assert parse(text.encode(), KEY, NOW).document == text
    assert parse(b"\xef\xbb\xbf" + text.encode(), KEY, NOW).document == text


def with_status(text: str) -> bytes:
    return b'{"id":"ftjob-abc123","status":' + text.encode() + b"}"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "malformed answer: it is empty"),
        (b" \n", "malformed answer: it is empty:  \\n"),
        (b"<!DOCTYPE html><html>Sign in</html>", "it is HTML, not JSON: <!DOCTYPE html><html>Sign in</html>"),
        (b"\xef\xbb\xbf\n<html>", "it is HTML, not JSON"),
        (b"upstream timed out", "it is not JSON: upstream timed out"),
        (b'{"id":"ftjob-abc123","status":"runn', "it is not JSON"),
        (b'{"id":"ftjob-abc123","status":"running"}}', "it is not JSON"),
        (b"\xff\xfe{\x00}\x00", "it is not UTF-8 text"),
        (b"[]", "it is JSON, but no object: []"),
        (b"null", "it is JSON, but no object: null"),
        (b'"ftjob-abc123"', "it is JSON, but no object"),
        (b'{"status":"running"}', "it has no id"),
        (b'{"id":7,"status":"running"}', "its id is not a string"),
        (b'{"id":"ftjob-other","status":"running"}', "it is about another job: ftjob-other"),
        (b'{"id":"\\ud83d","status":"running"}', "it is about another job"),
        (b'{"id":"ftjob-abc123"}', "it has no status"),
        (with_status("null"), "its status is not a string"),
        (with_status("5"), "its status is not a string"),
        (with_status('""'), "its status is empty"),
        (with_status('"  "'), "its status is empty"),
        (with_status(f'"{"x" * 129}"'), "its status is longer than 128 characters"),
        (with_status(r'"run\nning"'), "its status holds control characters"),
        (with_status(r'"\u001b[2J"'), "its status holds control characters"),
        (with_status(r'"\u202egninnur"'), "its status holds control characters"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"id":"ftjob-abc123","status":"running","x":' + b"[" * 300 + b"]" * 300 + b"}", "nested too deeply"),
        (b'{"a":' * 100_000, "it is nested too deeply"),
        (b'{"x":"\\ud800","y":' + b"[" * 300 + b"]" * 300 + b"}", "it is nested too deeply"),
    ],
)
def test_what_is_no_job_object_is_said_to_be_what_it_is(body: bytes, complaint: str) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        parse(body, KEY, NOW)

    assert complaint in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.retryable


@pytest.mark.parametrize("body", [b"<html>" + b"x" * 5000, b"\xff" * 5000, b"\x1b[2J" * 1000])
def test_an_error_repeats_no_more_than_200_characters_of_the_body(body: bytes) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        parse(body, KEY, NOW)

    _, _, repeated = str(caught.value).removeprefix("malformed answer: ").partition(": ")
    assert 150 < len(repeated) <= 200


@pytest.mark.parametrize(
    "body",
    [
        b'{"x":"' + b'\\"' * 500_000,
        b'{"x":"\\ud800","y":"' + b"a" * 1_000_000,
        b'{"x":"\\ud800",' + (b"1" * 3_999 + b",") * 250,
        b'{"x":"' + b"\\ud800" * 150_000,
        b'["\\ud800",' * 100_000,
    ],
    ids=["quotes", "one long string", "long numbers", "half characters", "nested"],
)
def test_a_hostile_megabyte_is_refused_at_once(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(MalformedResponseError):
        parse(body, KEY, NOW)

    assert time.process_time() - started < 1


@pytest.mark.parametrize("length", [1, 128])
def test_a_status_may_be_any_short_text(length: int) -> None:
    assert parse(with_status(f'"{"é" * length}"'), KEY, NOW).status == "é" * length


@pytest.mark.parametrize(
    "extra",
    [
        r'"half \ud83d", "message": "\\ud83d \ud83d\ude00"',
        "9" * 5000,
        "-" + "9" * 5000 + ".5e3",
        "1e999",
        "NaN",
        '"\\ud800\\ud800 " , "y": {"\\udfff": [' + "8" * 4301 + "]}",
        "[" * 150 + "]" * 150,
    ],
)
def test_json_that_is_merely_odd_is_read(extra: str) -> None:
    body = f'{{"id":"ftjob-abc123","status":"running","model":"m","x":{extra}}}'.encode()
    observation = parse(body, KEY, NOW)

    assert (observation.status, observation.facts.model) == ("running", "m")
    assert observation.document.encode() == body


def test_half_a_character_becomes_a_mark_in_the_facts_and_only_there() -> None:
    body = rb'{"id":"ftjob-abc123","status":"failed","error":{"message":"a\ud83d b\ud83d\ude00 c\\ud83d"}}'
    observation = parse(body, KEY, NOW)

    assert observation.facts.error == JobError(message="a\ufffd b\U0001f600 c\\ud83d")
    assert observation.document.encode() == body


def test_of_a_key_given_twice_the_last_one_counts_as_it_does_for_json() -> None:
    body = b'{"id":"other","status":"queued","id":"ftjob-abc123","status":"running"}'

    assert parse(body, KEY, NOW).status == json.loads(body)["status"] == "running"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
KNOWN_NAMES = st.sampled_from([name for name in FineTuningJob.model_fields if name not in {"id", "status"}])


@settings(deadline=None)  # a busy machine is no failure
@given(fields=st.dictionaries(KNOWN_NAMES | st.text(), ANY_JSON, max_size=6))
def test_whatever_the_other_fields_hold_the_status_is_read(fields: dict[str, object]) -> None:
    body = as_body({**fields, "id": KEY.id, "status": "running"})

    assert parse(body, KEY, NOW).status == "running"


@settings(deadline=None)  # a busy machine is no failure
@given(document=st.dictionaries(st.sampled_from(["id", "status", "error", "method"]), ANY_JSON), cut=st.integers(0, 80))
def test_nothing_but_a_malformed_response_is_ever_raised(document: dict[str, object], cut: int) -> None:
    whole = as_body(document)
    for body in (whole, whole[:cut], whole[:cut] + b"\xff" + whole[cut:]):
        try:
            parse(body, KEY, NOW)
        except MalformedResponseError as error:
            assert str(error).isprintable()  # noqa: PT017 - most examples raise, but not all


FRAGMENTS = st.sampled_from(
    [
        *'{}[],:"\\0-. ',
        "\\u",
        "d83d",
        "de00",
        "\\ud800",
        "9" * 4400,
        "1e999",
        "NaN",
        "-Infinity",
        "null",
        '"x":',
        "\n",
        "é",
    ]
)


@settings(deadline=None)  # a busy machine is no failure
@given(fragments=st.lists(FRAGMENTS, max_size=14))
def test_what_is_taken_is_json(fragments: list[str]) -> None:
    body = b'{"id":"ftjob-abc123","status":"running","x":' + "".join(fragments).encode() + b"}"
    try:
        observation = parse(body, KEY, NOW)
    except MalformedResponseError:
        return
    json.loads(observation.document, parse_int=str)


@pytest.mark.parametrize("number", ["0" + "9" * 5000, "-" + "0" * 5000, "+" + "9" * 5000, "." + "9" * 5000])
def test_a_number_that_json_does_not_allow_is_not_mended(number: str) -> None:
    with pytest.raises(MalformedResponseError, match="it is not JSON"):
        parse(f'{{"id":"ftjob-abc123","status":"running","x":{number}}}'.encode(), KEY, NOW)
