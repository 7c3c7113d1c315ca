"""What the server gives to browsers beside data: the SDK, which fits this server, and the demos that use it.

Nothing here asks for credentials: whoever may see it is decided about data, not about programs. A page of the demos may
load what it needs from this server alone, and nothing inline (Content Security Policy, Level 3).
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path

from syncline.errors import NotFound
from syncline.server.files import File, Folder
from syncline.server.http import Request
from syncline.server.packing import accepts

VERSION = version("syncline")
STATIC = Path(__file__).parents[1] / "static"
CHECKOUT = Path(__file__).parents[4] / "js" / "src"
"""Where the SDK is in a checkout; an installed package has it beside the demos."""
INSTALLED = STATIC / "sdk"
SDK = Folder(INSTALLED if INSTALLED.is_dir() else CHECKOUT)
DEMOS = Folder(STATIC / "demo")

REVALIDATED = "no-cache"
"""Kept, and asked for again by ETag: modules of two versions never meet in a page."""
IMMUTABLE = "public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFETY = {
    "content_security_policy": POLICY,
    "cross_origin_opener_policy": "same-origin",
    "referrer_policy": "no-referrer",
    "x_content_type_options": "nosniff",
}


async def show_sdk(request: Request) -> None:
    """``GET /sdk/{path}``: a module of the SDK; below ``/sdk/<version>/`` of exactly this version, for ever."""
    named, _, rest = _path(request).partition("/")
    if named != VERSION:
        await _send(request, await _find(SDK, _path(request)))
        return
    await _send(request, await _find(SDK, rest), cache=IMMUTABLE if SDK.path == INSTALLED else REVALIDATED)


async def show_demo(request: Request) -> None:
    """``GET /demo/{path}``: a file of the demos; of a folder its page."""
    path = _path(request)
    folder = await asyncio.to_thread(DEMOS.find, f"{path}/index.html")
    if folder is not None and not path.endswith("/"):
        await _redirect(request, f"{path.rpartition('/')[2]}/")
        return
    page = "index.html" if not path or path.endswith("/") else ""
    await _send(request, await _find(DEMOS, path + page))


async def enter_demo(request: Request) -> None:
    """``GET /demo``: on to the demo, also where a host app has put this server."""
    await _redirect(request, "demo/")


def _path(request: Request) -> str:
    return str(request.scope["path_params"]["path"])


async def _redirect(request: Request, location: str) -> None:
    await request.answer(b"", status=308, location=location)


async def _find(folder: Folder, name: str) -> File:
    """Raises NotFound."""
    file = await asyncio.to_thread(folder.find, name)
    if file is None:
        raise NotFound("There is nothing at this address.")
    return file


async def _send(request: Request, file: File, *, cache: str = REVALIDATED) -> None:
    told = {"etag": file.etag, "cache_control": cache, "vary": "Accept-Encoding", **SAFETY}
    accepted = request.header(b"accept-encoding") or ""
    if file.etag in (request.header(b"if-none-match") or ""):
        await request.answer(b"", status=304, kind=file.kind, **told)
    elif file.gzipped is not None and accepts(accepted, "gzip"):
        await request.answer(file.gzipped, status=200, kind=file.kind, **told, content_encoding="gzip")
    else:
        await request.answer(file.body, status=200, kind=file.kind, **told)
