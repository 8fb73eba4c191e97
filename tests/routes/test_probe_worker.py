"""Probes over real sockets: each way in which a member can't be reached is told, and in time."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading

import pytest

from patience import PATIENCE_S
from switchhook.emulator.net.bad_server import closed_port, make_bad_server, untrusted
from switchhook.emulator.net.serving import serving
from switchhook.routes import probe_worker as module
from switchhook.routes.probe import Step, target_of
from switchhook.routes.probe_worker import ProbeWorker, probe, probe_all

NOW = 1_700_000_000_000
LIMIT_S = 0.5


async def here(host, port):
    return ["127.0.0.1"]


def asked(url, *, allow_private=True, resolve=here, context=None, timeout_s=LIMIT_S):
    target = target_of(url, allow_private=allow_private)
    assert target is not None
    return probe(
        target,
        now_ms=lambda: NOW,
        resolve=resolve,
        context=context or ssl.create_default_context(),
        timeout_s=timeout_s,
    )


def run(work):
    return asyncio.run(work)


async def bot(scope, receive, send):
    """A bot that wants Basic auth."""
    await receive()
    if dict(scope["headers"]).get(b"authorization") == b"Basic dXNlcjpwdw==":
        await send({"type": "websocket.accept"})
        await receive()
    else:
        await send({"type": "websocket.close"})


def test_a_bot_that_takes_a_websocket_is_reached():
    async def main():
        async with serving(bot) as served:
            found = await asked(f"ws://user:pw@bot.example:{served.port}/")
            refused = await asked(f"ws://user:no@bot.example:{served.port}/")
            return found, refused

    found, refused = run(main())
    assert (found.step, found.problem, found.address) == (Step.DONE, "", "127.0.0.1")
    assert 0 < found.ms < 1000 * LIMIT_S
    assert refused.problem == "it refused the handshake with 403"
    assert not refused.certain


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("200", "it refused the handshake with 200"),
        ("401", "it refused the Basic auth (401)"),
        ("503", "it refused the handshake with 503"),
        ("hang", "no answer within 0.5 s (handshake)"),
        ("close", "the connection was closed without an answer"),
        ("endless", "it refused the handshake with 200"),
        ("trickle?seconds=0.1", "it refused the handshake with 200"),
    ],
)
def test_a_server_that_misbehaves_is_told_in_time(path, problem):
    async def main():
        async with serving(make_bad_server(), ws=False) as served:
            return await asked(f"ws://bot.example:{served.port}/{path}")

    found = run(main())
    assert (found.step, found.problem) == (Step.HANDSHAKE, problem)
    assert not found.reached


def answering(*pieces, wait_s=0.0):
    """A server that answers every connection with bytes, for ever if told."""

    async def speak(reader, writer):
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            while wait_s:
                await asyncio.sleep(wait_s)
                writer.write(b"x")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return asyncio.start_server(speak, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("pieces", "wait_s", "problem"),
    [
        ((b"\x16\x03\x01garbage" * 50,), 0, "what answers speaks no HTTP"),
        ((b"SSH-2.0-x\r\n",), 0.05, "what answers speaks no HTTP"),
        ((b"HTTP/1.1 101 X\r\n",), 0.01, "no answer within 0.5 s (handshake)"),
        ((b"HTTP/1.1 101 X\r\n" + b"a: b\r\n" * 9000,), 0, "its answer is too long, or broke off"),
        (
            (b"HTTP/1.1 101 X\r\nSec-WebSocket-Accept: no\r\n\r\n",),
            0,
            "its handshake is wrong: Sec-WebSocket-Accept does not fit",
        ),
        ((b"",), 0, "the connection was closed without an answer"),
    ],
)
def test_garbage_and_answers_without_end_are_bounded(pieces, wait_s, problem):
    async def main():
        async with await answering(*pieces, wait_s=wait_s) as server:
            port = server.sockets[0].getsockname()[1]
            found = await asked(f"ws://bot.example:{port}/")
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            return found

    assert run(main()).problem == problem


def test_a_port_that_refuses_is_certain():
    with closed_port() as (_, port):
        found = run(asked(f"ws://bot.example:{port}/"))
    assert (found.step, found.problem, found.certain) == (
        Step.CONNECT,
        "connection refused",
        True,
    )


@pytest.mark.parametrize("expired", [True, False])
def test_certificates_that_nobody_vouches_for_are_told(expired):
    async def main():
        async with untrusted(expired=expired) as served:
            return await asked(f"wss://localhost:{served.port}/101")

    found = run(main())
    assert found.step is Step.TLS
    assert found.problem.startswith("its certificate is not trusted: ")
    assert not found.reached


def test_a_certificate_that_is_trusted_says_when_it_ends():
    async def main():
        async with untrusted(bot) as served:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", served.port, ssl=ssl._create_unverified_context()
            )
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(der))
            url = f"wss://user:pw@localhost:{served.port}/"
            other = f"wss://user:pw@other.example:{served.port}/"
            return await asked(url, context=context), await asked(other, context=context)

    found, other = run(main())
    assert (found.step, found.problem) == (Step.DONE, "")
    assert found.days_left(4_102_444_800_000 - 14 * 86_400_000) == 14
    assert "hostname mismatch" in other.problem.lower()


def test_plain_text_where_tls_is_meant():
    async def main():
        async with serving(make_bad_server()) as served:
            return await asked(f"wss://localhost:{served.port}/")

    found = run(main())
    assert (found.step, found.problem) == (Step.TLS, "the TLS handshake failed")


def test_a_private_address_is_not_connected_to_unless_that_is_allowed():
    async def main():
        connected = asyncio.Event()

        async def speak(_reader, writer):
            connected.set()
            writer.close()

        async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            found = await asked(f"ws://bot.example:{port}/", allow_private=False)
            return found, connected.is_set()

    found, connected = run(main())
    assert not connected
    assert found.problem.startswith("its name is an address of this machine: not given")
    assert found.network == "this machine"
    assert not found.certain


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to():
    """An answer that changes between the check and the connection must not be followed."""
    answers = [["127.0.0.1"], ["10.255.255.1"]]

    async def rebinding(host, port):
        return answers.pop(0)

    async def main():
        async with serving(bot) as served:
            url = f"ws://user:pw@bot.example:{served.port}/"
            return await asked(url, resolve=rebinding)

    found = run(main())
    assert (found.reached, found.address, len(answers)) == (True, "127.0.0.1", 1)


@pytest.mark.parametrize(
    ("error", "problem", "certain"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "its name does not resolve", True),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "its name can't be looked up now", False),
        (UnicodeError(), "its name can't be one", True),
        (OSError(5, "Input/output error"), "input/output error", False),
    ],
)
def test_names_that_do_not_resolve(error, problem, certain):
    async def fails(host, port):
        raise error

    found = run(asked("wss://bot.example/", resolve=fails))
    assert (found.step, found.problem, found.certain) == (Step.NAME, problem, certain)


def test_a_resolver_that_hangs_is_bounded():
    async def hangs(host, port):
        await asyncio.sleep(3600)
        return []

    found = run(asked("wss://bot.example/", resolve=hangs))
    assert found.problem == "no answer within 0.5 s (name)"


def test_all_are_probed_at_once_by_the_system_s_resolver():
    with closed_port() as (_, port):
        targets = {
            ("p", name): target_of(f"ws://{host}:{port}/", allow_private=allowed)
            for name, host, allowed in (
                ("a", "127.0.0.1", True),
                ("b", "localhost", False),
                ("c", "nobody.invalid", False),
            )
        }
        found = probe_all(targets, now_ms=lambda: NOW)
    assert found["p", "a"].problem == "connection refused"
    assert found["p", "b"].network == "this machine"
    assert found["p", "c"].step is Step.NAME


def test_the_thread_probes_again_soon_after_a_failure_and_follows_changes(monkeypatch):
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    heard, twice, other = [], threading.Event(), threading.Event()

    def hear(key, found):
        heard.append((key, found.problem))
        if heard.count((("p", "a"), "connection refused")) >= 2:
            twice.set()
        if key == ("p", "b"):
            other.set()

    worker = ProbeWorker(hear, now_ms=lambda: NOW)
    with closed_port() as (_, port):
        target = target_of(f"ws://127.0.0.1:{port}/", allow_private=True)
        worker.use({("p", "a"): target})
        worker.start()
        assert twice.wait(PATIENCE_S)
        worker.use({("p", "b"): target})
        assert other.wait(PATIENCE_S)
    worker.stop()
    assert not worker._thread.is_alive()


def test_two_failures_in_a_row_are_known_within_five_seconds():
    """The first is known; then a pause and one more probe, which may take all of its time."""
    assert module.AGAIN_S + module.TIMEOUT_S < 5
