"""Asking as Exotel would: what goes out as it stands, and whatever may come back."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import pytest

from patience import PATIENCE_S
from switchhook.doctor.passthru_client import ask, find_kept, new_test
from switchhook.system.data_folder import DataFolder
from switchhook.system.request_mark import HEADER, read_mark

KEY = b"k" * 32


@contextmanager
def answering(answer: bytes | None):
    """A server that says this, whatever it is asked, which is in a list; None hangs up."""
    listener, asked = socket.create_server(("127.0.0.1", 0)), []

    def serve():
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            if answer is not None:
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/passthru/sales/s3cr3t", asked
        thread.join(PATIENCE_S)


def test_the_query_goes_out_as_it_stands_with_a_mark():
    query, test = "a=1%2B1&Stream[Status]=x&b=c+d&e=%2f", new_test()
    with answering(b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\nX-A: b\r\n\r\nno") as (url, asked):
        reply = ask(url, query, test=test, key=KEY, headers={"X-Forwarded-For": "203.0.113.77"})
    assert (reply.status, reply.body, reply.headers["x-a"], reply.problem) == (302, b"no", "b", "")
    assert (reply.address, reply.from_address) == ("127.0.0.1", "127.0.0.1")
    assert reply.ms > 0
    line, *rest = asked[0].decode().split("\r\n")
    assert line == f"GET /passthru/sales/s3cr3t?{query} HTTP/1.1"
    headers = dict(each.split(": ", 1) for each in rest if each)
    mark = read_mark(KEY, headers[HEADER])
    assert mark is not None
    assert mark.test == test
    assert headers["X-Forwarded-For"] == "203.0.113.77"


@pytest.mark.parametrize("answer", [None, b"SMTP ready\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_what_is_no_answer_is_said_without_the_secret(answer):
    with answering(answer) as (url, _):
        reply = ask(url, "a=1", test=new_test(), key=KEY, timeout_s=5)
    assert reply.problem or reply.status == 200
    assert "s3cr3t" not in reply.problem


def test_a_closed_port_is_said():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    reply = ask(f"http://127.0.0.1:{port}/p", "a=1", test=new_test(), key=KEY)
    assert (reply.status, reply.problem) == (None, "connection refused")


def test_a_url_that_is_none_is_said():
    assert ask("http://[::1/p", "a=1", test=new_test(), key=KEY).problem


def test_an_empty_journal_has_no_receipt(tmp_path):
    DataFolder.open(tmp_path / "data", "answer").close()
    assert find_kept(tmp_path / "data", new_test(), within_s=0) is None
