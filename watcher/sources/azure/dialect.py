"""What Azure does in another way than OpenAI: more statuses, and an error of its own."""

from __future__ import annotations

from dataclasses import replace

from watcher.plugins.source import ListOrder
from watcher.sources.azure.states import AZURE_STATES
from watcher.sources.errors import Complaint, ErrorRules
from watcher.sources.openai.dialect import OPENAI_CAPABILITIES, OpenAIDialect, out_of_quota

_NOT_FOUND = 404
_NO_RESOURCE = "resource not found"


def remedy(complaint: Complaint) -> str | None:
    """Tell an address that is wrong from a job that is missing: Azure answers both with 404."""
    said = (complaint.message or "").strip(" .").lower()
    if complaint.status_code == _NOT_FOUND and said == _NO_RESOURCE:
        return "the endpoint or its api_version is wrong, which says nothing of the job"
    return out_of_quota(complaint)


AZURE_RULES = ErrorRules(rejects=remedy)
AZURE_CAPABILITIES = replace(OPENAI_CAPABILITIES, order=ListOrder.UNKNOWN, filters=False, webhooks=False)
"""Neither the order of the list, nor a filter by metadata, nor a webhook is documented."""
AZURE_DIALECT = OpenAIDialect(AZURE_STATES, AZURE_RULES, AZURE_CAPABILITIES, tells_estimates=False)
"""Its `estimated_finish` is set from the beginning, stays after the end, and was wrong by 20 minutes and by 30 days."""
