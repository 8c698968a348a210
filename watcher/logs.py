"""The log: structlog on standard error, as JSON or readable, with secrets taken out."""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, TextIO

from watcher.domain.text import printable
from watcher.redaction import Redactor

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "console"]

_RANKS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_SHORTEST_SECRET = 4
"""Anything shorter would mask ordinary words."""
LEARNED_SECRETS = 64
"""How many secrets that were learned later are hidden: a token may be renewed every hour, for years."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """How to log."""

    level: Level = "info"
    format: Format = "auto"
    """`auto` is `console` on a terminal and `json` elsewhere."""
    secrets: frozenset[str] = frozenset()
    """What must never appear: the last line of defence, should a text contain one after all."""


def shows_colour(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that shows colours, and is wanted to."""
    return can_be_driven(stream) and not os.environ.get("NO_COLOR")


def can_be_driven(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that knows escape sequences; a dumb one would show them."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class WatcherLog:
    """Writes through structlog, which is loaded at the first line written: a quiet `watch` starts that much sooner."""

    def __init__(self, options: LogOptions | None = None) -> None:
        self._options = options or LogOptions()
        self._threshold = _RANKS[self._options.level]
        self._logger: Any = None
        self._has_adopted = False
        self._learned: deque[str] = deque(maxlen=LEARNED_SECRETS)

    def change(self, options: LogOptions) -> None:
        """Log in another way from now on. Secrets once known stay out of sight."""
        self._options = replace(options, secrets=options.secrets | self._options.secrets)
        self._threshold = _RANKS[options.level]
        self._logger = None
        if self._has_adopted:
            self.adopt_standard_logging()

    def hide(self, secret: str) -> None:
        """Keep one more secret out of sight, such as a token that was renewed; the last few of these are remembered."""
        if secret in self._options.secrets or secret in self._learned:
            return
        self._learned.append(secret)
        self.change(self._options)

    def debug(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._write("debug", event, facts)

    def info(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._write("info", event, facts)

    def warning(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._write("warning", event, facts)

    def error(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._write("error", event, facts)

    def exception(self, event: str, **facts: object) -> None:
        """See `Log`."""
        self._write("error", event, facts | {"exc_info": True})

    def adopt_standard_logging(self) -> None:
        """Write what libraries log, from warnings on, in the same form."""
        structlog = _load_structlog()
        self._has_adopted = True
        stamps, finish = _processors(self._options, self._learned)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=stamps,
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
            )
        )
        logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)

    def _write(self, level: Level, event: str, facts: dict[str, object]) -> None:
        if _RANKS[level] < self._threshold:
            return
        if self._logger is None:
            self._logger = _open_logger(self._options, self._learned)
        # A full disk or a closed standard error must not end the watching; there is no other way to report it.
        with suppress(OSError, ValueError):
            getattr(self._logger, level)(event, **facts)


def _open_logger(options: LogOptions, learned: Iterable[str]) -> Any:
    structlog = _load_structlog()
    stamps, finish = _processors(options, learned)
    return structlog.wrap_logger(structlog.PrintLogger(sys.stderr), processors=[*stamps, *finish])


def _load_structlog() -> Any:
    """Load structlog without what it takes where it is installed, and what has no use here.

    rich, 4 MB, is for tracebacks, which are written as plain text; greenlet, 2 MB, for threads of its own kind.
    """
    hidden = {name for name in ("rich", "greenlet") if sys.modules.setdefault(name, None) is None}  # type: ignore[arg-type]
    try:
        import structlog
    finally:
        for name in hidden:
            del sys.modules[name]
    return structlog


def _processors(options: LogOptions, learned: Iterable[str]) -> tuple[list[Any], list[Any]]:
    structlog = _load_structlog()
    stamps = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    clean = _Clean(options.secrets.union(learned))
    if options.format == "json" or (options.format == "auto" and not sys.stderr.isatty()):
        return stamps, [clean, structlog.processors.JSONRenderer(default=str)]
    return stamps, [clean, _escape, structlog.dev.ConsoleRenderer(colors=shows_colour(sys.stderr))]


class _Clean:
    """Drops what was not given, and takes secrets out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._redactor = Redactor((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), parts=False)

    def __call__(self, _logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {key: self._cleaned(value) for key, value in event.items() if value is not None}

    def _cleaned(self, value: object) -> object:
        # Tables and lists are gone through: the text of a whole one would show its secrets with escapes in them.
        match value:
            case None:
                return None
            case Mapping():
                return {self._redactor.hide(str(key)): self._cleaned(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._cleaned(item) for item in value]
            case _:
                text = self._redactor.hide(str(value))
                return value if isinstance(value, int | float) and text == str(value) else text


def _escape(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Keep a terminal safe from what the API said; a traceback keeps its lines."""
    safe = {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}
    if "exception" in event:
        safe["exception"] = "\n".join(map(printable, event["exception"].split("\n")))
    return safe
