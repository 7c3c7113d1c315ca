"""What browsers load from the server: the SDK and the demos, whole, fresh, and nothing else that lies on the disk."""

import gzip
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from syncline.server.api.assets import CHECKOUT, DEMOS, VERSION
from syncline.server.files import Folder
from tests.server.running import ServerProcess

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"""(?:src|href|import\(?|from)\s*=?\s*["']([^"':]+)["']""")


def test_a_module_comes_as_it_is_and_is_asked_for_again_by_its_etag(open_server):
    answer = open_server.request("GET", "/sdk/errors.js")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert answer.body == (CHECKOUT / "errors.js").read_bytes()
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = open_server.request("GET", "/sdk/errors.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    changed = open_server.request("GET", "/sdk/errors.js", headers={"If-None-Match": 'W/"another"'})
    assert changed.status == 200


@pytest.mark.parametrize("path", ["/sdk/syncline.js", "/demo/", "/", "/livez"])
def test_who_asks_for_the_head_alone_gets_it(open_server, path):
    whole, head = (open_server.request(method, path) for method in ("GET", "HEAD"))
    assert (head.status, head.body) == (200, b"")
    kept = ("content-type", "content-length", "etag", "cache-control")
    assert [head.headers.get(name) for name in kept] == [whole.headers.get(name) for name in kept]


def test_this_version_has_an_address_of_its_own_and_no_other_has(open_server):
    plain, named = (open_server.request("GET", f"/sdk/{path}errors.js") for path in ("", f"{VERSION}/"))
    assert (named.status, named.body) == (200, plain.body)
    assert open_server.request("GET", "/sdk/99.0.0/errors.js").code == "not_found"


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [("gzip, br", "gzip"), ("br;q=1, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("gzip; q=0.0, br", None), ("br", None)],
)
def test_it_is_compressed_for_who_says_so(open_server, accepts, encoding):
    plain = open_server.request("GET", "/demo/").body
    answer = open_server.request("GET", "/demo/", headers={"Accept-Encoding": accepts})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert (gzip.decompress(answer.body) if encoding else answer.body) == plain


def test_pages_load_from_this_server_alone_and_nothing_inline(open_server):
    for page in ("", "note/"):
        answer = open_server.request("GET", f"/demo/{page}")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        policy = dict(each.strip().split(" ", 1) for each in answer.headers["content-security-policy"].split(";"))
        assert policy.pop("default-src") == policy.pop("frame-ancestors") == "'none'"
        assert set(policy.values()) == {"'self'", "'none'"}
        assert not re.search(rb"<style|<script>|\sstyle=|\son\w+=|https?://", answer.body)


@pytest.mark.parametrize(
    "path",
    [
        "../app.py",
        "%2e%2e/app.py",
        "..%2fpyproject.toml",
        "core/../errors.js",
        "//errors.js",
        ".hidden.js",
        "core",
        "core/",
        "errors.js/",
        "errors",
        "errors.js%00",
        "",
    ],
)
def test_nothing_else_is_found(open_server, path):
    assert open_server.request("GET", f"/sdk/{path}").code == "not_found"


def test_names_lead_nowhere_else(tmp_path):
    (tmp_path / "inside").mkdir()
    for name in ("secret.js", "inside/a.js", "inside/.b.js", "inside/c.db"):
        (tmp_path / name).write_text("1")
    folder = Folder(tmp_path / "inside")
    found = folder.find("a.js")
    assert found is not None
    assert found.body == b"1"
    others = ("../secret.js", ".b.js", "c.db", "", "/a.js", str(tmp_path / "secret.js"))
    assert [folder.find(name) for name in others] == [None] * 6


def test_a_file_that_changed_is_read_again(tmp_path):
    (tmp_path / "a.js").write_text("1")
    folder = Folder(tmp_path)
    first = folder.find("a.js")
    (tmp_path / "a.js").write_text("22")
    second = folder.find("a.js")
    assert first is not None
    assert second is not None
    assert (second.body, second.etag == first.etag) == (b"22", False)


def test_the_demo_is_found_without_its_last_slash(open_server):
    for path, location in (("/demo", "demo/"), ("/demo/note", "note/")):
        answer = open_server.request("GET", path)
        assert (answer.status, answer.headers["location"]) == (308, location)


def test_all_that_the_demos_name_is_there(open_server):
    named = [
        resolved(f"/demo/{file.relative_to(DEMOS.path).parent.as_posix()}/", name)
        for file in DEMOS.path.rglob("*.*")
        if file.suffix in (".html", ".js", ".css")
        for name in LINK.findall(file.read_text("utf-8"))
        if name.startswith(".")
    ]
    assert "/demo/parts/dom.js" in named
    assert [path for path in sorted(set(named)) if open_server.request("GET", path).status != 200] == []


def resolved(place: str, name: str) -> str:
    """The address that a file at ``place`` means by a name."""
    parts: list[str] = []
    for part in f"{place}{name}".split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


@pytest.mark.slow
def test_an_installed_package_serves_both_without_node(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "installed")
    environment = (shutil.which("env"), f"PYTHONPATH={tmp_path / 'installed'}", "PATH=")
    server = ServerProcess(tmp_path / "data", prefix=environment, open=True)
    try:
        module = server.request("GET", f"/sdk/{VERSION}/errors.js")
        assert module.body == (CHECKOUT / "errors.js").read_bytes()
        assert module.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert server.request("GET", "/sdk/errors.js").headers["cache-control"] == "no-cache"
        assert server.request("GET", "/demo/").status == 200
        assert not Path(tmp_path / "installed/syncline/server/static/sdk/package.json").exists()
    finally:
        server.stop()
