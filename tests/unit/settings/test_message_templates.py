"""Templates in the settings: a mistake is named with file, key, line and the event that it shows with."""

from __future__ import annotations

import pytest

from tests.unit.settings.conftest import Complain, Configure

CHAT = '[notifiers.chat]\nkind = "stdout"\n'


def test_the_example_of_the_documentation_fits_every_kind_of_event(configure: Configure) -> None:
    settings = configure(CHAT + 'template = "{{ job.name }}: {{ state }} after {{ duration }}"\n')
    assert settings.notifiers["chat"].template == "{{ job.name }}: {{ state }} after {{ duration }}"


@pytest.mark.parametrize(
    ("given", "mistake"),
    [
        ('template = """\nfine\n{{ jb }}"""', "notifiers.chat.template: line 2: 'jb' is undefined; there are: at,"),
        ('title_template = "{% if %}"', "notifiers.chat.title_template: line 1: Expected an expression"),
        ('template = "{{ error.message.upper() }}"', "line 1: 'None' has no attribute 'upper'"),
        ("template = 7", "notifiers.chat.template: got 7, expected text"),
    ],
)
def test_a_mistake_is_named(complain: Complain, given: str, mistake: str) -> None:
    [told] = complain(CHAT + given)
    assert mistake in told


def test_the_event_is_named_that_a_template_breaks_with(complain: Complain) -> None:
    [told] = complain(CHAT + 'template = "{{ metrics.train_loss + 1 }}"')
    assert "(in a sample of 'pending'" in told


def test_what_programs_read_has_no_words_of_its_own(complain: Complain) -> None:
    hook = '[notifiers.hook]\nkind = "webhook"\nurl = "https://example.com/"\ntemplate = "x"\ntitle_template = "y"\n'
    why = "a webhook notifier is read by programs; leave it out"
    assert [told.partition("hook.")[2] for told in complain(hook)] == [f"title_template: {why}", f"template: {why}"]
