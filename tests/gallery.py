"""Pictures of what notifiers send, for people to look at: `uv run python -m tests.gallery DIRECTORY`.

Each kind shows a success, a failure, a hostile and a very long message, much as its receiver would.
"""

from __future__ import annotations

import html
import json
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.doubles import START, a_transition, job_in
from tests.every_event import FULL, events
from watcher.curves.picture import curve_png
from watcher.domain.conditions import STUCK_AFTER, ConditionChange, stuck_condition
from watcher.domain.events import Event
from watcher.domain.jobs import JobError, JobFacts, JobKey
from watcher.domain.messages import Message, message_of
from watcher.domain.samples import DIGEST, ESCALATION, REMINDER, SEVERAL, points, sample
from watcher.domain.summaries import message_of_several
from watcher.domain.transitions import Transition
from watcher.notifiers import discord, ntfy, pagerduty, teams
from watcher.notifiers.mail.letter import html_of, letter_of, text_of
from watcher.notifiers.slack import blocks
from watcher.notifiers.wording import ends_job

_HOSTILE = (
    "<b>bold</b> <!channel> @everyone **bold** [link](http://x.example) `code` \x1b[31m\n\u202e"
    "<script>alert(1)</script>"
)
_OTHER_SCRIPTS = "דוח חודשי · تقرير الشهر · 月次報告モデル 🚀"
_PUBLIC_URL = "https://watcher.example.com"
_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; background: #eee; margin: 2rem; overflow-wrap: anywhere }
h2 { margin: 2rem 0 .5rem } .row { display: flex; flex-wrap: wrap; gap: 1rem }
.card { background: #fff; border-left: 4px solid #888; border-radius: 4px; padding: .6rem .9rem; width: 30rem }
.good { border-color: #2e7d32 } .attention { border-color: #c62828 } .warning { border-color: #757575 }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: .3rem 1rem } .wide { grid-column: 1 / 3 }
.small { color: #666; font-size: 12px } code { background: #f1f1f1 } pre { white-space: pre-wrap; margin: 0 }
"""


def samples() -> Mapping[str, Message]:
    """Return the messages that are shown, by what they are."""
    hostile = JobFacts(
        model=_HOSTILE, error=JobError(_HOSTILE, _HOSTILE, _HOSTILE), page_url="https://x.example/<script>"
    )
    long = JobFacts(error=JobError("c", "word " * 4000))
    stuck = stuck_condition(job_in("running", status_since=START - timedelta(days=3)), START, STUCK_AFTER)
    assert stuck
    return {
        "success": message_of(a_transition(facts=FULL)),
        "failure": message_of(a_transition(status="failed", facts=FULL)),
        "stuck": message_of(ConditionChange(stuck, 7, START)),
        "hostile": message_of(a_transition(status="failed", name=_HOSTILE, facts=hostile)),
        "long": message_of(a_transition(status="failed", name="n" * 400, facts=long)),
        "other scripts": message_of(
            a_transition(
                status="failed", name=_OTHER_SCRIPTS, facts=JobFacts(error=JobError("c", f"{_OTHER_SCRIPTS}\n" * 4))
            )
        ),
        "empty": message_of(a_transition(status="failed", name="", labels={}, facts=JobFacts(error=JobError("", "")))),
        "own words": replace(
            message_of(a_transition(facts=FULL)), title="In words of one's own", text="*bold*, then a\nsecond line"
        ),
        "many": message_of_several(_many()),
        **{kind: sample(kind, START) for kind in ("unstuck", ESCALATION, REMINDER, SEVERAL, DIGEST)},
        "hostile together": message_of_several(
            [a_transition(status="failed", name=_HOSTILE, facts=hostile), a_transition(key=JobKey("openai", "2"))]
        ),
    }


def _many() -> list[Event]:
    """Return the events of more jobs than one message has rows for."""
    found = enumerate(events().values())
    return [
        replace(event, key=JobKey("openai", f"ftjob-{number}")) if isinstance(event, Transition) else event
        for number, event in found
    ]


def page() -> str:
    """Return all samples of all kinds as one page of HTML."""
    kinds: Mapping[str, Callable[[Message], str]] = {
        "Slack": _slack,
        "Discord": _discord,
        "Microsoft Teams": _teams,
        "ntfy": _ntfy,
        "PagerDuty": _pagerduty,
        "E-mail": _email,
    }
    parts = [f"<!doctype html><meta charset=utf-8><title>Messages</title><style>{_STYLE}</style>"]
    for kind, show in kinds.items():
        parts += [f"<h2>{kind}</h2><div class=row>", *map(show, samples().values()), "</div>"]
    return "\n".join(parts)


def _slack(message: Message) -> str:
    parts: list[str] = []
    for block in _plain(blocks.compose(message, public_url=_PUBLIC_URL))["blocks"]:
        if block["type"] == "header":
            parts.append(f"<b>{_mrkdwn(block['text']['text'])}</b>")
        elif block["type"] == "context":
            parts.append(f"<div class=small>{_mrkdwn(block['elements'][0]['text'])}</div>")
        elif block["type"] == "table":
            parts.append(_table([[_text(cell["text"]) for cell in row] for row in block["rows"]]))
        elif "fields" in block:
            parts.append(_grid(_mrkdwn(field["text"]) for field in block["fields"]))
        else:
            parts.append(f"<div>{_mrkdwn(block['text']['text'])}</div>")
    return _card("", parts)


def _discord(message: Message) -> str:
    [embed] = _plain(discord.compose(message, _PUBLIC_URL))["embeds"]
    fields = [
        f"<div class={'narrow' if field['inline'] else 'wide'}><b>{_markdown(field['name'])}</b><br>"
        f"{_markdown(field['value'])}</div>"
        for field in embed["fields"]
    ]
    title = f"<b>{_markdown(embed['title'])}</b>{' 🔗' if 'url' in embed else ''}"
    footer = f"<div class=small>{_text(embed['footer']['text'])} • {embed['timestamp']}</div>"
    described = f"<div style='white-space: pre-line'>{_markdown(embed.get('description', ''))}</div>"
    card = _card("", [title, described, f"<div class=fields>{''.join(fields)}</div>", footer])
    return card.replace("<div class='card '", f"<div class=card style='border-color: #{embed['color']:06x}'")


def _teams(message: Message) -> str:
    card = json.loads(teams.encode(message, _PUBLIC_URL))["attachments"][0]["content"]
    first, *rest = card["body"]
    lines = list(map(_teams_block, [*first["items"], *rest]))
    lines += [f"<button>{_text(action['title'])}</button>" for action in card.get("actions", [])]
    return _card(first["style"], lines)


def _teams_block(block: Mapping[str, Any]) -> str:
    if block["type"] == "ColumnSet":
        widths = " ".join(f"{column['width']}fr" for column in block["columns"])
        cells = "".join(f"<div>{_teams_block(column['items'][0])}</div>" for column in block["columns"])
        return f'<div style="display: grid; grid-template-columns: {widths}; gap: .3rem 1rem">{cells}</div>'
    return f"<div>{''.join(map(_run, block['inlines']))}</div>"


def _ntfy(message: Message) -> str:
    content = _plain(ntfy.compose(message, _PUBLIC_URL))
    tags = f"<span class=small>{', '.join(content['tags'])}, priority {content['priority']}</span>"
    buttons = [f"<button>{_text(action['label'])}</button>" for action in content.get("actions", [])]
    return _card("", [f"<b>{_text(content['title'])}</b> {tags}", f"<pre>{_text(content['message'])}</pre>", *buttons])


def _pagerduty(message: Message) -> str:
    event = _plain(pagerduty.compose(message, _PUBLIC_URL))
    action = f"{event.get('event_action', 'change')} {event.get('dedup_key', '')}"
    details = event["payload"].pop("custom_details")
    lines = [f"{_text(name)}: {_text(str(value))}<br>" for name, value in [*event["payload"].items(), *details.items()]]
    links = [f"<u>{_text(link['text'])}</u><br>" for link in event.get("links", [])]
    return _card("", [f"<b>{_text(action)}</b><br>", *lines, *links])


def _email(message: Message) -> str:
    letter = letter_of(message, "watcher@example.com", ["team@example.com"], START, public_url=_PUBLIC_URL)
    headers = "<br>".join(_text(f"{name}: {value}") for name, value in letter.items())
    plain = f"<details><summary>plain text</summary><pre>{_text(text_of(message, _PUBLIC_URL))}</pre></details>"
    shown = html_of(message, "curve" if ends_job(message) else None, _PUBLIC_URL).replace("cid:curve", _curve())
    frame = f'<iframe sandbox srcdoc="{_text(shown)}" style="width: 100%; height: 26rem; border: 0"></iframe>'
    return _card("", [f"<div class=small>{headers}</div>", frame, plain])


@cache
def _curve() -> str:
    png = curve_png(points(START))
    assert png
    return f"data:image/png;base64,{b64encode(png).decode()}"


def _card(style: str, parts: Iterable[str]) -> str:
    return f"<div class='card {style}'>{''.join(parts)}</div>"


def _grid(cells: Iterable[str]) -> str:
    return f"<div class=fields>{''.join(f'<div>{cell}</div>' for cell in cells)}</div>"


def _table(rows: Iterable[Iterable[str]]) -> str:
    told = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table border=1 cellspacing=0 cellpadding=4 style='font-size: 13px'>{told}</table>"


def _plain(content: object) -> Any:
    return json.loads(json.dumps(content))


def _text(text: str) -> str:
    return html.escape(text)


def _run(run: Mapping[str, Any]) -> str:
    text = _text(run["text"])
    text = f"<code>{text}</code>" if run.get("fontType") else text
    text = f"<span class=small>{text}</span>" if run.get("isSubtle") else text
    return f"<b>{text}</b>" if run.get("weight") else text


def _mrkdwn(text: str) -> str:
    """Show Slack's markup: what it has escaped is HTML already; its own links and dates stand in brackets."""
    text = re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", text)
    text = re.sub(r"<([^|>]*)\|([^>]*)>", r"<u>\2</u>", text)
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", text)
    return re.sub(r"^\*([^*]*)\*\n", r"<b>\1</b><br>", text)


def _markdown(text: str) -> str:
    """Show Discord's Markdown: code, styles and links where nothing shields them."""
    if text.startswith("`"):
        return f"<code>{_text(text[1:-1])}</code>"
    shown = re.sub(r"\\(.)", lambda found: f"\0{ord(found[1])}\0", text)
    shown = re.sub(r"\*\*(.+?)\*\*", r"<strong class=styled>\1</strong>", _text(shown))
    shown = re.sub(r"\[([^\]]*)\]\(([^)]*)\)", r"<a class=styled>\1</a>", shown)
    return re.sub(r"\0(\d+)\0", lambda found: _text(chr(int(found[1]))), shown)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    (target / "messages.html").write_text(page(), encoding="utf-8")
    print(target / "messages.html")  # noqa: T201 - it is what the command is for
