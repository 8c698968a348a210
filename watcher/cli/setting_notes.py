"""What is right in the settings and yet hardly meant."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from watcher.cli.status_words import doubt_about
from watcher.domain.routing import Events
from watcher.domain.samples import words_of_conditions
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
        *_without_effect(settings),
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


def _without_effect(settings: Settings) -> Iterator[str]:
    """Say what a notifier has that does nothing beside what else it has."""
    used = sources_used(settings)
    for name, notifier in settings.notifiers.items():
        here = f"notifiers.{name}"
        if notifier.digest and (notifier.batch or notifier.quiet):
            other = "batch" if notifier.batch else "quiet"
            yield f"{here}.{other}: has no effect beside digest, which holds everything until its time"
        if notifier.batch_by and not notifier.batch:
            yield f"{here}.batch_by: has no effect without batch"
        if notifier.timezone and not (notifier.digest or notifier.quiet):
            yield f"{here}.timezone: has no effect without digest or quiet"
        for key in ("after", "repeat"):
            if getattr(notifier, key) and notifier.events == {Events.JOBS}:
                yield f"{here}.{key}: has no effect where events names jobs only: it is about conditions that last"
        for pattern in notifier.sources:
            if used and not any(fnmatchcase(source, pattern) for source in used):
                yield f"{here}.sources: {pattern!r} matches none of the sources: {', '.join(sorted(used))}"


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
    of_conditions = words_of_conditions()
    for name, notifier in settings.notifiers.items():
        given += [(f"notifiers.{name}.statuses", status) for status in notifier.statuses or ()]
        exempt = notifier.quiet.exempt if notifier.quiet else ()
        given += [(f"notifiers.{name}.quiet.except", word) for word in exempt if word not in of_conditions]
    for where, status in given:
        if doubt := doubt_about(status):
            yield f"{where}: {doubt}"
