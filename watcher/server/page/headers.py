"""How a page is answered: what a browser may do with it, and when it need not be sent again."""

from __future__ import annotations

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from watcher.server.page.page_cache import Rendered

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
    # A page is for whom it was asked by: the token decides.
    "Vary": "Authorization",
}
AS_OF = "<!--as-of-->"
"""Stands in a page where the time of the answer belongs, which must not make two pages differ."""


def fresh(request: Request, page: Rendered) -> Response:
    """Return the page, or word that the browser has it already."""
    headers = HEADERS | {"ETag": page.tag}
    if page.tag in (each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return HTMLResponse(page.html.replace(AS_OF, page.as_of), headers=headers)


def failed(html: str, status: HTTPStatus) -> Response:
    """Return a page that says why there is no other."""
    return HTMLResponse(html, status, HEADERS)


def go_to(path: str) -> Response:
    """Send the browser to another page of this server, after a form."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER, HEADERS)
