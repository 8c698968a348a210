"""The page in a real browser: live, with every action, without script, on a phone, and for those who cannot see it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio

from tests.availability import unavailable
from tests.doubles import START, ManualClock
from tests.screenshots import NOW, PAGES, Scene
from tests.unit.server.running_server import TOKEN, Site, a_health_snapshot, see, watch
from tests.unit.server.test_page import HOSTILE, dead_delivery
from watcher.domain.conditions import Health
from watcher.domain.deliveries import Delivered, DeliveryState, Outcome
from watcher.domain.jobs import JobError, JobFacts, JobKey, JobSpec
from watcher.domain.silences import Silence
from watcher.domain.telemetry import MetricPoint
from watcher.store.sql import SqlStore

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.system]

CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
REBOUND = "rebound.example"
"""The name of a web page that its owner has pointed at this host."""
PATHS = (*PAGES.values(), "/jobs/openai/hostile", "/jobs/openai/good", "/jobs/openai/none")
POLL_MILLISECONDS = 3_000
LOOKS: Sequence[tuple[str, int]] = (("light", 1100), ("dark", 1100), ("dark", 360))
WIDTHS = (360, 660, 720, 890, 900, 1040, 1060, 1280, 1920)
BROKEN = """[...document.querySelectorAll("td .state, th, td")].filter(each => each.matches(".state")
    ? each.offsetHeight > 2 * parseFloat(getComputedStyle(each).fontSize)
    : each.scrollWidth > each.clientWidth + 1 && !each.closest("thead")).map(each => each.outerHTML)"""
"""States that take more than a line, and cells that reach into the next one."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser once; each test has a window of its own."""
    path = shutil.which("chromium")
    if path is None:
        unavailable("chromium is not installed")
    from playwright.async_api import async_playwright

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=[*CHROMIUM, f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"]
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def pages(chromium: Browser) -> AsyncIterator[Pages]:
    opened = Pages(chromium)
    yield opened
    for context in opened.contexts:
        await context.close()


class Pages:
    """Opens pages that know the token, and hears what the browser complains of."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    async def open(self, url: str, **how: Any) -> Page:
        """Open a page, in which time moves by `clock` alone."""
        how = {"http_credentials": {"username": "me", "password": TOKEN}, **how}
        context = await self._chromium.new_context(**how)
        self.contexts.append(context)
        page = await context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if how.get("java_script_enabled", True):
            await page.clock.install()
        await page.goto(url)
        return page


async def send_test(notifier: str) -> Outcome:
    return Delivered(f"thanks from {notifier}")


def whole_site(site: Site, clock: ManualClock) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """Serve a watcher of which everything can be said."""
    health = a_health_snapshot(
        sources=[Health("openai", clock())], receivers=[Health("pager", failing_since=clock(), error="HTTP 500")]
    )
    return site(health=health, send_test=send_test)


async def lived(store: SqlStore) -> None:
    """Let jobs of every kind have been seen, one of them hostile."""
    specs = [JobSpec(JobKey("openai", "hostile"), '<b>"name"', {"<i>": "</table>"}), JobSpec(JobKey("openai", "good"))]
    await store.upsert_jobs(specs, START)
    bad = JobFacts(model=HOSTILE, error=JobError(HOSTILE, HOSTILE, HOSTILE))
    muted = Silence("new", NOW + timedelta(hours=1), {"<i>": "</table>"}, reason=HOSTILE, created_by=HOSTILE)
    await store.add_silence(muted, START)
    await see(store, "hostile", "running", "failed", recipients=("pager",), facts=bad)
    good = JobFacts(model="base", fine_tuned_model="ft:model", created_at=START, finished_at=START)
    await see(store, "good", "queued", "running", "succeeded", recipients=("pager",), facts=good)
    points = [
        MetricPoint(series, step, 1 / step, START)
        for series in ("train_loss", "valid_loss", f"{HOSTILE[:90]} loss")
        for step in (1, 2, 3)
    ]
    await store.record_points(JobKey("openai", "good"), points, None, START)


async def test_news_comes_without_a_reload_and_leaves_what_a_person_does(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    await watch(store, "ftjob-1")
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}")
        await page.evaluate("window.isSamePage = true")
        await page.get_by_label("Find").fill("typed")
        await see(store, "ftjob-1", "running")
        await page.clock.run_for(POLL_MILLISECONDS)
        await page.get_by_text("▶ running").wait_for()
        assert await page.title() == "1 running · finetune-watcher"
        assert await page.evaluate("window.isSamePage")
        assert await page.get_by_label("Find").input_value() == "typed"
        assert await page.evaluate("document.activeElement.name") == "q"
    assert pages.complaints == []


async def test_a_server_that_is_silent_is_said_to_be(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    await watch(store, "ftjob-1")
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}")
        await page.context.set_offline(True)
        await page.clock.run_for(POLL_MILLISECONDS)
        await page.get_by_text("No answer since").wait_for()
        await page.context.set_offline(False)
        await page.clock.run_for(4 * POLL_MILLISECONDS)
        await page.get_by_text("as of").wait_for()


async def test_a_page_that_could_not_be_shown_comes_when_it_can(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}/jobs/openai/later")
        await page.get_by_text("openai/later is not watched.").wait_for()
        assert await page.locator("#fresh").inner_text() == ""
        await page.clock.run_for(POLL_MILLISECONDS)
        await page.get_by_text("as of").wait_for()
        await watch(store, "later")
        await page.clock.run_for(POLL_MILLISECONDS)
        await page.get_by_text("not seen yet").wait_for()


async def test_every_action_works(site: Site, store: SqlStore, clock: ManualClock, pages: Pages) -> None:
    number = await dead_delivery(store, clock)
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}/deliveries")
        await page.get_by_label(f"Retry delivery {number}").click()
        await page.get_by_text("It will be sent again now.").wait_for()
        assert [each.state for each in await store.deliveries()] == [DeliveryState.PENDING]
        await page.get_by_label(f"Discard delivery {number}").click()
        await page.get_by_text("It will not be sent.").wait_for()
        assert [each.state for each in await store.deliveries()] == [DeliveryState.DISCARDED]
        await page.get_by_role("link", name="Silences").click()
        await page.get_by_role("textbox", name="For").fill("2h")
        await page.get_by_label("Why").fill("new rack")
        await page.clock.run_for(POLL_MILLISECONDS)  # what was typed stays
        await page.get_by_label("everything").check()
        await page.get_by_role("button", name="Mute").click()
        await page.get_by_text("It is muted from now on.").wait_for()
        (silence,) = await store.silences()
        assert (silence.reason, silence.created_by) == ("new rack", "me")
        await page.get_by_label(f"End silence {silence.name}").click()
        await page.get_by_text("The silence has ended.").wait_for()
        await page.get_by_role("link", name="Notifiers").click()
        await page.get_by_label("Send a test to pager").click()
        await page.get_by_text("accepted: thanks from pager").wait_for()
    assert pages.complaints == []


async def test_the_model_is_copied(site: Site, store: SqlStore, clock: ManualClock, pages: Pages) -> None:
    await lived(store)
    async with whole_site(site, clock) as client:
        page = await pages.open(
            f"{client.base_url}/jobs/openai/good", permissions=["clipboard-read", "clipboard-write"]
        )
        await page.get_by_role("button", name="Copy").first.click()
        await page.get_by_text("Copied").wait_for()
        assert await page.evaluate("navigator.clipboard.readText()") == "ft:model"


async def test_a_curve_says_its_values_where_the_pointer_is_and_goes_on_to_do_so(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    await lived(store)
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}/jobs/openai/good")
        curve = page.get_by_role("img", name="Loss from step 1 to 3")
        await curve.hover()
        shown = page.locator("figure output")
        assert (await shown.inner_text()).startswith("step 2 · train_loss 0.500 · valid_loss 0.500 · <script>alert")
        more = [MetricPoint("train_loss", 4, 0.25, START)]
        await store.record_points(JobKey("openai", "good"), more, None, START)
        await page.clock.run_for(POLL_MILLISECONDS)
        await page.get_by_role("img", name="Loss from step 1 to 4").wait_for()
        assert "step 2" in await shown.inner_text()
    assert pages.complaints == []


async def test_nothing_runs_that_does_not_come_from_here(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    await lived(store)
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}")
        await page.evaluate(
            """() => {
                const inline = document.createElement("script");
                inline.textContent = "window.ran = true";
                document.body.append(inline);
                const handler = document.createElement("div");
                handler.innerHTML = "<img src=x onerror='window.ran = true'><img src='https://elsewhere.example/x.png'>";
                document.body.append(handler);
            }"""
        )
        await page.wait_for_function("document.images[1].complete")
        assert await page.evaluate("window.ran") is None
    refused = [each for each in pages.complaints if "Content Security Policy" in each]
    assert len(refused) >= 3, pages.complaints


async def test_a_page_of_another_site_can_neither_change_nor_read_anything(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    """Neither by a form that sends itself, nor under a name that is pointed here."""
    number = await dead_delivery(store, clock)
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}/deliveries")
        form = (
            f'<form method="post" action="{client.base_url}/deliveries"><input name="id" value="{number}">'
            '<button name="action" value="discard">Win</button></form>'
        )
        await page.route("http://elsewhere.example/", lambda route: route.fulfill(body=form, content_type="text/html"))
        await page.goto("http://elsewhere.example/")
        async with page.expect_navigation() as sent:
            await page.get_by_role("button", name="Win").click()
        assert (await sent.value).status == 403
        rebound = await page.goto(str(client.base_url).replace("127.0.0.1", REBOUND))
        assert rebound
        assert rebound.status == 421
    assert [each.state for each in await store.deliveries()] == [DeliveryState.DEAD]


async def test_whom_a_proxy_names_does_everything_without_a_token(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    number = await dead_delivery(store, clock)
    async with site(user_header="X-Forwarded-User") as client:
        how = {"http_credentials": None, "extra_http_headers": {"X-Forwarded-User": "ada"}}
        page = await pages.open(f"{client.base_url}/deliveries", **how)
        await page.get_by_label(f"Discard delivery {number}").click()
        await page.get_by_text("It will not be sent.").wait_for()
    assert [each.state for each in await store.deliveries()] == [DeliveryState.DISCARDED]
    assert pages.complaints == []


async def test_it_is_whole_without_script(site: Site, store: SqlStore, clock: ManualClock, pages: Pages) -> None:
    await lived(store)
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}", java_script_enabled=False)
        await page.get_by_label("Find").fill("good")
        await page.get_by_role("button", name="Filter").click()
        await page.get_by_role("link", name="good").click()
        assert "ft:model" in await page.inner_text("main")
        assert await page.get_by_role("button", name="Copy").count() == 0


@pytest.mark.parametrize(("scheme", "width"), LOOKS, ids=str)
async def test_it_is_read_by_everyone_and_fits(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages, scheme: str, width: int
) -> None:
    """axe-core finds nothing, nothing is wider than the window, and no text of others becomes anything but text."""
    from axe_playwright_python.async_playwright import Axe

    await lived(store)
    await Scene(store).play()
    clock.at = NOW
    async with whole_site(site, clock) as client:
        how = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
        page = await pages.open(f"{client.base_url}", **how)
        for path in PATHS:
            await page.goto(f"{client.base_url}{path}")
            found = (await Axe().run(page)).response["violations"]
            assert [(path, each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
            assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth"), path
    assert [each for each in pages.complaints if "404" not in each] == []


async def test_no_state_is_broken_and_no_cell_too_small_at_any_width(
    site: Site, store: SqlStore, clock: ManualClock, pages: Pages
) -> None:
    await lived(store)
    await Scene(store).play()
    clock.at = NOW
    async with whole_site(site, clock) as client:
        page = await pages.open(f"{client.base_url}")
        for path in PATHS:
            await page.goto(f"{client.base_url}{path}")
            for width in WIDTHS:
                await page.set_viewport_size({"width": width, "height": 800})
                assert (path, width, await page.evaluate(BROKEN)) == (path, width, [])
