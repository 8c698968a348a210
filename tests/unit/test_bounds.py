"""What is bounded by what: the table of the operator's guide holds the numbers of the code."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from watcher.cli.paging import PAGE
from watcher.domain.deliveries import SERVICE_RETRY_POLICY
from watcher.domain.discovery import DEFAULT_LIMIT
from watcher.domain.jobs import LONGEST_ID, LONGEST_TEXT
from watcher.domain.messages import ENVELOPE_LIMIT
from watcher.domain.polling_policy import LONGEST_RETRY_AFTER
from watcher.domain.summaries import MOST_ROWS
from watcher.engine.delivery.dispatcher import ATTEMPT_LIMIT, CLAIM
from watcher.engine.delivery.live_progress import EVERY
from watcher.engine.delivery.live_progress import MOST_JOBS as MOST_SHOWN
from watcher.engine.delivery.notifier_state import LONGEST_PAUSE
from watcher.engine.polling.due_jobs import STORE_PATIENCE
from watcher.engine.polling.list_scan import BARREN_PAGES, CONCURRENT_PAGES, LONGEST_SCAN, MOST_PAGES
from watcher.engine.polling.look_allowance import LOOKS_PER_MINUTE, REFUSED_PAUSE
from watcher.engine.polling.source_state import CLAIMED_AT_ONCE, JUDGED_AT_ONCE, MOST_LISTED
from watcher.engine.polling.telemetry import LAST_LOOK_PATIENCE, LOOK_LIMIT
from watcher.engine.polling.telemetry import MOST_PAGES as MOST_EVENT_PAGES
from watcher.logs import LEARNED_SECRETS
from watcher.notifiers.mail.plugin import STUCK_THREADS
from watcher.plugins.secret_file import SECRET_FILE_LIMIT
from watcher.plugins.source import CONCURRENT_REQUESTS, DEFAULT_TIMEOUT
from watcher.server.app import CONCURRENT_ANSWERS
from watcher.server.connections import (
    DESCRIPTOR_SHARE,
    LONGEST_HEAD,
    MOST_CONNECTIONS,
    READ_SIZE,
    READING_SHARE,
    REPORT_SECONDS,
    Bounds,
)
from watcher.server.context import ServerContext
from watcher.server.listening import BACKLOG
from watcher.server.parsing import BODY_LIMIT, LONGEST_ECHO, LONGEST_PAGE, MOST_PARAMETERS
from watcher.server.problems import MOST_MISTAKES
from watcher.server.serving import ANSWERS_PER_CONNECTION
from watcher.server.webhooks import HOOKS_AT_ONCE, HOOKS_PER_MINUTE, IDS_REMEMBERED, REMEMBERED_FOR
from watcher.service.daemon import DRAIN_LIMIT
from watcher.service.notifiers import NOTIFIER_ANSWER_LIMIT, NOTIFIER_CONNECTIONS, NOTIFIER_TIMEOUT
from watcher.sources.client import ATTEMPTS, SIZE_LIMIT
from watcher.sources.credentials import COMMAND_SECONDS
from watcher.sources.decoding import LONGEST_STATUS
from watcher.sources.http_source import ENTRIES_KEPT, PAGES_KEPT
from watcher.sources.listing import MOST_ENTRIES
from watcher.sources.metrics import MOST_SERIES
from watcher.store.deliveries import MOST_GROUPED
from watcher.store.errors import BUSY_SECONDS, STATEMENT_SECONDS
from watcher.store.metric_points import MOST_MILESTONES, MOST_STEPS
from watcher.store.prune import BATCH
from watcher.store.sql import JOBS_AT_ONCE
from watcher.store.timeouts import USUAL_WAITS
from watcher.templates import LONGEST_TEXT as LONGEST_TEMPLATE

GUIDE = Path(__file__).parents[2] / "deploy" / "README.md"
OF = Bounds()
DEFAULTS = {field.name: field.default for field in fields(ServerContext)}
PATIENCE, BODY_TIME = (cast("timedelta", DEFAULTS[name]) for name in ("store_patience", "body_timeout"))


def size(count: int) -> str:
    """Write bytes as the guide does."""
    return f"{count // 1024} KiB" if count < 1024 * 1024 else f"{count // (1024 * 1024)} MiB"


def time(duration: timedelta | float) -> str:
    """Write a duration as the guide does."""
    seconds = int(duration.total_seconds() if isinstance(duration, timedelta) else duration)
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 2 * unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


ROWS = {
    "HTTP connections": f"{MOST_CONNECTIONS}, and at most 1/{DESCRIPTOR_SHARE} of the file descriptors",
    "of one address, or IPv6 /64": f"{OF.per_address}",
    "told in the log that connections are dropped": f"once in {time(REPORT_SECONDS)}",
    "waiting to be accepted": f"{BACKLOG}",
    "the head of a request": f"{size(LONGEST_HEAD)}, complete in {time(OF.head_seconds)}",
    "one read": f"{size(READ_SIZE)}",
    "reading requests": f"1/{round(1 / READING_SHARE)} of the loop's time while other work waits",
    "a connection after an answer": f"{time(OF.idle_seconds)} without a byte",
    "an answer": f"{time(OF.answer_seconds)}, then {time(OF.head_seconds)} for the other side to take it",
    "parameters of a query": f"{MOST_PARAMETERS}",
    "the body of a request": f"{size(BODY_LIMIT)}, complete in {time(BODY_TIME)}",
    "mistakes that an answer names": f"{MOST_MISTAKES}, each quoting at most {LONGEST_ECHO} characters",
    "requests worked on at once, besides the probes": f"{CONCURRENT_ANSWERS}",
    "answers whose client may have gone": f"{ANSWERS_PER_CONNECTION} times the connections, then 503",
    "the check of `/readyz`": f"one at a time, {time(PATIENCE)}",
    "a page of the API": f"{LONGEST_PAGE:,} rows",
    "answers under way at a stop": f"{time(OF.stop_seconds)}",
    "requests to a source": (
        f"{CONCURRENT_REQUESTS} in flight, {time(DEFAULT_TIMEOUT)} each (`timeout`), {ATTEMPTS} tries"
    ),
    "an answer of a source": f"{size(SIZE_LIMIT)} unpacked",
    "a page of a source's list": f"{MOST_ENTRIES:,} jobs",
    "pages that are remembered": f"{PAGES_KEPT}, of {ENTRIES_KEPT:,} jobs in all",
    "one scan of a list": (
        f"{MOST_PAGES:,} pages, {time(LONGEST_SCAN)}, {CONCURRENT_PAGES} pages side by side, for {MOST_LISTED:,} jobs;"
        f" {BARREN_PAGES} pages without a watched job end it"
    ),
    "jobs worked on before others get their turn": (
        f"{JUDGED_AT_ONCE:,} of a scan, {CLAIMED_AT_ONCE:,} of a claim, {JOBS_AT_ONCE:,} of a configuration"
    ),
    "`Retry-After` of a source": f"{time(LONGEST_RETRY_AFTER)}",
    "an id, a status, a name of a job": f"{LONGEST_ID:,}, {LONGEST_STATUS} and {LONGEST_TEXT} characters",
    "what a rule of discovery brings": f"{DEFAULT_LIMIT:,} jobs (`limit`), those that have ended within a day included",
    "one reading of the events of a job": (
        f"{MOST_EVENT_PAGES} pages; the end of a job waits {time(LAST_LOOK_PATIENCE)} for it"
    ),
    "looks at the events of a source's jobs": (
        f"a tenth of `max_requests_per_minute`, else {LOOKS_PER_MINUTE} requests in a minute; {time(LOOK_LIMIT)} each;"
        f" none for {REFUSED_PAUSE // timedelta(hours=1)} h after a refusal"
    ),
    "what is kept of the training of a job": (
        f"{MOST_SERIES} series in an event, {MOST_STEPS:,} steps of each; {MOST_MILESTONES} times of statuses"
    ),
    "webhooks of a source": (
        f"{HOOKS_PER_MINUTE} in a minute, {HOOKS_AT_ONCE} at once;"
        f" {IDS_REMEMBERED:,} ids are remembered, for {time(REMEMBERED_FOR)}"
    ),
    "a secret in a file, or printed by a command": f"{size(SECRET_FILE_LIMIT)}; a command has {time(COMMAND_SECONDS)}",
    "renewed keys that the log hides": f"the last {LEARNED_SECRETS}",
    "connections to a receiver": f"{NOTIFIER_CONNECTIONS}; of mail, {STUCK_THREADS} threads",
    "an attempt to deliver": f"{time(NOTIFIER_TIMEOUT)}, with a plugin's own waits {time(ATTEMPT_LIMIT)}",
    "an answer of a receiver": f"{size(NOTIFIER_ANSWER_LIMIT)} are read",
    "a receiver that asks for quiet": f"{time(LONGEST_PAUSE)} for all messages",
    "a message": (
        f"{ENVELOPE_LIMIT:,} bytes as a webhook, {LONGEST_TEMPLATE:,} characters of a template,"
        f" and {MOST_GROUPED} events"
    ),
    "progress shown in messages": f"of {MOST_SHOWN} jobs, once in {time(EVERY)}",
    "a delivery": f"tried for {time(SERVICE_RETRY_POLICY.give_up_after)}",
    "a message about several events": f"{MOST_GROUPED} events, {MOST_ROWS} rows",
    "a claim on a delivery": f"{time(CLAIM)}",
    "sends in flight at a stop or a reload": f"{time(DRAIN_LIMIT)}",
    "polling waits for the store": f"{time(STORE_PATIENCE)}, then goes on from memory",
    "a transaction of the store": (
        f"{time(USUAL_WAITS.longest_work)}; a lock {time(BUSY_SECONDS)},"
        f" a statement of PostgreSQL {time(STATEMENT_SECONDS)}"
    ),
    "rows that one transaction of pruning looks at": f"{BATCH}",
    "rows that `jobs list` and `jobs history` hold": f"{PAGE}, and those that are shown",
}


@pytest.mark.parametrize("what", ROWS)
def test_the_guide_says_what_is_bounded_by_what(what: str) -> None:
    assert f"| {what} | {ROWS[what]} |" in GUIDE.read_text(encoding="utf-8").splitlines()


def test_each_row_of_the_table_is_held_against_the_code() -> None:
    lines = GUIDE.read_text(encoding="utf-8").partition("## What is bounded")[2].partition("\n## ")[0].splitlines()
    rows = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    assert rows[1:] == list(ROWS)
