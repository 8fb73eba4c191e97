"""What leaves for those who may not see numbers, on any route."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from asgi_client import Client
from switchhook.access.roles import EVERYTHING, Role, Viewer
from switchhook.web.masking import Masked, asks_by_number, mask_json
from switchhook.web.parameters import RefusedParameter
from switchhook.web.search_turns import MOST, SearchTurns

VIEWER = Viewer("vik", Role.VIEWER, "session:1")
OPERATOR = Viewer("oli", Role.OPERATOR, "session:2")
SID = "7f31bb90c2d84e0fa6550e1d9c2b197d"


def asked(viewer, path="/any", method="GET"):
    """What somebody is answered by an app that masks nothing itself."""

    def any_(request):
        return JSONResponse({"call_sid": "c1", "said": "call 98765 43210"}, headers={"X-Kept": "1"})

    def text(request):
        return PlainTextResponse("9876543210")

    inner = Masked(Starlette(routes=[Route("/any", any_), Route("/text", text)]))

    async def app(scope, receive, send):
        await inner({**scope, "viewer": viewer}, receive, send)

    return Client(app).request(method, path)


@pytest.mark.parametrize(
    ("viewer", "shown"),
    [
        (VIEWER, "call 9•••• •••10"),
        (OPERATOR, "call 9•••• •••10"),
        (Viewer("oli", Role.OPERATOR, revealed=frozenset(("c1",))), "call 98765 43210"),
        (Viewer("oli", Role.OPERATOR, revealed=frozenset(("c2",))), "call 9•••• •••10"),
        (Viewer("oli", Role.OPERATOR, revealed=frozenset((EVERYTHING,))), "call 98765 43210"),
        (Viewer("this machine", Role.ADMINISTRATOR, open=True), "call 98765 43210"),
    ],
)
def test_json_leaves_masked_whatever_the_route(viewer, shown):
    answer = asked(viewer)
    assert answer.json()["said"] == shown
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert answer.headers["x-kept"] == "1"
    assert asked(viewer, method="HEAD").content == b""


def test_what_is_no_json_is_left_to_who_makes_it():
    assert asked(VIEWER, "/text").text == "9876543210"


@pytest.mark.parametrize(
    ("address", "refused"),
    [
        ("/any?call_sid=9876543210", True),
        ("/any?x=cust98765-43210", True),
        ("/any?9876543210=x", True),
        ("/any?x=%2539876543210", True),
        ("/calls/9876543210", True),
        ("/api/v1/calls/+919876543210", True),
        ("/api/v1/streams/98-765-43210", True),
        (f"/calls/{SID}?tz=utc", False),
        ("/any?since=2026-11-28T18:09:55Z&cursor=12345678&limit=100", False),
        ("/any?host=10.0.0.1:8080", False),
    ],
)
def test_nobody_asks_by_what_they_may_not_see(address, refused):
    """Yes or no would tell it; an operator could reveal it."""
    path, _, query = address.partition("?")
    assert asks_by_number(path, query.encode()) is refused
    if refused:
        answer = asked(VIEWER, address)
        assert answer.status_code == 403
        assert answer.json()["error"]["problem"] == "your role may not look for numbers"
        assert asked(OPERATOR, address).status_code in (200, 404)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"from": "12345"}, {"from": "•••••"}),
        ({"98765 43210": 1, "98765 43310": 2}, {"9•••• •••10": 1, "9•••• •••10'": 2}),
        ({"from": ["+919876543210", None]}, {"from": ["+91••••••••10", None]}),
        ({"call_sid": SID, "sid": "9876543210"}, {"call_sid": SID, "sid": "9•••••••10"}),
        ({"call_sid": "9876543210" * 3 + "aa"}, {"call_sid": "9" + "•" * 27 + "10aa"}),
        ({"id": "01m8hnjxdk0000000004v62jje"}, {"id": "01m8hnjxdk0000000004v62jje"}),
        ({"next": "12345678"}, {"next": "12345678"}),
        ({"issue": "0468217612345678"}, {"issue": "0468217612345678"}),
        ({"subject": "565001103219318f"}, {"subject": "565001103219318f"}),
        ({"subject": "9876543210"}, {"subject": "9•••••••10"}),
        (
            {"problems": ["journal: it failed (segment 00000000000012345678.sqlite): why"]},
            {"problems": ["journal: it failed (segment 00000000000012345678.sqlite): why"]},
        ),
        ({"flow_id": "1234567"}, {"flow_id": "1234567"}),
        ({"flow_id": "9876543210"}, {"flow_id": "9•••••••10"}),
        ({"at": "2026-11-28T18:09:55.123Z"}, {"at": "2026-11-28T18:09:55.123Z"}),
        ({"started_at_raw": "9876543210"}, {"started_at_raw": "9•••••••10"}),
        ({"account_sid": "acme1"}, {"account_sid": "acme1"}),
        ({"seq": 9876543210, "x": 1.5, "y": None}, {"seq": 9876543210, "x": 1.5, "y": None}),
    ],
)
def test_a_field_is_masked_by_what_it_is(said, shown):
    """One of a known kind stays where it has that kind's form; all others are texts."""
    assert mask_json(said) == shown


def test_searches_of_one_leave_room_for_others():
    turns, other = SearchTurns(), Viewer("asha", Role.OPERATOR)
    running = [turns.turn(VIEWER) for _ in range(MOST)]
    for each in running:
        each.__enter__()
    with pytest.raises(RefusedParameter, match="run already"), turns.turn(VIEWER):
        pass
    with turns.turn(other):
        pass
    running[0].__exit__(None, None, None)
    with turns.turn(VIEWER):
        pass
