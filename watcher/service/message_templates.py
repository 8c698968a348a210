"""Notifiers that say it in the words of the settings: their templates are filled in before they send."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from watcher.domain.deliveries import Outcome
from watcher.domain.messages import Message
from watcher.engine.ports import Notifier
from watcher.engine.runtime import Log
from watcher.plugins.notifier import ShowsProgress, UpdatesInPlace
from watcher.templates import Escape, Template, TemplateMistake, plain

if TYPE_CHECKING:
    from watcher.settings.model import NotifierSettings


@dataclass(frozen=True, slots=True)
class Words:
    """The templates of a notifier; None: the built-in words."""

    title: Template | None
    text: Template | None

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return self.title is not None or self.text is not None


def words_of(settings: NotifierSettings, markup: Escape | None) -> Words:
    """Take the templates from the settings; a text is written in the markup of the receiver, where it has one."""
    title, text = settings.title_template, settings.template
    return Words(Template(title) if title else None, Template(text, markup or plain) if text else None)


class InOwnWords:
    """A notifier whose messages have the words of the settings."""

    def __init__(self, name: str, notifier: Notifier, words: Words, log: Log) -> None:
        self._name = name
        self._notifier = notifier
        self._words = words
        self._log = log

    @property
    def concurrency(self) -> int:
        """How many messages may be on their way at the same time."""
        return self._notifier.concurrency

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:
        """Make one attempt, with the message in the words of the settings."""
        return await self._notifier.send(self.worded(message), previous_receipt)

    def is_update(self, message: Message) -> bool:
        """See `UpdatesInPlace`."""
        return isinstance(self._notifier, UpdatesInPlace) and self._notifier.is_update(message)

    def worded(self, message: Message) -> Message:
        """Fill in the templates. A test, and a message of several events, keep the built-in words."""
        if message.values is None:
            return message
        title = self._filled("title_template", self._words.title, message)
        text = self._filled("template", self._words.text, message)
        mark = "Sample: " if message.data.get("sample") else ""
        return replace(message, title=mark + " ".join(title.split()) if title else message.title, text=text)

    def _filled(self, key: str, template: Template | None, message: Message) -> str | None:
        """Fill in one template; None where there is none, or it breaks, or says nothing: the built-in words stand."""
        if template is None or message.values is None:
            return None
        try:
            return template.render(message.values()) or None
        except TemplateMistake as error:
            what = "a template cannot be filled in, the built-in words are sent"
            self._log.warning(what, notifier=self._name, key=key, type=message.type, error=str(error))
            return None


class ShowsInOwnWords(InOwnWords):
    """Such a notifier that also shows progress."""

    def __init__(self, name: str, notifier: ShowsProgress, words: Words, log: Log) -> None:
        super().__init__(name, cast(Notifier, notifier), words, log)
        self._shows = notifier

    async def show(self, message: Message, receipt: str) -> None:
        """See `ShowsProgress`."""
        await self._shows.show(self.worded(message), receipt)


def in_own_words(name: str, notifier: Notifier, words: Words, log: Log) -> Notifier:
    """Return the notifier with its messages in the words of the settings, as far as there are any."""
    if not words:
        return notifier
    if isinstance(notifier, ShowsProgress):
        return ShowsInOwnWords(name, notifier, words, log)
    return InOwnWords(name, notifier, words, log)
