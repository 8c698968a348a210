"""`watcher simulate`: a scripted fine-tuning API."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.options import JsonOption
from watcher.cli.output import write_line
from watcher.cli.signals import run_until_signal

if TYPE_CHECKING:
    from watcher.simulator.script import Script


def simulate(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT.toml", help="What the jobs do, and what goes wrong.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes any free one.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Serve the fine-tuning API on loopback as a script says, until interrupted. Prints its base URL."""
    from watcher.simulator.script_file import load_script

    raise typer.Exit(run_until_signal(_serve(load_script(script), port, as_json=as_json)))


async def _serve(script: Script, port: int, *, as_json: bool) -> int:
    from watcher.simulator.api import FineTuningApi

    async with FineTuningApi(script, port=port) as api:
        write_line(json.dumps({"base_url": api.base_url}) if as_json else api.base_url)
        await asyncio.Event().wait()
    return 0
