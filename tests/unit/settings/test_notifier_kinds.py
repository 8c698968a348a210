"""The kinds of notifiers that other packages bring: their settings are read, told, shown and described like our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.conftest import Install
from tests.unit.settings.conftest import Complain, Configure
from watcher.errors import ConfigurationError
from watcher.settings.display import masked, secrets_of, to_toml
from watcher.settings.json_schema import schema
from watcher.settings.validation import load

PIGEON = '''
from datetime import timedelta
from pydantic import SecretStr
from watcher.plugins.section import Duration, Section
from watcher.plugins.notifier import Plugin

class Config(Section):
    """Which bird."""

    ring: SecretStr
    """What is on its ring."""
    lofts: list[str] = []
    """Where it may land."""
    rest: Duration = timedelta(minutes=90)
    """How long it rests."""
    perch_token: str = ""
    """Not declared as a secret, but named like one."""
    grams: int = 30
    """What it may carry."""
    winds: frozenset[str] = frozenset({"north", "east", "west", "south"})
    """When it flies."""

plugin = Plugin(Config, print)
'''
REDEFINING = """
from watcher.plugins.section import Section
from watcher.plugins.notifier import Plugin

class Config(Section):
    labels: str = ""
    kind: str = ""
    colour: str = ""

plugin = Plugin(Config, print)
"""


@pytest.fixture
def pigeon(install: Install) -> None:
    install("carrier-pigeon", "pigeon", PIGEON)


@pytest.mark.usefixtures("pigeon")
def test_its_settings_stand_beside_those_of_every_notifier(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "ring").write_text("BE-1234567\n")
    settings = configure(
        f'[notifiers.a]\nkind = "pigeon"\nring_file = "{tmp_path / "ring"}"\nlofts = ["x"]\nwinds = ["north"]'
    )
    shown = masked(settings)["notifiers"]["a"]
    assert shown.items() >= {"kind": "pigeon", "first_seen": "terminal", "ring": "***", "rest": "1h30m"}.items()
    assert (shown["lofts"], shown["grams"], shown["winds"]) == (["x"], 30, ["north"])
    assert secrets_of(settings) == {"BE-1234567"}


@pytest.mark.usefixtures("pigeon")
def test_what_is_named_like_a_secret_is_kept_like_one(configure: Configure) -> None:
    settings = configure('[notifiers.a]\nkind = "pigeon"\nring = "sesame"\nperch_token = "mellon"')
    assert masked(settings)["notifiers"]["a"]["perch_token"] == "***"
    assert secrets_of(settings) == {"sesame", "mellon"}


@pytest.mark.usefixtures("pigeon")
def test_its_settings_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"KIND": "pigeon", "RING": "sesame", "LOFTS": '["x", "y"]', "REST": "5"}.items():
        monkeypatch.setenv(f"WATCHER_NOTIFIERS__A__{name}", value)
    [notifier] = load(None).notifiers.values()
    assert notifier.model_dump(mode="json", include={"lofts", "rest"}) == {"lofts": ["x", "y"], "rest": "5s"}


@pytest.mark.usefixtures("pigeon")
def test_what_is_shown_can_be_read_again(configure: Configure) -> None:
    """Only the secrets must be put back."""
    before = configure('[notifiers.a]\nkind = "pigeon"\nring = "sesame"\nlofts = ["x"]\nrest = "0.25s"')
    after = configure(to_toml(masked(before)).replace("***", "sesame"))
    assert after.notifiers == before.notifiers


@pytest.mark.usefixtures("pigeon")
@pytest.mark.parametrize(
    ("lines", "mistake"),
    [
        ("", "notifiers.a.ring: missing; give it as ring or ring_file"),
        ("ring = 5", "notifiers.a.ring: expected text"),
        ("ring = 'x'\nlofts = 'sesame'", "notifiers.a.lofts: got text, expected a list"),
        ("ring = 'x'\nloft = []", "notifiers.a.loft: unknown key; did you mean 'lofts'?"),
        ("ring = 'x'\nlabel = {}", "notifiers.a.label: unknown key; did you mean 'labels'?"),
        ("ring = 'x'\nrest = 'long'", "notifiers.a.rest: got 'long', expected a duration such as"),
        ("ring_file = '/nowhere'", "notifiers.a.ring_file: cannot read /nowhere: No such file or directory"),
    ],
)
def test_its_mistakes_are_told_like_any(lines: str, mistake: str, complain: Complain) -> None:
    [told] = complain(f'[notifiers.a]\nkind = "pigeon"\n{lines}')
    assert told.startswith(mistake)


@pytest.mark.usefixtures("pigeon")
def test_the_schema_describes_it() -> None:
    kind = schema()["$defs"]["PigeonNotifier"]
    assert kind["properties"]["kind"]["const"] == "pigeon"
    assert kind["properties"]["lofts"]["description"] == "Where it may land."
    assert kind["properties"]["rest"]["default"] == "1h30m"
    assert kind["properties"]["winds"]["default"] == ["east", "north", "south", "west"]
    assert "ring_file" in kind["properties"]


def test_a_kind_that_redefines_what_every_notifier_has_is_refused(install: Install, complain: Complain) -> None:
    """Else its labels would mean two things. What every notifier has is checked all the same."""
    install("odd-bird", "odd", REDEFINING)
    assert complain('[notifiers.a]\nkind = "odd"\nstatuses = []\ncolour = 5') == [
        "notifiers.a.kind: notifier kind 'odd' cannot be used: it redefines kind, labels",
        "notifiers.a.statuses: got a list, expected at least one status; leave it out for every status",
    ]
    with pytest.raises(ConfigurationError, match="it redefines kind, labels"):
        schema()


@pytest.mark.parametrize(
    ("source", "why"),
    [("import no_such_module", "ModuleNotFoundError: No module named"), ("plugin = 1", "is not a watcher.plugins")],
)
def test_a_kind_that_is_broken_is_told_at_the_key(source: str, why: str, install: Install, complain: Complain) -> None:
    install("odd-bird", "odd", source)
    told: Sequence[str] = complain('[notifiers.a]\nkind = "odd"\n[notifiers.b]\nkind = "stdout"')
    assert len(told) == 1
    assert told[0].startswith("notifiers.a.kind: notifier kind 'odd' of the package odd-bird 0.3 cannot be used: ")
    assert why in told[0]


def test_a_kind_that_is_broken_harms_nobody_who_does_not_use_it(install: Install, configure: Configure) -> None:
    install("odd-bird", "odd", "import no_such_module")
    assert list(configure('[notifiers.b]\nkind = "stdout"').notifiers) == ["b"]
