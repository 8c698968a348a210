"""A fine-tuning API that costs next to nothing, and a receiver beside it: in one process, so that one clock times both.

`python -m tests.benchmarks.server [--latency SECONDS] [--jobs N] [--changes PER_SECOND]` prints its port. It knows
`ftjob-0` to `ftjob-N-1`, all of them running, unless changes are wanted: then each job changes between two statuses,
in turn with the others. `POST /hook` takes events, `POST /count` anything; `GET /tally` tells what has happened since
it was last asked.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import cache
from urllib.parse import parse_qs, urlsplit

CREATED_AT = 1_771_000_000
"""When the first job was created, in seconds since 1970; each of the others came a second later."""
JOB = {
    "object": "fine_tuning.job",
    "id": "@",
    "model": "gpt-4o-mini-2024-07-18",
    "created_at": CREATED_AT,
    "finished_at": None,
    "fine_tuned_model": None,
    "organization_id": "org-123",
    "result_files": [],
    "status": "#",
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
        "supervised": {"hyperparameters": {"n_epochs": 3, "batch_size": 8, "learning_rate_multiplier": 1.8}},
    },
}
BODY = json.dumps(JOB).encode()
STATUSES = (b"running", b"paused")


class Jobs:
    """What the API knows, what it was asked and told, and when."""

    def __init__(self, jobs: int, changes_per_second: float) -> None:
        self.number = jobs
        self._seconds_a_status = jobs / changes_per_second if changes_per_second else float("inf")
        self._begin = time.monotonic()
        self._asked_at: dict[bytes, float] = {}
        self._said: dict[bytes, bytes] = {}
        self._untold: defaultdict[str, deque[tuple[str, float]]] = defaultdict(deque)
        """By job: the changes that the API has spoken of and no event has, and when it did."""
        self._start_anew()

    def _start_anew(self) -> None:
        self._retrieved = self._pages = 0
        self._longest_gap = 0.0
        self._delays: list[float] = []
        self._counted: list[float] = []

    def tally(self) -> bytes:
        """Return what happened since the last time, and begin anew."""
        now = time.monotonic()
        gaps = [self._longest_gap, *(now - at for at in self._asked_at.values())]
        told = {
            "retrieved": self._retrieved,
            "pages": self._pages,
            "seen": len(self._asked_at),
            "longest_gap": max(gaps),
            "delays": self._delays,
            "untold": sum(map(len, self._untold.values())),
            "counted": self._counted,
        }
        self._start_anew()
        return json.dumps(told).encode()

    def retrieve(self, name: bytes) -> bytes:
        """Return the job."""
        now = time.monotonic()
        self._retrieved += 1
        self._longest_gap = max(self._longest_gap, now - self._asked_at.get(name, now))
        self._asked_at[name] = now
        status = self._status(name, now)
        if self._said.get(name, status) != status:
            self._untold[name.decode()].append((status.decode(), now))
        self._said[name] = status
        return _document(name, status)

    def page(self, query: str) -> bytes:
        """Return a page of the list, the newest job first."""
        self._pages += 1
        given = parse_qs(query)
        after = int(given["after"][0].rsplit("-", 1)[1]) if "after" in given else self.number
        return _page(after, int(given.get("limit", ["20"])[0]))

    def count(self) -> None:
        """Count a message."""
        self._counted.append(time.monotonic())

    def hear(self, event: bytes) -> None:
        """Note when an event arrived that tells of a change."""
        data = json.loads(event)["data"]
        status, at = self._untold[data["id"]].popleft()
        assert status == data["status"], "an event that tells of something else"
        self._delays.append(time.monotonic() - at)

    def _status(self, name: bytes, now: float) -> bytes:
        phase = int(name.rsplit(b"-", 1)[1]) / self.number
        return STATUSES[int((now - self._begin) / self._seconds_a_status + phase) % len(STATUSES)]


def _document(name: bytes, status: bytes) -> bytes:
    created_at = b"%d" % (CREATED_AT + int(name.rsplit(b"-", 1)[1]))
    document = BODY.replace(b'"@"', b'"' + name + b'"').replace(b'"#"', b'"' + status + b'"')
    return document.replace(b"%d" % CREATED_AT, created_at)


@cache
def _page(before: int, limit: int) -> bytes:
    first = max(before - limit, 0)
    documents = [_document(b"ftjob-%d" % number, STATUSES[0]) for number in range(before - 1, first - 1, -1)]
    more = b"true" if first else b"false"
    return b'{"object": "list", "data": [' + b", ".join(documents) + b'], "has_more": ' + more + b"}"


class Exchange(asyncio.Protocol):
    """Answers each request on its connection, in order."""

    jobs: Jobs
    latency = 0.0

    def __init__(self) -> None:
        self._unread = b""
        self._write: Callable[[bytes], None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = transport.write  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, rest = self._unread.split(b"\r\n\r\n", 1)
            length = _length(head) if head.startswith(b"POST") else 0
            if len(rest) < length:
                return
            self._unread = rest[length:]
            self._answer(head.split(b" ", 2)[1], rest[:length])

    def _answer(self, target: bytes, body: bytes) -> None:
        if target == b"/count":
            self.jobs.count()
            self._write(_written(b"ok"))
        elif body:
            self.jobs.hear(body)
            self._write(_written(b"ok"))
        elif target.endswith(b"/tally"):
            self._write(_written(self.jobs.tally()))
        else:
            asyncio.get_running_loop().call_later(self.latency, self._tell, target)

    def _tell(self, target: bytes) -> None:
        address = urlsplit(target.decode())
        name = address.path.rsplit("/", 1)[1]
        told = self.jobs.page(address.query) if name == "jobs" else self.jobs.retrieve(name.encode())
        self._write(_written(told))


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])


def _written(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--jobs", type=int, default=320)
    parser.add_argument("--changes", type=float, default=0.0)
    given = parser.parse_args()
    Exchange.latency, Exchange.jobs = given.latency, Jobs(given.jobs, given.changes)
    server = await asyncio.get_running_loop().create_server(Exchange, "127.0.0.1", 0, backlog=4096)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
