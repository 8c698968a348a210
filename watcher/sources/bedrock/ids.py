"""How jobs of Bedrock are named: by the name that people gave, or by an ARN."""

from __future__ import annotations

import re

from watcher.plugins.source import any_id

_NAME = re.compile(r"(?=.{1,63}$)[A-Za-z0-9](-*[A-Za-z0-9+.])*")
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[a-z0-9-]+:[0-9]{12}:model-customization-job/.+")


def read_id(text: str) -> str:
    """Return the name or the ARN of a job. Raises ValueError for what Bedrock could take for neither."""
    if not _NAME.fullmatch(any_id(text)) and not _ARN.fullmatch(text):
        raise ValueError(
            "a job id: the name of a model customization job (up to 63 of A-Z a-z 0-9 + . -), or its ARN "
            "arn:aws:bedrock:…:model-customization-job/…"
        )
    return text
