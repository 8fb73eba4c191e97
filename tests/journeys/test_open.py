"""A switchhook without accounts and secrets, on the real program: who is let in, and who is told.

A proxy on this machine may connect from loopback, rewrite the Host and add no header: what it
sends then is what a program of this machine would send.
"""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

from patience import PATIENCE_S
from program import command, http, read_reply, running, until
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.server.tables import open_ledger
from switchhook.sqlite_file import connect_checked
from switchhook.system.data_folder import DataFolder

WELL = "CallSid=c1&Stream[StreamSID]=s1&Stream[Status]=completed&Stream[DisconnectedBy]=bot"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    with running(tmp_path_factory.mktemp("open") / "data") as started:
        yield started


def through_nginx(address, target: str, version: str, host: str) -> int:
    """What `proxy_pass` sends without further settings; 1.1 is `proxy_http_version 1.1`."""
    head = f"GET {target} HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n"
    with socket.create_connection(address, timeout=PATIENCE_S) as sock:
        sock.sendall(head.encode() + b"Accept: */*\r\n\r\n")
        return read_reply(sock).status


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nothing_is_open_behind_a_plain_proxy(program, version):
    """The console and the endpoint `default`, for the Host of loopback that nginx makes."""
    console, answer = program.address("console"), program.address("answer")
    for path in ("/", "/settings", "/api/v1/receipts", "/api/v1/feed", "/metrics"):
        host = f"{console[0]}:{console[1]}"
        assert through_nginx(console, path, version, host) in (303, 401, 403), path
    host = f"{answer[0]}:{answer[1]}"
    before = len(program.receipts())
    for path in ("/passthru/default", "/passthru/default/", "/passthru/default/mistaken"):
        assert through_nginx(answer, f"{path}?{WELL}", version, host) == 403, path
    assert len(program.receipts()) == before


def link_of(program):
    """What `switchhook link` says beside the running program."""
    return json.loads(command("link", "--json", "--data", str(program.data)).out)


def test_the_command_prints_what_opens_both(program):
    """With the addresses where they really listen, though the system chose the ports."""
    found = link_of(program)
    console, passthru = found["console"], found["passthru"]["default"]
    assert console.startswith(program.urls["console"] + "/open/")
    assert passthru.startswith(program.urls["answer"] + "/passthru/default/")
    path = console.removeprefix(program.urls["console"])
    reply = http(program.address("console"), path.encode())
    cookie = reply.headers["set-cookie"].partition(";")[0]
    page = http(program.address("console"), b"/", headers={"Cookie": cookie})
    assert (page.status, b"Open: nobody signs in" in page.body) == (200, True)
    path = passthru.removeprefix(program.urls["answer"])
    assert http(program.address("answer"), f"{path}?{WELL}".encode()).status == 200


def test_no_log_and_no_pipe_gets_what_opens_it(program):
    """Neither standard output nor the log, which are a service's journal, nor the receipts."""
    program.ask(WELL)
    found = link_of(program)
    secrets = [found["console"].rpartition("/")[2], found["passthru"]["default"].rpartition("/")[2]]
    until(lambda: "nobody has" in program.said, "what it says of the way in")
    assert "nobody has an account yet: `switchhook link" in program.said
    kept = json.dumps(program.api("receipts", limit=100))
    for secret in secrets:
        assert secret not in program.said
        assert secret not in kept


def test_a_configured_secret_and_an_open_endpoint_are_as_the_operator_says(tmp_path):
    secret = "cv2PzLr8Yw-8QkT3nXb5s"
    (tmp_path / "c.toml").write_text(
        f'[endpoints.sales]\nsecrets = ["{secret}"]\n[endpoints.free]\nauth = "open"\n'
        '[endpoints.seen]\nauth = "report-only"\n'
    )
    with running(tmp_path / "data", "--config", str(tmp_path / "c.toml")) as program:
        assert program.ask(WELL, f"/passthru/sales/{secret}").status == 200
        assert program.ask(WELL, "/passthru/free").status == 200
        assert program.ask(WELL, "/passthru/seen").status == 403  # it has no secret to report on
        host = "{}:{}".format(*program.address("answer"))
        answer = program.address("answer")
        assert through_nginx(answer, f"/passthru/free?{WELL}", "1.0", host) == 403
        printed = command("link", "--data", str(program.data)).out
        assert secret not in printed
        assert f"passthru {program.urls['answer']}/passthru/free\n" in printed
        assert re.search(r"/passthru/seen/[\w-]{32}\n", printed)


def test_the_emulator_finds_the_server_that_ran_here(program):
    """By the data folder beside it."""
    words = [sys.executable, "-m", "switchhook", "emulate", "run", "bot-done"]
    done = subprocess.run(
        words, cwd=program.data.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert program.urls["answer"] + "/passthru/default/" in done.stdout


def on_a_terminal(data: Path, *options: str, wanted: Sequence[str]) -> str:
    """What `serve` prints to a terminal, until some texts are there; then it is ended."""
    ours, theirs = pty.openpty()
    words = ["serve", "--data", str(data), "--answer", "127.0.0.1:0", "--console", "127.0.0.1:0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "switchhook", *words, *options],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs)
    seen: list[str] = []

    def read() -> None:
        try:
            while part := os.read(ours, 4096):
                seen.append(part.decode())
        except OSError:
            return  # the terminal's other end is closed

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        until(lambda: all(each in "".join(seen) for each in wanted), f"{wanted} on the terminal")
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        reader.join(PATIENCE_S)
        os.close(ours)
    return "".join(seen)


def test_a_terminal_gets_the_links(tmp_path):
    said = on_a_terminal(tmp_path / "data", wanted=["open it at", "passthru http"])
    assert re.search(r"open it at http://127\.0\.0\.1:\d+/open/[\w-]{32}\r\n", said)
    assert re.search(r"passthru http://127\.0\.0\.1:\d+/passthru/default/[\w-]{32}\r\n", said)
    (tmp_path / "c.toml").write_text("[console]\nusers = true\n")
    config = ("--config", str(tmp_path / "c.toml"))
    said = on_a_terminal(tmp_path / "closed", *config, wanted=["(once, within"])
    assert "/welcome/" in said
    assert "/open/" not in said


# The ledger.

PASSWORD = "seven green parrots"


@pytest.fixture(scope="module")
def with_a_user(tmp_path_factory):
    """A data folder whose console has a user, stopped; and a backup of it."""
    folder = tmp_path_factory.mktemp("protected")
    with running(folder / "data") as program:
        add(folder / "data", "asha")
        command("backup", str(folder / "b.tar.gz"), "--data", str(folder / "data"))
        assert program.stop() == 0
    return folder


@pytest.fixture
def protected(with_a_user, tmp_path):
    """A copy of both."""
    copy = shutil.copytree(with_a_user, tmp_path / "protected")
    return copy / "data", copy / "b.tar.gz"


def add(data, name):
    words = ("users", "add", name, "--role", "administrator", "--data", str(data))
    command(*words, typed=f"{PASSWORD}\n")


def another(data):
    """A data folder, with an empty ledger that belongs to it."""
    DataFolder.open(data, "console").close()
    open_ledger(data / "ledger").close()


def vanish(data):
    (data / "ledger").rename(data / "elsewhere")


def one_file_vanishes(data):
    for file in (data / "ledger").glob("ledger.sqlite*"):
        file.unlink()


def emptied(data):
    one_file_vanishes(data)
    (data / "ledger" / "ledger.sqlite").touch()


def foreign(data):
    another(data.parent / "other")
    vanish(data)
    (data.parent / "other" / "ledger").rename(data / "ledger")


def older(data):
    ledger = connect_checked(data / "ledger" / "ledger.sqlite", APPLICATION_ID, CHECKED_VERSION)
    ledger.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    ledger.close()
    copy = (data / "ledger" / "ledger.sqlite").read_bytes()
    add(data, "ravi")
    one_file_vanishes(data)
    (data / "ledger" / "ledger.sqlite").write_bytes(copy)


@pytest.mark.parametrize(
    ("side", "happens", "named"),
    [
        ("serve", vanish, b"is missing"),
        ("console", one_file_vanishes, b"is missing"),
        ("console", emptied, b"an empty or older ledger"),
        ("console", foreign, b"another ledger"),
        ("console", older, b"is older than it was"),
    ],
)
def test_a_ledger_that_is_not_the_one_opens_nothing(protected, side, happens, named):
    """It is named where people look, callers are answered, and a backup brings it back."""
    data, backup = protected
    happens(data)
    with running(data, command=side) as program:
        assert side != "serve" or program.ask(WELL).status == 200
        page = until(lambda: refused(program), "a page that says so")
        assert named in page.body, page.body.decode()
        assert b"the newest is b.tar.gz of 20" in page.body
        assert str(data).encode() not in page.body
        assert b"--ledger-only" in page.body
        health = json.loads(http(program.address("console"), b"/healthz").body)
        assert health["status"] == "degraded"
        assert named.decode() in health["problems"][0]
        assert named.decode() in program.said
        for path in ("/", "/settings", "/api/v1/receipts", "/login"):
            reply = http(program.address("console"), path.encode(), headers=program.by_link)
            assert reply.status == 503
        for words in (["users", "list"], ["users", "link"], ["link"]):
            assert named.decode() in command(*words, "--data", str(data), code=2).err

        command("restore", str(backup), "--ledger-only", "--data", str(data))
        until(lambda: not refused(program), "the console")
        assert http(program.address("console"), b"/").headers["location"] == "/login?next=/"
        assert program.stop() == 0
    assert "asha" in command("users", "list", "--data", str(data)).out


def refused(program):
    reply = http(program.address("console"), b"/")
    return reply if reply.status == 503 and b"open its files" in reply.body else None


@pytest.mark.parametrize("happens", [vanish, one_file_vanishes])
def test_a_ledger_that_vanishes_under_a_running_console_opens_nothing(protected, happens):
    data, _ = protected
    with running(data, command="console") as program:
        until(lambda: not refused(program), "the console")
        happens(data)
        until(lambda: "was removed while the console ran" in program.said, "a word of it")
        for _ in range(20):
            for path in (b"/", b"/settings", b"/api/v1/receipts"):
                reply = http(program.address("console"), path, headers=program.by_link)
                assert reply.status in (303, 401, 503)
            assert http(program.address("console"), b"/").status in (303, 503)


def test_a_console_that_runs_on_its_ledger_is_not_given_another(protected):
    data, backup = protected
    with running(data, command="console") as program:
        until(lambda: not refused(program), "the console")
        words = ("restore", str(backup), "--ledger-only", "--data", str(data))
        assert "stop the console first; nothing was changed" in command(*words, code=2).err
        assert sorted(each.name for each in data.glob("ledger*")) == ["ledger", "ledger.json"]


def test_a_ledger_of_another_folder_is_not_restored(protected, tmp_path):
    _, backup = protected
    other = tmp_path / "third"
    another(other)
    words = ("restore", str(backup), "--ledger-only", "--data", str(other))
    assert "is of another data folder" in command(*words, code=2).err
    assert not list(other.glob(".ledger*"))
