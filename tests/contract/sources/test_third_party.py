"""A third-party source: installed beside the watcher, configured by its kind, and asked by the real command."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.loopback import LoopbackReceiver, Reply

RUN = json.dumps({"name": "forges/main/runs/7", "phase": "FORGED", "metal": "steel"}).encode()


async def run(site: Path, folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHER_", "OPENAI_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "watcher", *arguments),
        cwd=folder,
        env={**environment, **variables, "PYTHONPATH": str(site)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()


async def test_an_installed_package_is_configured_and_asked(site: Path, tmp_path: Path) -> None:
    async with LoopbackReceiver() as server:
        server.replies = [Reply(body=RUN)]
        config = tmp_path / "watcher.toml"
        config.write_text(
            f'[sources.house]\nkind = "forge"\nurl = "{server.url}"\ntoken_command = "printf t0ken-1234"\n'
        )
        code, output, errors = await run(
            site, tmp_path, "watch", "house/forges/main/runs/7", "--json", "--config", str(config)
        )
    assert (code, errors) == (0, "")
    data = json.loads(output.splitlines()[0])["data"]
    assert (data["source"], data["id"], data["status"], data["native_status"]) == ("house", "7", "succeeded", "FORGED")
    [request] = server.requests
    assert (request.target, request.headers["authorization"]) == ("/runs/7", "Bearer t0ken-1234")


async def test_its_variables_alone_are_enough(site: Path, tmp_path: Path) -> None:
    async with LoopbackReceiver() as server:
        server.replies = [Reply(body=RUN)]
        variables = {"FORGE_URL": server.url, "FORGE_TOKEN": "t0ken-5678"}
        code, output, errors = await run(site, tmp_path, "retrieve", "forge/7", **variables)
    assert (code, errors) == (0, "")
    assert json.loads(output) == json.loads(RUN)
    assert server.requests[0].headers["authorization"] == "Bearer t0ken-5678"
