"""The calls to the operator's monitor and to the answer side, against real servers."""

from __future__ import annotations

import logging
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from switchhook.alerts.notify import AnswerProbe, HttpMonitor
from webhook import receiving


def test_a_monitor_is_called_and_its_address_logged_nowhere(caplog):
    with caplog.at_level(logging.DEBUG), receiving(status=204, body=b"") as receiver:
        assert HttpMonitor(lambda: f"{receiver.url}/ping/5e1f-secret").beat() is None
        (got,) = receiver.wait(1)
    assert got.path == "/ping/5e1f-secret"
    assert "5e1f-secret" not in caplog.text


@pytest.mark.parametrize(("status", "said"), [(302, "it answered 302"), (500, "it answered 500")])
def test_a_monitor_that_does_not_take_it(status, said):
    with receiving(status=status) as receiver:
        assert HttpMonitor(lambda: f"{receiver.url}/x").beat() == said


def test_a_monitor_that_is_not_there():
    with receiving() as receiver:
        url = receiver.url
    assert HttpMonitor(lambda: f"{url}/secret").beat() == "no connection"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"status":"ok","problems":[]}', (True, False, "")),
        (b'{"problems":["receipts wait for the disk; callers don\'t"]}', (True, True, "")),
        (b"<html>", (False, None, "something else answers there")),
        (b"[]", (False, None, "something else answers there")),
    ],
)
def test_the_answer_side_is_asked(body, found):
    with receiving(body=body) as receiver:
        assert AnswerProbe(receiver.url).ask()[:3] == found
        assert receiver.got[0].path == "/healthz"


def test_an_answer_side_that_is_not_there():
    with receiving() as receiver:
        url = receiver.url
    assert AnswerProbe(url).ask()[:3] == (False, None, "no connection")
    with receiving(status=503) as receiver:
        assert AnswerProbe(receiver.url).ask()[:3] == (False, None, "it answered 503")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        (b"", "it failed with RemoteDisconnected"),
        (b"SSH-2.0-dropbear\r\n", "it failed with BadStatusLine"),
        (None, "no answer within 0 s"),
    ],
)
def test_an_answer_side_that_does_not_speak_http(said, problem):
    """Whoever took its port, and whoever took its port and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            caller, _ = server.accept()
            with caller:
                caller.recv(1000)
                if said is not None:
                    caller.sendall(said)
                else:
                    caller.recv(1000)

        with ThreadPoolExecutor() as pool:
            pool.submit(answer)
            url = f"http://127.0.0.1:{server.getsockname()[1]}"
            assert AnswerProbe(url, 30.0 if said is not None else 0.05).ask()[:3] == (
                False, None, problem,
            )  # fmt: skip
