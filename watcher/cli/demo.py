"""`watcher demo`: see it work, without a key and without a network."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import JsonOption
from watcher.cli.output import write_json, write_line
from watcher.cli.signals import run_until_signal
from watcher.domain.text import printable
from watcher.logs import shows_colour

if TYPE_CHECKING:
    from watcher.simulator.demo import Say

COLOURS = {"watcher": typer.colors.GREEN, "webhook": typer.colors.CYAN, "log": typer.colors.YELLOW}


def demo(as_json: JsonOption = False) -> None:
    """See it work: the real service between a simulated API and a webhook receiver, all on this machine.

    Needs no key and no network, takes a few seconds, and exits 0 if every status change arrived.
    """
    raise typer.Exit(run_until_signal(_demo(as_json=as_json)))


async def _demo(*, as_json: bool) -> int:
    from watcher.simulator.demo import JOBS, demonstrate

    if as_json:
        verdict = await demonstrate(lambda _who, _what: None)
        write_json({"expected": verdict.expected, "delivered": verdict.delivered, "problems": list(verdict.problems)})
        return Exit.FAILED if verdict.problems else Exit.OK
    write_line("A simulated fine-tuning API and a webhook receiver on loopback, and the real service between them.\n")
    for name, what, job in JOBS:
        write_line(f"  {job.id}  {name:<12} {what}")
    write_line("")
    verdict = await demonstrate(_say_with_time())
    for problem in verdict.problems:
        write_line(f"PROBLEM: {problem}")
    if verdict.problems:
        return Exit.FAILED
    write_line(
        f"\n{verdict.delivered} of {verdict.expected} status changes delivered: none lost, none twice, all signed."
    )
    return Exit.OK


def _say_with_time() -> Say:
    begin = monotonic()

    def say(who: str, what: str) -> None:
        label = f"{who:>7}"
        if shows_colour(sys.stdout):
            label = typer.style(label, fg=COLOURS.get(who))
        write_line(f"{monotonic() - begin:5.1f} s  {label}  {printable(what)}")

    return say
