"""`watcher sources` and `watcher jobs discover`: what a source answers, and what rules would make of it."""

from __future__ import annotations

import json

from tests.e2e.processes import Command
from tests.e2e.settings import settings
from watcher.simulator.api import FineTuningApi
from watcher.simulator.script import Fault, JobScript, Step


def a_job(job_id: str, status: str, team: str = "nlp") -> JobScript:
    return JobScript(job_id, (Step(status),), suffix=f"bot-{job_id}", metadata={"team": team})


async def test_a_source_that_answers_is_said_to(watcher: Command, api: FineTuningApi) -> None:
    for number in range(120):
        api.add_job(a_job(f"job-{number}", "running"))
    watcher.configure(settings(api.base_url, watcher.database))
    tried = await watcher.run("sources", "test", "openai")
    assert tried.code == 0
    assert tried.out.startswith("openai: reachable; accepted; 100 jobs on the first page, and more behind it; can: ret")
    told = json.loads((await watcher.run("sources", "test", "openai", "--json")).out)
    assert (told["reachable"], told["accepted"], told["jobs"], told["has_more"]) == (True, True, 100, True)
    assert told["capabilities"]["order"] == "newest first"
    assert told["error"] is None


async def test_the_exit_code_says_what_is_wrong_with_a_source(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database))
    api.add_fault(Fault(status_code=401, times=1))
    rejected = await watcher.run("sources", "test", "openai")
    assert rejected.code == 4
    assert "reachable; we are rejected; HTTP 401" in rejected.out
    wrong = settings(api.base_url.removesuffix("/v1"), watcher.database)
    watcher.configure(wrong)
    lost = await watcher.run("sources", "test", "openai")
    assert lost.code == 5
    watcher.configure(settings("http://127.0.0.1:9/v1", watcher.database))
    silent = await watcher.run("sources", "test", "openai", "--json")
    assert silent.code == 6
    told = json.loads(silent.out)
    assert (told["reachable"], told["accepted"]) == (False, None)
    unknown = await watcher.run("sources", "test", "azur")
    assert unknown.code == 2
    assert "no source is named 'azur'; the configuration has: openai" in unknown.err


async def test_sources_are_listed_with_what_they_can_and_what_is_wrong_with_them(
    watcher: Command, api: FineTuningApi
) -> None:
    given = settings(api.base_url, watcher.database, watch=[{"rule": "all"}])
    given["sources"]["together"] = {"kind": "together"}
    watcher.configure(given)
    listed = json.loads((await watcher.run("sources", "list", "--json")).out)
    openai, together = sorted(listed, key=lambda row: str(row["source"]))
    assert (openai["kind"], openai["rules"], openai["capabilities"]["lists"]) == ("openai", ["all"], True)
    assert together["capabilities"] is None
    assert "no API key" in together["trouble"]
    shown = await watcher.run("sources", "list")
    assert "lists (newest first)" in shown.out


async def test_what_rules_would_watch_is_shown_and_why_not_the_rest(watcher: Command, api: FineTuningApi) -> None:
    for job in (a_job("old", "failed"), a_job("going", "running"), a_job("other", "running", team="vision")):
        api.add_job(job)
    rules = [{"rule": "nlp", "match": {"metadata": {"team": "nlp"}}}, {"rule": "vision", "match": {"suffix": "x*"}}]
    watcher.configure(settings(api.base_url, watcher.database, watch=rules))
    dry = await watcher.run("jobs", "discover", "--rule", "nlp", "--dry-run", "--json")
    assert dry.code == 0
    assert {row["id"]: (row["verdict"], row["why"]) for row in json.loads(dry.out)} == {
        "old": ("ended_before", "had ended before the rule existed"),
        "going": ("adopted", "matches"),
        "other": ("other_metadata", "other metadata"),
    }
    assert "nothing was changed" in dry.err
    assert json.loads((await watcher.run("jobs", "list", "--json")).out) == []
    done = await watcher.run("jobs", "discover")
    assert done.code == 0
    assert "newly watched: 1" in done.err
    assert [row["id"] for row in json.loads((await watcher.run("jobs", "list", "--json")).out)] == ["going"]
    again = json.loads((await watcher.run("jobs", "discover", "--rule", "nlp", "--dry-run", "--json")).out)
    assert {row["id"]: row["verdict"] for row in again} == {
        "old": "seen_before",
        "going": "watched",
        "other": "other_metadata",
    }
    await watcher.run("jobs", "remove", "going")
    removed = json.loads((await watcher.run("jobs", "discover", "--rule", "nlp", "--dry-run", "--json")).out)
    assert {row["id"]: row["verdict"] for row in removed}["going"] == "removed"


async def test_discovery_that_cannot_be_done_says_why(watcher: Command, api: FineTuningApi) -> None:
    watcher.configure(settings(api.base_url, watcher.database, watch=[{"rule": "nlp"}]))
    unknown = await watcher.run("jobs", "discover", "--rule", "npl")
    assert (unknown.code, "no rule is named 'npl'; there are: nlp" in unknown.err) == (2, True)
    api.add_fault(Fault(status_code=401, times=1))
    rejected = await watcher.run("jobs", "discover")
    assert rejected.code == 4
    assert "the list cannot be read" in rejected.err
    watcher.configure(settings(api.base_url, watcher.database, watch=[]))
    none = await watcher.run("jobs", "discover")
    assert (none.code, "no rule is configured" in none.err) == (2, True)
