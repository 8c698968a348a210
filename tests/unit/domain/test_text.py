"""Text from elsewhere is made safe to show."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.domain.text import excerpt, is_printable, printable, spelled


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain ASCII ~",
        "Größe → 東京 😀",
        r"a \n that is text",
        pytest.param("\u0646\u0645\u06cc\u200c\u062f\u0627\u0646\u0645", id="Persian with its half-space"),
        pytest.param("\u0915\u094d\u200d\u0937", id="Devanagari with a joiner"),
        pytest.param("\U0001f469\u200d\U0001f4bb", id="an emoji with a joiner"),
        pytest.param("\u0600\u06dd", id="Arabic signs that are seen"),
    ],
)
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


def test_whatever_unicode_calls_a_control_is_written_out_but_for_what_scripts_are_written_with() -> None:
    written_out = {character for character in map(chr, range(0x110000)) if not is_printable(character)}
    controls = {c for c in map(chr, range(0x110000)) if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"}}
    formats = {c for c in map(chr, range(0x110000)) if unicodedata.category(c) == "Cf"}
    assert controls <= written_out
    # The joiners, the signs of Arabic, Syriac and Kaithi that stand below or above numbers, and those of hieroglyphs.
    signs = {*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD, *range(0x13430, 0x13440)}
    assert formats - written_out <= set(map(chr, signs | {0x200C, 0x200D}))


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


def test_a_spelling_is_never_cut_in_two_and_a_cut_is_shown() -> None:
    assert spelled("a&b", {"&": "&amp;"}, 20) == "a&amp;b"
    assert spelled("&&&", {"&": "&amp;"}, 12) == "&amp;&amp;…"
    assert spelled("a\n\ud800", {}, 20) == r"a\n\ud800"
    assert spelled("😀😀", {}, 4) == "😀…"
