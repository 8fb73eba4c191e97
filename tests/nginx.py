"""A real nginx as a child of the tests, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from patience import PATIENCE_S
from program import until

_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""


def _binary() -> str:
    found = os.environ.get("NGINX_BINARY") or shutil.which(
        "nginx", path="/usr/sbin:/usr/local/sbin"
    )
    found = found or shutil.which("nginx")
    assert found, "nginx is not there: run scripts/nginx"
    return found


def listening() -> socket.socket:
    """A socket that nginx takes over: no port is given away and taken again by somebody else."""
    return socket.create_server(("127.0.0.1", 0))


def port_of(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


@contextmanager
def nginx(folder: Path, http: str, sock: socket.socket, connections: int = 64) -> Iterator[None]:
    """Run one with this inside `http {}` until the block ends; it listens on the socket."""
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(_MAIN.format(folder=folder, http=http, connections=connections))
    words = [_binary(), "-p", str(folder), "-c", str(config), "-e", str(folder / "error.log")]
    with sock, (folder / "stderr").open("w") as said:
        sock.set_inheritable(True)
        process = subprocess.Popen(
            words,
            stderr=said,
            pass_fds=(sock.fileno(),),
            env={**os.environ, "NGINX": f"{sock.fileno()};"},  # as when it replaces itself
        )
    try:
        ready = folder / "nginx.pid"
        until(lambda: ready.exists() or process.poll() is not None, "nginx")
        assert process.poll() is None, (folder / "stderr").read_text()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
