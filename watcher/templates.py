"""Templates of messages: Jinja2 in its sandbox, with every value escaped as the receiver wants it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from watcher.domain.text import excerpt

if TYPE_CHECKING:
    from jinja2 import Environment

LONGEST_VALUE = 2000
"""Characters of one value in a text."""
LONGEST_TEXT = 20_000
"""Characters of a text; receivers show less."""
_LONGEST_WHY = 200
_THERE_ARE = "; there are: "

Escape = Callable[[str], str]
"""Writes a text so that it means nothing but itself in a receiver's markup."""


class TemplateMistake(ValueError):  # noqa: N818 - what the settings call it
    """A template that cannot be read, or filled in; the text begins with the line where that is known."""


def plain(value: str) -> str:
    """Write a value on one line, without what could drive a terminal: for texts without markup."""
    return excerpt(value, LONGEST_VALUE)


class Template:
    """A text with places for values, such as `{{ job.name }}: {{ state }} after {{ duration }}`."""

    def __init__(self, source: str, escape: Escape = plain) -> None:
        """Raises TemplateMistake."""
        from jinja2 import TemplateError, TemplateSyntaxError

        try:
            self._template = _environment(escape).from_string(source)
        except TemplateSyntaxError as error:
            raise TemplateMistake(f"line {error.lineno}: {_why(error)}") from None
        except (TemplateError, RecursionError) as error:
            raise TemplateMistake(_why(error)) from None

    def render(self, values: Mapping[str, object]) -> str:
        """Fill in the values. Raises TemplateMistake."""
        from jinja2 import UndefinedError

        try:
            return self._template.render(values)[:LONGEST_TEXT].strip()
        except UndefinedError as error:
            why = _why(error)
            known = "" if _THERE_ARE in why else f"{_THERE_ARE}{', '.join(sorted(values))}"
            raise TemplateMistake(f"{_line_of(error)}{why}{known}") from None
        except Exception as error:  # noqa: BLE001 - a template is a program, and may fail in any way
            raise TemplateMistake(f"{_line_of(error)}{_why(error)}") from None


def _environment(escape: Escape) -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        def getattr(self, obj: Any, attribute: str) -> Any:
            """Get a value of an object; the message for one that is not there names those that are."""
            if type(obj) is dict and attribute not in obj and not hasattr(obj, attribute):
                hint = f"{attribute!r} is not known here{_THERE_ARE}{', '.join(sorted(obj))}"
                return self.undefined(hint=hint, obj=obj, name=attribute)
            return super().getattr(obj, attribute)

    def finished(value: Any) -> str:
        return "" if value is None else escape(str(value))

    # Not Jinja's own autoescape: that writes HTML, which no receiver reads.
    return Sandbox(undefined=StrictUndefined, finalize=finished, autoescape=False)


def _line_of(error: BaseException) -> str:
    """Return the line of the template in which an error arose, which Jinja2 puts into the traceback."""
    trace, line = error.__traceback__, None
    while trace:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"line {line}: " if line else ""


def _why(error: BaseException) -> str:
    return excerpt(str(error) or type(error).__name__, _LONGEST_WHY)
