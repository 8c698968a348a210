"""A message as a letter: plain text and HTML, in the thread of its job."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from hashlib import sha256

from watcher.domain.messages import Detail, Message, Severity, TableRow
from watcher.domain.text import excerpt, printable
from watcher.notifiers.wording import (
    TABLE_HEAD,
    headline_of,
    left_out,
    links_of,
    own_lines_of,
    quoted,
    small_print_of,
)

SUBJECT_LIMIT = 200
VALUE_LIMIT = 4000
FACTS_LIMIT = 200
URL_LIMIT = 2000
CURVE_NAME, CURVE_TEXT = "curve.png", "How the job trained"
_AUTHOR = "finetune-watcher"
_FAINT = "opacity: 0.7"
_DARK = (
    "@media (prefers-color-scheme: dark) {"
    + " ".join(
        f".{severity} {{ color: {colour} !important }}"
        for severity, colour in {
            Severity.GOOD: "#81c784",
            Severity.BAD: "#ff8a80",
            Severity.CANCELLED: "#bdbdbd",
            Severity.NEUTRAL: "#90caf9",
        }.items()
    )
    + "}"
)
"""Colours that can be read on a dark ground; the others stand in the elements, for programs that know no style."""
_COLOURS: Mapping[Severity, str] = {
    Severity.GOOD: "#2e7d32",
    Severity.BAD: "#c62828",
    Severity.CANCELLED: "#757575",
    Severity.NEUTRAL: "#1565c0",
}


def letter_of(  # noqa: PLR0913 - what stands on it, and in it
    message: Message,
    sender: str,
    recipients: Sequence[str],
    now: datetime,
    *,
    curve: bytes | None = None,
    public_url: str | None = None,
) -> EmailMessage:
    """Return the letter. The same message has the same Message-ID at each attempt.

    `curve` is a picture of how the job trained, as a PNG; it travels within the letter. `public_url` is where the
    watcher's page is.
    """
    domain = sender.rpartition("@")[2]
    letter = EmailMessage(policy=policy.SMTP)
    letter["From"] = f"{_AUTHOR} <{sender}>"
    letter["To"] = ", ".join(recipients)
    letter["Subject"] = excerpt(headline_of(message), SUBJECT_LIMIT)
    letter["Date"] = format_datetime(now)
    letter["Message-ID"] = f"<{message.id}@{domain}>"
    if message.thread:
        # The thread's first letter exists in no mailbox: its id holds together whatever names it.
        root = f"<thread.{sha256(message.thread.encode('utf-8', 'replace')).hexdigest()[:32]}@{domain}>"
        letter["In-Reply-To"] = root
        letter["References"] = root
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no automatic reply is wanted
    letter["X-Auto-Response-Suppress"] = "All"  # the same for Exchange
    letter.set_content(text_of(message, public_url))
    if curve is None:
        letter.add_alternative(html_of(message, public_url=public_url), subtype="html")
        return letter
    picture = f"curve.{message.id}@{domain}"
    page = EmailMessage(policy=policy.SMTP)
    page.set_content(html_of(message, picture, public_url), subtype="html")
    page.add_related(curve, "image", "png", cid=f"<{picture}>", disposition="inline", filename=CURVE_NAME)
    letter.make_alternative()
    letter.attach(page)
    return letter


def text_of(message: Message, public_url: str | None = None) -> str:
    """Return the letter for those who read plain text."""
    links = links_of(message, public_url, URL_LIMIT)
    facts, lacking = _facts(message)
    return "\n".join(
        [
            excerpt(headline_of(message), VALUE_LIMIT),
            "",
            *own_lines_of(message, VALUE_LIMIT),
            *_columns(message.table),
            *(f"{label}: {value}" for label, value, _ in facts),
            *([left_out(lacking)] if lacking else []),
            *([""] if links else []),
            *(f"{text}: {target}" for text, target in links.items()),
            "",
            "-- ",
            *(f"{label}: {value}" for label, value, _ in _told(small_print_of(message))),
            "",
        ]
    )


def html_of(message: Message, picture: str | None = None, public_url: str | None = None) -> str:
    """Return the letter for all others: no script, nothing that is fetched. `picture` is the id of its one picture."""
    links = links_of(message, public_url, URL_LIMIT)
    shown = " · ".join(f'<a href="{html.escape(target)}">{text}</a>' for text, target in links.items())
    facts, lacking = _facts(message)
    small = " · ".join(
        f"{html.escape(label.lower())} {html.escape(value)}" for label, value, _ in _told(small_print_of(message))
    )
    return "\n".join(
        [
            '<!doctype html><html><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">',
            f"<style>{_DARK}</style></head>",
            '<body style="font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere">',
            f'<p style="border-left: 5px solid {_COLOURS[message.severity]}; padding-left: 10px; font-size: 18px">',
            f"<b>{html.escape(excerpt(headline_of(message), VALUE_LIMIT))}</b></p>",
            *(f"<div>{html.escape(line) or '&nbsp;'}</div>" for line in own_lines_of(message, VALUE_LIMIT)),
            '<table cellpadding="3" style="border-collapse: collapse">',
            *map(_row, facts),
            *_rows(message.table),
            "</table>",
            *([f'<p><img src="cid:{picture}" alt="{CURVE_TEXT}" style="max-width: 100%"></p>'] if picture else []),
            *([f"<p>{left_out(lacking)}</p>"] if lacking else []),
            *([f"<p>{shown}</p>"] if shown else []),
            f'<p style="font-size: 12px; {_FAINT}">{small}</p>',
            "</body></html>",
            "",
        ]
    )


_Told = tuple[str, str, bool]


def _facts(message: Message) -> tuple[list[_Told], int]:
    facts = message.facts if message.text is None and not message.table else ()
    return list(_told(facts[:FACTS_LIMIT])), max(len(facts) - FACTS_LIMIT, 0)


def _told(facts: Iterable[Detail]) -> Iterable[_Told]:
    return ((excerpt(fact.label, SUBJECT_LIMIT), excerpt(fact.value, VALUE_LIMIT), fact.is_code) for fact in facts)


def _columns(table: Sequence[TableRow]) -> list[str]:
    """Return the table in columns as wide as what stands in them."""
    rows = [tuple(map(printable, (row.name, row.outcome, row.detail))) for row in table]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return [f"{name:<{widths[0]}}  {outcome:<{widths[1]}}  {detail}".rstrip() for name, outcome, detail in rows]


def _rows(table: Sequence[TableRow]) -> Iterable[str]:
    if table:
        yield f'<tr style="{_FAINT}">{"".join(f"<td>{title}</td>" for title in TABLE_HEAD)}</tr>'
    for row in table:
        link = quoted(row.url, URL_LIMIT)
        name = html.escape(printable(row.name))
        name = f'<a href="{html.escape(link)}">{name}</a>' if link else name
        colour = _COLOURS[row.severity] if row.outcome else "inherit"
        yield (
            f'<tr><td valign="top" style="min-width: 7em">{name}</td>'
            f'<td valign="top" class="{row.severity if row.outcome else ""}" style="color: {colour}; font-weight: 600;'
            ' white-space: nowrap; padding-right: 12px">'
            f'{html.escape(printable(row.outcome))}</td><td valign="top">{html.escape(printable(row.detail))}</td></tr>'
        )


def _row(told: _Told) -> str:
    label, value, is_code = told
    shown = f"<code>{html.escape(value)}</code>" if is_code else html.escape(value)
    return (
        f'<tr><th align="left" valign="top" style="font-weight: 600; white-space: nowrap; padding-right: 12px">'
        f"{html.escape(label)}</th>"
        f'<td valign="top">{shown}</td></tr>'
    )
