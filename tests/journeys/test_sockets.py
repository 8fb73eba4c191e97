"""Sockets that systemd opened and hands over, by sd_listen_fds(3)."""

from __future__ import annotations

import socket
import subprocess
import sys

from patience import PATIENCE_S
from program import http
from switchhook.system.data_folder import read_identity
from switchhook.system.local_keys import endpoint_secret

HANDED_OVER = """
import os, socket, sys
sock = socket.socket()
{prepare}
if sock.fileno() != 3:
    os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="answer")
words = ["-m", "switchhook", "serve", "--data", sys.argv[1], "--console", "127.0.0.1:0"]
os.execv(sys.executable, [sys.executable, *words])
"""


def serve(tmp_path, prepare: str) -> subprocess.Popen[str]:
    code = HANDED_OVER.format(prepare=prepare)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "data")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_it_answers_on_a_socket_of_systemds(tmp_path):
    with serve(tmp_path, 'sock.bind(("127.0.0.1", 0)); sock.listen()') as process:
        assert process.stdout is not None
        try:
            url = next(line for line in process.stdout if line.startswith("answer "))
            host, _, port = url.strip().rpartition("/")[2].rpartition(":")
            secret = endpoint_secret(read_identity(tmp_path / "data").key, "default")
            path = f"/passthru/default/{secret}?CallSid=c1"
            assert http((host, int(port)), path.encode()).status == 200
        finally:
            process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_a_socket_beyond_what_the_configuration_says_is_refused(tmp_path):
    """Without a secret only loopback is answered; the unit file must not get around that."""
    # A socket that was not bound says 0.0.0.0, and nobody can reach it.
    process = serve(tmp_path, "")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "answer.listen: the socket from systemd listens on 0.0.0.0:0" in said
    assert "but the configuration says 127.0.0.1:8080" in said
    assert "make ListenStream= and the configuration the same" in said


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        place = f"127.0.0.1:{other.getsockname()[1]}"
        for side in ("--answer", "--console"):
            words = ["serve", "--data", str(tmp_path / "data"), side, place]
            done = subprocess.run(
                [sys.executable, "-m", "switchhook", *words],
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
            )
            assert done.returncode == 2
            assert (
                f"switchhook: {place}: it can't be listened on: address already in" in done.stderr
            )
            assert "--answer or --console" in done.stderr
