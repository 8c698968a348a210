"""`python -m tests.soak [storm|faults|steady …]`: plays the scenes, prints the books, fails if anything is wrong."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

from tests.evidence.postgresql import postgresql
from tests.soak.faults import faults
from tests.soak.outcome import Outcome, Wish, say
from tests.soak.steady import steady
from tests.soak.storming import storm

SCENES: Mapping[str, Callable[[Wish], Awaitable[Outcome]]] = {"storm": storm, "faults": faults, "steady": steady}


def main() -> int:
    """Play what the command line asks for; return the exit code."""
    given = _arguments()
    say(f"seed {given.seed}")
    with ExitStack() as stack:
        server = stack.enter_context(postgresql()) if given.postgres else None
        outcomes = {}
        for name in given.scenes or SCENES:
            home = stack.enter_context(tempfile.TemporaryDirectory(prefix="soak-"))
            wish = Wish(
                time=timedelta(minutes=given.minutes),
                kills=given.kills,
                jobs=given.jobs,
                seed=given.seed,
                url=server.new_database() if server else None,
                home=Path(home),
            )
            say(f"\n== {name}")
            outcomes[name] = asyncio.run(_played(name, wish))
            say(str(outcomes[name]))
    return 0 if all(outcome.is_good for outcome in outcomes.values()) else 1


async def _played(name: str, wish: Wish) -> Outcome:
    return await SCENES[name](wish)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(SCENES)}; all of them by default")
    parser.add_argument("--minutes", type=float, default=10, help="how long jobs move in each scene at most")
    parser.add_argument("--kills", type=int, default=200, help="how many kills make a storm")
    parser.add_argument("--jobs", type=int, default=10_000, help="how many jobs the steady load has")
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same jobs, faults and kills")
    parser.add_argument("--postgres", action="store_true", help="record in PostgreSQL instead of SQLite")
    given = parser.parse_args()
    if unknown := set(given.scenes) - set(SCENES):
        parser.error(f"no such scene: {', '.join(sorted(unknown))}")
    return given


if __name__ == "__main__":
    sys.exit(main())
