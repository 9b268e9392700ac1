"""Logging in and out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from maskedskipunet.records import users
from maskedskipunet.web.access import COOKIE, address_of, hash_of, log_in, set_cookie
from maskedskipunet.web.forms import Form, read_form
from maskedskipunet.web.page import page_of
from maskedskipunet.web.refusals import LoginNeededError, TooManyLoginsError
from maskedskipunet.web.rendering import local_path, render

router = APIRouter(include_in_schema=False)


@router.get("/login")
def show(request: Request) -> HTMLResponse:
    """The form to log in."""
    target = local_path(request.query_params.get("next", ""), "/live")
    return render(request, "login.html", None, next=target, fault="", name="")


@router.post("/login")
def enter(request: Request, form: Annotated[Form, Depends(read_form)]) -> Response:
    """Log a browser in, and go on to where it wanted."""
    name, target = form.text("name"), local_path(form.text("next"), "/live")
    try:
        token, _ = log_in(page_of(request).records, name, form.text("password"), address_of(request))
    except (LoginNeededError, TooManyLoginsError) as error:
        status = 429 if isinstance(error, TooManyLoginsError) else 401
        answer = render(request, "login.html", None, status=status, next=target, fault=str(error), name=name[:64])
        if isinstance(error, TooManyLoginsError):
            answer.headers["retry-after"] = str(error.wait_s)
        return answer
    response = RedirectResponse(target, 303)
    set_cookie(response, token, secure=request.url.scheme == "https")
    return response


@router.post("/logout")
def leave(request: Request) -> Response:
    """Log a browser out; other sites cannot ask for it, the guard refuses them."""
    if token := request.cookies.get(COOKIE):
        users.close_session(page_of(request).records, hash_of(token))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(COOKIE, path="/")
    return response
