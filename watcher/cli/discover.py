"""`watcher jobs discover`: what rules make of the lists of their sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.exit_codes import Exit
from watcher.cli.options import ConfigOption, JsonOption, log_options, read_settings
from watcher.cli.output import tell, write_json
from watcher.cli.selection import QUIET
from watcher.cli.signals import run_until_signal
from watcher.cli.source_errors import code_of
from watcher.cli.store import tell_if_unattended
from watcher.cli.tables import Column, write_table
from watcher.cli.text_log import TextLog
from watcher.domain.discovery import Verdict
from watcher.domain.jobs import JobKey
from watcher.errors import ConfigurationError, SourceError
from watcher.service.bootstrap import open_store, real_runtime

if TYPE_CHECKING:
    from watcher.domain.discovery import Rule
    from watcher.engine.polling.preview import Judged
    from watcher.engine.runtime import Runtime
    from watcher.settings.model import Settings
    from watcher.store.sql import SqlStore

WATCHED, REMOVED = "watched", "removed"
_WORDS = {WATCHED: "is watched already", REMOVED: "was removed by a person"}
COLUMNS: Sequence[Column | str] = [
    "rule",
    "source",
    "id",
    Column("suffix", is_text=True),
    Column("model", is_text=True),
    "status",
    "created_at",
    "verdict",
    Column("why", is_text=True),
]
IMPORTANT = ["id", "verdict", "why", "status", "suffix", "rule", "created_at", "model", "source"]


@dataclass(frozen=True, slots=True)
class _Known:
    """The jobs that the store knows."""

    watched: frozenset[JobKey]
    removed: frozenset[JobKey]


def discover(
    rule: Annotated[
        str | None, typer.Option(metavar="NAME", help="The rule to try.", show_default="every rule")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it; watch nothing, and draw no line.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Look at the lists of sources as the rules do, and show of each job whether it is watched, and if not, why not.

    Exit codes: 0 it was shown; 2 usage or configuration; 4 rejected (401, 403, no quota); 5 there is no list; 6 no
    usable answer.
    """
    from watcher.settings.conversion import discovery_rules

    settings = read_settings(config)
    rules = discovery_rules(settings)
    wanted = [each for each in rules if rule in {None, each.name}]
    if not wanted:
        known = ", ".join(each.name for each in rules) or "none"
        raise ConfigurationError(f"no rule is named {rule!r}; there are: {known}" if rule else "no rule is configured")
    runtime = real_runtime(TextLog(QUIET, log_options(settings).secrets, wanted[0].source))
    raise typer.Exit(run_until_signal(_discover(settings, wanted, runtime, is_dry=dry_run, as_json=as_json)))


async def _discover(settings: Settings, rules: Sequence[Rule], runtime: Runtime, *, is_dry: bool, as_json: bool) -> int:
    rows: list[dict[str, object]] = []
    added = 0
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        tell(f"store: {store.name}")
        known = await _known(store)
        for source in dict.fromkeys(rule.source for rule in rules):
            theirs = [rule for rule in rules if rule.source == source]
            try:
                judged, count = await _look(settings, theirs, (store, runtime, stack), is_dry=is_dry)
            except SourceError as error:
                runtime.log.error("the list cannot be read", source=source, error=str(error))
                return code_of(error)
            added += count
            rows += [_row(each, known) for each in judged]
        if not is_dry:
            await tell_if_unattended(store, runtime.clock())
    if as_json:
        write_json(rows)
    else:
        write_table(COLUMNS, IMPORTANT, rows, "the list is empty")
    counts = Counter(str(row["verdict"]) for row in rows)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    tell(told or "no jobs", "nothing was changed (--dry-run)" if is_dry else f"newly watched: {added}")
    return Exit.OK


async def _look(
    settings: Settings, rules: Sequence[Rule], parts: tuple[SqlStore, Runtime, AsyncExitStack], *, is_dry: bool
) -> tuple[list[Judged], int]:
    """Judge what the list of a source holds; unless it is only shown, watch what its rules adopt."""
    from watcher.engine.polling.discovery import Discovery, SourceRules
    from watcher.engine.polling.preview import judge_all, whole_list
    from watcher.plugins.registry import sources
    from watcher.service.bootstrap import open_source
    from watcher.settings.conversion import polling_policy

    (store, runtime, stack), name = parts, rules[0].source
    chosen = settings.sources[name]
    source = await stack.enter_async_context(open_source(name, chosen, runtime))
    if not source.capabilities.lists:
        raise ConfigurationError(f"source {name} has no list of jobs: name them in [[jobs]] or with `watcher jobs add`")
    states = sources.plugin(chosen.kind).states_at(chosen)
    pages = await whole_list(source)
    judged = list(judge_all(pages, rules, await store.lines(name), states, runtime.clock()))
    if is_dry:
        return judged, 0
    ours = SourceRules(tuple(rules), states, polling_policy(settings, name).interval)
    discovery = Discovery(source, ours, store=store, runtime=runtime)
    discovery.offer(pages)
    return judged, await discovery.scan()


async def _known(store: SqlStore) -> _Known:
    watched = frozenset(job.key for job in await store.jobs())
    every = frozenset(job.key for job in await store.jobs(include_removed=True))
    return _Known(watched, every - watched)


def _row(judged: Judged, known: _Known) -> dict[str, object]:
    key, job = JobKey(judged.rule.source, judged.job_id), judged.job
    verdict = str(judged.verdict)
    if judged.verdict in {Verdict.ADOPTED, Verdict.SEEN_BEFORE, Verdict.ENDED_BEFORE}:
        verdict = WATCHED if key in known.watched else verdict
    if judged.verdict is Verdict.SEEN_BEFORE and key in known.removed:
        verdict = REMOVED
    return {
        "rule": judged.rule.name,
        "source": key.source,
        "id": key.id,
        "suffix": job.name,
        "model": job.model,
        "status": job.status,
        "state": judged.state,
        "created_at": job.created_at.isoformat() if job.created_at else None,
        "metadata": dict(job.metadata),
        "verdict": verdict,
        "why": _WORDS.get(verdict) or judged.verdict.words,
    }
