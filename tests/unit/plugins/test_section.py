"""The values that settings are made of: secrets from files, and durations."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Field, SecretStr, ValidationError

from watcher.plugins.secret_file import SECRET_FILE_LIMIT
from watcher.plugins.section import Duration, Section, expected


class Door(Section):
    """A section like those of plugins."""

    password: SecretStr
    """Opens it."""
    spare: Annotated[SecretStr, Field(min_length=3)] | None = None
    guests: dict[str, SecretStr] = Field(default_factory=dict)
    codes: list[SecretStr] = Field(default_factory=list)
    open_for: Duration = timedelta(seconds=5)


def mistakes(**given: object) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        Door.model_validate(given)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def test_a_secret_is_given_itself_or_by_a_file(tmp_path: Path) -> None:
    """White space around it, such as the line end of a file, is no part of it."""
    (tmp_path / "password").write_text("\n  sesame ö \n")
    door = Door.model_validate({"password_file": str(tmp_path / "password"), "spare": "mellon"})
    assert door.spare is not None
    assert (door.password.get_secret_value(), door.spare.get_secret_value()) == ("sesame ö", "mellon")
    assert Door.model_validate({"password_file": tmp_path / "password"}).password == door.password


def test_only_single_secrets_have_a_twin() -> None:
    assert Door.secret_names() == ("password", "spare")
    assert mistakes(password="x", guests_file="/dev/null") == [("guests_file", "Extra inputs are not permitted")]


def test_both_ways_at_once_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("sesame")
    assert mistakes(password="x", password_file=str(file)) == [
        ("password", "give either password or password_file, not both")
    ]


def write(content: bytes) -> Any:
    return lambda path: path.write_bytes(content)


def leave_alone(_path: Path) -> None:
    """Make nothing."""


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (leave_alone, "cannot read {path}: No such file or directory"),
        (Path.mkdir, "cannot read {path}: Is a directory"),
        (write(b""), "{path} is empty"),
        (write(b" \n\t "), "{path} is empty"),
        (write(b"\xff\xfe"), "cannot read {path}: it is not UTF-8 text"),
        (write(b"x" * (SECRET_FILE_LIMIT + 1)), "{path} is too long to hold a secret"),
        (lambda path: path.symlink_to(path), "cannot read {path}: Too many levels of symbolic links"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_mistake(make: Any, why: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    make(path)
    assert mistakes(password_file=str(path)) == [("password", why.format(path=path))]


def test_a_device_without_end_is_not_read_to_its_end() -> None:
    assert mistakes(password_file="/dev/zero") == [("password", "/dev/zero is too long to hold a secret")]


@pytest.mark.parametrize("path", [5, True, "", ["a"], {"a": 1}])
def test_what_is_no_path_is_a_mistake(path: object) -> None:
    assert mistakes(password_file=path) == [("password", "expected the path of a file")]


@pytest.mark.parametrize("secret", ["s3same", "a\0b", "x" * 5000])
def test_a_secret_given_for_its_file_is_not_repeated(secret: str) -> None:
    """People mix the twins up, and the error is the last place where the secret should turn up."""
    [(key, why)] = mistakes(password_file=secret)
    assert key == "password"
    assert why.startswith("cannot read the file: ")
    assert secret not in why


def test_a_bad_file_hides_no_other_mistake() -> None:
    assert [key for key, _ in mistakes(password_file="/nowhere", spare="a", open_for="ever", knob=1)] == [
        "password",
        "spare",
        "open_for",
        "knob",
    ]


def test_a_missing_secret_is_missing() -> None:
    assert mistakes() == [("password", "Field required")]


def test_a_section_must_be_a_table() -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        Door.model_validate("sesame")


def test_a_section_is_frozen_and_keeps_its_secrets() -> None:
    door = Door.model_validate({"password": "sesame", "codes": ["c0de"], "guests": {"ann": "mellon"}})
    with pytest.raises(ValidationError, match="frozen"):
        door.open_for = timedelta(1)  # type: ignore[misc]
    assert not any(secret in repr(door) + str(door.model_dump_json()) for secret in ("sesame", "c0de", "mellon"))


def test_no_error_repeats_what_was_given() -> None:
    """It may always be a secret."""
    with pytest.raises(ValidationError) as caught:
        Door.model_validate({"password": ["sesame"], "open_for": "sesame", "sesamee": "sesame"})
    assert "sesame'" not in str(caught.value)
    assert "input_value" not in str(caught.value)


@pytest.mark.parametrize("text", ["2m", 120, 120.0, "120"])
def test_durations_are_read_and_written(text: object) -> None:
    door = Door.model_validate({"password": "x", "open_for": text})
    assert door.open_for == timedelta(minutes=2)
    assert door.model_dump(mode="json")["open_for"] == "2m"


def test_a_wrong_duration_says_what_is_expected() -> None:
    [(key, why)] = mistakes(password="x", open_for="ever")
    assert (key, why[:27]) == ("open_for", "expected a duration such as")


def test_a_rule_reads_as_a_sentence() -> None:
    assert expected("a name").message() == "expected a name"


def test_the_schema_knows_the_twins() -> None:
    schema = Door.model_json_schema()
    assert schema["properties"]["password_file"] == {
        "type": "string",
        "format": "path",
        "description": "The path of a file that holds password.",
    }
    assert "spare_file" in schema["properties"]
    assert "required" not in schema
    assert schema["allOf"] == [
        {"oneOf": [{"required": ["password"]}, {"required": ["password_file"]}]},
        {"not": {"required": ["spare", "spare_file"]}},
    ]
    assert schema["properties"]["password"]["description"] == "Opens it."
