"""`watcher demo`: see it work, without a key and without a network."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import JsonOption
from watcher.cli.output import write_json, write_line
from watcher.cli.signals import run_until_signal
from watcher.domain.text import printable
from watcher.logs import can_be_driven, shows_colour

if TYPE_CHECKING:
    from watcher.simulator.api import FineTuningApi
    from watcher.simulator.demo import Audience, Verdict
    from watcher.simulator.demo_scenes import Scene

COLOURS = {"watcher": typer.colors.GREEN, "webhook": typer.colors.CYAN, "log": typer.colors.YELLOW}


def demo(
    plain: Annotated[
        bool, typer.Option("--plain", help="Write a line for everything that happens, as into a pipe.")
    ] = False,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Serve the page for browsers as well.")] = True,
    as_json: JsonOption = False,
) -> None:
    """See it work: the real service between a simulated API and its receivers, all on this machine.

    Needs no key and no network, takes half a minute, and exits 0 if every status change arrived. On a terminal it
    shows five jobs as they train, well and badly, and the messages as a chat would show them.
    """
    raise typer.Exit(run_until_signal(_demo(as_json=as_json, is_plain=plain, has_page=page)))


async def _demo(*, as_json: bool, is_plain: bool, has_page: bool) -> int:
    from watcher.simulator.demo import demonstrate
    from watcher.simulator.demo_scenes import PLAIN, live

    audience: Audience
    if as_json:
        verdict = await demonstrate(PLAIN, Lines(lambda _who, _what: None))
        write_json({"expected": verdict.expected, "delivered": verdict.delivered, "problems": list(verdict.problems)})
        return Exit.FAILED if verdict.problems else Exit.OK
    is_in_lines = is_plain or not can_be_driven(sys.stdout)
    if is_in_lines:
        _introduce(PLAIN)
        scene, audience = PLAIN, Lines(_say_with_time())
    else:
        from watcher.cli.demo_view import DemoView

        scene = live(has_page=has_page)
        audience = DemoView(scene)
    verdict = await demonstrate(scene, audience)
    for problem in verdict.problems:
        write_line(f"PROBLEM: {problem}")
    if is_in_lines and not verdict.problems:
        write_line(f"\n{proof(verdict)}")
    return Exit.FAILED if verdict.problems else Exit.OK


def proof(verdict: Verdict) -> str:
    """Say that everything has arrived."""
    return f"{verdict.delivered} of {verdict.expected} status changes delivered: none lost, none twice, all signed."


class Lines:
    """Tells of everything in lines."""

    def __init__(self, say: Callable[[str, str], None]) -> None:
        """`say` shows what one of the parties did."""
        self._say = say

    def began(self, api: FineTuningApi) -> None:
        """Say nothing: the first event tells of it."""

    def page(self, address: str) -> None:
        """Say where the page is."""
        self._say("page", address)

    def printed(self, line: str) -> None:
        """Show what the service writes."""
        self._say("watcher", line)

    def logged(self, entry: Mapping[str, Any]) -> None:
        """Show what the service had to survive, and what it could not."""
        from watcher.simulator.demo import RETRY

        if entry.get("level") in {"warning", "error"} or entry["event"] == RETRY:
            self._say("log", f"{entry['event']}: {entry.get('job', '')} {entry.get('error', '')}")

    def delivered(self, event: Mapping[str, Any], *, verified: bool) -> None:
        """Show a webhook."""
        signature = "signature verified" if verified else "SIGNATURE WRONG"
        data = event["data"]
        self._say("webhook", f"{event['id']}  {data['name'] or data['id']} {data['status']}  {signature}")

    def posted(self, message: Mapping[str, Any]) -> None:
        """Show a message of the chat."""
        self._say("chat", str(message["text"]))

    async def run(self) -> None:
        """Nothing moves by itself."""

    async def ended(self, verdict: Verdict) -> None:
        """Say nothing yet: the service still runs, and may have something to say at its end."""


def _introduce(scene: Scene) -> None:
    write_line("A simulated fine-tuning API and a webhook receiver on loopback, and the real service between them.\n")
    for actor in scene.actors:
        write_line(f"  {actor.script.id}  {actor.name:<12} {actor.fate}")
    write_line("")


def _say_with_time() -> Callable[[str, str], None]:
    begin = monotonic()

    def say(who: str, what: str) -> None:
        label = f"{who:>7}"
        if shows_colour(sys.stdout):
            label = typer.style(label, fg=COLOURS.get(who))
        write_line(f"{monotonic() - begin:5.1f} s  {label}  {printable(what)}")

    return say
