"""The service under a real systemd: it starts, proves that it is alive, reloads, is killed, and stops."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.availability import unavailable
from tests.deploy.machine import (
    DEPLOY,
    OFFLINE,
    SERVICE,
    WATCHER,
    WHEELS,
    Entry,
    Machine,
    UnavailableError,
    boot,
)

CONFIG = "/etc/watcher/watcher.toml"
CREDENTIALS = "/etc/watcher/credentials"
KEY_FILE = f"{CREDENTIALS}/openai-api-key"
DROP_IN = f"/run/systemd/system/{SERVICE}.d/test.conf"
RECORD = "/var/lib/watcher/watcher.db"
BACKUP = "/var/lib/watcher/backup.db"
KEY = "sk-simulated-1234567890"
DRAIN_LIMIT = 10
"""Seconds that messages under way have to finish."""

CONFIGURATION = """
[sources.openai]
base_url = "http://127.0.0.1:8010/v1"
[polling]
interval = "0.5s"
[store]
url = "sqlite:////var/lib/watcher/watcher.db"
[log]
format = "json"
[[jobs]]
id = "ftjob-one"
[notifiers.journal]
kind = "stdout"
format = "json"
first_seen = "always"
"""
SECOND_JOB = """
[[jobs]]
id = "ftjob-two"
"""
TWO_MISTAKES = CONFIGURATION.replace('"0.5s"', '"soon"') + "[notifiers.chat]\nkind = 'pigeon'\n"

QUICKLY = "[Service]\nRestartSec=100ms\n"
SILENT_RECEIVER = "import socket, time; server = socket.create_server(('127.0.0.1', 8020)); time.sleep(3600)"


@pytest.fixture(scope="module")
def machine(debian: Path, wheel: Path) -> Iterator[Machine]:
    """A machine onto which the watcher was installed while it runs, as an operator does it."""
    try:
        with boot(debian) as machine:
            machine.run(f"{DEPLOY}/systemd/install.sh", "--from", f"{WHEELS}/{wheel.name}", env=OFFLINE)
            yield machine
    except UnavailableError as error:
        unavailable(str(error))


@dataclass
class Service:
    """The service on its machine, with a simulated API beside it."""

    machine: Machine
    since: str
    """A cursor of the journal: what came before does not count."""
    helpers: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Start it; fails if it does not become active."""
        self.machine.run("systemctl", "daemon-reload")
        done = self.machine.run("systemctl", "start", SERVICE, check=False)
        assert done.returncode == 0, "\n".join(str(entry["MESSAGE"]) for entry in self.entries)

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.machine.write(CONFIG, text)

    def simulate(self, *jobs: str, key: str = KEY) -> None:
        """Start an API at which each job does what its steps say."""
        script = f'api_key = "{key}"\n' + "".join(jobs)
        self.machine.write("/root/script.toml", script)
        self.help_with("simulator", WATCHER, "simulate", "/root/script.toml", "--port", "8010")
        self.machine.wait_until(lambda: "127.0.0.1:8010" in self.machine.run("journalctl", "-u", "simulator").stdout)

    def help_with(self, unit: str, *command: str) -> None:
        """Start a program beside the service."""
        self.machine.run("systemd-run", "--quiet", "--collect", f"--unit={unit}", *command)
        self.helpers.append(unit)

    @property
    def pid(self) -> int:
        """The main process; 0 if there is none."""
        return int(self.machine.show("MainPID"))

    @property
    def restarts(self) -> int:
        """How often systemd has started it again by itself."""
        return int(self.machine.show("NRestarts"))

    @property
    def entries(self) -> list[Entry]:
        """What the journal says of it, systemd's own words included."""
        return self.machine.journal(f"--after-cursor={self.since}", f"--unit={SERVICE}")

    @property
    def lines(self) -> list[dict[str, Any]]:
        """What the main process wrote; each line must be an object in JSON."""
        return [json.loads(entry["MESSAGE"]) for entry in self.entries if entry["SYSLOG_IDENTIFIER"] == "watcher"]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines about an event."""
        return [line for line in self.lines if line.get("event") == event]

    def alerts(self, job: str = "ftjob-one") -> list[tuple[str, str]]:
        """Return what was delivered of a job: (status, id)."""
        events = [line for line in self.lines if line.get("object") == "event"]
        return [(event["data"]["status"], event["id"]) for event in events if event["data"].get("id") == job]

    def history(self, job: str = "ftjob-one") -> list[tuple[str, str]]:
        """Return what is recorded of a job, as the operator asks for it, the first transition first: (status, id)."""
        rows = json.loads(self.machine.run_as_user("watcher", "jobs", "history", job, "--json").stdout)
        return [(row["status"], row["event_id"]) for row in reversed(rows)]

    def wait_for_alert(self, status: str, job: str = "ftjob-one") -> None:
        """Wait until a status was delivered."""
        self.machine.wait_until(lambda: status in [told for told, _ in self.alerts(job)])


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    """The service as if just installed: not started, nothing recorded, the key in its place."""
    machine.run("sh", "-c", f"rm -rf /var/lib/watcher/* {CREDENTIALS}/* {DROP_IN}")
    machine.write(CONFIG, CONFIGURATION)
    machine.write(KEY_FILE, KEY)
    machine.write(DROP_IN, QUICKLY)
    service = Service(machine, machine.journal("--lines=1")[-1]["__CURSOR"])
    yield service
    for unit in [SERVICE, *service.helpers]:
        machine.run("systemctl", "stop", unit, check=False)
    machine.run("systemctl", "reset-failed", check=False)


def job(*steps: str, name: str = "ftjob-one") -> str:
    """Write a job for the simulator."""
    return f'[[jobs]]\nid = "{name}"\nsteps = [{", ".join(f"{{ {step} }}" for step in steps)}]\n'


RUNNING = 'status = "running"'
SUCCEEDED = 'status = "succeeded"'


def test_it_is_active_only_once_its_record_is_open_and_jobs_are_polled(service: Service) -> None:
    service.simulate(job(RUNNING))
    service.start()
    started = int(service.machine.show("ActiveEnterTimestampMonotonic"))
    watching = next(entry for entry in service.entries if '"watching"' in entry.get("MESSAGE", ""))
    assert int(watching["__MONOTONIC_TIMESTAMP"]) < started
    assert service.machine.show("StatusText")
    service.wait_for_alert("running")


def test_mistakes_in_the_configuration_are_told_once_and_not_retried(service: Service) -> None:
    service.configure(TWO_MISTAKES)
    done = service.machine.run("systemctl", "start", SERVICE, check=False)
    assert done.returncode != 0
    assert (service.machine.show("ActiveState"), service.machine.show("ExecMainStatus"), service.restarts) == (
        "failed",
        "2",
        0,
    )
    told = " ".join(str(entry["MESSAGE"]) for entry in service.entries)
    assert "polling.interval" in told
    assert "pigeon" in told


def test_a_reload_takes_over_what_changed_in_the_same_process(service: Service) -> None:
    service.simulate(job(RUNNING), job(RUNNING, name="ftjob-two"))
    service.start()
    service.wait_for_alert("running")
    pid = service.pid
    service.configure(CONFIGURATION + SECOND_JOB)
    service.machine.run("systemctl", "reload", SERVICE)
    service.wait_for_alert("running", "ftjob-two")
    service.machine.wait_until(lambda: service.machine.show("ActiveState") == "active")
    assert (service.pid, service.restarts) == (pid, 0)
    assert len(service.alerts()) == 1, "the first job was told of again"


def test_a_reload_of_a_bad_configuration_fails_and_changes_nothing(service: Service) -> None:
    """`systemctl reload` says so; every mistake is in the journal; the service goes on as it was."""
    service.simulate(job('status = "running", for = "6s"', SUCCEEDED))
    service.start()
    pid = service.pid
    service.configure(TWO_MISTAKES)
    assert service.machine.run("systemctl", "reload", SERVICE, check=False).returncode != 0
    told = " ".join(str(entry["MESSAGE"]) for entry in service.entries)
    assert "polling.interval" in told
    assert "pigeon" in told
    service.wait_for_alert("succeeded")
    assert (service.machine.show("ActiveState"), service.pid) == ("active", pid)


def test_a_bare_sighup_with_a_bad_configuration_logs_every_mistake(service: Service) -> None:
    service.simulate(job('status = "running", for = "6s"', SUCCEEDED))
    service.start()
    pid = service.pid
    service.configure(TWO_MISTAKES)
    service.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=HUP", SERVICE)
    service.machine.wait_until(lambda: [line for line in service.lines if line.get("level") == "error"])
    told = json.dumps([line for line in service.lines if line.get("level") == "error"])
    assert "polling.interval" in told
    assert "pigeon" in told
    service.wait_for_alert("succeeded")
    assert (service.machine.show("ActiveState"), service.pid) == ("active", pid)


def test_a_healthy_service_outlives_its_watchdog_and_a_stopped_one_is_restarted(service: Service) -> None:
    service.machine.write(DROP_IN, QUICKLY + "WatchdogSec=3s\nTimeoutAbortSec=1s\n")
    service.simulate(job(RUNNING))
    service.start()
    pid = service.pid
    started = int(service.machine.show("ActiveEnterTimestampMonotonic"))
    service.machine.wait_until(lambda: time.monotonic() * 1e6 > started + 7e6)
    assert (service.pid, service.restarts) == (pid, 0)
    service.machine.run("kill", "-STOP", str(pid))
    service.machine.wait_until(lambda: service.restarts == 1 and service.machine.show("ActiveState") == "active")
    assert service.pid != pid
    assert any("Watchdog timeout" in str(entry["MESSAGE"]) for entry in service.entries)


def test_an_aborted_service_says_where_it_was(service: Service) -> None:
    """What the watchdog does to a hung process; it leaves a stack trace, and no core with the secrets."""
    service.simulate(job(RUNNING))
    service.start()
    service.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=ABRT", SERVICE)
    service.machine.wait_until(lambda: service.restarts == 1)
    told = [str(entry["MESSAGE"]) for entry in service.entries]
    assert any("Fatal Python error: Aborted" in line for line in told)
    assert any("code=killed, status=6/ABRT" in line for line in told)


def test_nothing_is_lost_and_nothing_told_under_two_ids_when_it_is_killed(service: Service) -> None:
    service.simulate(job('status = "running", for = "8s"', SUCCEEDED))
    service.start()
    service.wait_for_alert("running")
    pid = service.pid
    service.machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", SERVICE)
    service.wait_for_alert("succeeded")
    assert service.restarts == 1
    assert service.pid not in {0, pid}
    assert [status for status, _ in service.history()] == ["running", "succeeded"]
    assert set(service.alerts()) == set(service.history())


def test_stopping_is_clean(service: Service) -> None:
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    service.machine.run("systemctl", "stop", SERVICE)
    assert _end(service) == ("inactive", "success", "0")
    assert service.lines[-1]["event"] == "stopped"


def test_a_receiver_that_hangs_cannot_hold_up_the_stop(service: Service) -> None:
    service.help_with("receiver", "python3", "-c", SILENT_RECEIVER)
    hook = "[notifiers.silent]\nkind = 'webhook'\nurl = 'http://127.0.0.1:8020/'\nfirst_seen = 'always'\n"
    service.configure(CONFIGURATION + hook)
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    begun = time.monotonic()
    service.machine.run("systemctl", "stop", SERVICE)
    assert time.monotonic() - begun < DRAIN_LIMIT + 5
    assert _end(service) == ("inactive", "success", "0")


def test_the_journal_holds_structured_lines(service: Service) -> None:
    """Logs and alerts alike: one object in JSON a line."""
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    assert len(service.logged("watching")) == 1
    logs = [line for line in service.lines if line.get("object") != "event"]
    assert all({"event", "level", "timestamp"} <= set(line) for line in logs)
    assert {entry["SYSLOG_IDENTIFIER"] for entry in service.entries} == {"watcher", "systemd"}


def test_it_runs_with_no_more_rights_than_it_needs(service: Service) -> None:
    """Looked at from inside: even root in the service's own view of the files can write nowhere but its directories."""
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    status = dict(
        line.split(":\t", 1)
        for line in service.machine.run("cat", f"/proc/{service.pid}/status").stdout.splitlines()
        if ":\t" in line
    )
    assert "0" not in status["Uid"].split()
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {0}
    among = ("nsenter", "--target", str(service.pid), "--mount")
    for path in ("/etc/watcher/x", "/usr/x", "/opt/finetune-watcher/x", "/var/lib/x"):
        assert "Read-only" in service.machine.run(*among, "touch", path, check=False).stderr
    service.machine.run(*among, "touch", "/var/lib/watcher/x", "/tmp/x")
    for directory in ("/var/lib/watcher", "/run/watcher", "/tmp", "/dev/shm"):
        service.machine.run(*among, "cp", "/usr/bin/true", f"{directory}/true")
        assert "Permission denied" in service.machine.run(*among, f"{directory}/true", check=False).stderr
    assert service.machine.run(*among, "ls", "-A", "/root", check=False).stdout == ""


def test_secrets_reach_the_watcher_and_nobody_else(service: Service) -> None:
    """The simulator rejects requests without the key, so the alert proves that it arrived."""
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    shown = service.machine.run("systemctl", "show", SERVICE).stdout
    assert "/run/credentials/finetune-watcher.service/secret_openai-api-key" in shown
    for place in (
        shown,
        service.machine.run("cat", f"/proc/{service.pid}/environ").stdout,
        service.machine.run("cat", f"/proc/{service.pid}/cmdline").stdout,
        json.dumps(service.entries),
    ):
        assert KEY not in place


def test_a_secret_is_rotated_by_a_restart(service: Service) -> None:
    """The API comes back with another key in force; the restart brings that key to the watcher."""
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    service.machine.run("systemctl", "stop", "simulator")
    service.machine.write(KEY_FILE, "sk-the-new-one-0987654321\n")
    service.machine.run("systemctl", "restart", SERVICE)
    service.simulate(job(SUCCEEDED), key="sk-the-new-one-0987654321")
    service.wait_for_alert("succeeded")


def test_a_backup_taken_while_it_runs_can_be_put_back(service: Service) -> None:
    service.simulate(job(RUNNING))
    service.start()
    service.wait_for_alert("running")
    recorded = service.history()
    service.machine.run_as_user(WATCHER, "backup", BACKUP, "-c", CONFIG)
    service.machine.run("systemctl", "stop", SERVICE)
    service.machine.run("sh", "-c", f"rm {RECORD}*")
    service.machine.run(
        "install", "--owner=finetune-watcher", "--group=finetune-watcher", "--mode=0600", BACKUP, RECORD
    )
    service.machine.run("systemctl", "start", SERVICE)
    service.machine.wait_until(lambda: len(service.logged("watching")) == 2)
    assert service.history() == recorded
    assert len(service.alerts()) == 1, "what was told before the backup was told again"


def test_an_upgrade_restarts_what_runs(service: Service, wheel: Path) -> None:
    service.simulate(job('status = "running", for = "20s"', SUCCEEDED))
    service.start()
    pid = service.pid
    service.machine.run(f"{DEPLOY}/systemd/install.sh", "--from", f"{WHEELS}/{wheel.name}", env=OFFLINE)
    assert service.machine.show("ActiveState") == "active"
    assert service.pid != pid
    service.machine.wait_until(lambda: "succeeded" in [status for status, _ in service.history()])
    assert set(service.alerts()) == set(service.history())


def _end(service: Service) -> tuple[str, ...]:
    return tuple(service.machine.show(name) for name in ("ActiveState", "Result", "ExecMainStatus"))
