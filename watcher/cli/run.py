"""`watcher run`: the service."""

from __future__ import annotations

import asyncio
import os
from secrets import token_hex
from socket import gethostname

from watcher.cli.options import ConfigOption, LogFormatOption, LogLevelOption, log_options, read_settings
from watcher.cli.setting_notes import notes_on
from watcher.logs import WatcherLog
from watcher.service.bootstrap import ServicePlan, open_telemetry, real_runtime
from watcher.settings.locations import find_config


def run(config: ConfigOption = None, log_level: LogLevelOption = None, log_format: LogFormatOption = None) -> None:
    """Watch the configured jobs, those that rules find, and those added with `jobs add`, until SIGTERM or SIGINT.

    The first signal lets messages under way finish (10 s at most) and exits 0; a second one ends it at once. SIGHUP
    reads the configuration again: a good one takes effect, one with mistakes is logged and leaves things as they are.
    """
    settings = read_settings(config, log_level, log_format)
    from watcher.service.daemon import serve
    from watcher.service.event_loop import loop_factory

    log = WatcherLog(log_options(settings))
    log.adopt_standard_logging()
    runtime = real_runtime(log, open_telemetry(settings))
    service = f"{gethostname()}-{os.getpid()}-{token_hex(4)}"
    plan = ServicePlan(settings, runtime, service=service)
    for note in notes_on(settings, find_config(config, os.environ)):
        log.warning(note)

    def reread() -> ServicePlan:
        settings = read_settings(config, log_level, log_format)
        return ServicePlan(settings, runtime, lambda: log.change(log_options(settings)), service=service)

    with asyncio.Runner(loop_factory=loop_factory(os.environ)) as runner:
        runner.run(serve(plan, reread, runtime))
