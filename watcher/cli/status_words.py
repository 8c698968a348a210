"""Statuses in settings and options: what may not have been meant by one. Services have words of their own."""

from __future__ import annotations

from watcher.domain.states import OPENAI_STATES, JobState, Status, is_known


def doubt_about(word: str) -> str | None:
    """Return a hint on a status that people wrote; None where there is no doubt about it.

    It may be right all the same, so it is no mistake.
    """
    if is_known(word):
        return None
    if (state := OPENAI_STATES(word)) is not JobState.UNKNOWN:
        return f"{word!r} matches that word of a service only; {state.value!r} matches all of its words for it"
    from difflib import get_close_matches

    near = get_close_matches(word.lower(), list(Status), n=1)
    hint = f"did you mean {str(near[0])!r}?" if near else f"known are {', '.join(Status)}"
    return f"no status {word!r} is known, though a service may have one; {hint}"
