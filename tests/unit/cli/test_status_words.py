"""A status that people write is never refused; a hint says what they may not have meant."""

from __future__ import annotations

import pytest

from watcher.cli.status_words import doubt_about


@pytest.mark.parametrize("word", ["running", "cancelled", "paused", "unknown", "validating", "completed", "pausing"])
def test_states_and_openais_own_words_are_in_no_doubt(word: str) -> None:
    assert doubt_about(word) is None


@pytest.mark.parametrize(
    ("word", "state"), [("canceled", "cancelled"), ("SUCCESS", "succeeded"), ("Running", "running")]
)
def test_the_word_of_another_service_is_no_typing_error(word: str, state: str) -> None:
    doubt = doubt_about(word)
    assert doubt == f"{word!r} matches that word of a service only; {state!r} matches all of its words for it"


@pytest.mark.parametrize(
    ("word", "hint"), [("runing", "did you mean 'running'?"), ("baked", "known are validating_files")]
)
def test_a_word_that_nobody_is_known_to_use_may_be_a_typing_error(word: str, hint: str) -> None:
    assert f"no status {word!r} is known, though a service may have one; {hint}" in str(doubt_about(word))
