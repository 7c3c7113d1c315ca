"""The app inside a host app: it starts with the first request and serves every route below its mount."""

from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount

from syncline.core.stamps import StampClock
from syncline.server import create_app
from syncline.server.service import wall_clock_ms


async def test_a_host_app_mounts_the_server(tmp_path: Path) -> None:
    app = create_app(data=str(tmp_path), open=True)
    host = Starlette(routes=[Mount("/sync", app=app)])
    event = {"id": StampClock("n").next(wall_clock_ms(), 1), "item": "a", "action": "b", "node": "n", "clock": {"n": 1}}
    transport = httpx2.ASGITransport(app=host)
    async with httpx2.AsyncClient(transport=transport, base_url="http://host/sync") as client:
        pushed = await client.post("/v1/push", json={"events": [event]})
        pulled = await client.get("/v1/spaces/default/pull")
        missing = await client.get("/nothing")
        pages = [await client.get(path) for path in ("/", "/setup", "/demo", "/demo/", "/sdk/syncline.js")]
    await app.stop()
    assert pushed.json()["head"] == 1
    assert [entry["event"]["id"] for entry in pulled.json()["entries"]] == [event["id"]]
    assert [page.status_code for page in pages] == [200, 200, 308, 200, 200]
    assert pages[2].headers["location"] == "demo/"
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


async def test_a_mounted_server_makes_no_key_that_nobody_sees(tmp_path: Path) -> None:
    app = create_app(data=str(tmp_path))
    app.start()
    assert app.service.registry.keys() == []
    await app.stop()
