"""The pictures of messages: what is hostile in a text stays text."""

from __future__ import annotations

import html
import re

from tests.gallery import page, samples
from watcher.notifiers.wording import LINK_TEXT


def test_every_kind_shows_every_sample_and_no_text_becomes_markup() -> None:
    shown = page()
    assert shown.count("class='card ") + shown.count("class=card ") == 6 * len(samples())
    assert "<script" not in shown
    assert "<b>bold" not in shown
    assert set(re.findall("<a class=styled>(.*?)</a>", shown)) == {LINK_TEXT}
    # Names in tables of Discord are bold by our own will.
    ours = {html.escape(row.name) for message in samples().values() for row in message.table}
    assert set(re.findall("<strong class=styled>(.*?)</strong>", shown)) <= ours
    assert "\x1b" not in shown
