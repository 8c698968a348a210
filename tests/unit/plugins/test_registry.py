"""The registry: which plugins are found, and what is said of those that cannot be used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.unit.conftest import Install
from watcher.errors import ConfigurationError
from watcher.notifiers.stdout import Config
from watcher.plugins import registry
from watcher.plugins.notifier import Plugin

BUILT_IN = ["apprise", "discord", "email", "ntfy", "pagerduty", "slack", "stdout", "teams", "webhook"]
GOOD = "from watcher.notifiers.stdout import plugin"


def test_the_built_in_kinds_are_installed_like_any_other() -> None:
    assert registry.notifiers.kinds() == BUILT_IN


def test_a_kind_gives_its_plugin() -> None:
    plugin = registry.notifiers.plugin("stdout")
    assert isinstance(plugin, Plugin)
    assert plugin.config is Config


def test_a_package_that_is_installed_is_found(install: Install) -> None:
    install("carrier-pigeon", "pigeon", GOOD)
    assert registry.notifiers.plugin("pigeon").config is Config
    assert "pigeon" in registry.notifiers.kinds()


def test_loading_a_kind_imports_no_other() -> None:
    program = (
        "import sys; from watcher.plugins.registry import notifiers; notifiers.kinds(); notifiers.plugin('stdout');"
        "print(sorted(name for name in sys.modules if name.startswith('watcher.notifiers.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ("['watcher.notifiers.stdout']")


@pytest.mark.parametrize(("kind", "guess"), [("slak", "Did you mean 'slack'?"), ("Webhook", "Did you mean 'webhook'?")])
def test_an_unknown_kind_is_answered_with_the_known_ones(kind: str, guess: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.notifiers.plugin(kind)
    assert f"no notifier of kind {kind!r} is installed: there are {', '.join(BUILT_IN)}. {guess}" in str(caught.value)


def test_a_kind_like_no_other_gets_no_guess() -> None:
    with pytest.raises(ConfigurationError, match=r"there are .*webhook\.$"):
        registry.notifiers.plugin("oracle")


BROKEN = [
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("raise RuntimeError('not today')", "RuntimeError: not today"),
    ("plug = 1", "AttributeError: module 'carrier_pigeon' has no attribute 'plugin'"),
    ("plugin = print", "carrier_pigeon:plugin is not a watcher.plugins.notifier.Plugin"),
    ("from watcher.plugins.notifier import Plugin; plugin = Plugin(dict, print)", "is not a watcher"),
    ("from watcher.plugins.notifier import Plugin; plugin = Plugin('Config', print)", "is not a watcher"),
    (
        "from watcher.plugins import notifier, section\nplugin = notifier.Plugin(section.Section, 1)",
        "is not a watcher",
    ),
]


@pytest.mark.parametrize(("source", "wrong"), BROKEN)
def test_a_plugin_that_cannot_be_used_is_named_with_its_package(source: str, wrong: str, install: Install) -> None:
    install("carrier-pigeon", "pigeon", source)
    with pytest.raises(ConfigurationError) as caught:
        registry.notifiers.plugin("pigeon")
    assert str(caught.value).startswith("notifier kind 'pigeon' of the package carrier-pigeon 0.3 cannot be used: ")
    assert wrong in str(caught.value)


def test_a_plugin_that_cannot_be_used_harms_no_other_kind(install: Install) -> None:
    install("broken-pigeon", "pigeon", "raise RuntimeError")
    assert registry.notifiers.plugin("stdout").config is Config


def test_a_kind_that_two_packages_bring_is_refused(install: Install) -> None:
    install("my-stdout", "stdout", GOOD)
    with pytest.raises(ConfigurationError) as caught:
        registry.notifiers.plugin("stdout")
    assert "brought by the package finetune-watcher" in str(caught.value)
    assert "and the package my-stdout 0.3: uninstall all but one" in str(caught.value)
