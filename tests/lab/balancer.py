"""nginx before the nodes, by deploy/cluster/nginx.conf: what it changes are addresses and TLS."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

from lab.hosts import OUTSIDE
from nginx import nginx, port_of

CONF = Path(__file__).parents[2] / "deploy/cluster/nginx.conf"


def configuration(nodes: Sequence[str], listen: str, folder: Path) -> str:
    """The file as it runs here: the nodes' addresses and ports, a plain port, logs in a folder."""
    text, addresses = CONF.read_text(), cycle(nodes)  # they stand there twice
    text = re.sub(r"server 10\.0\.0\.1\d:8080", lambda _: f"server {next(addresses)}", text)
    text = text.replace("    listen [::]:443 ssl;\n", "")
    text = text.replace("listen 443 ssl;", f"listen {listen};")
    text = re.sub(r"(?m)^ +ssl_.*\n", "", text)
    return text.replace("/var/log/nginx/", f"{folder}/")


@contextmanager
def balancer(folder: Path, nodes: Sequence[str], sock: socket.socket) -> Iterator[None]:
    """Run it before these addresses with their ports, on a socket of the bridge."""
    with nginx(folder, configuration(nodes, f"{OUTSIDE}:{port_of(sock)}", folder), sock, 4096):
        yield
