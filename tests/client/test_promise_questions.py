"""The client against the API of promises."""

from __future__ import annotations

import pytest

from callbacks.desk import Desk, number
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.promise import PromiseState
from switchhook.client import Client, ForbiddenError, NotFoundError, RefusedError


@pytest.fixture
def desk(tmp_path):
    found = Desk(tmp_path)
    found.viewer = Viewer("meena", Role.OPERATOR, revealed=frozenset({"*"}))
    yield found
    found.close()


@pytest.fixture
def client(desk):
    with Client("http://127.0.0.1", "shk_1", transport=desk.client._transport) as client:
        yield client


def test_a_promise_with_its_story(desk, client):
    kept = desk.fill()[PromiseState.KEPT]
    told = client.promise(kept.id)
    assert (told.number, told.state, told.class_) == (number(7), "kept", None)
    assert [each.event for each in told.steps] == [None, "dialled", "placed", "talked"]
    assert [(each.outcome, each.talk_s) for each in told.calls] == [("talked", 40)]


def test_all_promises_of_a_filter_page_by_page(desk, client):
    for at in range(1, 6):
        desk.add(at, class_="gold" if at % 2 else "")
    found = list(client.all_promises(class_="gold", limit=2))
    assert [each.number for each in found] == [number(at) for at in (5, 3, 1)]
    assert client.promises(state="kept").promises == []


def test_how_calling_back_stands(desk, client):
    desk.fill()
    found = client.promises_summary()
    assert found.states["open"] == 1
    assert found.accounts[0].dialling.allowed
    assert found.accounts[0].campaign_pace.calls_a_minute == 12.0
    assert found.lately.kept == 1


def test_what_there_is_not_or_may_not_be_asked_is_an_error(desk, client):
    with pytest.raises(NotFoundError):
        client.promise(7)
    with pytest.raises(RefusedError, match="no such state"):
        client.promises(state="lost")
    desk.viewer = Viewer("vik", Role.VIEWER)
    with pytest.raises(ForbiddenError):
        client.promises(number=number(1))
