"""The settings of the Slack notifier: an incoming webhook, or a bot that keeps one message for each job."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from watcher.errors import ConfigurationError
from watcher.notifiers.http import Address
from watcher.notifiers.slack.blocks import markup
from watcher.notifiers.slack.bot import Bot, Manners
from watcher.notifiers.slack.webhook import IncomingWebhook
from watcher.plugins.notifier import Context, Notifier, Plugin
from watcher.plugins.section import Section, expected
from watcher.plugins.values import BaseUrl, Key

_CHANNEL = re.compile(r"#?[^\s#<>,]{1,80}")
_MENTION = re.compile(r"<?(@[UW][A-Z0-9]+|!subteam\^S[A-Z0-9]+|!here|!channel)>?")
_WAYS = "give either webhook_url (or webhook_url_file), or token (or token_file) and channel"


def _check_channel(channel: str) -> str:
    if not _CHANNEL.fullmatch(channel):
        raise expected('the name or the id of a channel, such as "#ml-jobs" or "C0123456789"')
    return channel


def _check_mention(mention: str) -> str:
    found = _MENTION.fullmatch(mention)
    if not found:
        raise expected('whom to call, by id: "@U0123", "!subteam^S0123", "!here" or "!channel"')
    return f"<{found[1]}>"


Channel = Annotated[str, AfterValidator(_check_channel)]


class ChannelBy(Section):
    """Chooses the channel by a label of the job."""

    label: str
    """The label, such as `team`."""
    map: dict[str, Channel]
    """The channel for each value of the label; jobs with another value go to `channel`."""


class Config(Section):
    """Where to post: an incoming webhook, or a bot's token and a channel."""

    token: Key | None = None
    """The token of a bot with the scope `chat:write`: one message for each job, edited as the job moves on, with its
    history in the thread; with `files:write` also a picture of how it trained. The bot must be in the channel."""
    channel: Channel | None = None
    """The channel of the bot's messages: `#ml-jobs`, or its id."""
    channel_by: ChannelBy | None = None
    """Other channels for some jobs, by a label: `{ label = "team", map = { nlp = "#nlp" } }`."""
    mention: list[Annotated[str, AfterValidator(_check_mention)]] = Field(default_factory=list)
    """Who is called when a job fails, is stuck or missing: `@U0123`, `!subteam^S0123`, `!here`, `!channel`."""
    broadcast: list[str] = Field(default_factory=list)
    """News whose answer in the thread is shown in the channel too: statuses or states, `stuck`, `missing`."""
    api_url: BaseUrl = "https://slack.com/api"
    """Where Slack's Web API is."""

    webhook_url: Annotated[Address | None, Field(validate_default=True)] = None
    """In place of a bot: the address of an incoming webhook. Each message is a new one. It is a secret."""

    @field_validator("webhook_url")
    @classmethod
    def _check_way(cls, webhook_url: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if {"token", "channel"} <= info.data.keys():
            token, channel = info.data["token"], info.data["channel"]
            if (webhook_url and (token or channel)) or (not webhook_url and not (token and channel)):
                raise PydanticCustomError("mistake", "{rule}", {"rule": _WAYS})
        return webhook_url


def _build(config: Config, context: Context) -> Notifier:
    if config.webhook_url:
        return IncomingWebhook(config.webhook_url, context)
    if not config.token or not config.channel:
        raise ConfigurationError(f"notifier {context.name}: {_WAYS}")
    by = config.channel_by
    manners = Manners(
        channel=config.channel,
        label=by.label if by else None,
        channels=by.map if by else {},
        mention=config.mention,
        broadcast=config.broadcast,
    )
    return Bot(config.api_url, config.token.get_secret_value(), manners, context)


plugin = Plugin(Config, _build, {"SLACK_WEBHOOK_URL": "webhook_url"}, markup=markup)
