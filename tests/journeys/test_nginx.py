"""A real nginx before the program, which connects from loopback as programs of this machine do."""

from __future__ import annotations

import re
import ssl
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from nginx import listening, nginx, port_of
from patience import PATIENCE_S
from program import command, http, running

ROOT = Path(__file__).parent.parent.parent
WELL = "CallSid=c1&Stream[StreamSID]=s1&Stream[Status]=completed&Stream[DisconnectedBy]=bot"
SECRET = "cv2PzLr8Yw-8QkT3nXb5s"
WAYS = {
    "defaults": "",
    "1.1": 'proxy_http_version 1.1; proxy_set_header Connection "";',
    "host": "proxy_set_header Host $host;",
    "host of loopback": 'proxy_set_header Host "127.0.0.1"; proxy_http_version 1.1;',
    "forwarded": "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    " proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;"
    " proxy_set_header X-Real-IP $remote_addr;",
    "all of it": "proxy_http_version 1.1; proxy_set_header Host $host;"
    " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
}
LIKE_A_PROGRAM_OF_THIS_MACHINE = ("1.1", "host of loopback")
"""Nothing tells these from a local request: an endpoint that the operator said is open is open."""
SHUT = (303, 401, 403)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Open: no accounts, and endpoints without a secret of the operator's."""
    folder = tmp_path_factory.mktemp("open")
    config = folder / "c.toml"
    config.write_text(
        '[endpoints.default]\n[endpoints.free]\nauth = "open"\n'
        '[endpoints.seen]\nauth = "report-only"\n'
    )
    with running(folder / "data", "--config", str(config)) as started:
        yield started


def before(program, side: str, way: str, port: int) -> str:
    """The plainest thing that people write."""
    host, to = program.address(side)
    return (
        f"server {{ listen 127.0.0.1:{port};"
        f" location / {{ proxy_pass http://{host}:{to}; {WAYS[way]} }} }}"
    )


def ask(port: int, path: str, host: str = "hooks.example.com", **headers: str):
    """As somebody from outside would, by the public name."""
    return http(("127.0.0.1", port), path.encode(), headers={"Host": host, **headers})


@pytest.mark.parametrize("way", WAYS)
def test_no_page_is_open_behind_it_without_the_link(program, tmp_path, way):
    sock = listening()
    port = port_of(sock)
    with nginx(tmp_path / "nginx", before(program, "console", way, port), sock):
        for host in ("hooks.example.com", f"127.0.0.1:{port}", "localhost"):
            for path in ("/", "/settings", "/api/v1/receipts", "/api/v1/feed", "/metrics"):
                assert ask(port, path, host).status in SHUT, (way, host, path)


@pytest.mark.parametrize("way", WAYS)
def test_no_endpoint_answers_behind_it_without_its_secret(program, tmp_path, way):
    sock, kept = listening(), len(program.receipts())
    port = port_of(sock)
    with nginx(tmp_path / "nginx", before(program, "answer", way, port), sock):
        for host in ("hooks.example.com", f"127.0.0.1:{port}"):
            for name in ("default", "default/", "default/mistaken", "free", "seen"):
                reply = ask(port, f"/passthru/{name}?{WELL}", host)
                as_local = name == "free" and way in LIKE_A_PROGRAM_OF_THIS_MACHINE
                assert reply.status == (200 if as_local else 403), (way, host, name)
        if way not in LIKE_A_PROGRAM_OF_THIS_MACHINE:
            assert len(program.receipts()) == kept
        # What opens it does so here, too: it is the secret that counts.
        assert ask(port, f"{program.passthru}?{WELL}").status == 200


def test_what_leads_to_a_protected_console_asks_who_comes(tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('[console]\nusers = true\ntrusted_proxies = ["127.0.0.1"]\n')
    with running(tmp_path / "data", "--config", str(config)) as program:
        words = ["users", "add", "asha", "--role", "administrator", "--data", str(program.data)]
        command(*words, typed="seven green parrots\n")
        for number, way in enumerate(WAYS):
            sock = listening()
            port, folder = port_of(sock), tmp_path / f"nginx{number}"
            with nginx(folder, before(program, "console", way, port), sock):
                for path in ("/", "/settings", "/api/v1/receipts", "/metrics"):
                    assert ask(port, path).status in SHUT, (way, path)
                assert ask(port, "/login").status in (200, 403), way


def certificate(folder: Path) -> None:
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks.example.com"
    more = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(["openssl", *words.split(), *more], check=True, capture_output=True)


def as_shipped(folder: Path, port: int, upstream: tuple[str, int]) -> str:
    """`deploy/nginx.conf` with only the places and ports changed that belong to this machine."""
    text = (ROOT / "deploy/nginx.conf").read_text()
    for old, new in (
        ("    listen [::]:443 ssl;\n", ""),
        ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
        ("server 127.0.0.1:8080 ", "server {}:{} ".format(*upstream)),
        ("/etc/letsencrypt/live/hooks.example.com", str(folder)),
        ("/var/log/nginx", str(folder)),
    ):
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return text


def securely(port: int, path: str) -> tuple[int, str]:
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(
        f"https://127.0.0.1:{port}{path}", headers={"Host": "hooks.example.com"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S, context=trusting) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_file_that_is_shipped_works_as_its_page_says(tmp_path):
    """A secret is answered and is in no log, and the console has no way through."""
    config = tmp_path / "c.toml"
    config.write_text(
        '[answer]\ntrusted_proxies = ["127.0.0.1"]\n'
        f'[endpoints.sales]\nsecrets = ["{SECRET}"]\n[endpoints.free]\nauth = "open"\n'
    )
    with running(tmp_path / "data", "--config", str(config)) as program:
        sock, folder = listening(), tmp_path / "nginx"
        port = port_of(sock)
        certificate(tmp_path)
        shipped = as_shipped(tmp_path, port, program.address("answer"))
        with nginx(folder, shipped, sock):
            well = WELL.replace("[", "%5B").replace("]", "%5D")
            assert securely(port, f"/passthru/sales/{SECRET}?{well}")[0] == 200
            failed = "CallSid=check-1&Stream%5BStatus%5D=failed"
            assert securely(port, f"/passthru/sales/{SECRET}?{failed}")[0] == 302
            long = "&Filler=" + "x" * 30_000
            assert securely(port, f"/passthru/sales/{SECRET}?{well}{long}")[0] == 200
            for path in ("sales", "sales/mistaken", "free", "default"):
                assert securely(port, f"/passthru/{path}?{well}")[0] in (403, 404), path
            for path in ("/", "/settings", "/api/v1/receipts", "/metrics"):
                assert securely(port, path)[0] == 404, path
            assert securely(port, "/healthz")[0] == 200
        log = (tmp_path / "switchhook.log").read_text()
        line = r'127\.0\.0\.1 "GET /passthru/sales" 200 upstream=200 request_bytes=\d+ seconds='
        assert re.search(line, log)
        assert SECRET not in log
        assert "CallSid" not in log
        assert (tmp_path / "switchhook-error.log").read_text() == ""
        assert len(program.receipts()) == 3
