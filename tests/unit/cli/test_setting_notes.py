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
