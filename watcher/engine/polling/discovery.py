"""The jobs of a source that rules adopt: found in the pages of its list, those that are read anyway among them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from watcher.domain.discovery import Rule, Verdict
from watcher.domain.health import DiscoveryHealth
from watcher.domain.jobs import NO_METADATA, Page
from watcher.domain.states import JobState
from watcher.engine.polling.list_age import ListAge
from watcher.engine.polling.list_scan import MOST_PAGES
from watcher.engine.polling.rule_scan import RuleScan
from watcher.engine.ports import DiscoveryStore, JobSource
from watcher.engine.runtime import Runtime
from watcher.errors import SourceError, StoreError

MOST_FILTERS = 3
"""Looks of one scan that ask for certain metadata each; more rules than these are served by one look at all jobs."""
NO_FILTER = frozenset({400, 404, 422})
"""Status codes of a service that does not take the filter that it was asked with."""
HASTE_SECONDS = 5.0
"""How soon after the last look there may be another one, when there is said to be something new."""


@dataclass(frozen=True, slots=True)
class SourceRules:
    """The rules for one source, at least one."""

    rules: tuple[Rule, ...]
    states: Callable[[str], JobState]
    """What the statuses of the source mean."""
    interval: timedelta
    """How often its list is looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    """One reading of the list, for some rules: of all jobs, or of those with certain metadata."""

    rules: tuple[Rule, ...]
    metadata: Mapping[str, str]

    @property
    def key(self) -> frozenset[tuple[str, str]]:
        """What tells it from others."""
        return frozenset(self.metadata.items())


_Pages = Mapping[str | None, Page]
"""Pages by what they were asked for with."""


@dataclass(slots=True)
class _Reading:
    """How far a look has come."""

    parts: list[dict[str | None, Page]] = field(default_factory=list)
    """The pages of each list of the service: most have one."""
    scans: list[RuleScan] = field(default_factory=list)
    """Of the rules that it serves, once a page differs from what it was."""
    is_enough: bool = False
    """Whether the rest of the present list need not be read."""
    is_whole: bool = False
    is_at_end: bool = False
    """Whether all was read that the service lists."""

    def begin_part(self) -> None:
        """Go on with the next list of the service."""
        self.parts.append({})
        for scan in self.scans:
            scan.begin_part()

    @property
    def pages(self) -> _Pages:
        """All pages that were read."""
        return {cursor: page for part in self.parts for cursor, page in part.items()}

    def worth_again(self) -> _Pages:
        """Return the pages that tell whether there is anything new in lists by age: as deep as a job is undecided."""
        undecided = frozenset[str]().union(*(scan.undecided for scan in self.scans))
        kept: dict[str | None, Page] = {}
        for part in self.parts:
            depths = (depth for depth, page in enumerate(part.values()) if not undecided.isdisjoint(page.jobs))
            kept |= islice(part.items(), max(depths, default=0) + 1) if self.scans else part
        return kept


def looks(rules: Sequence[Rule], *, filters: bool) -> list[Look]:
    """Return the fewest readings of a list that serve these rules."""
    by_filter: dict[frozenset[tuple[str, str]], list[Rule]] = {}
    for rule in rules if filters else ():
        by_filter.setdefault(frozenset(rule.matcher.filter.items()), []).append(rule)
    if not by_filter or frozenset() in by_filter or len(by_filter) > MOST_FILTERS:
        return [Look(tuple(rules), NO_METADATA)]
    return [Look(tuple(served), dict(pairs)) for pairs, served in by_filter.items()]


class Discovery:
    """Finds new jobs of one source once per interval, and has them watched.

    What a page says is judged once: a page that says what it said before costs nothing. What cannot be recorded is
    found again at the next scan, for the line moves on only with what was recorded.
    """

    def __init__(self, source: JobSource, rules: SourceRules, *, store: DiscoveryStore, runtime: Runtime) -> None:
        self.is_running = False
        self.rules = rules.rules
        self._name = rules.rules[0].source
        self._source = source
        self._states = rules.states
        self._store = store
        self._runtime = runtime
        self._log = runtime.log
        self._interval = rules.interval.total_seconds()
        self._filters = source.capabilities.filters
        self._age = ListAge(source.capabilities.order, runtime.steady)
        self._begun = self._next = float("-inf")
        self._offered: _Pages = {}
        self._known: dict[frozenset[tuple[str, str]], _Pages] = {}
        """The pages of the last whole reading for each filter, whose jobs were judged and recorded."""
        self._full: set[str] = set()
        """Rules whose limit is reached."""
        self._has_told_cost = False
        self._counts = dict.fromkeys((rule.name for rule in self.rules), 0)
        self._scanned_at: datetime | None = None

    @property
    def has_offer(self) -> bool:
        """Whether there are pages to learn from that were read anyway."""
        return bool(self._offered)

    def is_due(self) -> bool:
        """Tell whether the list has to be looked at, or was."""
        return not self.is_running and (self.has_offer or self._runtime.steady() >= self._next)

    def hasten(self) -> None:
        """Look at the list soon: somebody says that there is something new."""
        self._next = min(self._next, self._begun + HASTE_SECONDS)

    def offer(self, pages: Sequence[Page]) -> None:
        """Let it learn from pages that were read from the top of the list on."""
        cursors = (None, *(page.after for page in pages))
        self._offered = dict(zip(cursors, pages, strict=False))

    def health(self) -> list[DiscoveryHealth]:
        """Say what each rule has found since the start."""
        return [
            DiscoveryHealth(rule.name, rule.source, self._counts[rule.name], self._scanned_at) for rule in self.rules
        ]

    async def scan(self) -> int:
        """Read as much of the list as the rules have to see; return how many jobs are watched that were not.

        Raises SourceError. What was found until then is watched all the same.
        """
        self._begun = self._runtime.steady()
        self._next = self._begun + self._interval
        offered, self._offered = self._offered, {}
        wanted = [Look(self.rules, NO_METADATA)] if offered else looks(self.rules, filters=self._filters)
        try:
            added = sum([await self._scan(look, offered) for look in wanted])
        except StoreError as error:
            self._log.warning("jobs cannot be discovered: the store cannot be used", error=str(error))
            return 0
        self._scanned_at = self._runtime.clock()
        return added

    async def _scan(self, look: Look, offered: _Pages) -> int:
        reading = _Reading()
        known = self._known.pop(look.key, {})
        try:
            await self._read(look, offered, known, reading)
        except SourceError as error:
            added = await self._record(reading)
            if not look.metadata or error.status_code not in NO_FILTER:
                raise
            self._log.info(
                "the service does not filter its list, reading all of it", source=self._name, error=str(error)
            )
            self._filters, self._next = False, float("-inf")
            return added
        reading.is_whole = True
        added = await self._record(reading)
        if reading.is_at_end and not look.metadata and self._age.proves(list(reading.pages.values())):
            self._log.info(
                "the list has shown to be ordered by age: what is new is looked for on top", source=self._name
            )
        self._known[look.key] = reading.worth_again() if self._age.is_known else reading.pages
        self._tell_cost(len(reading.pages))
        return added

    async def _read(self, look: Look, offered: _Pages, known: _Pages, reading: _Reading) -> None:
        """Read as much of the list as has to be seen, and judge what differs from the pages that are known."""
        is_by_age = self._age.suffices()
        is_proof = self._age.is_known and not is_by_age
        async with aclosing(self._pages(look, offered, reading)) as pages:
            async for cursor, page in pages:
                is_known = known.get(cursor) is page
                if not is_known and not reading.scans:
                    reading.scans = await self._begin(look, reading.parts)
                self._take(reading.scans, page, is_known=is_known)
                reading.parts[-1][cursor] = page
                if reading.scans:
                    is_by_age = is_by_age and self._age.is_known
                    reading.is_enough = not any(scan.wants_more(is_by_age=is_by_age) for scan in reading.scans)
                else:
                    reading.is_enough = page.after not in known and not is_proof

    async def _begin(self, look: Look, unchanged: Sequence[_Pages]) -> list[RuleScan]:
        recorded = await self._store.lines(self._name)
        now = self._runtime.clock()
        scans = [RuleScan(rule, recorded.get(rule.name), now) for rule in look.rules]
        for part in unchanged:
            for scan in scans:
                scan.begin_part()
            for page in part.values():
                self._take(scans, page, is_known=True)
        return scans

    def _take(self, scans: Sequence[RuleScan], page: Page, *, is_known: bool) -> None:
        if self._age.refutes(page):
            self._log.warning("the list is not ordered by age, so every scan reads all of it", source=self._name)
        for scan in scans:
            if is_known and not scan.is_first:
                scan.skip(page.jobs)
            else:
                scan.take(page, self._states)

    async def _pages(
        self, look: Look, offered: _Pages, reading: _Reading
    ) -> AsyncGenerator[tuple[str | None, Page], None]:
        """Give the pages of the lists, those that were read anyway among them, with what they are asked for with."""
        seen: set[str] = set()
        cursor: str | None = None
        begins_part = has_all = True
        for _ in range(MOST_PAGES):
            if begins_part:
                reading.begin_part()
            page = offered.get(cursor)
            if page is None and look.metadata:
                page = await self._source.page(cursor, metadata=look.metadata)
            elif page is None:
                page = await self._source.page(cursor)
            yield cursor, page
            has_all = has_all and not reading.is_enough
            cursor = page.next_part if reading.is_enough else page.after
            # A service that does not know its cursors shows the same jobs again and again.
            if cursor is None or (page.jobs and page.jobs.keys() <= seen):
                reading.is_at_end = has_all
                return
            begins_part = cursor == page.next_part
            seen |= page.jobs.keys()
        self._log.warning("the list has no end, what lies deeper is not looked at", source=self._name, pages=MOST_PAGES)

    async def _record(self, reading: _Reading) -> int:
        added = 0
        for scan in reading.scans:
            adoption = scan.adoption(is_whole=reading.is_whole, is_at_end=reading.is_at_end)
            if adoption is None:
                continue
            result = await self._store.adopt(adoption, self._runtime.clock())
            self._tell(scan, len(result.added), result.refused, is_whole=reading.is_whole)
            added += len(result.added)
        return added

    def _tell(self, scan: RuleScan, added: int, refused: int, *, is_whole: bool) -> None:
        rule = scan.rule
        if scan.is_first and is_whole:
            self._log.info(
                "the line of a rule is drawn: from now on every new job that it matches is watched",
                rule=rule.name,
                source=rule.source,
                listed=scan.verdicts.total(),
                adopted=added,
                ended_before=scan.verdicts[Verdict.ENDED_BEFORE] + scan.verdicts[Verdict.UNDATED],
            )
        elif added:
            self._log.info("jobs discovered", rule=rule.name, source=rule.source, jobs=added)
        if refused and rule.name not in self._full:
            self._log.warning(
                "a rule has reached its limit: raise it, or let the rule match less",
                rule=rule.name,
                limit=rule.limit,
                not_watched=refused,
            )
        (self._full.add if refused else self._full.discard)(rule.name)
        self._counts[rule.name] += added
        self._runtime.telemetry.discovered(rule.name, added)

    def _tell_cost(self, pages: int) -> None:
        """Say once what it costs that the order of the list is not known."""
        if self._age.is_known or pages == 1 or self._has_told_cost:
            return
        self._has_told_cost = True
        self._log.warning(
            "the order of the list is not known, so every scan reads all of it",
            source=self._name,
            requests=pages,
            every_seconds=self._interval,
        )
