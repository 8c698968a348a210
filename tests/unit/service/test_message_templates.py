"""Messages in words of the settings; where those break, the built-in ones are sent and the log says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.doubles import START, RecordingLog, ScriptedNotifier, a_transition
from watcher.domain.messages import Message, message_of, message_of_test
from watcher.domain.samples import sample
from watcher.plugins.notifier import ShowsProgress, UpdatesInPlace
from watcher.service.message_templates import InOwnWords, in_own_words, words_of
from watcher.settings.model import NotifierSettings
from watcher.templates import Escape

FAILED = message_of(a_transition(status="failed"))


def settings(**given: str) -> NotifierSettings:
    return NotifierSettings(kind="chat", **given)


async def sent(message: Message, log: RecordingLog, markup: Escape | None = None, **given: str) -> Message:
    notifier = ScriptedNotifier()
    await InOwnWords("chat", notifier, words_of(settings(**given), markup), log).send(message)
    return notifier.received[0]


async def test_title_and_text_are_those_of_the_templates() -> None:
    log = RecordingLog()
    told = await sent(FAILED, log, str.upper, title_template="{{ job.name }}:\n{{ state }}", template="*b* {{ state }}")
    assert told == replace(FAILED, title="support-bot v3: failed", text="*b* FAILED")
    assert not log.lines


async def test_what_has_no_template_stays_as_it_is() -> None:
    assert (await sent(FAILED, RecordingLog(), title_template="x")).text is None
    assert (await sent(FAILED, RecordingLog(), template="x")).title == FAILED.title


@pytest.mark.parametrize("message", [message_of_test("chat", START), sample("several", START)])
async def test_a_test_and_a_message_of_several_events_keep_their_words(message: Message) -> None:
    assert await sent(message, RecordingLog(), template="x", title_template="y") == message


async def test_a_sample_still_says_that_it_is_one() -> None:
    told = await sent(sample("failed", START), RecordingLog(), title_template="{{ kind }}")
    assert told.title == "Sample: failed"


async def test_a_template_that_breaks_leaves_the_built_in_words_and_the_log_says_so() -> None:
    log, message = RecordingLog(), replace(FAILED, values=lambda: {"state": 7})
    told = await sent(message, log, template="{{ job.name }}", title_template="{{ state }}")
    assert (told.text, told.title) == (None, "7")
    [(level, _, facts)] = log.lines
    assert level == "warning"
    assert [facts[key] for key in ("notifier", "key", "type")] == ["chat", "template", "fine_tuning.job.failed"]
    assert str(facts["error"]).startswith("line 1: 'job' is undefined")


async def test_progress_is_shown_in_own_words_where_the_notifier_shows_it() -> None:
    class Screen(ScriptedNotifier):
        async def show(self, message: Message, receipt: str) -> None:
            self.receipts.append(receipt)
            self.received.append(message)

    words, screen = words_of(settings(title_template="{{ job.name }} {{ progress }}"), None), Screen()
    worded = in_own_words("chat", screen, words, RecordingLog())
    assert isinstance(worded, ShowsProgress)
    values = FAILED.values() if FAILED.values else {}
    await worded.show(replace(FAILED, values=lambda: {**values, "progress": "1 of 2 steps"}), "r1")
    assert (screen.received[0].title, screen.receipts) == ("support-bot v3 1 of 2 steps", ["r1"])
    assert not isinstance(in_own_words("chat", ScriptedNotifier(), words, RecordingLog()), ShowsProgress)
    assert in_own_words("chat", screen, words_of(settings(), None), RecordingLog()) is screen


def test_it_updates_in_place_what_the_notifier_does() -> None:
    class Editing(ScriptedNotifier):
        def is_update(self, message: Message) -> bool:
            return message is FAILED

    words = words_of(settings(template="x"), None)
    editing = InOwnWords("chat", Editing(), words, RecordingLog())
    assert isinstance(editing, UpdatesInPlace)
    assert editing.is_update(FAILED)
    assert not editing.is_update(sample("failed", START))
    assert not InOwnWords("chat", ScriptedNotifier(), words, RecordingLog()).is_update(FAILED)
    assert editing.concurrency == 16
