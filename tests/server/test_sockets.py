"""A socket that nobody serves yet keeps callers in its queue, or lets them ask another node."""

from __future__ import annotations

import socket
from contextlib import closing, nullcontext

import pytest

from switchhook.errors import ConfigError
from switchhook.server.sockets import listening


@pytest.mark.parametrize(
    "at_once, comes",
    [(True, nullcontext()), (False, pytest.raises(ConnectionRefusedError))],
)
def test_who_comes_before_a_server_begins(at_once, comes):
    with listening("127.0.0.1", 0, at_once=at_once) as sock:
        with comes, socket.create_connection(sock.getsockname()):
            pass
        sock.listen()  # as a server begins
        with socket.create_connection(sock.getsockname()):
            pass


@pytest.mark.parametrize("at_once", [True, False])
def test_a_port_that_is_taken(at_once):
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        host, port = other.getsockname()
        with pytest.raises(ConfigError, match=f"{port}: it can't be listened on"):
            listening(host, port, at_once=at_once)
