"""Syncline inside a FastAPI app: whoever is signed in to the app syncs as themselves, in the space of their team.

    pip install syncline fastapi
    uvicorn fastapi_app:app

Browsers come with the app's cookie, also to sockets and streams; programs with the same token in a header. To sync
from a program, use a token that `POST /login` answered:

    syncline.open("notes.db", server="http://127.0.0.1:8000/sync", space="home", token=token)
"""

import hmac
import os
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import CookieError, SimpleCookie
from typing import Annotated

from fastapi import Cookie, FastAPI, HTTPException, Response
from pydantic import BaseModel

from syncline.server import Caller, Identity, create_app

COOKIE = "session"
SECONDS = 12 * 3_600

PEOPLE = {"ann": ("home", "ann's password"), "bob": ("home", "bob's password"), "eve": ("office", "eve's password")}
"""Names, with team and password: an app has a table for that, and hashes the passwords."""

signed_in: dict[str, tuple[str, float]] = {}
"""By token: who it is, and until when."""


class Login(BaseModel):
    """What a form on the app's own page sends."""

    name: str
    password: str


def who(token: str | None) -> tuple[str, float] | None:
    """Whose token this is, and until when."""
    name, until = signed_in.get(token or "", ("", 0.0))
    return (name, until) if until > time.time() else None


# Syncline


def authenticate(caller: Caller) -> Identity | None:
    """Who syncs. None: a key that `syncline keys create` made, or nobody."""
    found = who(caller.token or cookie_of(caller))
    if found is None:
        return None
    name, until = found
    team, _ = PEOPLE[name]
    return Identity(name, team, expires_ms=int(until * 1_000))  # an open socket ends then, too


def cookie_of(caller: Caller) -> str | None:
    """The app's cookie among the headers."""
    try:
        cookies = SimpleCookie(caller.headers.get("cookie", ""))
    except CookieError:
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


sync = create_app(
    data=os.environ.get("SYNCLINE_DATA", "syncline-data"),
    create_spaces=True,
    authenticate=authenticate,
)


# The app


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """A mounted app is not told when its host begins and ends."""
    sync.start()
    yield
    await sync.end_sessions()
    await sync.stop()


app = FastAPI(lifespan=lifespan)
app.mount("/sync", sync)


@app.post("/login")
def login(body: Login, response: Response) -> dict[str, str]:
    """Signs in: a cookie for browsers, and the same token for programs."""
    team, password = PEOPLE.get(body.name, ("", ""))
    if not team or not hmac.compare_digest(password.encode(), body.password.encode()):
        raise HTTPException(401, "Name or password is wrong.")
    token = secrets.token_urlsafe(32)
    signed_in[token] = (body.name, time.time() + SECONDS)
    response.set_cookie(COOKIE, token, max_age=SECONDS, httponly=True, samesite="lax")
    return {"name": body.name, "space": team, "token": token}


@app.post("/logout")
def logout(response: Response, session: Annotated[str | None, Cookie()] = None) -> dict[str, bool]:
    """Signs out: nothing is opened with this cookie any more."""
    response.delete_cookie(COOKIE)
    return {"was_signed_in": signed_in.pop(session or "", None) is not None}
