"""Looking at ports, certificates and bots of this machine."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from patience import PATIENCE_S
from switchhook.doctor.finding import Level
from switchhook.doctor.network import judge_certificate
from switchhook.doctor.network_client import (
    ask_health,
    certificate,
    connects,
    listener_of,
    resolve,
    shake_hands,
    shown_url,
)
from switchhook.emulator.net.certificates import self_signed

NOW = datetime.now(UTC)
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@contextmanager
def serving(answer, context=None):
    """A server until the block ends; `answer` makes bytes of what it reads."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    wrapped = context.wrap_socket(connection, server_side=True) if context else None
                    with wrapped or connection as asked:
                        asked.sendall(answer(asked.recv(65536)))
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(PATIENCE_S)


def test_a_port_that_is_open_says_who_listens():
    with serving(lambda _: b"") as port:
        assert connects("127.0.0.1", port) == ""
        assert f"(process {os.getpid()})" in listener_of(port)
    assert connects("127.0.0.1", port) == "connection refused"
    assert listener_of(port) == ""


def test_names():
    assert "127.0.0.1" in resolve("localhost").addresses
    assert resolve("nowhere.invalid").problem
    assert resolve("a" * 300).problem


def http_answer(status, body=b"", more=b""):
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), more) + body


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (http_answer(b"200 OK", b'{"status": "ok", "problems": []}'), "ok", ""),
        (http_answer(b"200 OK", b"<html>"), None, "something else"),
        (http_answer(b"200 OK", b"[]"), None, "something else"),
        (http_answer(b"401 Unauthorized", b'{"error": "x"}'), None, "something else"),
        (b"SSH-2.0-OpenSSH\r\n", None, "not answer as HTTP"),
    ],
)
def test_what_a_program_says_of_its_health(answer, status, problem):
    with serving(lambda _: answer) as port:
        found = ask_health(f"http://127.0.0.1:{port}", {"Authorization": "Bearer x"})
    assert (found.said or {}).get("status") == status
    assert problem in found.problem


@pytest.mark.parametrize(
    ("begins", "ends", "host", "said"),
    [
        (-1, 60, "127.0.0.1", "signed itself"),
        (-60, -2, "127.0.0.1", "ended 2 days ago"),
        (2, 60, "127.0.0.1", "valid only in"),
        (-1, 60, "hooks.example.com", "not for 127.0.0.1"),
    ],
)
def test_a_certificate_that_nobody_trusts_is_read_all_the_same(tmp_path, begins, ends, host, said):
    context = context_of(tmp_path, begins, ends, host)
    with serving(lambda _: b"", context) as port:
        found = certificate("127.0.0.1", port)
    finding = judge_certificate("127.0.0.1", found, NOW.timestamp())
    assert (finding.level, said in finding.said) == (Level.FAIL, True), finding
    assert not found.trusted


def context_of(folder, begins, ends, *hosts):
    shown, key = self_signed(
        hosts, not_before=NOW + timedelta(days=begins), not_after=NOW + timedelta(days=ends)
    )
    (folder / "chain.pem").write_bytes(shown)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    return context


def test_one_that_this_machine_trusts_is_trusted(tmp_path, monkeypatch):
    context = context_of(tmp_path, -1, 60, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
    with serving(lambda _: b"", context) as port:
        found = certificate("127.0.0.1", port)
    assert (found.trusted, found.names, found.problem) == (True, ("127.0.0.1",), "")


def test_where_no_tls_is_there_is_no_certificate():
    with serving(lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        found = certificate("127.0.0.1", port)
    assert (found.ends_s, found.problem) == (None, "the TLS handshake failed")


def accepting(asked):
    key = re.search(rb"Sec-WebSocket-Key: (\S+)", asked)
    assert key is not None
    right = base64.b64encode(hashlib.sha1(key[1] + GUID).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + right + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (accepting, 101, ""),
        (lambda _: http_answer(b"101 Switching Protocols"), 101, "Sec-WebSocket-Accept"),
        (lambda _: http_answer(b"403 Forbidden"), 403, ""),
        (lambda _: b"", None, "closed the connection"),
    ],
)
def test_a_bots_handshake(answer, status, problem):
    with serving(answer) as port:
        found = shake_hands(f"ws://127.0.0.1:{port}/media?token=s3cr3t")
    assert found.status == status
    assert problem in found.problem
    assert "s3cr3t" not in found.problem


@pytest.mark.parametrize("url", ["https://bot.example", "bot", "wss://[::1/media"])
def test_what_is_no_address_of_a_bot_is_said(url):
    assert shake_hands(url).problem


def test_a_bots_address_is_shown_without_secrets():
    assert shown_url("wss://u:p@bot.example:1/media?token=x") == "wss://bot.example:1/media"
