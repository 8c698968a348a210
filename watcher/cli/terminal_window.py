"""The window around a terminal: its title, the progress in its tab or taskbar, and notifications of the desktop.

Each is an operating system command (OSC) that some terminals know. Others would show it, or take it for something
else, so it is sent only to those that are known to know it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from watcher.cli.output import write_text
from watcher.domain.text import printable

_BELL = "\a"
_END = "\x1b\\"
_WITH_TITLE = ("xterm", "screen", "tmux", "rxvt", "alacritty", "foot", "kitty", "ghostty", "wezterm", "konsole", "st-")
_WITH_PROGRESS = {"ghostty", "WezTerm", "vscode"}
_FIRST_VTE_WITH_PROGRESS = 7900
_KEEP_TITLE, _OLD_TITLE = "\x1b[22;0t", "\x1b[23;0t"
_LONGEST_TITLE = 120
_LONGEST_NOTICE = 250
_NONE, _NORMAL, _ERROR, _UNKNOWN = 0, 1, 2, 3
"""The states of a progress bar in OSC 9;4."""


class Notice(Enum):
    """How a terminal is told to notify the desktop."""

    OSC_9 = auto()
    OSC_99 = auto()
    OSC_777 = auto()
    BELL = auto()


def has_title(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal has a title."""
    return environment.get("TERM", "").startswith(_WITH_TITLE)


def has_progress(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal shows progress in its tab or in the taskbar."""
    vte = environment.get("VTE_VERSION", "")
    return (
        "WT_SESSION" in environment
        or environment.get("ConEmuANSI") == "ON"
        or environment.get("TERM_PROGRAM") in _WITH_PROGRESS
        or (vte.isdecimal() and int(vte) >= _FIRST_VTE_WITH_PROGRESS)
    ) and not _is_multiplexed(environment)


def notice_for(environment: Mapping[str, str]) -> Notice:
    """Return how the terminal is told to notify the desktop; a bell where no other way is known."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "kitty" in term or "KITTY_WINDOW_ID" in environment:
        return Notice.OSC_99
    if program in {"iTerm.app", "WezTerm", "ghostty"} or "ghostty" in term:
        return Notice.OSC_9
    if "VTE_VERSION" in environment or term.startswith(("rxvt-unicode", "foot")):
        return Notice.OSC_777
    return Notice.BELL


def notification(title: str, text: str, environment: Mapping[str, str]) -> str:
    """Return what makes the terminal notify the desktop. Within tmux it goes to the terminal around it."""
    safe_title, safe = (printable(part).replace(";", ",")[:_LONGEST_NOTICE] for part in (title, text))
    match notice_for(environment):
        case Notice.OSC_9:
            sequence = f"\x1b]9;{safe_title}: {safe}{_END}"
        case Notice.OSC_99:
            sequence = f"\x1b]99;;{safe_title}: {safe}{_END}"
        case Notice.OSC_777:
            sequence = f"\x1b]777;notify;{safe_title};{safe}{_END}"
        case Notice.BELL:
            return _BELL
    if "TMUX" in environment:  # a tmux that passes nothing on drops it: the bell is heard anyway
        return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + _END + _BELL
    return sequence + _BELL


class Window:
    """Keeps the title and the progress; each is written only when it has changed."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._has_title = has_title(environment)
        self._has_progress = has_progress(environment)
        self._title: str | None = None
        self._progress: tuple[int, int] | None = None

    def show(self, title: str, share: float | None, is_troubled: bool) -> None:
        """Show how things stand: `share` from 0 to 1, or None where nobody knows."""
        if self._has_title and title != self._title:
            keep = _KEEP_TITLE if self._title is None else ""
            self._title = title
            write_text(f"{keep}\x1b]0;{printable(title)[:_LONGEST_TITLE]}{_BELL}")
        state = _ERROR if is_troubled else _UNKNOWN if share is None else _NORMAL
        progress = (state, round((share or 0.0) * 100))
        if self._has_progress and progress != self._progress:
            self._progress = progress
            write_text(f"\x1b]9;4;{progress[0]};{progress[1]}{_END}")

    def restore(self) -> None:
        """Put everything back as it was."""
        if self._title is not None:
            write_text(f"\x1b]0;{_BELL}{_OLD_TITLE}")
        if self._progress is not None:
            write_text(f"\x1b]9;4;{_NONE};0{_END}")
        self._title = self._progress = None


def _is_multiplexed(environment: Mapping[str, str]) -> bool:
    return "TMUX" in environment or environment.get("TERM", "").startswith("screen")
