"""Notifications to systemd: see sd_notify(3). Without `$NOTIFY_SOCKET` there are none."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from datetime import timedelta


class ServiceManager:
    """The service manager that started the process, if it wants notifications."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        env = os.environ if env is None else env
        address = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        is_ours = env.get("WATCHDOG_PID") in {None, "", str(os.getpid())}
        limit = env.get("WATCHDOG_USEC", "") if is_ours else ""
        self.watchdog_interval = timedelta(microseconds=int(limit)) / 2 if limit.isdigit() and int(limit) else None
        """How often it wants a sign of life: twice as often as it must; None for never."""

    def ready(self, status: str) -> None:
        """Say that the service does its work, for the first time or again after a reload."""
        self._tell(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Say that the configuration is being read again."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that the service ends."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """Give a sign of life."""
        self._tell("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Say in one line how things stand."""
        self._tell(f"STATUS={status}")

    def _tell(self, state: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as messenger:
                messenger.sendto(state.encode(), self._address)
        except OSError:
            # A manager that cannot be notified acts on its own time limits; there is no other way to report it.
            return
