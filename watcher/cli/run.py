"""`watcher run`: the service."""

from __future__ import annotations

import asyncio

from watcher.cli.options import ConfigOption, LogFormatOption, LogLevelOption, open_log, read_settings
from watcher.wiring import open_service, real_edges


def run(config: ConfigOption = None, log_level: LogLevelOption = None, log_format: LogFormatOption = None) -> None:
    """Watch the configured jobs, and those added with `jobs add`, until SIGTERM or SIGINT.

    The first signal lets messages under way finish (10 s at most) and exits 0; a second one ends it at once.
    """
    settings = read_settings(config, log_level, log_format)
    from watcher.daemon import serve

    log = open_log(settings)
    log.adopt_standard_logging()
    edges = real_edges(log)
    asyncio.run(serve(open_service(settings, edges), edges))
