"""What is right in the settings and yet hardly meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.cli.status_words import doubt_about
from watcher.settings.conversion import discovery_rules, sources_used, watches_all
from watcher.settings.locations import places

if TYPE_CHECKING:
    from watcher.settings.model import Settings


def notes_on(settings: Settings, path: Path | None, without_list: Collection[str] = ()) -> list[str]:
    """Say in a line each what a service with these settings would not do, and which statuses may be meant otherwise.

    `path` is the file that the settings come from, if there is one; `without_list` names the sources whose jobs cannot
    be listed.
    """
    return [
        *_missing(settings, path),
        *_blind_rules(settings, without_list),
        *_doubtful_statuses(settings),
        *_notices(settings),
    ]


def _missing(settings: Settings, path: Path | None) -> Iterator[str]:
    if path is None:
        yield f"there is no configuration file; looked for {places()}"
    if watches_all(settings) and (rules := discovery_rules(settings)):
        sources = ", ".join(rule.source for rule in rules)
        yield f"nothing says what to watch: every job of {sources} is, from the first `watcher run` on"
    elif not settings.jobs and not settings.watch:
        yield "no job and no rule is configured: nothing is watched but what `watcher jobs add` adds"
    if not settings.notifiers:
        yield "no notifier is configured: no alert would be sent"


def _blind_rules(settings: Settings, without_list: Collection[str]) -> Iterator[str]:
    rules = discovery_rules(settings)
    for rule in rules:
        if rule.source in without_list:
            yield f"rule {rule.name}: {rule.source!r} has no list of jobs, so it finds none; name them in [[jobs]]"
    for name in sorted(set(without_list) - {rule.source for rule in rules}):
        yield f"source {name}: it has no list of jobs, so they are watched only where they are named"


def _notices(settings: Settings) -> Iterator[str]:
    from watcher.plugins.registry import sources

    for name, source in sources_used(settings).items():
        if notice := sources.plugin(source.kind).notice(source):
            yield f"source {name}: {notice}"


def _doubtful_statuses(settings: Settings) -> Iterator[str]:
    given = [
        (f"watch[{index}].match.states", status)
        for index, rule in enumerate(settings.watch)
        for status in rule.match.states
    ]
    given += [(f"supervision.stuck_after.{status}", status) for status in settings.supervision.stuck_after]
    for name, notifier in settings.notifiers.items():
        given += [(f"notifiers.{name}.statuses", status) for status in notifier.statuses or ()]
    for where, status in given:
        if doubt := doubt_about(status):
            yield f"{where}: {doubt}"
