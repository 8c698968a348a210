"""Slack by a bot: one message for each job, edited as the job moves on, with its history in the thread."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.domain.messages import Message
from watcher.domain.states import JobState, is_meant
from watcher.domain.text import excerpt
from watcher.notifiers.slack.blocks import Json, compose, in_lines, line_of
from watcher.notifiers.slack.web_api import GONE, Picture, Posted, Refused, WebApi
from watcher.notifiers.wording import ends_job
from watcher.plugins.notifier import Context

PICTURE_LIMIT = timedelta(seconds=8)
"""How long a picture may take: an attempt as a whole has twenty."""
_LONGEST_TITLE = 200
_TROUBLES: Mapping[str, str] = {"watcher.job.stuck": "stuck", "watcher.job.missing": "missing"}
_OVER = frozenset({"watcher.job.unstuck", "watcher.job.found"})
"""What says that a trouble is over."""
_CALLING = frozenset({"failed", *_TROUBLES.values()})
"""What calls those who are to be mentioned."""


@dataclass(frozen=True, slots=True)
class Manners:
    """Where messages go, and who is called."""

    channel: str
    label: str | None = None
    """The label by whose value another channel may be chosen."""
    channels: Mapping[str, str] = field(default_factory=dict)
    """The channel for each value of the label."""
    mention: Sequence[str] = ()
    """In Slack's markup."""
    broadcast: Collection[str] = ()
    """The words of news whose answer in the thread is shown in the channel too."""

    def channel_of(self, message: Message) -> str:
        """Return the channel for a message that stands in no thread yet."""
        value = message.labels.get(self.label) if self.label else None
        return self.channels.get(value, self.channel) if value else self.channel


class Bot:
    """Keeps one message for each job. What it needs to find it again is the receipt of a delivery."""

    concurrency = 1

    def __init__(self, address: str, token: str, manners: Manners, context: Context) -> None:
        """Make the notifier. Raises ConfigurationError for an address that no request can be made for."""
        self._api = WebApi(address, token, context)
        self._context = context
        self._turn = asyncio.Lock()
        """Held while something is sent: what is shown of a job's progress must not undo it."""
        self._quiet_until = context.clock()
        """Until when Slack wants no edits that could be left out."""
        self._manners = manners

    def is_update(self, message: Message) -> bool:
        """Tell whether a newer message about the same job makes this one needless: it would only be edited away."""
        return _is_of_job(message) and _news_of(message) is None

    async def send(self, message: Message, previous_receipt: str | None = None) -> Outcome:
        """Make one attempt: edit the job's message and answer in its thread, or post it where there is none.

        What is not about a job, and what cannot be edited any more, is posted anew.
        """
        async with self._turn:
            return await self._send(message, _read(previous_receipt) if _is_of_job(message) else None)

    async def show(self, message: Message, receipt: str) -> None:
        """Edit the job's message; not while anything else is on its way, nor while Slack wants to be left alone."""
        root = _read(receipt)
        if root is None or self._turn.locked() or self._context.clock() < self._quiet_until:
            return
        async with self._turn:
            said = await self._api.call(
                "chat.update", {"channel": root.channel, "ts": root.ts, **self._compose(message)}
            )
        if isinstance(said, Refused | Failed) and (
            wait := said.wait if isinstance(said, Refused) else said.retry_after
        ):
            self._quiet_until = self._context.clock() + wait

    async def _send(self, message: Message, root: Posted | None) -> Outcome:
        if root is None:
            return await self._post_anew(message)
        if not _is_of_condition(message):  # which leaves the job's status as it is
            edited = await self._api.call(
                "chat.update", {"channel": root.channel, "ts": root.ts, **self._compose(message)}
            )
            if isinstance(edited, Refused) and edited.word in GONE:
                return await self._post_anew(message)
            if not isinstance(edited, Posted):
                return _failure(edited)
        return await self._answer(message, root)

    async def _answer(self, message: Message, root: Posted) -> Outcome:
        news = _news_of(message)
        content = self._compose(message, self._mention(message)) if news else line_of(message)
        thread = {"channel": root.channel, "thread_ts": root.ts, "reply_broadcast": self._is_broadcast(message)}
        answered = await self._api.call("chat.postMessage", {**thread, **content})
        if isinstance(answered, Refused) and answered.word in GONE:
            return await self._post_anew(message)
        if not isinstance(answered, Posted):
            return _failure(answered)
        await self._show_curve(message, root)
        return Delivered("answered in the thread")

    async def _post_anew(self, message: Message) -> Outcome:
        content: Json = {"channel": self._manners.channel_of(message), **self._compose(message, self._mention(message))}
        posted = await self._api.call("chat.postMessage", content)
        if message.table and isinstance(posted, Refused) and posted.word == "invalid_blocks":
            return await self._post_anew(in_lines(message))
        if not isinstance(posted, Posted):
            return _failure(posted)
        await self._show_curve(message, posted)
        is_kept = _is_of_job(message) and not _is_of_condition(message)
        return Delivered("posted", _write(posted) if is_kept else None)

    async def _show_curve(self, message: Message, root: Posted) -> None:
        """Show in the thread how a job trained that has ended. The news are out already: what goes wrong here is lost.

        Only so do they never wait for a picture, nor come twice for one.
        """
        if self._context.curve is None or not ends_job(message):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PICTURE_LIMIT.total_seconds()):
                if png := await self._context.curve(message):
                    title = f"How {message.data.get('name') or message.data['id']} trained"
                    await self._api.share(Picture("curve.png", excerpt(title, _LONGEST_TITLE), png), root)

    def _compose(self, message: Message, mention: str = "") -> Json:
        return compose(message, mention, self._context.public_url)

    def _mention(self, message: Message) -> str:
        return " ".join(self._manners.mention) if _news_of(message) in _CALLING else ""

    def _is_broadcast(self, message: Message) -> bool:
        if _is_of_condition(message):
            return _TROUBLES.get(message.type) in self._manners.broadcast
        status, state = str(message.data["native_status"]), JobState(str(message.data["state"]))
        return any(is_meant(word, status, state) for word in self._manners.broadcast)


def _is_of_job(message: Message) -> bool:
    return _is_of_condition(message) or "previous_status" in message.data


def _is_of_condition(message: Message) -> bool:
    """Tell whether the message is about a trouble of a job, or its end."""
    return message.type in _TROUBLES or message.type in _OVER


def _news_of(message: Message) -> str | None:
    """Return what a new message is worth: the outcome of a job, or its trouble; None for a step on its way."""
    return _TROUBLES.get(message.type) or (str(message.data["state"]) if ends_job(message) else None)


def _failure(answered: Refused | Failed | Rejected) -> Outcome:
    return answered.outcome() if isinstance(answered, Refused) else answered


def _write(posted: Posted) -> str:
    return json.dumps({"channel": posted.channel, "ts": posted.ts})


def _read(receipt: str | None) -> Posted | None:
    """Read a receipt; one of another kind of notifier, or of none, is no receipt."""
    try:
        kept = json.loads(receipt or "")
        return Posted(kept["channel"], kept["ts"])
    except (ValueError, TypeError, KeyError):
        return None
