"""The pictures of messages: what is hostile in a text stays text."""

from __future__ import annotations

from tests.gallery import page, samples


def test_every_kind_shows_every_sample_and_no_text_becomes_markup() -> None:
    shown = page()
    assert shown.count("class='card ") + shown.count("class=card ") == 6 * len(samples())
    assert "<script" not in shown
    assert "<b>bold" not in shown
    assert "class=styled" not in shown
    assert "\x1b" not in shown
