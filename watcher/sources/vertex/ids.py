"""How tuning jobs of Vertex AI are named: by the digits that their resource names end with."""

from __future__ import annotations

from watcher.plugins.source import any_id

COLLECTION = "tuningJobs"


def own_id(name: str) -> str:
    """Return the id of the job with this resource name, which is `projects/…/locations/…/tuningJobs/{id}`."""
    return name.partition(f"/{COLLECTION}/")[2]


def read_id(text: str) -> str:
    """Return the id of a job that may be given by its resource name. Raises ValueError."""
    if any_id(text).startswith("projects/") and not own_id(text):
        raise ValueError(f"a job id, or a name such as projects/example/locations/us-central1/{COLLECTION}/1234567890")
    return own_id(text) or text
