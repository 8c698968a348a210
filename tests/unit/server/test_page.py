"""The page for people, as a browser gets it."""

from __future__ import annotations

import hashlib
import math
import re
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from importlib.resources import files

import httpx
import pytest

from tests.doubles import START, ManualClock, RecordingLog
from tests.unit.server.running_server import TOKEN, Site, a_health_snapshot, as_query, see, watch
from watcher.curves.charts import MOST_DRAWN
from watcher.domain.conditions import Health
from watcher.domain.deliveries import Delivered, DeliveryState, Failed, Outcome, Rejected, after_attempt
from watcher.domain.jobs import JobError, JobFacts, JobKey, JobSpec
from watcher.domain.polling_policy import MISSING_TOLERATED, PollingPolicy
from watcher.domain.telemetry import MetricPoint
from watcher.engine.ports import Change
from watcher.server.page.assets import IDIOMORPH, IDIOMORPH_SHA256
from watcher.server.page.overview import PAGE_SIZE
from watcher.store.sql import SqlStore

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN_PAGE = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
HOSTILE = '<script>alert(1)</script>" onload="x" \u202e ' + "y" * 10_000
MOST_SCRIPT_BYTES = 20_000


class Reader(HTMLParser):
    """Reads what a person sees, and what a browser would run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.links: list[str] = []
        self.tags: list[str] = []
        self.inline: list[str] = []
        self._tag = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        self.inline += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        if self._tag in {"script", "style"} and data.strip():
            self.inline.append(data)
        self.text += f" {' '.join(data.split())}" if data.strip() else ""


def basic(token: str, user: str = "me") -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{user}:{token}'.encode()).decode()}"}


async def seen(client: httpx.AsyncClient, path: str, status: int = 200) -> Reader:
    answer = await client.get(path)
    assert answer.status_code == status
    return Reader(answer.text)


def order(text: str, *words: str) -> Collection[int]:
    return [text.index(word) for word in words]


async def test_what_needs_a_person_comes_first_then_what_runs_then_what_ended(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "a-done", "b-runs", "c-broke", "d-new", "e-gone", "f-broke-long-ago", "g-stuck")
    await see(store, "f-broke-long-ago", "failed")
    clock.move(days=1, seconds=30)  # what failed at the start is old news, and what failed a minute later is not
    for job_id, status in (("a-done", "succeeded"), ("b-runs", "running"), ("g-stuck", "queued")):
        await see(store, job_id, status)
    broke = JobFacts(error=JobError("invalid_file", "line 7 has no answer"))
    await see(store, "c-broke", "queued", "failed", facts=broke)
    gone = await store.job(JobKey("openai", "e-gone"))
    assert gone is not None
    await store.record([Change(0, gone._replace(missing=MISSING_TOLERATED + 1, last_error="HTTP 404"))])
    async with site(stuck_after=lambda: {"queued": timedelta(hours=6)}) as client:
        page = await seen(client, "/")
    headings = ["Needs a person", "Under way", "Ended lately"]
    expected = [headings[0], "c-broke", "line 7 has no answer", headings[1], "b-runs", "d-new", headings[2], "a-done"]
    places = order(page.text, *expected)
    assert places == sorted(places)
    for job_id in ("e-gone", "g-stuck"):
        assert page.text.count(job_id) == 1
        assert page.text.index(job_id) < page.text.index(headings[1])
    assert "missing: its source does not know it" in page.text
    assert "stuck: no change for 1d" in page.text
    assert page.text.index("f-broke-long-ago") > page.text.index(headings[2])
    assert "7 watched" in page.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "running"}, ["nlp-1"]),
        ({"label": "team=nlp"}, ["nlp-1", "nlp-2"]),
        ({"q": "NLP-2"}, ["nlp-2"]),
        ({"q": "friendly"}, ["other"]),
        ({"q": "%"}, []),
        ({"source": "azure"}, []),
        ({"source": "openai", "state": "queued", "label": "", "q": ""}, ["other"]),
    ],
    ids=as_query,
)
async def test_jobs_are_found_by_source_state_label_and_text(
    site: Site, store: SqlStore, query: dict[str, str], expected: list[str]
) -> None:
    specs = [JobSpec(JobKey("openai", each), labels={"team": "nlp"}) for each in ("nlp-1", "nlp-2")]
    await store.upsert_jobs([*specs, JobSpec(JobKey("openai", "other"), "Friendly name")], START)
    await see(store, "nlp-1", "running")
    await see(store, "other", "queued")
    async with site() as client:
        answer = await client.get("/", params=query)
    assert answer.status_code == 200
    shown = [link.rpartition("/")[2] for link in Reader(answer.text).links if link.startswith("/jobs/")]
    assert shown == expected


async def test_pages_follow_one_another_without_missing_a_job(site: Site, store: SqlStore) -> None:
    ids = [f"job-{number:03}" for number in range(2 * PAGE_SIZE + 1)]
    await watch(store, *ids)
    found: list[str] = []
    async with site() as client:
        path: str | None = "/"
        while path:
            page = await seen(client, path)
            found += [link.rpartition("/")[2] for link in page.links if link.startswith("/jobs/")]
            path = next((link for link in page.links if "after=" in link), None)
    assert found == ids


async def test_a_job_says_what_happened_why_and_who_was_told(site: Site, store: SqlStore, clock: ManualClock) -> None:
    await watch(store, "ftjob-1")
    facts = JobFacts(
        model="base",
        created_at=START - timedelta(hours=1),
        finished_at=START + timedelta(minutes=2),
        trained_tokens=1234,
    )
    facts = replace(facts, error=JobError("user_error", "line 7 is empty", "training_file"))
    await see(store, "ftjob-1", "queued", "running", "failed", recipients=("pager",), facts=facts)
    (claimed, *_) = await store.claim({"pager": 1}, clock.move(minutes=9), clock.move(seconds=30))
    await store.settle([after_attempt(claimed, Rejected("HTTP 410"), clock(), 0)])
    async with site() as client:
        page = await seen(client, "/jobs/openai/ftjob-1")
    for text in ("Why it failed", "line 7 is empty", "training_file", "base", "1h 2m", "1,234", "HTTP 410", "dead"):
        assert text in page.text
    places = order(
        page.text, "queued 2026-11-24 12:00:00Z at least 1m", "running 2026-11-24 12:01:00Z 1m", "Who was told"
    )
    assert places == sorted(places)


async def test_a_job_that_runs_says_when_it_is_polled_next_and_what_it_trains_with(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    (transition,) = await see(store, "ftjob-1", "running")
    assert transition.document
    policy = PollingPolicy(timedelta(seconds=10), timedelta(minutes=1))
    async with site(polling_policy=lambda _source: policy) as client:
        page = await seen(client, "/jobs/openai/ftjob-1")
    assert "Next poll now: every 10s" in page.text


async def test_a_job_shows_how_it_trains(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "running")
    losses = [MetricPoint("train_loss", step, 2.5 - step / 1000, START) for step in range(1, 1001)]
    odd = [MetricPoint("valid_loss", 500, 1.9, START), MetricPoint("valid_loss", 600, math.nan, START)]
    accuracy = [MetricPoint("train_mean_token_accuracy", 1, 0.25, START)]
    await store.record_points(JobKey("openai", "ftjob-1"), [*losses, *odd, *accuracy], "a", START)
    async with site() as client:
        answer = await client.get("/jobs/openai/ftjob-1")
    page = Reader(answer.text)
    assert "train_loss 2.499 1.5 1.5" in page.text
    assert "valid_loss 1 values are NaN or infinite 1.9 1.9 1.9" in page.text
    assert "train_mean_token_accuracy 0.25 0.25 0.25" in page.text
    lines = [ET.fromstring(line) for line in re.findall("<polyline.*?</polyline>", answer.text)]
    assert [len(line.attrib["points"].split()) <= MOST_DRAWN for line in lines] == [True, True, True]
    first, *_, last = lines[0].attrib["points"].split()
    assert (first, last) == ("0.0,0.0", "900.0,220.0")


async def test_what_others_have_written_is_text_and_nothing_else(site: Site, store: SqlStore) -> None:
    spec = JobSpec(JobKey("openai", "ftjob-1"), '<b>"name"', {"<i>": "</table>"})
    await store.upsert_jobs([spec], START)
    facts = JobFacts(model=HOSTILE, fine_tuned_model=HOSTILE, error=JobError(HOSTILE, HOSTILE, HOSTILE))
    await see(store, "ftjob-1", "running", "failed", recipients=("pager",), facts=facts)
    async with site() as client:
        for path in ("/", "/jobs/openai/ftjob-1", "/deliveries"):
            page = await seen(client, path)
            assert page.inline == []
            assert page.tags.count("script") == 2
            assert not {"b", "i"} & set(page.tags)
            assert "\u202e" not in page.text
            assert '<b>"name"' in page.text
        badge = await client.get("/badge/openai/ftjob-1.svg")
        feed = await client.get("/feed.atom")
    for answer in (badge, feed):
        ET.fromstring(answer.text)
        assert "<script" not in answer.text


async def test_nothing_is_sent_again_while_nothing_changes(site: Site, store: SqlStore, clock: ManualClock) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        first = await client.get("/")
        clock.move(seconds=3)
        again = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
        await see(store, "ftjob-1", "running")
        changed = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert "as of 12:00:00Z" in first.text
    assert "as of 12:00:03Z" in changed.text


@pytest.mark.parametrize(
    "path", ["/", "/deliveries", "/notifiers", "/silences", "/sources", "/jobs/openai/none", "/?state=x"]
)
async def test_a_page_may_load_nothing_from_elsewhere_and_run_nothing_inline(site: Site, path: str) -> None:
    async with site() as client:
        answer = await client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert Reader(answer.text).inline == []


async def test_scripts_are_few_and_the_foreign_one_is_the_one_that_was_chosen(site: Site) -> None:
    directory = files("watcher.server.page").joinpath("static")
    assert hashlib.sha256(directory.joinpath(IDIOMORPH).read_bytes()).hexdigest() == IDIOMORPH_SHA256
    async with site() as client:
        page = (await client.get("/")).text
        names = ("page.css", "live.js", IDIOMORPH)
        answers = {name: await client.get(f"/static/{name}") for name in names}
        missing = await client.get("/static/../auth.py")
    assert all(f"/static/{name}?" in page for name in names)
    assert all("immutable" in answer.headers["cache-control"] for answer in answers.values())
    assert len(answers["live.js"].content) + len(answers[IDIOMORPH].content) <= MOST_SCRIPT_BYTES
    assert missing.status_code == 404


async def test_a_problem_is_told_as_a_page(site: Site) -> None:
    async with site() as client:
        unknown = await seen(client, "/jobs/openai/none", 404)
        wrong = await seen(client, "/?state=bogus&label=x", 422)
    assert "openai/none is not watched" in unknown.text
    assert "expected one of: pending" in wrong.text
    assert "expected NAME=VALUE" in wrong.text


async def test_the_state_of_a_job_is_a_picture(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        before = await client.get("/badge/openai/ftjob-1.svg")
        await see(store, "ftjob-1", "running", "succeeded")
        after = await client.get("/badge/openai/ftjob-1.svg")
        missing = await client.get("/badge/openai/none.svg")
    assert before.headers["content-type"] == "image/svg+xml"
    assert "ftjob-1: not seen yet" in before.text
    assert "ftjob-1: succeeded" in after.text
    assert missing.status_code == 404


async def test_a_feed_lists_the_newest_transitions(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    *_, last = await see(store, "ftjob-1", "queued", "succeeded", facts=JobFacts(fine_tuned_model="ft:model"))
    async with site() as client:
        root = ET.fromstring((await client.get("/feed.atom")).text)
    atom = "{http://www.w3.org/2005/Atom}"
    titles = [entry.findtext(f"{atom}title") for entry in root.iter(f"{atom}entry")]
    assert titles == ["ftjob-1: queued → succeeded", "ftjob-1: queued"]
    first = next(root.iter(f"{atom}entry"))
    assert first.findtext(f"{atom}id") == f"urn:finetune-watcher:event:{last.id}"
    assert "ft:model" in (first.findtext(f"{atom}summary") or "")


async def test_the_pages_say_who_was_told_and_what_each_receiver_answered(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "failed", recipients=("chat", "pager"))
    for notifier, outcome in (("chat", Delivered("200 OK: <b>posted</b>")), ("pager", Rejected("410 Gone"))):
        (claimed,) = await store.claim({notifier: 1}, clock(), clock.move(seconds=30))
        await store.settle([after_attempt(claimed, outcome, clock(), 0)])
    async with site() as client:
        told, listed = [
            (await client.get(path)).text for path in ("/jobs/openai/ftjob-1", "/deliveries?state=delivered")
        ]
    assert all(each in told for each in ("200 OK: &lt;b&gt;posted&lt;/b&gt;", "410 Gone"))
    assert "200 OK: &lt;b&gt;posted&lt;/b&gt;" in listed


async def dead_delivery(store: SqlStore, clock: ManualClock) -> int:
    """Let a delivery be refused for good; return its number."""
    await watch(store, "ftjob-1")
    await see(store, "ftjob-1", "failed", recipients=("pager",))
    (claimed,) = await store.claim({"pager": 1}, clock(), clock.move(seconds=30))
    await store.settle([after_attempt(claimed, Rejected("HTTP 410"), clock(), 0)])
    return claimed.id


@pytest.mark.parametrize(
    ("action", "state", "notice"),
    [
        ("retry", DeliveryState.PENDING, "It will be sent again now."),
        ("discard", DeliveryState.DISCARDED, "It will not be sent."),
    ],
)
async def test_a_dead_delivery_is_retried_or_discarded(
    site: Site, store: SqlStore, clock: ManualClock, action: str, state: DeliveryState, notice: str
) -> None:
    number = await dead_delivery(store, clock)
    async with site() as client:
        shown = await client.get("/deliveries")
        assert f"Retry delivery {number}" in shown.text
        form = f"id={number}&action={action}"
        changed = await client.post("/deliveries", content=form, headers=OWN_PAGE | basic(TOKEN))
        after = await client.get(changed.headers["location"])
        again = await client.post("/deliveries", content="id=999&action=retry", headers=OWN_PAGE)
    assert changed.status_code == 303
    assert notice in after.text
    assert [each.state for each in await store.deliveries()] == [state]
    assert again.headers["location"] == "/deliveries?done=unchanged"


@pytest.mark.parametrize(
    ("headers", "form", "status"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "id=1&action=retry", 403),
        ({"Sec-Fetch-Site": "same-site"}, "id=1&action=retry", 403),
        ({"Sec-Fetch-Site": ""}, "id=1&action=retry", 403),
        ({"Authorization": "Basic !"}, "id=1&action=retry", 401),
        ({"Authorization": "Basic bWU6d3Jvbmc="}, "id=1&action=retry", 401),
        ({"Content-Type": "text/plain"}, "id=1&action=retry", 415),
        ({}, "id=x&action=retry", 422),
        ({}, "id=1&action=delete", 422),
        ({}, "%", 400),
        ({}, "id=" + "1" * 70_000, 413),
    ],
    ids=str,
)
async def test_a_form_of_another_page_or_without_sense_changes_nothing(
    site: Site, store: SqlStore, clock: ManualClock, headers: dict[str, str], form: str, status: int
) -> None:
    number = await dead_delivery(store, clock)
    async with site() as client:
        form = form.replace("id=1&", f"id={number}&")
        answer = await client.post("/deliveries", content=form, headers=OWN_PAGE | basic(TOKEN) | headers)
    assert answer.status_code == status
    assert [each.state for each in await store.deliveries()] == [DeliveryState.DEAD]


async def test_a_silence_is_made_shown_with_who_made_it_and_ended(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        nothing = await seen(client, "/silences")
        form = "action=add&for=2h&label=team%3Dnlp&and_label=sweep%3D7&source=openai&everything=&reason=new+rack%3Cb%3E"
        made = await client.post("/silences", content=form, headers=OWN_PAGE | basic(TOKEN, "ada"))
        shown = await seen(client, made.headers["location"])
        (silence,) = await store.silences()
        ended = await client.post("/silences", content=f"action=expire&id={silence.name}", headers=OWN_PAGE)
        again = await client.post("/silences", content=f"action=expire&id={silence.name}", headers=OWN_PAGE)
        after = await seen(client, ended.headers["location"])
    assert "Nothing is muted." in nothing.text
    assert (silence.labels, silence.source) == ({"team": "nlp", "sweep": "7"}, "openai")
    assert (silence.reason, silence.created_by, silence.until) == ("new rack<b>", "ada", START + timedelta(hours=2))
    for text in ("It is muted from now on.", "what is of openai", "team=nlp", "new rack<b>", "ada", "in 2h"):
        assert text in shown.text
    assert "The silence has ended." in after.text
    assert "team=nlp" not in after.text
    assert again.headers["location"] == "/silences?done=over"


async def test_what_a_silence_has_muted_is_shown_beside_it(site: Site, store: SqlStore) -> None:
    await watch(store, "ftjob-1")
    async with site() as client:
        await client.post("/silences", content="action=add&for=90m&everything=yes&reason=move", headers=OWN_PAGE)
        await see(store, "ftjob-1", "failed", recipients=("pager",))
        page = await seen(client, "/silences")
        deliveries = await seen(client, "/deliveries?state=muted")
    assert "everything" in page.text
    assert "silence 1: move" in page.text
    assert "/jobs/openai/ftjob-1" in page.links
    assert "silence 1: move" in deliveries.text


@pytest.mark.parametrize(
    ("headers", "form", "status", "words"),
    [
        ({"Sec-Fetch-Site": "cross-site"}, "action=add&for=1h&everything=yes", 403, ""),
        ({"Authorization": "Basic bWU6d3Jvbmc="}, "action=add&for=1h&everything=yes", 401, ""),
        ({}, "action=add&for=1h", 422, "expected a label, a source, or everything"),
        ({}, "action=add&for=1h&label=team", 422, "expected NAME=VALUE"),
        ({}, "action=add&for=soon&source=openai", 422, "expected a duration"),
        ({}, "action=add&source=openai", 422, "expected a duration"),
        ({}, "action=add&for=366d&source=openai", 422, "expected a whole number of seconds"),
        ({}, "action=add&for=1h&source=nowhere", 422, "there are: openai"),
        ({}, "action=add&for=1h&source=openai&everything=yes", 422, "would mute everything"),
        ({}, "action=expire&id=x", 422, "which silence"),
        ({}, "action=mute", 422, "action=add or action=expire"),
    ],
    ids=str,
)
async def test_a_silence_that_makes_no_sense_or_comes_from_elsewhere_mutes_nothing(
    site: Site, store: SqlStore, headers: dict[str, str], form: str, status: int, words: str
) -> None:
    async with site() as client:
        answer = await client.post("/silences", content=form, headers=OWN_PAGE | basic(TOKEN) | headers)
    assert answer.status_code == status
    assert words in Reader(answer.text).text or words in answer.text
    assert await store.silences() == []


async def test_without_a_token_in_the_settings_a_page_is_read_and_changes_nothing(
    site: Site, store: SqlStore, clock: ManualClock
) -> None:
    number = await dead_delivery(store, clock)
    async with site(token=None) as client:
        shown = await client.get("/deliveries")
        silences = await seen(client, "/silences")
        answer = await client.post("/deliveries", content=f"id={number}&action=retry", headers=OWN_PAGE)
        muted = await client.post("/silences", content="action=add&for=1h&everything=yes", headers=OWN_PAGE)
    assert "Retry" not in shown.text
    assert "http.token" in silences.text
    assert "button" not in silences.tags
    assert (answer.status_code, muted.status_code) == (403, 403)


async def test_a_browser_is_asked_for_the_token_as_a_password(site: Site) -> None:
    async with site() as client:
        del client.headers["Authorization"]
        refused = await client.get("/", headers={"Accept": "text/html,*/*"})
        file = await client.get("/static/live.js", headers={"Sec-Fetch-Mode": "no-cors"})
        program = await client.get("/")
        admitted = await client.get("/", headers=basic(TOKEN, "any: name") | {"Accept": "text/html"})
        right = await client.get("/", headers=basic(TOKEN))
    assert refused.headers["www-authenticate"].startswith("Basic ")
    assert file.headers["www-authenticate"].startswith("Basic ")
    assert program.headers["www-authenticate"].startswith("Bearer ")
    assert (refused.status_code, admitted.status_code, right.status_code) == (401, 401, 200)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Delivered("ok"), "accepted: ok"),
        (Delivered(), "accepted"),
        (Failed("HTTP 503"), "not accepted, may be later: HTTP 503"),
        (Rejected("no_service"), "rejected for good: no_service"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_notifier_is_tested_and_its_answer_shown(
    site: Site, clock: ManualClock, outcome: Outcome, words: str
) -> None:
    asked: list[str] = []

    async def send_test(notifier: str) -> Outcome:
        asked.append(notifier)
        return outcome

    health = a_health_snapshot(receivers=[Health("pager", last_success=clock())])
    async with site(health=health, send_test=send_test) as client:
        sent = await client.post("/notifiers", content="notifier=pager", headers=OWN_PAGE)
        unknown = await client.post("/notifiers", content="notifier=nobody", headers=OWN_PAGE)
        page = await seen(client, sent.headers["location"])
    assert asked == ["pager"]
    assert unknown.status_code == 422
    assert words in page.text


async def test_what_is_wrong_with_sources_and_notifiers_is_said_on_top(site: Site, clock: ManualClock) -> None:
    health = a_health_snapshot(
        rejections={"openai": "HTTP 401"},
        store_error="disk full",
        sources=[
            Health("openai", rejection="HTTP 401"),
            Health("azure", failing_since=clock(), error="HTTP 503"),
            Health("well", last_success=clock()),
            Health("new"),
        ],
        receivers=[
            Health("chat", failing_since=clock(), error="HTTP 500"),
            Health("gone", rejection="HTTP 410"),
            Health("pager"),
        ],
    )
    lately = {"budget": {"well": 600}.get, "requests": {"well": 1234}.get}
    async with site(health=health, polling_policy=lambda name: None if name == "new" else POLICY, **lately) as client:
        first, notifiers, sources = [(await seen(client, path)).text for path in ("/", "/notifiers", "/sources")]
    assert "Source azure does not answer: HTTP 503" in first
    for text in ("disk full", "Source openai refuses the watcher: HTTP 401", "Notifier chat cannot deliver: HTTP 500"):
        assert text in first
    for text in ("refuses HTTP 410", "HTTP 500", "not used yet"):
        assert text in notifiers
    for text in ("refuses HTTP 401", "HTTP 503", "answers", "not asked yet", "10s to 1m", "1,234 at most 600"):
        assert text in sources


POLICY = PollingPolicy(timedelta(seconds=10), timedelta(minutes=1))


async def test_a_fault_of_the_program_is_a_page_too(site: Site, log: RecordingLog) -> None:
    async def send_test(notifier: str) -> Outcome:
        raise ZeroDivisionError(notifier)

    async with site(send_test=send_test) as client:
        page = Reader((await client.post("/notifiers", content="notifier=pager", headers=OWN_PAGE)).text)
    assert "internal error" in page.text
    assert log.events("exception") == ["request failed with an internal error"]
