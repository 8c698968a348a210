"""Watches the runs of an in-house service: ids are resource names, statuses and errors have words of their own."""

from __future__ import annotations

from collections.abc import Mapping

from watcher.plugins import (
    Answer,
    BaseUrl,
    Capabilities,
    Endpoint,
    ErrorRules,
    FixedCredential,
    HttpSource,
    JobFacts,
    JobKey,
    JobState,
    KeySettings,
    ListEntry,
    Observation,
    Page,
    Part,
    Question,
    Source,
    SourceContext,
    SourcePlugin,
    StateMap,
    Text,
    Tolerant,
    any_id,
    complaint_about,
    listed_jobs,
    malformed,
    quoted,
    read,
    text_of,
)

STATES = StateMap({"WAITING": JobState.QUEUED, "FORGING": JobState.RUNNING, "FORGED": JobState.SUCCEEDED})


class Config(KeySettings):
    """The forge of the house."""

    url: BaseUrl


class Run(Part):
    """A run."""

    name: str
    phase: str
    metal: Text = None


class Runs(Part):
    """A page of runs."""

    runs: list[Tolerant[Run]] | None
    next: Text = None


class Forge:
    """Runs lie at `/runs`."""

    rules = ErrorRules(request_id="x-forge-trace")
    capabilities = Capabilities()

    def job(self, job_id: str) -> Question:
        return Question(f"/runs/{quoted(job_id)}")

    def page(self, cursor: str | None, metadata: Mapping[str, str]) -> Question:  # noqa: ARG002 - it does not filter
        return Question("/runs", (("token", cursor),) if cursor else ())

    def read_job(self, answer: Answer, key: JobKey, context: SourceContext) -> Observation:
        document = text_of(answer.body)
        run = read(Run, document)
        if last_part(run.name) != key.id:
            raise malformed("it is about another job", run.name)
        if complaint := complaint_about(run.phase):
            raise malformed(complaint, document)
        return Observation(key, run.phase, STATES(run.phase), context.clock(), JobFacts(model=run.metal), document)

    def read_page(self, answer: Answer, cursor: str | None) -> Page:
        page = read(Runs, text_of(answer.body))
        listed = [
            ListEntry(id=last_part(run.name), status=run.phase, model=run.metal) for run in page.runs or () if run
        ]
        return Page(listed_jobs(listed)[0], page.next if page.next != cursor else None)


def last_part(name: str) -> str:
    """Return what a resource name ends with."""
    return name.rpartition("/")[2]


def short_id(text: str) -> str:
    """Return the id that a run is asked for by, of one that may be a whole resource name."""
    return last_part(any_id(text))


def build(config: Config, context: SourceContext) -> Source:
    """Make a source."""
    return HttpSource(Endpoint(config.url, config.credential() or FixedCredential()), Forge(), context)


plugin = SourcePlugin(Config, build, STATES, {"FORGE_URL": "url", "FORGE_TOKEN": "api_key"}, read_id=short_id)
