"""A fine-tuning API that costs next to nothing: each job is running, and each answer takes `LATENCY` seconds.

`python -m tests.benchmarks.server LATENCY` prints its port. `GET /count` tells how many jobs were retrieved.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable

BODY = json.dumps(
    {
        "object": "fine_tuning.job",
        "id": "@",
        "model": "gpt-4o-mini-2024-07-18",
        "created_at": 1_771_000_000,
        "finished_at": None,
        "fine_tuned_model": None,
        "organization_id": "org-123",
        "result_files": [],
        "status": "running",
        "validation_file": None,
        "training_file": "file-abc123",
        "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.8},
        "trained_tokens": None,
        "error": {},
        "user_provided_suffix": None,
        "seed": 683058546,
        "estimated_finish": None,
        "integrations": [],
        "metadata": {f"key-{number}": "value" * 8 for number in range(10)},
        "method": {
            "type": "supervised",
            "supervised": {
                "hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.8},
            },
        },
    }
).encode()


class Api(asyncio.Protocol):
    """Answers each request on its connection, in order."""

    retrieved = 0
    latency = 0.0

    def __init__(self) -> None:
        self._unread = b""
        self._write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, self._unread = self._unread.split(b"\r\n\r\n", 1)
            name = head.split(b" ", 2)[1].rsplit(b"/", 1)[1]
            if name == b"count":
                self._write(_answer(str(Api.retrieved).encode()))
            else:
                Api.retrieved += 1
                answer = _answer(BODY.replace(b'"@"', b'"' + name + b'"'))
                asyncio.get_running_loop().call_later(Api.latency, self._write, answer)


def _answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


async def _main() -> None:
    Api.latency = float(sys.argv[1])
    server = await asyncio.get_running_loop().create_server(Api, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
