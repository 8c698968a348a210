"""What is right in the settings and yet hardly meant is said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.cli.setting_notes import notes_on
from watcher.settings.model import Settings
from watcher.settings.validation import load

FILE = Path("watcher.toml")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    file = tmp_path / "watcher.toml"
    file.write_text(
        '[sources.openai]\nbase_url = "https://api.example.com/v1"\n[notifiers.a]\nkind = "stdout"\n'
        '[[watch]]\nrule = "nlp"\nmatch = { states = ["runing"] }\n'
    )
    return load(file)


def test_a_rule_for_a_source_without_a_list_finds_nothing(configured: Settings) -> None:
    notes = notes_on(configured, FILE, ["openai"])
    assert notes[0] == "rule nlp: 'openai' has no list of jobs, so it finds none; name them in [[jobs]]"


def test_a_source_without_a_list_says_so_where_no_rule_does(configured: Settings) -> None:
    (note, _) = notes_on(configured, FILE, ["plain"])
    assert note == "source plain: it has no list of jobs, so they are watched only where they are named"


def test_a_state_that_is_not_known_is_noted(configured: Settings) -> None:
    (note,) = notes_on(configured, FILE)
    assert note.startswith("watch[0].match.states: no status 'runing' is known")
    assert note.endswith("did you mean 'running'?")


def test_that_everything_is_watched_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    notes = notes_on(load(None), FILE)
    assert "nothing says what to watch: every job of openai is, from the first `watcher run` on" in notes


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ('digest = "08:00"\nbatch = "30s"', "notifiers.a.batch: has no effect beside digest"),
        (
            'digest = "08:00"\nquiet = { from = "20:00", to = "07:00" }',
            "notifiers.a.quiet: has no effect beside digest",
        ),
        ('batch_by = ["state"]', "notifiers.a.batch_by: has no effect without batch"),
        ('timezone = "UTC"', "notifiers.a.timezone: has no effect without digest or quiet"),
        ('after = "1h"\nevents = ["jobs"]', "notifiers.a.after: has no effect where events names jobs only"),
        ('sources = ["azure*"]', "notifiers.a.sources: 'azure*' matches none of the sources: openai"),
        (
            'quiet = { from = "20:00", to = "07:00", except = ["stuck", "faild"] }',
            "notifiers.a.quiet.except: no status 'faild' is known",
        ),
        ('quiet = { from = "20:00", to = "07:00", except = ["unreachable"] }\nsources = ["open*"]', None),
        ('repeat = "1h"\ndigest = "08:00"\ntimezone = "UTC"', None),
    ],
)
def test_what_has_no_effect_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, note: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    file = tmp_path / "watcher.toml"
    file.write_text(f'[notifiers.a]\nkind = "stdout"\n{keys}\n')
    found = [each for each in notes_on(load(file), FILE) if each.startswith("notifiers.")]
    assert [each[: len(note or "")] for each in found] == ([note] if note else [])
