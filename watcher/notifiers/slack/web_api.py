"""Slack's Web API: one call, and what its answer means. It answers 200 whatever became of the call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from pydantic import SecretStr

from watcher.domain.deliveries import Delivered, Failed, Outcome, Rejected
from watcher.errors import ConfigurationError
from watcher.http import retry_after
from watcher.notifiers.http import Receiver, json_of
from watcher.notifiers.slack.blocks import Json
from watcher.plugins.notifier import Context

SPACING: Mapping[str, timedelta] = {
    "chat.postMessage": timedelta(seconds=1),  # one a second for each channel
    "chat.update": timedelta(seconds=1.2),  # tier 3: some fifty a minute for each workspace
    "files.getUploadURLExternal": timedelta(seconds=0.6),  # tier 4: some hundred
    "files.completeUploadExternal": timedelta(seconds=0.6),
}
GONE = frozenset(
    {
        "message_not_found",
        "edit_window_closed",
        "cant_update_message",
        "channel_not_found",
        "thread_not_found",
        "cannot_reply_to_message",
    }
)
"""What Slack says of a message that can be neither edited nor answered any more."""
UNREADABLE = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
"""What Slack says of blocks that it does not take, when it may still take the text."""
_FINAL = frozenset({"is_archived", "account_inactive", "token_revoked", "no_text", *UNREADABLE})
"""What cannot be repaired while a message waits. A bot that is not in the channel may be invited, a scope added."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that Slack has taken: what is needed to edit it, and to answer it."""

    channel: str
    """The id of the channel, which edits demand in place of its name."""
    ts: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack's own word for what it did not do."""

    word: str
    wait: timedelta | None = None
    """How long it asked to be left alone."""

    def outcome(self) -> Outcome:
        """Say what it means for the message."""
        told = f"Slack says {self.word}"
        return Rejected(told) if self.word in _FINAL else Failed(told, self.wait)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to show."""

    name: str
    title: str
    """What it shows, also for those who cannot see it."""
    png: bytes


class WebApi:
    """Calls methods with a bot's token, at the pace that Slack wants."""

    def __init__(self, address: str, token: str, context: Context) -> None:
        """Make the client. Raises ConfigurationError for an address that no request can be made for."""
        self._token = token
        self._context = context
        self._origin = address.rpartition("/")[0] + "/"
        self._pacer = context.pacer
        self._clock = context.clock
        self._methods = {
            method: Receiver(context, SecretStr(f"{address}/{method}"), secrets=[token]) for method in SPACING
        }

    async def call(self, method: str, content: Json) -> Posted | Refused | Failed | Rejected:
        """Make one attempt; blocks that Slack does not take are sent once more as plain text."""
        answered = await self._call_once(method, content)
        if isinstance(answered, Refused) and answered.word in UNREADABLE and "blocks" in content:
            return await self._call_once(method, {**content, "blocks": []})
        return answered

    async def share(self, picture: Picture, place: Posted) -> bool:
        """Show a picture in the thread of a message; return whether that was done. The bot needs `files:write`."""
        # This method alone takes forms, and no JSON.
        asked = urlencode({"filename": picture.name, "length": len(picture.png), "alt_txt": picture.title})
        told = await self._ask("files.getUploadURLExternal", asked, "application/x-www-form-urlencoded")
        if not isinstance(told, Mapping) or not await self._upload(str(told.get("upload_url")), picture.png):
            return False
        files = [{"id": told.get("file_id"), "title": picture.title}]
        content = {"files": files, "channel_id": place.channel, "thread_ts": place.ts}
        done = await self._ask("files.completeUploadExternal", json.dumps(content))
        return isinstance(done, Mapping)

    async def _upload(self, address: str, content: bytes) -> bool:
        """Send bytes to where Slack wants them, which is a secret, and must be as safe as the API itself."""
        if not address.startswith(("https://", self._origin)):
            return False
        try:
            receiver = Receiver(self._context, SecretStr(address), secrets=[self._token])
        except ConfigurationError:
            return False
        answer = await receiver.exchange(content, {"content-type": "application/octet-stream"})
        return not isinstance(answer, Failed) and answer.is_success

    async def _call_once(self, method: str, content: Json) -> Posted | Refused | Failed | Rejected:
        place = str(content["channel"]) if method == "chat.postMessage" else ""
        said = await self._ask(method, json.dumps(content, separators=(",", ":")), place=place)
        if isinstance(said, Mapping):
            return Posted(str(said.get("channel")), str(said.get("ts")))
        return said

    async def _ask(
        self, method: str, body: str, media_type: str = "application/json; charset=utf-8", *, place: str = ""
    ) -> Mapping[str, object] | Refused | Failed | Rejected:
        """Make one call; return what Slack says where it has done as asked."""
        await self._pacer.turn(f"slack {self._token} {method} {place}", SPACING[method])
        headers = {"content-type": media_type, "authorization": f"Bearer {self._token}"}
        receiver = self._methods[method]
        answer = await receiver.exchange(body, headers)
        if isinstance(answer, Failed):
            return answer
        said = json_of(answer)
        if answer.is_success and said.get("ok") is True:
            return said
        if answer.is_success and isinstance(said.get("error"), str):
            word = receiver.tell_text(str(said["error"]))
            return Refused(word, retry_after(answer.headers, self._clock()))
        outcome = receiver.sort(answer)
        if isinstance(outcome, Delivered):
            return Failed(f"not an answer of Slack's Web API: {outcome.answer}")
        return outcome if isinstance(outcome, Failed | Rejected) else Failed(receiver.tell(answer))
