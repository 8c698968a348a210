"""`watcher retrieve`: one look at a job."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

from watcher.cli.completion import complete_jobs
from watcher.cli.exit_codes import Exit
from watcher.cli.job_reference import JobReference
from watcher.cli.options import ComplaintFormatOption, ComplaintLevelOption, ConfigOption, as_job
from watcher.cli.output import tell, write_line
from watcher.cli.selection import ApiKeyFileOption, BaseUrlOption, CommandOptions, SelectedJobs, select_jobs
from watcher.cli.signals import run_until_signal
from watcher.cli.source_errors import code_of
from watcher.domain.jobs import Job, Observation
from watcher.domain.messages import facts_of
from watcher.domain.states import shown_status
from watcher.domain.text import printable
from watcher.domain.transitions import detect
from watcher.errors import SourceError
from watcher.service.bootstrap import real_runtime


class Format(StrEnum):
    """How to print a job."""

    JSON = "json"
    PRETTY = "pretty"
    TEXT = "text"


def retrieve(
    job: Annotated[
        JobReference | None,
        typer.Argument(
            metavar="[ID]",
            parser=as_job,
            autocompletion=complete_jobs,
            help="A job: ID or SOURCE/ID.",
            show_default=False,
        ),
    ] = None,
    fine_tuning_job_id: Annotated[
        JobReference | None, typer.Option(parser=as_job, metavar="ID", help="The same, as OpenAI's command names it.")
    ] = None,
    output: Annotated[
        Format,
        typer.Option("--format", help="json: exactly what the API gave; pretty: indented; text: the facts."),
    ] = Format.JSON,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    base_url: BaseUrlOption = None,
    api_key_file: ApiKeyFileOption = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="The API key of the source 'openai'. Lists of processes show it: better use a file."
        ),
    ] = None,
    config: ConfigOption = None,
    log_level: ComplaintLevelOption = None,
    log_format: ComplaintFormatOption = None,
) -> None:
    """Ask once for a job and print it.

    Exit codes: 0 it was printed, in any status; 2 usage or configuration; 4 rejected (401, 403, no quota);
    5 not found; 6 no usable answer.
    """
    reference = job or fine_tuning_job_id
    if reference is None or (job and fine_tuning_job_id):
        raise typer.BadParameter("give one job ID, as an argument or with --fine-tuning-job-id")
    if api_key is not None:
        tell("--api-key: every user of this machine can read it in the list of processes; better: --api-key-file")
    options = CommandOptions(config, log_level, log_format, base_url, api_key_file, api_key)
    chosen = select_jobs([reference], options)
    raise typer.Exit(run_until_signal(_retrieve(chosen, Format.JSON if as_json else output)))


async def _retrieve(chosen: SelectedJobs, output: Format) -> int:
    key = chosen.specs[0].key
    async with chosen.sources[key.source](real_runtime(chosen.log)) as source:
        try:
            observation = await source.retrieve(key.id)
        except SourceError as error:
            facts = {"error": str(error), "request_id": error.request_id, "hint": chosen.hint(key.source, str(error))}
            chosen.log.error("not retrieved", job=str(key), **facts)
            return code_of(error)
    if observation:
        write_line(_RENDERINGS[output](observation))
    return Exit.OK


def _pretty(observation: Observation) -> str:
    document = json.dumps(json.loads(observation.document), indent=2, ensure_ascii=False)
    # Still JSON, but nothing in it can drive a terminal.
    return "".join(
        character if character == "\n" or printable(character) == character else json.dumps(character)[1:-1]
        for character in document
    )


def _text(observation: Observation) -> str:
    transition = detect(Job(observation.key), observation)
    lines = [f"{'Status':<18}{shown_status(observation.status, observation.state)}"]
    lines += [f"{fact.label:<18}{fact.value}" for fact in (facts_of(transition) if transition else ())]
    return "\n".join(printable(line) for line in lines)


_RENDERINGS = {Format.JSON: lambda observation: observation.document, Format.PRETTY: _pretty, Format.TEXT: _text}
