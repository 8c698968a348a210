"""A workspace of Slack on loopback, as far as its Web API posts and edits messages: real HTTP, messages in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.loopback import LoopbackReceiver, Received, Reply

TOKEN = "xoxb-1234567890-token-of-the-bot"


@dataclass
class SlackMessage:
    """A message in a channel or in a thread."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    thread_ts: str | None = None
    is_broadcast: bool = False
    edits: int = 0

    @property
    def headline(self) -> str:
        """The text of the header, or of the first line."""
        first = self.blocks[0]
        return str(first["text"]["text"] if first["type"] == "header" else first["elements"][0]["text"])


@dataclass
class Workspace(LoopbackReceiver):
    """Posts and edits messages for a bot with the right token, unless it is told to answer otherwise."""

    messages: list[SlackMessage] = field(default_factory=list)
    uploads: dict[str, bytes] = field(default_factory=dict)
    """What was uploaded, by the id of the file."""
    pictures: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    """What is shown: in which channel and thread, its title, and its bytes."""
    answers: dict[str, list[Reply | str]] = field(default_factory=dict)
    """For a method, what is answered in turn in place of doing it: a reply, or the word of an error."""

    def __post_init__(self) -> None:
        super().__init__()

    def reply_to(self, received: Received) -> Reply:
        """Do what is asked for."""
        method = received.target.rpartition("/")[2]
        if queue := self.answers.get(method):
            answer = queue.pop(0)
            return answer if isinstance(answer, Reply) else _error(answer)
        if received.target.startswith("/upload/"):
            self.uploads[method] = received.body
            return Reply()
        if received.headers.get("authorization") != f"Bearer {TOKEN}":
            return _error("invalid_auth")
        if method == "files.getUploadURLExternal":
            return self._ask_for_place(dict(parse_qsl(received.body.decode())))
        given = json.loads(received.body)
        if method == "files.completeUploadExternal":
            return self._show(given)
        return self._post(given) if method == "chat.postMessage" else self._update(given)

    def _ask_for_place(self, given: dict[str, str]) -> Reply:
        assert int(given["length"]) > 0
        place = {"ok": True, "file_id": "F1", "upload_url": f"{self.url}/upload/F1"}
        return Reply(body=json.dumps(place).encode())

    def _show(self, given: dict[str, Any]) -> Reply:
        [file] = given["files"]
        self.pictures.append((given["channel_id"], given["thread_ts"], file["title"], self.uploads[file["id"]]))
        return Reply(body=b'{"ok": true}')

    def roots(self) -> list[SlackMessage]:
        """Return the messages that stand in a channel."""
        return [message for message in self.messages if message.thread_ts is None]

    def thread_of(self, root: SlackMessage) -> list[SlackMessage]:
        """Return the answers to a message, in their order."""
        return [message for message in self.messages if message.thread_ts == root.ts]

    def delete(self, message: SlackMessage) -> None:
        """Delete a message, as a person would."""
        self.messages.remove(message)

    def _post(self, given: dict[str, Any]) -> Reply:
        channel = given["channel"] if given["channel"].startswith("C0") else "C0" + given["channel"].lstrip("#").upper()
        thread = given.get("thread_ts")
        if thread and not any(root.ts == thread for root in self.roots()):
            return _error("thread_not_found")
        ts = f"1795521600.{len(self.requests):06}"
        message = SlackMessage(channel, ts, given["text"], given["blocks"], thread, given.get("reply_broadcast", False))
        self.messages.append(message)
        return _ok(channel, ts)

    def _update(self, given: dict[str, Any]) -> Reply:
        for message in self.messages:
            if (message.channel, message.ts) == (given["channel"], given["ts"]):
                message.text, message.blocks = given["text"], given["blocks"]
                message.edits += 1
                return _ok(message.channel, message.ts)
        return _error("message_not_found")


def _ok(channel: str, ts: str) -> Reply:
    return Reply(body=json.dumps({"ok": True, "channel": channel, "ts": ts}).encode())


def _error(word: str) -> Reply:
    return Reply(body=json.dumps({"ok": False, "error": word}).encode())
