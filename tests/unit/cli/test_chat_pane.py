"""Messages in Block Kit, drawn in a pane."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.doubles import a_transition
from watcher.cli.chat_pane import heading, message_lines
from watcher.cli.text_width import width_of
from watcher.domain.jobs import JobError, JobFacts
from watcher.domain.messages import message_of
from watcher.domain.states import JobState
from watcher.notifiers.slack.blocks import compose


def a_post(name: str = "support-bot", **facts: Any) -> Any:
    state = JobState.FAILED if "error" in facts else JobState.SUCCEEDED
    transition = replace(a_transition(status=str(state)), name=name, state=state, facts=JobFacts(**facts))
    return compose(message_of(transition))


def test_a_message_is_its_headline_and_what_it_tells() -> None:
    post = a_post(fine_tuned_model="ft:gpt-4o:acme::1", trained_tokens=1000)
    assert message_lines(post, 40, has_colour=False)[:3] == [
        "✅ support-bot: succeeded",
        "  Fine-tuned model: ft:gpt-4o:acme::1",
        "  Trained tokens: 1,000",
    ]


@pytest.mark.parametrize("width", [12, 32, 60])
def test_no_line_is_wider_than_the_pane_and_none_drives_the_terminal(width: int) -> None:
    error = JobError("bad", "x" * 200 + " <b>&amp; \x1b[2J " + "long words " * 30)
    lines = message_lines(a_post("名前" * 20, error=error), width, has_colour=False)
    assert max(map(width_of, lines)) <= width
    assert not any("\x1b" in line for line in lines)
    assert len(lines) <= 12
    assert message_lines(a_post(), 30, has_colour=True)[0].startswith("\x1b[1m")
    assert width_of(heading("# ml-jobs", width, has_colour=False)) <= width


def test_what_is_escaped_for_slack_is_shown_as_it_was_meant() -> None:
    assert message_lines(a_post("a<b>&c"), 40, has_colour=False)[0] == "✅ a<b>&c: succeeded"
