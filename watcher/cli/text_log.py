"""The log of `watch` and `retrieve` for people: sentences instead of records."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from watcher.cli.output import tell
from watcher.logs import Level

_RANKS: Mapping[Level, int] = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_SUBJECTS = ("job", "notifier", "source")
"""The facts that say what a line is about."""
_SAID_BY_THE_ERROR = {"the source rejects us", "job not found", "not retrieved"}
"""Events that the error repeats."""
_TOLD_AT_THE_END = {"delivery rejected", "delivery gave up"}
"""Events that `watch` sums up when it ends."""


class TextLog:
    """Writes `ftjob-abc: HTTP 401: …; is OPENAI_API_KEY the right one?`. Implements `Log`."""

    def __init__(self, level: Level, secrets: Collection[str], default_source: str) -> None:
        """`default_source` need not be named before the ids of its jobs."""
        self.write: Callable[[str], None] = tell
        """Where the lines go; a live view takes them, to write them above itself."""
        self._threshold = _RANKS[level]
        self._shows_all = level in {"debug", "info"}
        self._secrets = secrets
        self._prefix = f"{default_source}/"

    def hide(self, secret: str) -> None:
        """Keep one more secret out of sight."""
        self._secrets = {*self._secrets, secret}

    def debug(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._say("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._say("error", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._say("error", f"{event} (with --log-format console it shows where)", facts)

    def _say(self, level: Level, event: str, facts: dict[str, object]) -> None:
        if _RANKS[level] < self._threshold or event in _TOLD_AT_THE_END:
            return
        from watcher.redaction import Redactor  # a watch without trouble starts that much sooner

        self.write(Redactor(self._secrets).hide(self._words(event, facts)))

    def _words(self, event: str, facts: dict[str, object]) -> str:
        given = {name: _text(value) for name, value in facts.items() if value is not None}
        subjects = [given.pop(name).removeprefix(self._prefix) for name in _SUBJECTS if name in given]
        error, hint = given.pop("error", None), given.pop("hint", None)
        request = given.get("request_id")
        told = [*subjects, *([] if error and event in _SAID_BY_THE_ERROR else [event]), *([error] if error else [])]
        line = ": ".join(told)
        if self._shows_all and given:
            line += f" ({', '.join(f'{name}={value}' for name, value in given.items())})"
        elif request and error:
            line += f" ({request})"
        return f"{line}; {hint}" if hint else line


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
