"""The files beside the pages: one style sheet, one script of our own, and the one that it stands on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from watcher.server.page.headers import HEADERS
from watcher.server.problems import Problem

IDIOMORPH = "idiomorph.min.js"
"""idiomorph 0.8.0, as its authors publish it: changes a page into another one and keeps focus and what is open."""
IDIOMORPH_SHA256 = "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96"
_TYPES = {"page.css": "text/css", "live.js": "text/javascript", IDIOMORPH: "text/javascript"}


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    mark: str


def address(name: str) -> str:
    """Return where a file is; its address changes with what it holds, so a browser may keep it."""
    return f"/static/{name}?{_asset(name).mark}"


async def asset(request: Request) -> Response:
    """Answer with a file. Raises Problem for one that is not there."""
    name = request.path_params["name"]
    if name not in _TYPES:
        raise Problem(HTTPStatus.NOT_FOUND, "There is nothing at this path.")
    kept = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(_asset(name).body, headers=HEADERS | kept, media_type=_TYPES[name])


@cache
def _asset(name: str) -> _Asset:
    body = files("watcher.server.page").joinpath("static", name).read_bytes()
    return _Asset(body, hashlib.blake2b(body, digest_size=6).hexdigest())
