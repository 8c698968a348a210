"""What a configuration means, and how its mistakes are told."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.unit.settings.conftest import Complain, Configure, openai
from watcher.domain.jobs import JobKey, JobSpec
from watcher.domain.routing import FirstSeen
from watcher.errors import ConfigurationError
from watcher.notifiers import stdout, webhook
from watcher.notifiers.slack import plugin as slack
from watcher.settings.validation import load
from watcher.store.sql import SqlStore

KEY = "whsec_c2VjcmV0LWtleS1vZi10aGUtaG9vay1mb3ItdGVzdHM="
EXAMPLE = """
[sources.openai]
base_url = "https://api.openai.com/v1"
[polling]
interval = "30s"
[store]
url = "sqlite:////var/lib/watcher/watcher.db"
[[jobs]]
id = "ftjob-abc123"
name = "support-bot v3"
labels = { team = "nlp" }
[notifiers.console]
kind = "stdout"
format = "json"
[notifiers.pager]
kind = "webhook"
url = "https://example.com/hooks/finetune"
secret_file = "/run/secrets/pager"
[notifiers.chat]
kind = "slack"
webhook_url_file = "/run/secrets/slack"
statuses = ["succeeded", "failed", "cancelled"]
labels = { team = "nlp" }
"""


def test_the_usual_shape_is_read_as_written(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "pager").write_text(KEY + "\n")
    (tmp_path / "slack").write_text("https://hooks.slack.com/services/T0/B0/x\n")
    settings = configure(EXAMPLE.replace("/run/secrets", str(tmp_path)))
    assert openai(settings).base_url == "https://api.openai.com/v1"
    assert settings.polling.interval == timedelta(seconds=30)
    assert settings.store.resolved_url() == "sqlite:////var/lib/watcher/watcher.db"
    [job] = settings.jobs
    assert job == JobSpec(JobKey("openai", "ftjob-abc123"), "support-bot v3", {"team": "nlp"})
    console, pager, chat = settings.notifiers.values()
    assert isinstance(console, stdout.Config)
    assert console.format == "json"
    assert isinstance(pager, webhook.Config)
    assert pager.secret is not None
    assert pager.secret.get_secret_value() == KEY
    assert isinstance(chat, slack.Config)
    assert chat.webhook_url.get_secret_value() == "https://hooks.slack.com/services/T0/B0/x"
    assert (chat.kind, chat.statuses, chat.labels) == ("slack", ["succeeded", "failed", "cancelled"], {"team": "nlp"})


def test_nothing_given_means_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    settings = load(None)
    assert list(settings.sources) == ["openai"]
    assert openai(settings).base_url == "https://api.openai.com/v1"
    assert settings.sources["openai"].timeout == timedelta(seconds=15)
    assert openai(settings).api_key is None
    assert (settings.polling.interval, settings.store.retention) == (timedelta(seconds=30), timedelta(days=90))
    assert settings.store.resolved_url() == "sqlite:////home/ann/.local/state/watcher/watcher.db"
    assert (settings.jobs, settings.notifiers) == ((), {})
    assert (settings.log.level, settings.log.format) == ("info", "auto")


def test_the_state_directory_of_systemd_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/watcher:/var/lib/other")
    assert load(None).store.resolved_url() == "sqlite:////var/lib/watcher/watcher.db"


@pytest.mark.parametrize("name", ["what? #1", "100%", "a%3Fb", "a%20b", "at@host:1", "ünï"], ids=repr)
async def test_a_state_directory_may_have_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Characters that mean something in a URL must not lead elsewhere."""
    (tmp_path / name).mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / name))
    async with SqlStore(load(None).store.resolved_url()):
        pass
    assert (tmp_path / name / "watcher.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]


STORE_URLS = [
    "watcher.db", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://host/w.db", "sqlite:////data/a?b=/w.db",
    "mysql://db/w", "postgres://db/w", "postgresql://", "postgresql+asyncpg://db/w",
    "postgresql://ann:half@pw@db/w", "postgresql://ann:ha@lf/pw@db/w", "postgresql://ann:p%zz@db/w",
    "postgresql://db:port/w", "postgresql://db:0/w", "postgresql://one,two:5432/w", "postgresql:///w?host=a&host=b",
    "postgresql://db/w?ssl=true", "postgresql://db/w?sslmode=full", "postgresql://db/w?target_session_attrs=master",
    "postgresql://db/w?connect_timeout=4s",
]  # fmt: skip


@pytest.mark.parametrize("url", STORE_URLS)
def test_what_no_store_can_be_opened_at_is_refused_in_the_words_of_the_store(url: str, configure: Configure) -> None:
    with pytest.raises(ConfigurationError) as by_store:
        SqlStore(url)
    with pytest.raises(ConfigurationError) as by_settings:
        configure(f'[store]\nurl = "{url}"')
    assert str(by_settings.value).endswith(str(by_store.value))
    assert "pw" not in str(by_store.value)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///relative.db",
        "sqlite:////srv/100% of it/a#b.db",
        "postgresql:///watcher",
        "postgresql://ann@one:5432,two:5433/w?target_session_attrs=read-write&sslmode=verify-full&sslrootcert=system",
    ],
)
def test_what_a_store_can_be_opened_at_is_taken(url: str, configure: Configure) -> None:
    assert configure(f'[store]\nurl = "{url}"').store.resolved_url() == url
    SqlStore(url)


def test_who_opens_no_store_needs_no_driver_for_it(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """`watch` reads the same configuration as the service."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert configure('[store]\nurl = "postgresql://db/w"').store.resolved_url() == "postgresql://db/w"


def test_settings_are_frozen(configure: Configure) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        configure("").polling.interval = timedelta(1)  # type: ignore[misc]


def test_a_notifier_wants_everything_by_default(configure: Configure) -> None:
    [notifier] = configure('[notifiers.a]\nkind = "stdout"').notifiers.values()
    assert (notifier.statuses, notifier.labels, notifier.first_seen) == (None, {}, FirstSeen.TERMINAL)


def test_the_slash_at_the_end_of_a_base_url_is_dropped(configure: Configure) -> None:
    settings = configure('[sources.a]\nbase_url = "http://h:8000/v1/"')
    assert openai(settings, "a").base_url == "http://h:8000/v1"


def test_a_name_may_have_64_characters(configure: Configure) -> None:
    assert list(configure(f"[sources.{'a-_0' * 16}]").sources)[-1] == "a-_0" * 16


def test_the_same_id_may_live_at_two_sources(configure: Configure) -> None:
    settings = configure('[sources.a]\n[[jobs]]\nid = "x"\n[[jobs]]\nid = "x"\nsource = "a"')
    assert [job.key for job in settings.jobs] == [JobKey("openai", "x"), JobKey("a", "x")]


@pytest.mark.parametrize(
    "status",
    [
        *("validating_files", "queued", "running", "succeeded", "failed", "cancelled", "paused", "pausing", "resuming"),
        *("pending", "compressing", "uploading", "cancel_requested", "error", "completed", "QUEUED", "STARTED"),
        *("VALIDATING", "VALIDATED", "RUNNING", "FAILED_VALIDATION", "FAILED", "SUCCESS", "CANCELLED"),
        *("CANCELLATION_REQUESTED", "loading_model", "loading_dataset", "training", "saving", "stopped"),
    ],
)
def test_statuses_of_any_service_can_be_chosen(status: str, configure: Configure) -> None:
    [notifier] = configure(f'[notifiers.a]\nkind = "stdout"\nstatuses = ["{status}"]').notifiers.values()
    assert notifier.statuses == [status]


@pytest.mark.parametrize(
    ("toml", "mistake"),
    [
        # Typing errors of keys.
        ("[polling]\nintervall = 5", "polling.intervall: unknown key; did you mean 'interval'?"),
        ("[poling]\ninterval = 5", "poling: unknown key; did you mean 'polling'?"),
        ("[log]\nzzz = 5", "log.zzz: unknown key; expected one of: format, level"),
        ("interval = 5", "interval: unknown key; it belongs in the table 'polling'"),
        ("[sources.a]\napi_kye = 'x'", "sources.a.api_kye: unknown key; did you mean 'api_key'?"),
        (
            "[sources.a]\napi_key_fil = 'x'",
            "sources.a.api_key_fil: unknown key; did you mean 'api_key_file'?",
        ),
        ("[[jobs]]\nid = 'a'\nlables = {}", "jobs[0].lables: unknown key; did you mean 'labels'?"),
        (
            "[notifiers.a]\nkind = 'webhook'\nurl = 'http://h'\nsecretfile = 'x'",
            "notifiers.a.secretfile: unknown key; did you mean 'secret_file'?",
        ),
        ("Log = {}", "Log: unknown key; did you mean 'log'?"),
        ('"\\u001b[2J" = 1', "'\\x1b[2J': unknown key; expected one of: "),
        # Values.
        ("[polling]\ninterval = 'soon'", "polling.interval: got 'soon', expected a duration such as"),
        ("[polling]\ninterval = 0", "polling.interval: got 0, expected a duration such as"),
        ("[polling]\ninterval = true", "polling.interval: got True, expected a duration such as"),
        ("[polling]\ninterval = [5]", "polling.interval: got a list, expected a duration such as"),
        (
            "[log]\nlevel = 'inof'",
            "log.level: got 'inof', expected 'debug', 'info', 'warning' or 'error'; did you mean",
        ),
        ("[log]\nlevel = 3", "log.level: got 3, expected 'debug', 'info', 'warning' or 'error'"),
        (
            "[sources.a]\nstrategy = 'lists'",
            "sources.a.strategy: got 'lists', expected 'auto', 'retrieve'",
        ),
        ("[sources.a]\norganization = 'a b'", "sources.a.organization: got 'a b', expected printable ASCII without"),
        ("[sources.a]\nproject = ''", "sources.a.project: got '', expected printable ASCII without spaces"),
        ("[sources.a]\nclient_cert_file = 5", "sources.a.client_cert_file: got 5, expected the path of a file"),
        ("[sources.a]\nclient_key_file = '/k'", "sources.a.client_key_file: given without client_cert_file"),
        ("[store]\nretention = '-1d'", "store.retention: got '-1d', expected a duration such as"),
        # Where jobs live.
        ("[sources.a]\nbase_url = 'ftp://h'", "sources.a.base_url: got 'ftp://h', expected an http:// or https:// URL"),
        ("[sources.a]\nbase_url = 'https://'", "sources.a.base_url: got 'https://', expected an http:// or https://"),
        ("[sources.a]\nbase_url = 'http://h/?a 1'", "sources.a.base_url: got 'http://h/?a 1', expected an http://"),
        ("[sources.a]\nbase_url = 'http://h/#a'", "sources.a.base_url: got 'http://h/#a', expected an http://"),
        (
            "[sources.a]\nbase_url = 'http://ann:pw@h'",
            "sources.a.base_url: got 'http://***@h', expected an http:// or https:// URL such as",
        ),
        # Names.
        ("[sources.'a b']", "sources.'a b': expected a name of 1 to 64 of the characters a-z 0-9 _ -"),
        ("[sources.'']", "sources.'': expected a name of 1 to 64 of the characters a-z 0-9 _ -"),
        (f"[sources.{'a' * 65}]", f"sources.{'a' * 65}: expected a name of 1 to 64 of the characters a-z 0-9 _ -"),
        ("[sources.A]", "sources.A: expected a name of 1 to 64 of the characters a-z 0-9 _ -"),
        ("[notifiers.'a/b']\nkind = 'stdout'", "notifiers.'a/b': expected a name of 1 to 64 of the characters a-z 0-9"),
        # Jobs.
        ("[[jobs]]\nid = '../x'", "jobs[0].id: got '../x', expected a job id: 1 to 1,024 printable ASCII"),
        ("[[jobs]]\nid = 5", "jobs[0].id: got 5, expected text"),
        ("[[jobs]]\nname = 'x'", "jobs[0].id: missing"),
        ("[[jobs]]\nid = 'a'\n[[jobs]]\nid = 'a'", "jobs[1].id: openai/a is listed twice"),
        ("[[jobs]]\nid = 'a'\nsource = 'b'", "jobs[0].source: no source is named 'b'; there are: openai"),
        ("[[jobs]]\nid = 'a'\nlabels = { n = 5 }", "jobs[0].labels.n: got 5, expected text"),
        # Rules of discovery.
        ("[[watch]]\nsource = 'b'", "watch[0].source: no source is named 'b'; there are: openai"),
        ("[[watch]]\n[[watch]]", "watch[1]: two rules are named 'openai'; give each a `rule` of its own"),
        ("[[watch]]\nrule = 'A b'", "watch[0].rule: got 'A b', expected a name of 1 to 64 of the characters a-z 0-9"),
        ("[[watch]]\nmodel = 'gpt'", "watch[0].model: unknown key; it belongs in the table 'match'"),
        ("[[watch]]\nmatch = { modle = 'x' }", "watch[0].match.modle: unknown key; did you mean 'model'?"),
        ("[[watch]]\nmatch = { model = 5 }", "watch[0].match.model: got a number, expected a list"),
        ("[[watch]]\nmatch = { model = [''] }", "watch[0].match.model[0]: got '', expected 1 to 200 characters"),
        ("[[watch]]\nmatch = { metadata = { a = 1 } }", "watch[0].match.metadata.a: got 1, expected text"),
        (
            "[[watch]]\nmatch = { created_after = 'monday' }",
            "watch[0].match.created_after: got 'monday', expected a date such as 2026-11-01, or a date and a time",
        ),
        ("[[watch]]\nmatch = { created_after = 2026 }", "watch[0].match.created_after: got 2026, expected a date such"),
        ("[[watch]]\nmatch = { max_age = 'old' }", "watch[0].match.max_age: got 'old', expected a duration"),
        ("[[watch]]\nmatch = { states = [''] }", "watch[0].match.states[0]: got '', expected a status"),
        ("[[watch]]\nname = '{sufix}'", "watch[0].name: got '{sufix}', expected text with {suffix}, {id}, {model} or"),
        ("[[watch]]\nlimit = 0", "watch[0].limit: got 0, expected greater than or equal to 1"),
        ("[[watch]]\nbackfill = '-1d'", "watch[0].backfill: got '-1d', expected a duration"),
        ("[[watch]]\nlabels_from = 'team'", "watch[0].labels_from: got text, expected a list"),
        ("watch = 'all'", "watch: got text, expected a list"),
        # Notifiers.
        (
            "[notifiers.a]",
            "notifiers.a.kind: missing; expected one of: apprise, discord, email, ntfy, pagerduty, slack, stdout",
        ),
        (
            "[notifiers.a]\nkind = 5",
            "notifiers.a.kind: expected one of: apprise, discord, email, ntfy, pagerduty, slack, std",
        ),
        ("[notifiers.a]\nkind = 'slak'", "notifiers.a.kind: no notifier of kind 'slak' is installed"),
        (
            "[notifiers.a]\nkind = 'slack'",
            "notifiers.a: give either webhook_url (or webhook_url_file), or token (or token_file) and channel",
        ),
        (
            "[notifiers.a]\nkind = 'stdout'\nformat = 'yaml'",
            "notifiers.a.format: got 'yaml', expected 'text' or 'json'",
        ),
        (
            "[notifiers.a]\nkind = 'stdout'\nfirst_seen = 'sometimes'",
            "notifiers.a.first_seen: got 'sometimes', expected 'terminal', 'always' or 'never'",
        ),
        ("[notifiers.a]\nkind = 'stdout'\nstatuses = ['']", "notifiers.a.statuses[0]: got '', expected a status"),
        ("[notifiers.a]\nkind = 'stdout'\nstatuses = []", "notifiers.a.statuses: got a list, expected at least one"),
        ("[notifiers.a]\nkind = 'stdout'\nstatuses = 'failed'", "notifiers.a.statuses: got text, expected a list"),
        ("[notifiers.a]\nkind = 'stdout'\nlabels = 'x'", "notifiers.a.labels: got text, expected a table"),
        (
            "[notifiers.a]\nkind = 'webhook'\nurl = 'http://h'\nheaders = { Host = 'x' }",
            "notifiers.a.headers: Host is set by the watcher and cannot be given",
        ),
        # Secrets: what was given is not repeated.
        ("[sources.a]\napi_key = 'sk-1 2'", "sources.a.api_key: expected printable ASCII without spaces"),
        ("[sources.a]\napi_key = 5", "sources.a.api_key: expected text"),
        ("[store]\nurl = 'mysql://u:pw@h/d'", "store.url: expected sqlite:////path/of/file.db or postgresql://"),
        ("[heartbeat]\nurl = 'ping.example/x'", "heartbeat.url: expected an http:// or https:// URL, without user"),
        (
            "[heartbeat]\nurl = 'https://a.example/x?y#z'",
            "heartbeat.url: expected an http:// or https:// URL, without user",
        ),
        (
            "[http]\ntrusted_user_header = 'Host'",
            "http.trusted_user_header: got 'Host', expected a header that only the proxy writes",
        ),
        (
            "[http]\ntrusted_user_header = 'a b'",
            "http.trusted_user_header: got 'a b', expected a header that only the proxy writes",
        ),
        ("[http]\ntoken = 'a b'", "http.token: expected printable ASCII without spaces"),
        ("[store]\nurl = 'sqlite:///:memory:'", "store.url: expected sqlite:////path/of/file.db or postgresql://"),
        (
            "[notifiers.a]\nkind = 'webhook'\nurl = 'http://h'\nsecret = 'whsec_short'",
            "notifiers.a.secret: expected whsec_ and base64 of 24 to 64 bytes",
        ),
        (
            "[notifiers.a]\nkind = 'slack'\nwebhook_url = 'hooks.slack.com/x'",
            "notifiers.a.webhook_url: expected an address that starts with http:// or https://",
        ),
        ("[sources.a]\napi_key_file = '/nowhere'", "sources.a.api_key_file: cannot read /nowhere: No such file"),
        (
            "[sources.a]\napi_key = 'x'\napi_key_file = '/x'",
            "sources.a.api_key_file: give either api_key or api_key_file, not both",
        ),
        # Tables and lists: what stands in their place may be anything, so it is not repeated either.
        ("sources = 'sk-1'", "sources: got text, expected a table"),
        ("[sources]\nopenai = 'sk-1'", "sources.openai: got text, expected a table"),
        ("polling = 5", "polling: got a number, expected a table"),
        ("log = 2026-11-24", "log: got a date or time, expected a table"),
        ("jobs = 'ftjob-1'", "jobs: got text, expected a list"),
        ("jobs = ['ftjob-1']", "jobs[0]: got text, expected a table"),
        ("jobs = {}", "jobs: got a table, expected a list"),
        ("notifiers = []", "notifiers: got a list, expected a table"),
        ("[notifiers]\na = true", "notifiers.a: got true or false, expected a table"),
    ],
)
def test_a_mistake_names_its_key_and_what_is_expected(toml: str, mistake: str, complain: Complain) -> None:
    [told] = complain(toml)
    assert told.startswith(mistake)


def test_every_mistake_is_told_at_once(complain: Complain) -> None:
    """Also those of one job, of one notifier, and of sections that lean on each other."""
    mistakes = complain(
        """
        polling = "often"
        [sources.a]
        timeout = "soon"
        api_key_file = "/nowhere"
        [[jobs]]
        id = "a b"
        source = "elsewhere"
        [[jobs]]
        id = "twice"
        [[jobs]]
        id = "twice"
        [notifiers.a]
        kind = "slak"
        statuses = [""]
        [notifiers."B b"]
        kind = "slack"
        knob = 1
        [notifiers.c]
        first_seen = "now"
        webhook_url = "http://h"
        [logs]
        """
    )
    assert {mistake.split(": ")[0] for mistake in mistakes} == {
        "polling",
        "sources.a.timeout",
        "sources.a.api_key_file",
        "jobs[0].id",
        "jobs[0].source",
        "jobs[2].id",
        "notifiers.a.kind",
        "notifiers.a.statuses[0]",
        "notifiers.'B b'",  # its name, and how it reaches Slack
        "notifiers.'B b'.knob",
        "notifiers.c.kind",
        "notifiers.c.first_seen",
        "logs",
    }
    assert len(mistakes) == 14


@pytest.mark.parametrize(("job", "why"), [("name = 'x'", "missing"), ("id = 'a b'", "got 'a b', expected a job id")])
def test_jobs_without_a_usable_id_are_not_taken_for_the_same(job: str, why: str, complain: Complain) -> None:
    mistakes = complain(f"[[jobs]]\n{job}\n[[jobs]]\n{job}")
    assert [mistake.startswith(f"jobs[{index}].id: {why}") for index, mistake in enumerate(mistakes)] == [True, True]


def test_three_mistakes_are_three(complain: Complain) -> None:
    assert len(complain("[log]\nlevel = 'loud'\n[polling]\nintervall = 5\n[[jobs]]\nid = '..'")) == 3


def test_a_long_value_is_cut(complain: Complain) -> None:
    [told] = complain(f"[log]\nlevel = '{'x' * 5000}'")
    assert len(told) < 200


def test_what_could_drive_a_terminal_is_escaped(complain: Complain) -> None:
    [told] = complain('[sources.a]\nstrategy = "\\u001b[2J\\u202e"')
    assert "\x1b" not in told
    assert "\u202e" not in told


@pytest.mark.process
def test_reading_settings_loads_nothing_heavy_that_it_does_not_need() -> None:
    """Without a notifier, neither HTTP nor the database is imported: each verb pays only for what it uses."""
    code = "import sys; from watcher.settings.validation import load; load(None); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=30)
    assert {"httpx", "sqlalchemy", "alembic", "apscheduler", "structlog", "rich"}.isdisjoint(done.stdout.split())


def test_an_answer_may_not_take_so_long_that_a_poll_passes_for_one_that_hangs(configure: Configure) -> None:
    assert configure("[sources.openai]\ntimeout = '1m'").sources["openai"].timeout == timedelta(minutes=1)
    with pytest.raises(ConfigurationError, match=r"sources\.openai\.timeout: got '61s', expected .* at most 1m"):
        configure("[sources.openai]\ntimeout = '61s'")
