"""A text in words of the settings stands in place of the facts, with every receiver, within its limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles import a_transition
from watcher.domain.messages import Message, line_of, message_of
from watcher.domain.text import utf16_length
from watcher.notifiers import apprise, discord, ntfy, pagerduty, teams
from watcher.notifiers.mail import letter
from watcher.notifiers.slack import blocks
from watcher.notifiers.wording import cut

MESSAGE = replace(message_of(a_transition(status="failed")), text="first <i> line\nsecond")
SHOWN: dict[str, Callable[[Message], str]] = {
    "stdout": line_of,
    "slack": lambda message: json.dumps(blocks.compose(message)["blocks"]),
    "slack text": lambda message: str(blocks.compose(message, "<!here>")["text"]),
    "discord": lambda message: json.dumps(discord.compose(message)),
    "teams": teams.encode,
    "ntfy": lambda message: str(ntfy.compose(message)["message"]),
    "pagerduty": lambda message: json.dumps(pagerduty.compose(message)),
    "apprise": apprise.text_of,
    "mail": letter.text_of,
    "mail as HTML": letter.html_of,
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN)
def test_it_stands_in_place_of_the_facts(shown: Callable[[Message], str]) -> None:
    told, usual = shown(MESSAGE), shown(replace(MESSAGE, text=None))
    assert "second" in told
    assert ("first <i> line" in told) != ("&lt;i&gt;" in told)
    assert "gpt-4o-mini" in usual
    assert "gpt-4o-mini" not in told


def test_only_so_much_of_it_is_sent() -> None:
    long = replace(MESSAGE, text="&amp;\\* 😀 " * 9000)
    embed = discord.compose(long)["embeds"][0]  # type: ignore[index]
    assert utf16_length(embed["description"]) <= 4096
    assert len(teams.encode(replace(MESSAGE, text="line\n" * 9000))) <= teams.PAYLOAD_LIMIT
    section = blocks.compose(long)["blocks"][1]  # type: ignore[index]
    assert utf16_length(section["text"]["text"]) <= blocks.SECTION_LIMIT


@given(st.text("a&amp;\\*😀"), st.integers(2, 30))
def test_no_escape_is_cut_in_two(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert utf16_length(shown) <= limit
    if shown != text:
        assert text.startswith(shown[:-1])
        assert shown[-1] == "…"
        assert not shown[:-1].endswith(("&", "&a", "&am", "&amp", "\\"))
