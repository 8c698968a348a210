"""The settings of a service without a kind of its own, and what is said of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.settings.conftest import Complain, Configure
from watcher.domain.states import JobState
from watcher.settings.display import masked, secrets_of
from watcher.sources.http.config import Config

FORGE = """
[sources.forge]
kind = "http"
url = "https://forge.example/api/runs/{id}"
status_path = "run.status"
states = { WAITING = "queued", CHECKING = "validating_files", DONE = "succeeded" }
"""


def forge(configure: Configure, more: str = "") -> Config:
    config = configure(FORGE + more).sources["forge"]
    assert isinstance(config, Config)
    return config


def test_a_url_a_path_and_the_states_are_enough(configure: Configure) -> None:
    config = forge(configure)
    assert config.states == {
        "WAITING": JobState.QUEUED,
        "CHECKING": JobState.VALIDATING,
        "DONE": JobState.SUCCEEDED,
    }
    assert config.connection().url == "https://forge.example"


@pytest.mark.parametrize(
    ("right", "wrong", "mistake"),
    [
        ('"run.status"', '"run..status"', "status_path: got 'run..status', expected a JMESPath expression such as"),
        ('status_path = "run.status"', "", "status_path: missing"),
        ("/runs/{id}", "/runs", "url: got 'https://forge.example/api/runs', expected a URL with {id} in it, such as"),
        ("//forge", "//{id}", "url: got 'https://{id}.example/api/runs/{id}', expected an http:// or https:// URL"),
        ('"succeeded"', '"finished"', "states.DONE: got 'finished', expected one of the states pending, validating,"),
        (', DONE = "succeeded"', "", "states: got a table, expected a word for succeeded, failed or cancelled among"),
    ],
)
def test_a_mistake_names_its_key(right: str, wrong: str, mistake: str, complain: Complain) -> None:
    assert right in FORGE
    [told] = complain(FORGE.replace(right, wrong))
    assert told.startswith(f"sources.forge.{mistake}")


def test_a_mistake_in_an_expression_names_its_column(complain: Complain) -> None:
    [told] = complain(FORGE.replace("run.status", "run..status"))
    assert told.endswith("; '.' is not expected in column 5")


@pytest.mark.parametrize(
    ("listed", "mistake"),
    [
        ('url = "https://other.example/api"', "list: its url has to be at the host of the other url: the key is sent"),
        ('url = "https://forge.example/a"\njobs_path = "["', "list.jobs_path: got '[', expected a JMESPath expression"),
        ('url = "https://forge.example/a"\nnext_parameter = "p"', "list.next_parameter: given without next_path"),
        ("", "list.url: missing"),
    ],
)
def test_a_mistake_in_the_list_names_its_key(listed: str, mistake: str, complain: Complain) -> None:
    [told] = complain(f"{FORGE}[sources.forge.list]\n{listed}")
    assert told.startswith(f"sources.forge.{mistake}")


def test_a_header_may_come_from_a_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-of-the-forge\n")
    config = forge(configure, f'headers = {{ X-Team = "nlp", X-Token_file = "{tmp_path / "token"}" }}')
    endpoint = config.connection()
    assert endpoint.headers == {"X-Team": "nlp", "X-Token": "s3cret-of-the-forge"}
    assert endpoint.secrets == ("nlp", "s3cret-of-the-forge")


def test_the_headers_are_secrets(configure: Configure) -> None:
    settings = configure(FORGE + 'headers = { X-Token = "s3cret-of-the-forge" }')
    assert masked(settings)["sources"]["forge"]["headers"] == {"X-Token": "***"}
    assert "s3cret-of-the-forge" in secrets_of(settings)


@pytest.mark.parametrize(
    ("headers", "mistake"),
    [
        ('X-Token_file = "/nowhere/token"', "X-Token_file: cannot read /nowhere/token: No such file or directory"),
        ('X-Token = "a", X-Token_file = "/nowhere"', "give either X-Token or X-Token_file, not both"),
        ("X-Token_file = 5", "X-Token_file: expected the path of a file"),
        ('"X Token" = "a"', "'X Token' cannot be the name of a header"),
        ('Host = "a"', "Host is set by the watcher and cannot be given"),
        ('X-Token = "a\\nb"', "the value of X-Token must be one line of printable ASCII, without spaces at its ends"),
    ],
)
def test_a_mistake_in_the_headers_is_told_without_the_secret(headers: str, mistake: str, complain: Complain) -> None:
    assert complain(f"{FORGE}headers = {{ {headers} }}") == [f"sources.forge.headers: {mistake}"]
