"""The application: its pages, its API, and what it answers where something is wrong."""

import logging
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from maskedskipunet.errors import ConfigError, DiskSpaceError, MaskedSkipUNetError, RecordsError
from maskedskipunet.records.database import DamagedError, UnavailableError
from maskedskipunet.web import (
    answers,
    api,
    calibration,
    calibration_api,
    export,
    learning_pages,
    live,
    login_pages,
    media,
    review,
    run_pages,
    service_pages,
    timeline,
)
from maskedskipunet.web.guard import Guard
from maskedskipunet.web.page import Page
from maskedskipunet.web.refusals import (
    BadRequestError,
    BusyError,
    ForbiddenError,
    LoginNeededError,
    NotFoundError,
    TooManyLoginsError,
)
from maskedskipunet.web.rendering import STATIC, is_fragment, render

log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[MaskedSkipUNetError], int], ...] = (
    (LoginNeededError, 401),
    (TooManyLoginsError, 429),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (BadRequestError, 400),
    (BusyError, 503),
    (UnavailableError, 503),
    (DamagedError, 503),
    (DiskSpaceError, 507),
    (ConfigError, 400),
    (MaskedSkipUNetError, 409),
)
GONE = "It may have been removed, as the oldest are when room is needed"
_TITLES = {
    400: "That cannot be understood",
    401: "Please log in",
    403: "Not allowed",
    404: "Nothing here",
    405: "Not that way",
    409: "That cannot be done now",
    422: "That cannot be understood",
    429: "Too many attempts",
    503: "The records cannot be used now",
    507: "The disk is full",
}


def create_app(page: Page, version: str = "") -> Guard:
    """Return the application of a page that is open. version: of the program, for the API's document."""
    own_names = page.settings.host_names
    return Guard(build_app(page, version), own_names if page.settings.is_loopback else None)


def build_app(page: Page, version: str = "") -> FastAPI:
    """Return the application as it is behind its guard."""
    app = FastAPI(
        title="maskedskipunet",
        version=version or "0",
        docs_url=None,  # they would load scripts from other hosts
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.page = page
    modules = (
        service_pages,
        live,
        review,
        timeline,
        answers,
        media,
        export,
        learning_pages,
        calibration,
        run_pages,
        login_pages,
        api,
        calibration_api,
    )
    for module in modules:
        app.include_router(module.router)
    app.mount("/static", _Static(directory=STATIC), name="static")
    app.add_exception_handler(MaskedSkipUNetError, _refused)
    app.add_exception_handler(StarletteHTTPException, _http_fault)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _broken_off)
    app.add_exception_handler(Exception, _unexpected)
    return app


class _Static(StaticFiles):
    """Files of the page itself; a browser asks each time whether they have changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "no-cache"
        return response


def status_of_error(error: MaskedSkipUNetError) -> int:
    """Return the status that a refusal is answered with."""
    if isinstance(error, RecordsError) and error.what.startswith("there is no such event"):
        return 404
    if type(error) is RecordsError and ("is no id of an event" in error.what or error.where in ("after", "size")):
        return 400
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MaskedSkipUNetError)
    status = status_of_error(error)
    if status == 401 and not _is_for_programs(request):
        return _to_login(request)
    if status >= 500:
        log.warning("%s %s: %s", request.method, request.url.path, error)
    cure = GONE if status == 404 and type(error) is RecordsError else error.cure
    response = _fault(request, status, error.what, error.where, cure)
    if isinstance(error, TooManyLoginsError):
        response.headers["retry-after"] = str(error.wait_s)
    elif status == 503:
        response.headers["retry-after"] = "5"
    return response


def _to_login(request: Request) -> Response:
    """Send a browser to the login, and from there back to where it wanted."""
    if is_fragment(request):
        return Response(status_code=401, headers={"hx-redirect": "/login"})
    query = f"?{request.url.query}" if request.url.query else ""
    target = f"{request.url.path}{query}" if request.method == "GET" else "/live"
    return RedirectResponse(f"/login?next={quote(target, safe='')}", 303)


def _http_fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    told = {404: "there is no such page", 405: "this address takes another kind of request"}
    what = told.get(error.status_code, str(error.detail))
    return _fault(request, error.status_code, what, "", "")


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])[:100]
    return _fault(request, 400, str(first["msg"])[:200], where, "See /api/v1/openapi.json")


def _broken_off(request: Request, error: Exception) -> Response:
    return _fault(request, 413, "the request is too large, or came too slowly", "", "")


def _unexpected(request: Request, error: Exception) -> Response:
    return _fault(request, 500, "something went wrong that should not have", "", "The log of `serve` has more")


def _fault(request: Request, status: int, what: str, where: str, cure: str) -> Response:
    if _is_for_programs(request):
        return JSONResponse({"what": what, "where": where, "cure": cure}, status)
    values = {"title": _TITLES.get(status, "Something went wrong"), "what": what, "where": where, "cure": cure}
    name = "_fault.html" if is_fragment(request) else "error.html"
    return render(request, name, None, status=status, **values)


def _is_for_programs(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/metrics", "/ready", "/health"))
