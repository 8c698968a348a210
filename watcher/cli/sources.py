"""`watcher sources`: which there are, and whether they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from watcher.cli.completion import complete_sources
from watcher.cli.exit_codes import Exit
from watcher.cli.options import Command, ConfigOption, JsonOption, log_options, read_settings
from watcher.cli.output import write_json, write_line
from watcher.cli.signals import run_until_signal
from watcher.cli.source_errors import code_of
from watcher.cli.tables import Column, write_table
from watcher.cli.text_log import TextLog
from watcher.domain.overview import counted
from watcher.domain.text import printable
from watcher.errors import ConfigurationError, MissingError, RejectedError, SourceError
from watcher.plugins.source import DEFAULT_SOURCE, ListOrder
from watcher.service.bootstrap import open_source, real_runtime

if TYPE_CHECKING:
    from watcher.engine.runtime import Runtime
    from watcher.plugins.source import Capabilities, Source
    from watcher.settings.model import Settings, SourceSettings

app = typer.Typer(help="Show the sources, and try them.", no_args_is_help=True)

NO_SUCH_JOB = "ftjob-watcher-asks-for-what-is-not-there"
COLUMNS: Sequence[Column | str] = [
    "source",
    "kind",
    "is_used",
    "jobs",
    "rules",
    Column("can", is_text=True),
    Column("trouble", is_text=True),
]
IMPORTANT = ["source", "kind", "trouble", "can", "rules", "jobs", "is_used"]
_ABILITIES = ("lists", "filters", "events", "metrics", "checkpoints", "webhooks")


@app.command("list", cls=Command)
def list_sources(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the sources of the configuration, what each can be asked for, and what is wrong with its settings."""
    from watcher.settings.conversion import discovery_rules, sources_used

    settings = read_settings(config)
    runtime, used, rules = _runtime(settings), sources_used(settings), discovery_rules(settings)
    rows: list[dict[str, object]] = []
    for name, chosen in settings.sources.items():
        can, trouble = _capabilities(name, chosen, runtime)
        theirs = [rule.name for rule in rules if rule.source == name]
        named: dict[str, object] = {
            "source": name,
            "kind": chosen.kind,
            "is_used": name in used,
            "jobs": sum(job.key.source == name for job in settings.jobs),
            "rules": theirs,
        }
        if as_json:
            rows.append(named | {"capabilities": can and asdict(can), "trouble": trouble})
        else:
            words = {"can": _words(can) if can else None, "trouble": trouble, "rules": ", ".join(theirs)}
            rows.append(named | {"is_used": "yes" if name in used else "no"} | words)
    if as_json:
        write_json(rows)
    else:
        write_table(COLUMNS, IMPORTANT, rows, "no sources")


@app.command(cls=Command)
def test(
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=complete_sources, help="A source of the configuration.")
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask a source for one page of its list, or for a job that cannot be there, and say how that went.

    Exit codes: 0 it answers and accepts us; 2 usage or configuration; 4 rejected (401, 403, no quota); 5 nothing is
    found at its address; 6 no usable answer.
    """
    settings = read_settings(config)
    if name not in settings.sources:
        known = ", ".join(sorted(settings.sources))
        raise ConfigurationError(f"no source is named {name!r}; the configuration has: {known}")
    raise typer.Exit(run_until_signal(_test(settings, name, as_json=as_json)))


@dataclass(frozen=True, slots=True)
class _Trial:
    """How a source answered."""

    source: str
    capabilities: Capabilities
    seconds: float
    jobs: int | None = None
    """How many jobs its page holds; None without a page."""
    has_more: bool = False
    error: SourceError | None = None

    @property
    def is_reachable(self) -> bool:
        return self.error is None or self.error.status_code is not None

    @property
    def is_accepted(self) -> bool | None:
        """Whether it accepts our credentials; None where that cannot be said."""
        if self.error is None or isinstance(self.error, MissingError):
            return True
        return False if isinstance(self.error, RejectedError) else None

    def row(self, kind: str) -> dict[str, object]:
        """Return it for programs."""
        return {
            "source": self.source,
            "kind": kind,
            "reachable": self.is_reachable,
            "accepted": self.is_accepted,
            "jobs": self.jobs,
            "has_more": self.has_more,
            "capabilities": asdict(self.capabilities),
            "seconds": round(self.seconds, 3),
            "error": str(self.error) if self.error else None,
            "request_id": self.error.request_id if self.error else None,
        }

    def words(self) -> str:
        """Say it to people."""
        parts = ["reachable" if self.is_reachable else "cannot be reached"]
        if self.is_accepted is not None:
            parts.append("accepted" if self.is_accepted else "we are rejected")
        if self.error:
            parts.append(str(self.error))
        elif self.jobs is not None:
            parts.append(
                f"{counted(self.jobs, 'jobs')} on the first page" + (", and more behind it" if self.has_more else "")
            )
        else:
            parts.append("it has no list of jobs")
        return f"{self.source}: {'; '.join([*parts, f'can: {_words(self.capabilities)}', f'{self.seconds:.2f} s'])}"


async def _test(settings: Settings, name: str, *, as_json: bool) -> int:
    runtime = _runtime(settings)
    async with open_source(name, settings.sources[name], runtime) as source:
        trial = await _try(name, source)
    if as_json:
        write_json(trial.row(settings.sources[name].kind))
    else:
        write_line(printable(trial.words()))
    return Exit.OK if trial.error is None else code_of(trial.error)


async def _try(name: str, source: Source) -> _Trial:
    """Ask for a page of the list; where there is none, for a job that cannot be there, which is to be missing."""
    begun, can = monotonic(), source.capabilities
    try:
        if can.lists:
            page = await source.page()
            return _Trial(name, can, monotonic() - begun, len(page.jobs), page.after is not None)
        await source.retrieve(NO_SUCH_JOB)
    except SourceError as error:
        is_expected = isinstance(error, MissingError) and not can.lists
        return _Trial(name, can, monotonic() - begun, error=None if is_expected else error)
    return _Trial(name, can, monotonic() - begun)


def _capabilities(name: str, chosen: SourceSettings, runtime: Runtime) -> tuple[Capabilities | None, str | None]:
    """Return what a source can be asked for, and what is wrong with its settings."""
    try:
        return open_source(name, chosen, runtime).capabilities, None
    except ConfigurationError as error:
        return None, "; ".join(error.mistakes)


def _words(can: Capabilities) -> str:
    words = [ability for ability in _ABILITIES if getattr(can, ability)]
    order = "order unknown" if can.order is ListOrder.UNKNOWN else can.order
    return ", ".join(["retrieve", *(f"lists ({order})" if word == "lists" else word for word in words)])


def _runtime(settings: Settings) -> Runtime:
    return real_runtime(TextLog("error", log_options(settings).secrets, DEFAULT_SOURCE))
