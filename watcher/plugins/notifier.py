"""What a notifier plugin is: the settings it takes, and how it is built from them.

A plugin is an entry point in the group `watcher.notifiers`: its name is the `kind` that the settings use, its value
an instance of `Plugin`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, runtime_checkable

from watcher.plugins.context import Clock

if TYPE_CHECKING:
    # The engine takes its port from here, and knows neither pydantic nor the HTTP library; `watch` sends no message.
    from watcher.domain.deliveries import Outcome
    from watcher.domain.messages import Message
    from watcher.http import HttpClient, Pacer
    from watcher.plugins.section import Section

ENTRY_POINT_GROUP = "watcher.notifiers"

C = TypeVar("C", bound="Section")


class Notifier(Protocol):
    """A named destination."""

    @property
    def concurrency(self) -> int:
        """How many messages may be on their way at the same time."""
        ...

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:
        """Make one attempt, and say what it came to. Never raises for what a receiver does.

        `previous_receipt` is the receipt of the last message about the same subject, for notifiers that update it.

        The one exception: OutputClosedError, when the notifier writes to our standard output and its reader is gone.
        """
        ...


@runtime_checkable
class UpdatesInPlace(Protocol):
    """What a notifier may have besides: it updates what it sent, so that a newer message makes some needless."""

    def is_update(self, message: Message) -> bool:
        """Tell whether the message need not be sent once a newer one about the same subject is due."""
        ...


@runtime_checkable
class ShowsProgress(Protocol):
    """What a notifier may have besides: it shows in what it sent how far a job has come."""

    async def show(self, message: Message, receipt: str) -> None:
        """Edit what was sent so that it says this message, best effort; `receipt` is that of what was sent.

        It is called now and then, and owed to nobody: give up at once where anything else is on its way.
        """
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What the watcher gives a notifier to work with."""

    name: str
    """The notifier's name in the settings."""
    http: HttpClient
    """A client of the notifier's own, with the bounds that every attempt keeps to (15 s)."""
    pacer: Pacer
    """Shared by all notifiers, for receivers that limit the rate per address."""
    clock: Clock
    public_url: str | None = None
    """Where people find the watcher's page; None: nowhere."""
    curve: Callable[[Message], Awaitable[bytes | None]] | None = None
    """Draws how the job of a message trained, as a PNG; None for what cannot be drawn. Never raises."""


@dataclass(frozen=True, slots=True)
class Plugin(Generic[C]):
    """A kind of notifier."""

    config: type[C]
    """The settings of this kind; a field of type SecretStr gets its `_file` twin from `Section`."""
    build: Callable[[C, Context], Notifier]
    """Makes a notifier from valid settings. It does no I/O."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of the environment that people have already, and the settings that they give; they begin with the kind
    in capitals. Where no notifier is configured and all of them are set, there is one, named by its kind."""
    markup: Callable[[str], str] | None = None
    """Writes a value so that it means nothing but itself in the receiver's markup, in which the `text` of a message may
    be written. None: that text is plain."""
    takes_words: bool = True
    """Whether title and text may come from templates. False for what programs read."""
    takes_groups: bool = True
    """Whether one message may tell of several events. False for what programs read: they want each event by itself."""
