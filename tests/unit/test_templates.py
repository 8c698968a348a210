"""Templates: values are escaped, mistakes are named with their line, and nothing outside can be reached."""

from __future__ import annotations

import pytest

from watcher.templates import LONGEST_TEXT, Template, TemplateMistake


def test_values_are_escaped_and_the_words_of_the_template_are_not() -> None:
    template = Template("*{{ job.name }}* <{{ job.url }}>{{ nothing }}", lambda value: value.replace("<", "&lt;"))
    assert template.render({"job": {"name": "<!channel>", "url": "x"}, "nothing": None}) == "*&lt;!channel>* <x>"


def test_a_plain_value_stays_on_its_line() -> None:
    assert Template("a\n{{ x }}\nb\n").render({"x": "1\n\x1b[31m2"}) == "a\n1\\n\\x1b[31m2\nb"


@pytest.mark.parametrize(
    ("source", "mistake"),
    [
        ("a\n{% if %}", "line 2: Expected an expression, got 'end of statement block'"),
        ("{{ a | nope }}", "line 1: No filter named 'nope'."),
        ("{% include 'x' %}", "line 1: no loader for this environment specified"),
        ("a\nb {{ jb.name }}", "line 2: 'jb' is undefined; there are: job, steps"),
        ("{{ job.nam }}", "line 1: 'nam' is not known here; there are: name"),
        ("{{ 1 / steps }}", "line 1: division by zero"),
        ("{{ ''.__class__.__mro__ }}", "line 1: access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ job.clear() }}", "line 1: "),
        ("{% for a in range(9999999) %}{% endfor %}", "line 1: Range too big"),
        ("{{ '%s' % (1, 2) }}", "not all arguments converted"),
        ("(" * 5 + "{{ " + "(" * 5000 + "}}", ""),
    ],
)
def test_a_mistake_says_its_line(source: str, mistake: str) -> None:
    with pytest.raises(TemplateMistake) as told:
        Template(source).render({"job": {"name": "a"}, "steps": 0})
    assert mistake in str(told.value)


def test_what_has_no_end_is_cut() -> None:
    assert len(Template("{% for i in range(9999) %}{{ i }}, {% endfor %}").render({})) == LONGEST_TEXT
