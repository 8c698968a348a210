"""What notifiers need to update what they sent."""

from __future__ import annotations

from sqlalchemy import Connection, select

from watcher.store.schema import receipt


def receipts_of(connection: Connection, thread: str) -> dict[str, str]:
    """Return the last receipt of each notifier that has sent something in a thread."""
    found = connection.execute(select(receipt.c.notifier, receipt.c.receipt).where(receipt.c.subject == thread))
    return {row.notifier: row.receipt for row in found}
