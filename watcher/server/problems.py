"""Errors as RFC 9457 has them: `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"
MOST_MISTAKES = 32
"""Mistakes that one answer names: a body may hold thousands."""
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="finetune-watcher"'}
BROWSER_CHALLENGE = {"WWW-Authenticate": 'Basic realm="finetune-watcher", charset="UTF-8"'}
"""Makes a browser ask for the token, as a password. It would not know the other one."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong with a request."""

    where: str
    """The parameter, or the place in the document."""
    why: str


class Problem(Exception):  # noqa: N818 - what RFC 9457 calls it
    """Ends a request; its text is written for the client."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        mistakes: Sequence[Mistake] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.mistakes = mistakes
        self.headers = headers


def problem_response(problem: Problem) -> Response:
    """Return the response for a problem."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    if problem.mistakes:
        body["mistakes"] = [{"where": mistake.where, "why": mistake.why} for mistake in problem.mistakes]
    return JSONResponse(body, problem.status.value, problem.headers, MEDIA_TYPE)


def refuse(mistakes: Sequence[Mistake]) -> None:
    """Raise a problem that names the mistakes, if there are any."""
    if len(mistakes) > MOST_MISTAKES:
        text = f"The request has {len(mistakes):,} mistakes; the first {MOST_MISTAKES} are named."
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, text, mistakes[:MOST_MISTAKES])
    if mistakes:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "The request has mistakes.", mistakes)


def unauthorized(*, is_browser: bool = False) -> Problem:
    """Return the problem of a request without the right token."""
    if is_browser:
        text = "The password is the token of the settings, http.token; any user name will do."
        return Problem(HTTPStatus.UNAUTHORIZED, text, headers=BROWSER_CHALLENGE)
    return Problem(HTTPStatus.UNAUTHORIZED, "Send the token: Authorization: Bearer …", headers=CHALLENGE)


def foreign_page() -> Problem:
    """Return the problem of a change that a browser was not told to make by a page of this server."""
    text = "A change without a Bearer token must come from a page of this server (Sec-Fetch-Site: same-origin)."
    return Problem(HTTPStatus.FORBIDDEN, text)


def misdirected() -> Problem:
    """Return the problem of a request that calls this host by a name that is not its own."""
    text = "The Host header of the request is no name of this server; http.allowed_hosts lists those that are."
    return Problem(HTTPStatus.MISDIRECTED_REQUEST, text)


async def of_routing(_request: Request, error: Exception) -> Response:
    """Tell of a path or a method that is not there."""
    if not isinstance(error, HTTPException):
        raise error
    details = {404: "There is nothing at this path.", 405: "This method cannot be used here."}
    detail = details.get(error.status_code, error.detail)
    return problem_response(Problem(HTTPStatus(error.status_code), detail, headers=error.headers))
