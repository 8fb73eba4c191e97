"""Status callbacks: who is told, of what, in which form, and how often until they take it."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
import pytest

from switchhook.emulator.bot import make_bot
from switchhook.emulator.chance import Chance
from switchhook.emulator.clock import VIRTUAL_START, Clock, VirtualLoop
from switchhook.emulator.exchange.callbacks import Callbacks
from switchhook.emulator.exchange.exchange import Exchange
from switchhook.emulator.net.addresses import AddressAllowList
from switchhook.emulator.net.asgi import ASGIApp
from switchhook.emulator.net.dialler import dialler
from switchhook.emulator.net.http_client import Web
from switchhook.emulator.plan.flow import Connect, Flow, Hangup, Voicebot
from switchhook.emulator.plan.plan import Account, Agent, Caller, Fault, Number, Plan
from switchhook.exotel.wire.connect import ConnectRequest
from switchhook.exotel.wire.request import Request
from switchhook.exotel.wire.status_callback import parse

NUMBER, AGENT = "+918047112233", "+919811100002"
URL = "https://hooks.example/status?token=s3cret"


def plan(url=URL, **account):
    return Plan(
        account={"acme": Account(status_callback_url=url, **account)},
        number={NUMBER: Number(account="acme", flow="f")},
        flow={
            "f": Flow(
                first="b",
                applet={
                    "b": Voicebot(url="wss://bot.example/bot?after=9", record=True, next="people"),
                    "people": Connect(numbers=(AGENT,), record=True, answered="e", no_answer="e"),
                    "e": Hangup(),
                },
            )
        },
        agent={AGENT: Agent(rings_s=2, talks_s=7)},
    )


class Hooks:
    """Takes what is told, with its second, and answers as it is told: None for no answer."""

    def __init__(self, clock, statuses):
        self.clock, self.statuses = clock, list(statuses)
        self.got = []

    async def __call__(self, scope, receive, send):
        kind = dict(scope["headers"])[b"content-type"].decode()
        body = (await receive())["body"]
        self.got.append((self.clock.now(), parse(Request(b"", scope["method"], kind, body)), kind))
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            await asyncio.Event().wait()
        headers = [(b"location", b"https://hooks.example/elsewhere")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


def told(plan, *, caller=None, statuses=(), wait_s=0.0, wanted=None, allow=()):
    """What the hooks got of one call, and its trace."""

    async def main():
        clock = Clock(asyncio.get_running_loop(), VIRTUAL_START)
        hooks = Hooks(clock, statuses)
        apps: dict[str, ASGIApp] = {"bot.example": make_bot(), "hooks.example": hooks}
        exchange = Exchange(
            plan,
            clock=clock,
            chance=Chance(1),
            web=Web(AddressAllowList(allow), apps=apps),
            dial=dialler(AddressAllowList(), apps=apps),
        )
        exchange.watchers.append(Callbacks(exchange))
        if wanted is None:
            call = exchange.ring(NUMBER, caller or Caller())
        else:
            call = exchange.originate("acme", AGENT, NUMBER, "f", wanted=wanted)
        await exchange.drain()
        await asyncio.sleep(wait_s)
        await exchange.stop()
        return hooks.got, call

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())


def test_an_account_can_have_every_call_of_its_numbers_told():
    got, call = told(plan())
    ((_, said, kind),) = got
    assert kind.startswith("multipart/form-data; boundary=")
    assert (said.call_sid, said.status, said.event_type) == (call.facts.sid, "completed", None)
    assert said.recording_url.endswith(f"/acme/{call.facts.sid}.mp3")


def test_events_are_told_in_full():
    events = ("answered", "terminal")
    got, _ = told(plan(status_callback_events=events, status_callback_json=True))
    assert [(said.event_type, said.status) for _, said, _ in got] == [
        ("answered", "in-progress"),
        ("terminal", "completed"),
    ]
    (_, last, kind) = got[1]
    assert kind == "application/json"
    assert (last.direction, last.to, last.phone_number_sid) == (
        "inbound", "08047112233", "08047112233"
    )  # fmt: skip
    assert last.conversation_duration == "7"
    assert last.legs == (
        {"OnCallDuration": "18", "Status": "completed", "AnsweredBy": "Human"},
        {"OnCallDuration": "7", "Status": "completed", "AnsweredBy": "Human"},
    )


def test_somebody_who_is_called_is_told_of_while_it_rings():
    events = ("ringing", "answered", "terminal")
    asked = ConnectRequest(
        from_=AGENT, caller_id=NUMBER, mode="flow", app_id="f", status_callback=URL,
        status_events=events,
    )  # fmt: skip
    got, _ = told(plan(url=None), wanted=asked)
    assert [(said.event_type, said.status) for _, said, _ in got] == [
        ("ringing", "ringing"),
        ("answered", "in-progress"),
        ("terminal", "completed"),
    ]
    assert got[0][1].direction == "outbound-api"
    assert got[1][0] - got[0][0] == pytest.approx(4)


def test_only_what_was_asked_for_is_told():
    got, _ = told(plan(status_callback_events=("answered",)))
    assert [said.event_type for _, said, _ in got] == ["answered"]
    assert told(plan(url=None))[0] == []


def test_a_request_of_the_api_names_its_own_address():
    """The account's own is for the calls that nobody asked for."""
    asked = ConnectRequest(from_=AGENT, caller_id=NUMBER, mode="flow", app_id="f")
    assert told(plan(), wanted=asked)[0] == []
    asked = msgspec.structs.replace(asked, status_callback=URL)
    ((_, said, _),) = told(plan(url=None), wanted=asked)[0]
    assert said.status == "completed"


@pytest.mark.parametrize("status", [302, 404, 500, None])
def test_what_is_not_taken_is_sent_again_after_5_and_15_minutes(status):
    got, call = told(plan(), statuses=[status] * 3, wait_s=2000)
    times = [at for at, _, _ in got]
    limit_s = 15.0 if status is None else 0.0
    assert [b - a for a, b in pairwise(times)] == pytest.approx([300 + limit_s, 900 + limit_s])
    answers = [e.get("status") for e in call.trace.find("callback_answer")]
    assert answers == [status] * 3 if status else not answers
    assert len(call.trace.find("callback_failed")) == (0 if status else 3)
    assert "never taken" in call.trace.find("warning")[-1]["text"]


def test_it_is_taken_once():
    got, call = told(plan(), statuses=[500, 204], wait_s=2000)
    assert [said.status for _, said, _ in got] == ["completed"] * 2
    assert [e["status"] for e in call.trace.find("callback_answer")] == [500, 204]
    assert "s3cret" not in call.trace.lines().decode()


def test_retries_can_be_changed_and_nobody_waits_for_them():
    got, _ = told(plan(behaviour={"callback_retry_after_s": [7]}), statuses=[500] * 9, wait_s=99)
    assert len(got) == 2
    assert len(told(plan(), statuses=[500] * 9)[0]) == 1


def test_an_address_that_may_not_be_dialled_is_not_tried_again():
    got, call = told(plan(url="http://169.254.169.254/latest"), wait_s=2000)
    (failed,) = call.trace.find("callback_failed")
    assert "169.254.169.254" in failed["text"]
    assert got == []


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault(what="callback-lost"), ["answered", "terminal"][:0]),
        (Fault(what="callback-twice"), ["answered", "answered", "terminal", "terminal"]),
        (Fault(what="callback-late", count=1, seconds=60), ["terminal", "answered"]),
    ],
)
def test_callbacks_come_late_twice_or_never(fault, seen):
    whole = plan(status_callback_events=("answered", "terminal"))
    got, call = told(msgspec.structs.replace(whole, fault=(fault,)))
    assert [said.event_type for _, said, _ in got] == seen
    assert call.trace.find("fault")[0]["fault"] == fault.what
