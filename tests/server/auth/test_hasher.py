"""The process that hashes: one, which stands back, ends with the server, and may die without a login's notice."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from syncline.server.auth import hasher as hashing
from syncline.server.auth.argon2id import Cost
from syncline.server.auth.hasher import Hasher
from tests.server.running import eventually

PASSWORD = "three blue bicycles"
CHEAP = Cost(memory_kib=8, passes=1)
OWNER = """
import signal
from syncline.server.auth.hasher import Hasher
hasher = Hasher()
hasher.compute("hash", (8, 1, 1), "x")
print(hasher.pid, flush=True)
signal.pause()
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere a thread hashes")


@pytest.fixture
def hasher():
    hasher = Hasher()
    yield hasher
    hasher.close()


@pytest.fixture
def hashed(hasher):
    return hasher.compute("hash", CHEAP, PASSWORD)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_process_from_the_first_hash_on(hasher):
    assert hasher.pid is None
    hashed = hasher.compute("hash", CHEAP, PASSWORD)
    pid = hasher.pid
    assert pid not in (None, os.getpid())
    assert hasher.compute("verify", hashed, PASSWORD) is True
    assert hasher.compute("verify", hashed, "žluťoučký\n🦄") is False
    assert hasher.compute("verify", "no hash", PASSWORD) is False
    assert hasher.pid == pid
    hasher.close()
    assert not is_there(pid)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="no such scheduling here")
def test_it_stands_back(hasher, hashed):
    assert os.sched_getscheduler(hasher.pid) == os.SCHED_IDLE


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_password_shows_nowhere(hasher, hashed, caplog):
    os.kill(hasher.pid, signal.SIGKILL)
    assert hasher.compute("verify", hashed, PASSWORD) is True
    for name in ("cmdline", "environ"):
        assert PASSWORD.encode() not in Path(f"/proc/{hasher.pid}/{name}").read_bytes()
    assert "has ended" in caplog.text
    assert PASSWORD not in caplog.text


def test_a_hash_under_way_when_it_dies_is_computed_again(hasher, hashed):
    pid = hasher.pid
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(hasher.compute, "verify", hashed, PASSWORD)
        eventually(lambda: hasher._process._owes)
        os.kill(pid, signal.SIGKILL)
        assert answer.result(60) is True
    assert hasher.pid not in (None, pid)


def test_without_a_processor_for_it_the_server_computes(hasher, hashed, monkeypatch):
    monkeypatch.setattr(hashing, "PATIENCE_SECONDS", 0.01)
    pid = hasher.pid
    os.kill(pid, signal.SIGSTOP)
    assert hasher.compute("verify", hashed, PASSWORD) is True
    assert hasher.compute("verify", hashed, PASSWORD) is True
    os.kill(pid, signal.SIGCONT)
    monkeypatch.setattr(hashing, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr(hashing, "AT_ONCE_SECONDS", 60)
    assert hasher.compute("verify", hashed, "another") is False, "and not the late answer to what was asked before"
    assert hasher.pid == pid


def test_where_no_process_can_be_had_the_server_computes(monkeypatch, caplog):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    hasher = Hasher()
    assert hasher.compute("verify", hasher.compute("hash", CHEAP, PASSWORD), PASSWORD) is True
    assert hasher.pid is None
    assert len(caplog.records) == hashing.STARTS
    hasher.close()


def test_an_interpreter_that_is_another_program(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/true")
    hasher = Hasher()
    assert str(hasher.compute("hash", CHEAP, PASSWORD)).startswith("$argon2id$")
    hasher.close()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_when_the_server_is_killed(how):
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        pid = int(owner.stdout.readline())
        assert is_there(pid)
        owner.send_signal(how)
        owner.wait()
        eventually(lambda: not is_there(pid))


def test_the_program_imports_nothing_of_the_package():
    code = (
        "import sys, syncline.server.auth.argon2id; print(*sorted(m for m in sys.modules if m.startswith('syncline')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert told == ["syncline", "syncline.server", "syncline.server.auth", "syncline.server.auth.argon2id"]
