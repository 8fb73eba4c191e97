"""Whether the hosts of messages and of the heartbeat are there."""

from __future__ import annotations

import socket

import pytest

from switchhook.config.alerts import Destination
from switchhook.config.basics import Secret
from switchhook.doctor.others_client import reach_destination, reach_monitor


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def reached(url):
    return reach_destination(Destination("ops", Secret(url)))


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:{port}/hook?token=s3cr3t",
        "mailto://ops:s3cr3t@example.com?smtp=127.0.0.1&port={port}&to=ops@example.com",
    ],
)
def test_a_host_that_answers_and_one_that_does_not(port, url):
    assert reached(url.format(port=port)) is None
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = closed.getsockname()[1]
    problem = reached(url.format(port=gone))
    assert problem == "its host is not reached: connection refused"


def test_an_address_that_apprise_can_not_use_is_said_without_it():
    problem = reached("slack://s3cr3t")
    assert problem is not None
    assert "apprise can't use its address" in problem
    assert "s3cr3t" not in problem


def test_the_monitor_is_reached_without_a_beat(port):
    assert reach_monitor(f"http://127.0.0.1:{port}/beat") is None
    assert reach_monitor("https://nowhere.invalid/beat")
