"""The picture of `watch` in the README, taken of a real terminal: `uv run python -m tests.terminal_picture FILE.svg`.

It needs tmux, and takes half a minute: the simulated API plays four jobs, which go well and badly.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console
from rich.text import Text

from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import JobScript, Script, Step, Training

WIDTH, HEIGHT = 84, 14
SHOWN_AT_SECONDS = 24
BROKEN = {"code": "invalid_training_file", "message": "Line 1207 has no assistant message."}
JOBS = (
    JobScript("ftjob-support", (Step("queued", timedelta(seconds=4)), Step("running", timedelta(seconds=40)))),
    JobScript("ftjob-sql", (Step("running", timedelta(seconds=16)), Step("failed")), error=BROKEN),
    JobScript("ftjob-old", (Step("running", timedelta(seconds=36)), Step("succeeded")), training=Training.DIVERGES),
    JobScript("ftjob-tagger", (Step("running", timedelta(seconds=40)), Step("cancelled")), training=Training.STALLS),
)
_CHARACTER, _LINE, _MARGIN = 8.43, 20, 18
"""What a character of 14 px takes, in px."""
_GROUND, _TEXT = "#0d1117", "#e6edf3"
_COLOURS = {1: "#ff7b72", 2: "#7ee787", 3: "#e3b341", 6: "#79c0ff"}
"""By the number of ANSI's."""


async def shown() -> Sequence[Text]:
    """Let `watch` follow the jobs in a terminal for a while; return the lines that it shows then."""
    tmux = ("tmux", "-L", f"picture-{os.getpid()}", "-f", "/dev/null")
    async with FineTuningApi(Script(JOBS)) as api:
        ids = " ".join(job.id for job in JOBS)
        asked = f"OPENAI_API_KEY=sk-simulated OPENAI_BASE_URL={api.base_url} {sys.executable} -m watcher watch {ids}"
        size = ("-x", str(WIDTH), "-y", str(HEIGHT))
        await _run(*tmux, "new-session", "-d", *size, f"{asked} --interval 1s")
        try:
            await asyncio.sleep(SHOWN_AT_SECONDS)
            screen = await _run(*tmux, "capture-pane", "-e", "-p")
        finally:
            await _run(*tmux, "kill-server")
    return [Text(f"$ watcher watch {ids}"), *Text.from_ansi(screen.rstrip()).split()]


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command[:1])} ended with {process.returncode}")
    return out.decode()


def drawn(lines: Sequence[Text]) -> str:
    """Draw lines of a terminal."""
    width, height = round(WIDTH * _CHARACTER + 2 * _MARGIN), len(lines) * _LINE + 2 * _MARGIN
    rows = "\n".join(_row(line, _MARGIN + (number + 0.75) * _LINE) for number, line in enumerate(lines))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-label="watcher watch follows four jobs: one fails, one stalls, the loss of one climbs">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="{_GROUND}"/>\n'
        '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" '
        f'fill="{_TEXT}">\n{rows}\n</g>\n</svg>\n'
    )


def _row(line: Text, y: float) -> str:
    """Write a line; each stretch of one style stands at its columns, however wide the font is."""
    parts, column = [], 0
    for part, style, _ in line.render(Console()):
        if part.strip():
            colour = _COLOURS.get(style.color.number or 0) if style and style.color else None
            how = (f' fill="{colour}"' if colour else "") + (' opacity=".6"' if style and style.dim else "")
            length = f'textLength="{len(part) * _CHARACTER:.1f}"'
            parts.append(
                f'<text x="{_MARGIN + column * _CHARACTER:.1f}" y="{y:g}" {length} xml:space="preserve"{how}>'
                f"{escape(part)}</text>"
            )
        column += len(part)
    return "".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(asyncio.run(shown())))
