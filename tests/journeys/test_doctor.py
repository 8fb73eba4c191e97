"""`switchhook doctor` on the real program, with one thing broken after another."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from faketime import FakeTime
from nginx import listening, nginx, port_of
from program import command, running, until
from switchhook.emulator.net.certificates import self_signed
from switchhook.emulator.testing import Exotel
from switchhook.overview.verdict_file import read_verdict

SECRET = "hV3pJ0uYw-8QkT3nXb5sZr8L"
CONFIG = '[answer]\ntrusted_proxies = ["127.0.0.3"]\n[endpoints.sales]\nsecrets = ["{secret}"]\n'


def config_in(folder):
    file = folder / "switchhook.toml"
    file.write_text(CONFIG.format(secret=SECRET))
    file.chmod(0o600)
    return file


@pytest.fixture
def config(tmp_path):
    return config_in(tmp_path)


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    """A program that nothing is wrong with, and its configuration."""
    folder = tmp_path_factory.mktemp("doctor")
    config = config_in(folder)
    with running(folder / "data", "--config", str(config)) as program:
        yield program, config


def found_by(program, config, *more):
    """What doctor finds, by check: its level, and what it says."""
    words = ("doctor", "--json", "--data", str(program.data), "--config", str(config), *more)
    done = command(*words, code=None)
    assert SECRET not in done.out + done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    levels = {row["level"] for row in rows}
    mend = bool(levels & {"fail", "warn"})
    assert done.code == (1 if mend else 2 if "not checked" in levels else 0)
    return {row["check"]: (row["level"], f"{row['said']} → {row['todo']}") for row in rows}


def test_inside_all_is_well_and_nothing_is_counted(well):
    program, config = well
    until(lambda: read_verdict(program.data), "the console to look")
    found = found_by(program, config)
    wrong = {n: each for n, each in found.items() if each[0] not in ("ok",)}
    assert wrong.keys() <= {"from outside", "alerts", "heartbeat", "clock"}
    assert found["endpoint sales, inside"][0] == "ok"
    assert command("tail", "--data", str(program.data)).out == ""
    assert "endpoint sales, inside" in command("doctor", "--data", str(program.data), code=1).out


GOOD = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_pass http://{to};"
PROXIES = {
    "good": (GOOD, {}),
    "no address": (
        'proxy_set_header X-Forwarded-For ""; proxy_pass http://{to};',
        {"proxy: sender's address": "send X-Forwarded-For"},
    ),
    "as it comes": ("proxy_pass http://{to};", {"proxy: sender's address": "a sender may choose"}),
    "forgeable": (
        "proxy_set_header X-Forwarded-For $http_x_forwarded_for; proxy_pass http://{to};",
        {"proxy: sender's address": "a sender may choose"},
    ),
    "other query": (
        GOOD.replace("{to};", "{to}$uri?$args&by=nginx;"),
        {"proxy: query": "the query is changed"},
    ),
    "redirects": ("return 301 https://hooks.example.com$request_uri;",
                  {"endpoint sales, outside": "a redirect, 301, to https://hooks.example.com"}),
    "answers B itself": (
        GOOD + " proxy_intercept_errors on; error_page 302 =200 /fine;",
        {"proxy: Option B": "the 302 of Option B arrived as 200"},
    ),
    "nobody there": ("proxy_pass http://127.0.0.1:1;", {"endpoint sales, outside": "502"}),
    "password": ('return 401 "who?";', {"endpoint sales, outside": "asks for a password"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PROXIES)
def test_what_a_proxy_does_to_requests_is_found(tmp_path, well, kind):
    way, wrong = PROXIES[kind]
    program, config = well
    sock = listening()
    port = port_of(sock)
    to = "{}:{}".format(*program.address("answer"))
    server = (
        f"large_client_header_buffers 4 32k; server {{ listen 127.0.0.1:{port};"
        " proxy_bind 127.0.0.3; location = /fine { return 200; }"
        f" location / {{ {way.format(to=to)} }} }}"
    )
    with nginx(tmp_path / "nginx", server, sock):
        found = found_by(program, config, "--url", f"http://127.0.0.1:{port}")
    for check, said in wrong.items():
        assert said in found[check][1], found
        assert found[check][0] in ("fail", "warn")
    outside = {n for n in found if n.startswith(("proxy:", "endpoint sales, outside"))}
    broken = {n for n in outside if found[n][0] != "ok"}
    assert broken == wrong.keys(), {n: found[n] for n in broken}


def test_a_certificate_that_ended_is_found(tmp_path, well):
    now = datetime.now(UTC)
    shown, key = self_signed(
        ["127.0.0.1"], not_before=now - timedelta(days=9), not_after=now - timedelta(days=2)
    )
    (tmp_path / "chain.pem").write_bytes(shown)
    (tmp_path / "key.pem").write_bytes(key)
    program, config = well
    sock = listening()
    port = port_of(sock)
    server = (
        f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {tmp_path}/chain.pem;"
        f" ssl_certificate_key {tmp_path}/key.pem; location / {{ return 200; }} }}"
    )
    with nginx(tmp_path / "nginx", server, sock):
        found = found_by(program, config, "--url", f"https://127.0.0.1:{port}")
    assert found["certificate of 127.0.0.1"][0] == "fail"
    assert "it ended 2 days ago" in found["certificate of 127.0.0.1"][1]
    assert "certificate is not trusted" in found["endpoint sales, outside"][1]


def test_a_dead_console_a_wrong_secret_and_no_server_are_found(tmp_path, config):
    with running(tmp_path / "data", "--config", str(config), command="answer") as program:
        found = found_by(program, config)
        assert found["the answer side"][0] == "ok"
        assert found["the console side"][0] == "fail"
        # As an editor leaves it that the server did not take over.
        config.write_text(CONFIG.format(secret="Kq9wX-2mB7dTz4RfLp6YgN1v"))
        other = tmp_path / "other.toml"
        other.write_text(config.read_text())
        config.write_text(CONFIG.format(secret=SECRET))
        other.chmod(0o600)
        found = found_by(program, other)
        assert found["endpoint sales, inside"][0] == "fail"
        assert "the secret is none of the endpoint's" in found["endpoint sales, inside"][1]
        health = program.health("answer")
        assert health["status"] == "ok", "a wrong secret of a test raises no alarm"
        assert program.stop() == 0
        found = found_by(program, config)
    assert found["the answer side"][0] == "not checked"
    assert found["configuration"][0] == "ok"
    assert found["disk"][0] == "ok"


def test_a_clock_that_is_off_is_found(tmp_path, config, monkeypatch):
    """Of the server's machine: marks of tests are of another time then."""
    clock = FakeTime(tmp_path)
    with monkeypatch.context() as faked:
        for name, value in clock.environ.items():
            faked.setenv(name, value)
        clock.step(3600)
        program = running(tmp_path / "data", "--config", str(config))
        server = program.__enter__()
    try:
        found = found_by(server, config)
        assert found["endpoint sales, inside"][0] == "fail"
        assert "clock" in found["endpoint sales, inside"][1]
    finally:
        program.__exit__(None, None, None)


def test_exotels_api_with_a_right_and_a_wrong_key_is_told(tmp_path, config, monkeypatch):
    with Exotel() as exotel, running(tmp_path / "data", "--config", str(config)) as program:
        account = exotel.account
        monkeypatch.setenv("KEY", account.key)
        monkeypatch.setenv("TOKEN", account.token)
        config.write_text(
            CONFIG.format(secret=SECRET)
            + f'[accounts.main]\nsid = "{account.sid}"\nurl = "{exotel.url}"\n'
            'key_env = "KEY"\ntoken_env = "TOKEN"\n'
        )
        found = found_by(program, config)
        assert found["Exotel account main"][0] == "ok", found["Exotel account main"]
        assert "streams in use" in found["Exotel account main"][1]
        monkeypatch.setenv("TOKEN", "another-token-than-theirs")
        level, said = found_by(program, config)["Exotel account main"]
        assert (level, "401" in said, "another-token" in said) == ("fail", True, False)
