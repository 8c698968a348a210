"""The log: its two forms, and what must never stand in it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from watcher.logs import LEARNED_SECRETS, Format, LogOptions, WatcherLog

SECRET = "sk-s3cr\\t'key\""
SECRETS = frozenset({SECRET, "hunter22", "hunter22-longer", "abc", ""})
CLEAR = "\x1b[2J"

OpenTerminal = Callable[..., "Terminal"]


class Terminal(io.StringIO):
    """A standard error that is shown to a person."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def open_terminal(monkeypatch: pytest.MonkeyPatch) -> OpenTerminal:
    """Give the running test a terminal; pytest sets its own standard error between fixtures and test."""

    def opened(*, no_color: str = "") -> Terminal:
        monkeypatch.setenv("NO_COLOR", no_color)
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        return terminal

    return opened


@pytest.fixture
def root_logger() -> Iterator[None]:
    """Leave standard logging as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def read_json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    [line] = capsys.readouterr().err.splitlines()
    event: dict[str, Any] = json.loads(line)
    return event


def fail(text: str) -> None:
    raise ValueError(text)


def log_failure(log: WatcherLog, text: str) -> None:
    try:
        fail(text)
    except ValueError:
        log.exception("poll failed", job="ftjob-1")


@pytest.mark.parametrize("form", ["json", "auto"])
def test_elsewhere_than_on_a_terminal_each_event_is_a_line_of_json(
    form: Format, capsys: pytest.CaptureFixture[str]
) -> None:
    WatcherLog(LogOptions(format=form)).info("polled", job="ftjob-1", took=0.5, tries=[1, 2], status=None)
    event = read_json(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "polled", "level": "info", "job": "ftjob-1", "took": 0.5, "tries": [1, 2]}


def test_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog().error("polled")
    assert capsys.readouterr().out == ""


def test_on_a_terminal_it_is_readable_and_coloured(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    WatcherLog().warning("slow answer", job="ftjob-1")
    shown = terminal.getvalue()
    assert "slow answer" in shown
    assert "ftjob-1" in shown
    assert "\x1b[" in shown
    assert not shown.startswith("{")


def test_colours_can_be_refused(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(no_color="1")
    WatcherLog().warning("slow answer", job="ftjob-1")
    shown = terminal.getvalue()
    assert "\x1b" not in shown
    assert "[warning  ] slow answer" in shown
    assert "job=ftjob-1" in shown


def test_json_is_written_on_a_terminal_when_asked_for(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal()
    WatcherLog(LogOptions(format="json")).info("polled")
    assert json.loads(terminal.getvalue())["event"] == "polled"


def test_the_console_form_is_plain_where_nobody_sees_colours(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(format="console")).info("polled", job="ftjob-1")
    shown = capsys.readouterr().err
    assert "[info     ] polled" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_what_is_below_the_level_is_not_written(
    level: Any, written: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log = WatcherLog(LogOptions(level=level))
    for write in (log.debug, log.info, log.warning, log.error):
        write("polled")
    assert [json.loads(line)["level"] for line in capsys.readouterr().err.splitlines()] == written


def test_an_unwritten_log_loads_nothing() -> None:
    """A quiet `watch` starts sooner."""
    program = (
        "import sys; from watcher.logs import WatcherLog; log = WatcherLog(); log.debug('x'); "
        "print('structlog' in sys.modules); log.info('y'); print('structlog' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["False", "True"]
    assert json.loads(run.stderr.splitlines()[-1])["event"] == "y"


def test_the_log_loads_nothing_that_it_has_no_use_for() -> None:
    """It leaves rich and greenlet out, which structlog takes where they are installed."""
    program = (
        "import sys; from watcher.logs import WatcherLog; WatcherLog().info('y'); "
        "print(*{'rich', 'greenlet'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == []


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        f"Bearer {SECRET}!",
        [f"{SECRET}"],
        ("a", {"headers": {"Authorization": f"Bearer {SECRET}"}}),
        {SECRET: 1},
        ValueError(f"bad key {SECRET}"),
        f"{SECRET}{SECRET}",
    ],
)
def test_no_field_shows_a_secret(form: Format, value: object, capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(format=form, secrets=SECRETS)).info("polled", fact=value)
    shown = capsys.readouterr().err
    assert "s3cr" not in shown
    assert "***" in shown


def test_a_secret_of_digits_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=frozenset({"73519"}))).info("sent", count=73519, other=73518)
    event = read_json(capsys)
    assert (event["count"], event["other"]) == ("***", 73518)


def test_the_event_itself_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).info(f"sent {SECRET}")
    assert read_json(capsys)["event"] == "sent ***"


def test_a_secret_within_another_leaves_nothing_of_the_longer_one(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).info("sent", to="hunter22-longer, hunter22")
    assert read_json(capsys)["to"] == "***, ***"


def test_very_short_secrets_do_not_black_out_words(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).info("sent", to="abcdef")
    assert read_json(capsys)["to"] == "abcdef"


def test_facts_without_secrets_keep_their_types(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).info("sent", facts={"n": [1, 2.5, True, None], "t": ("x",)})
    assert read_json(capsys)["facts"] == {"n": [1, 2.5, True, None], "t": ["x"]}


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_no_secret(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    log_failure(WatcherLog(LogOptions(format=form, secrets=SECRETS)), "cannot log in with hunter22")
    shown = capsys.readouterr().err
    assert "hunter22" not in shown
    assert "cannot log in with ***" in shown
    assert "Traceback" in shown


def test_a_traceback_is_a_field_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    log_failure(WatcherLog(), "no")
    event = read_json(capsys)
    assert (event["event"], event["level"], event["job"]) == ("poll failed", "error", "ftjob-1")
    assert event["exception"].splitlines()[-1] == "ValueError: no"


def test_a_console_is_not_driven_by_what_is_logged(open_terminal: OpenTerminal) -> None:
    """Neither lines forged nor screens cleared by what an API said."""
    terminal = open_terminal(no_color="1")
    WatcherLog().info(f"polled{CLEAR}", name=f"a{CLEAR}\nforged \u202e", tags=[CLEAR], error=ValueError(CLEAR))
    shown = terminal.getvalue()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.count("\n") == 1
    assert r"polled\x1b[2J" in shown


def test_a_traceback_on_a_console_keeps_its_lines_and_nothing_else(open_terminal: OpenTerminal) -> None:
    terminal = open_terminal(no_color="1")
    log_failure(WatcherLog(), f"no{CLEAR}\r")
    shown = terminal.getvalue()
    assert r"ValueError: no\x1b[2J\r" in shown.splitlines()
    assert "Traceback (most recent call last):" in shown.splitlines()
    assert "\x1b" not in shown


@pytest.mark.usefixtures("root_logger")
def test_what_libraries_log_is_written_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).adopt_standard_logging()
    library = logging.getLogger("some.library")
    library.info("not worth telling")
    library.warning("connected with %s", "hunter22")
    event = read_json(capsys)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"event": "connected with ***", "level": "warning"}


@pytest.mark.usefixtures("root_logger")
def test_the_tracebacks_of_libraries_show_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    WatcherLog(LogOptions(secrets=SECRETS)).adopt_standard_logging()
    try:
        fail("hunter22")
    except ValueError:
        logging.getLogger("some.library").exception("lost")
    event = read_json(capsys)
    assert event["level"] == "error"
    assert event["exception"].splitlines()[-1] == "ValueError: ***"


@pytest.mark.usefixtures("root_logger")
def test_a_log_can_be_changed_and_still_keeps_its_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """As when the service reads its settings anew: libraries follow, and a key that was replaced is still a secret."""
    log = WatcherLog(LogOptions(level="error", format="console", secrets=frozenset({"old-key"})))
    log.adopt_standard_logging()
    log.info("unheard")
    log.error("heard as well")
    log.change(LogOptions(level="info", format="json", secrets=frozenset({"new-key"})))
    log.info("heard", keys="old-key, new-key")
    logging.getLogger("some.library").warning("old-key, new-key")
    first, *others = capsys.readouterr().err.splitlines()
    assert "[error    ] heard as well" in first
    own, of_library = map(json.loads, others)
    assert (own["event"], own["keys"], of_library["event"]) == ("heard", "***, ***", "***, ***")


@pytest.mark.usefixtures("root_logger")
def test_a_change_adopts_nothing_by_itself() -> None:
    before = list(logging.getLogger().handlers)
    WatcherLog().change(LogOptions(level="debug"))
    assert logging.getLogger().handlers == before


@pytest.mark.usefixtures("root_logger")
def test_a_secret_that_is_learned_later_is_hidden_from_then_on(capsys: pytest.CaptureFixture[str]) -> None:
    log = WatcherLog(LogOptions(format="json", secrets=frozenset({"first-key"})))
    log.adopt_standard_logging()
    log.info("begun")
    log.hide("renewed-token")
    log.hide("renewed-token")
    log.info("heard", keys="first-key, renewed-token")
    logging.getLogger("some.library").warning("renewed-token")
    log.change(LogOptions(format="json"))
    log.info("heard", keys="first-key, renewed-token")
    _, *said = map(json.loads, capsys.readouterr().err.splitlines())
    assert [each.get("keys", each["event"]) for each in said] == ["***, ***", "***", "***, ***"]


def test_of_secrets_that_come_without_end_the_last_are_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    log = WatcherLog(LogOptions(format="json", secrets=frozenset({"first-key"})))
    for number in range(LEARNED_SECRETS + 1):
        log.hide(f"token-{number:03}")
    log.info("heard", keys=f"first-key token-000 token-001 token-{LEARNED_SECRETS:03}")
    assert read_json(capsys)["keys"] == "*** token-000 *** ***"
