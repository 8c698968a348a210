"""Text from elsewhere is made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.domain.text import excerpt, printable


@pytest.mark.parametrize("text", ["", "plain ASCII ~", "Größe → 東京 😀", r"a \n that is text"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\tb", r"a\r\tb"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\u202eevil", r"\u202eevil"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\U000e0041", r"\U000e0041"),
        ("\ud800", r"\ud800"),
        ("ä\x85", r"ä\x85"),
    ],
)
def test_what_could_drive_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@settings(deadline=None)
@given(st.text(st.characters()))
def test_no_text_is_more_than_one_line_or_half_a_character(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 3, ""), ("a\nb", 4, r"a\nb"), ("a\nb", 3, "a\\…"), ("x" * 10, 1, "…")],
)
def test_an_excerpt_says_where_it_was_cut(text: str, limit: int, shown: str) -> None:
    assert excerpt(text, limit) == shown


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_an_excerpt_keeps_to_its_limit(text: str, limit: int) -> None:
    shown = excerpt(text, limit)
    assert len(shown) <= limit
    assert (shown == printable(text)) == (len(printable(text)) <= limit)
