"""Every scenario passes against a good server, and fails where the server is wrong."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest

from switchhook import judge, parse_passthru
from switchhook.emulator.clock import VirtualLoop
from switchhook.emulator.net.serving import serving
from switchhook.emulator.runs.scenario import perform
from switchhook.emulator.runs.scenarios import SCENARIOS
from switchhook.emulator.runs.scenarios.definition import OPTIONS

ROWS = [
    "bot-done",
    "caller-hangs-up-mid-talk",
    "caller-hangs-up-in-greeting",
    "cancelled-late",
    "bot-refused",
    "bot-dns-failure",
    "bot-tls-failure",
    "bot-401",
    "slow-handshake",
    "retry-then-success",
    "throttled",
    "throttled-minimal",
    "bot-crash",
    "bot-close-1011",
    "sixty-minute-cap",
    "oversize-chunk",
    "bot-silent",
    "dynamic-url-good",
    "dynamic-url-bad",
    "dynamic-url-slow",
    "dynamic-url-twiml",
    "json-form",
    "double-encoded",
    "mixed",
    "missing-fields",
    "unknown-enum",
    "duplicate-passthru",
    "reordered-passthrus",
    "passthru-200",
    "passthru-302",
    "passthru-204",
    "passthru-500",
    "passthru-slow",
    "passthru-refused",
    "passthru-bad-tls",
    "async",
    "switchcase",
    "two-streams",
    "stream-start-stop",
    "burst-over-limit",
    "active-streams-xml",
    "calls-api-errors",
    "recording-late",
]
"""The rows of exotel-platform G.2."""

LIMIT_S = 0.05
PASSTHRU_ONLY = [name for name, scenario in SCENARIOS.items() if not scenario.needs]
"""The others: test_route_steps."""


def server(kind, scenario):
    """A passthru server: `right` answers by exotel-platform G.1, others always the same."""

    async def app(scope, receive, send):
        if kind == "hang":
            await asyncio.Event().wait()
        status, body = (200, b"") if kind == "right" else (int(kind), b"")
        if kind == "right":
            cause = judge(parse_passthru(scope["query_string"])).cause
            status = 302 if OPTIONS[cause] == "B" and scenario.mode != "select" else 200
            body = json.dumps({"select": scenario.keyword}).encode()
        length = str(len(body)).encode()
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-length", length)],
            }
        )
        await send({"type": "http.response.body", "body": body})

    return app


def brief(scenario):
    """The same with a cap of a minute: what a wrong server answers knows nothing of the hour."""

    def plan(aim):
        whole = scenario.plan(aim)
        return msgspec.structs.replace(whole, behaviour={**whole.behaviour, "stream_limit_s": 60})

    return msgspec.structs.replace(scenario, plan=plan)


def play(scenario, kind):
    if kind != "right":
        scenario = brief(scenario)

    async def main():
        async with serving(server(kind, scenario)) as served:
            return await perform(
                scenario,
                served.url + "/passthru?secret=s",
                limit_s=LIMIT_S if kind == "hang" else 20,
                keep_media=False,
            )

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def expected_of_all_200(scenario):
    options = {OPTIONS[cause] for cause in scenario.judged.values()}
    return options == {"A"} and scenario.mode != "select" and not scenario.least_failed


def expected_of_all_302(scenario):
    options = {OPTIONS[cause] for cause in scenario.judged.values()}
    return options == {"B"} and scenario.mode == "decide"


@pytest.mark.slow
@pytest.mark.parametrize("name", PASSTHRU_ONLY)
def test_a_scenario_can_pass_and_can_fail(name):
    scenario = SCENARIOS[name]
    right = play(scenario, "right")
    assert right.passed, right.failures
    assert play(scenario, "200").passed == expected_of_all_200(scenario)
    assert play(scenario, "302").passed == expected_of_all_302(scenario)
    for kind in ("500", "hang"):
        wrong = play(scenario, kind)
        assert not wrong.passed
        assert wrong.failures[0].startswith("“")


def test_every_row_has_its_scenario():
    assert set(ROWS) <= SCENARIOS.keys()


def seed_payload(name):
    result = play(SCENARIOS[name], "right")
    (call,) = result.calls
    return {key: value for key, value in call.trace.find("stream")[0].items() if key[0].isupper()}


def test_the_seeds_payloads_are_made_field_for_field():
    assert seed_payload("caller-hangs-up-in-greeting") == {
        "Status": "cancelled",
        "DisconnectedBy": "user",
    }
    refused = seed_payload("bot-refused")
    assert list(refused) == [
        "StreamSID", "Status", "Duration", "RecordingUrl", "StreamUrl", "DisconnectedBy", "Error"
    ]  # fmt: skip
    assert refused["Status"] == "failed"
    assert refused["Duration"] == "0"
    assert refused["DisconnectedBy"] == "NA"
    sid = refused["StreamSID"]
    assert refused["RecordingUrl"].endswith(f"/exotelrecordings/exotelt/{sid}.mp3")
    host = refused["StreamUrl"].removeprefix("ws://").removesuffix("/media")
    assert refused["Error"] == (
        f"3009 failed to establish ws conn dial tcp {host}: connect: connection refused"
    )
    late = seed_payload("cancelled-late")
    assert late == {
        "StreamSID": late["StreamSID"], "Status": "cancelled", "DisconnectedBy": "user"
    }  # fmt: skip
    done = seed_payload("bot-done")
    assert done == {
        "StreamSID": done["StreamSID"],
        "Status": "completed",
        "Duration": "29",
        "StreamUrl": done["StreamUrl"],
        "DisconnectedBy": "bot",
    }
    assert seed_payload("throttled-minimal") == {
        "Status": "failed",
        "DetailedStatus": "Streaming_call_throttled",
    }


def trace_of(name, seed):
    async def main():
        result = await perform(SCENARIOS[name], "https://bad.example.com/200", seed=seed)
        return [call.trace.lines() for call in result.calls]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bot-done", "burst-over-limit"])
def test_the_same_seed_gives_the_same_trace_byte_for_byte(name, monkeypatch):
    import switchhook.emulator.runs.scenario as module
    from switchhook.emulator.clock import VIRTUAL_START

    class Fixed(module.datetime):
        @classmethod
        def now(cls, tz=None):
            return VIRTUAL_START

    monkeypatch.setattr(module, "datetime", Fixed)
    assert trace_of(name, 7) == trace_of(name, 7)
    assert trace_of(name, 7) != trace_of(name, 8)
