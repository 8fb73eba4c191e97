"""The pages of promises: shown harmlessly to all, pressed by operators and administrators."""

from __future__ import annotations

import asyncio
import threading

import httpx2
import msgspec
import pytest

from callbacks.desk import CALL, HOUR, SETTINGS, Desk, T, deed, number, words_of
from patience import PATIENCE_S
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks import page, queries
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.promise import AttemptState, PromiseEvent, PromiseState
from switchhook.callbacks.refusals import RefusalCode
from switchhook.callbacks.view import CallingAccount

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
VIEWER = Viewer("vik", Role.VIEWER)
OPERATOR = Viewer("meena", Role.OPERATOR)
S = PromiseState


@pytest.fixture
def desk(tmp_path):
    found = Desk(tmp_path)
    yield found
    found.close()


def deeds(desk):
    return [each.what for each in LedgerAudit(desk.ledger).entries(AuditFilter(), 50)]


def test_a_console_where_nobody_calls_back_says_how_to_begin(desk):
    desk.accounts = {}
    words = desk.words()
    assert "No account calls back." in words
    assert "[accounts.main.callbacks]" in words
    assert "Nobody is owed a callback." in words


def test_what_is_owed_stands_there_with_why_and_since(desk):
    desk.fill()
    words = desk.words()
    assert "Waiting 3 1 due" in words
    assert "On their way 3 1 in doubt" in words
    assert "Called back, 24 h 1" in words
    assert "Kept within their time 33 % of 3 owed, 24 h" in words
    assert "Time to callback 1 min 30 s 9 of 10 within 1 min 30 s" in words
    assert "no answer in 35 s" in words
    assert "6 promises" in words
    assert "kept they talked" not in words
    assert "Not promised a callback was wanted" in words


def test_the_tabs_count_what_is_not_over_and_renew_themselves(desk):
    """Those that are over are too many to count at each look."""
    assert "Owed Unproven 0 Open 0 Paused 0 Dialling 0 Unknown 0 Ringing 0 Kept Dropped" in (
        desk.words()
    )
    desk.add(1)
    desk.queries.forget()
    text = desk.page()
    assert '<nav id="promise-states" data-live="figures"' in text
    assert "Owed Unproven 0 Open 1 Paused 0" in words_of(text)


def test_who_is_cut_off_again_is_not_among_those_whom_nobody_owes_one(desk):
    desk.add(1)
    again = desk.promises.make(desk._promise(1, token="another", call_sid="c2"))
    assert again.code is RefusalCode.OPEN_ALREADY
    text = desk.page()
    assert "Not promised, 24 h 0 1 cut off again, owed one already" in words_of(text)
    assert "Everybody for whom a callback was wanted was promised one." in words_of(text)
    assert again.why not in text
    found = desk.client.get("/api/v1/promises/summary").json()
    assert (found["refused"], found["owed_already"]) == (0, 1)
    listed = desk.client.get("/api/v1/promises/refusals").json()["refusals"]
    assert [each["code"] for each in listed] == ["open already"]


def test_a_call_that_is_over_is_not_said_to_ring(desk):
    """How it went comes minutes later: nobody should think of a telephone that rings for those."""
    desk.allow()
    ringing = desk.settle(
        desk.dial(desk.add(1)), PromiseEvent.PLACED, state=AttemptState.PLACED, call_sid=CALL
    )
    said = "Its call is over. Exotel has not said yet how it went."
    assert said not in desk.words() + desk.words(f"/{ringing.id}")
    desk.promises.note(ringing.id, 1, AttemptChange(done_ms=desk.now))
    desk.queries.forget()
    words = desk.words()
    assert "On their way 1 1 over, not told how" in words
    assert said in words
    assert said in desk.words(f"/{ringing.id}")
    api = "/api/v1/promises"
    assert desk.client.get(api).json()["promises"][0]["said"] == said
    assert desk.client.get(f"{api}/{ringing.id}").json()["said"] == said
    assert desk.client.get(f"{api}/summary").json()["over"] == 1


def test_each_state_has_its_list(desk):
    found = desk.fill()
    for state, promise in found.items():
        words = desk.page(state=state.value)
        assert f'href="/promises/{promise.id}"' in words
    text = desk.page(state="all")
    assert all(f'href="/promises/{each.id}"' in text for each in found.values())


def test_the_list_goes_on_page_by_page(desk):
    for at in range(60):
        desk.add(at)
    first = desk.page()
    assert "60 promises, the newest 50 of them" in words_of(first)
    assert 'href="/promises?cursor=11"' in first
    second = desk.page(cursor="11")
    assert second.count("data-id=") == 10
    assert "← Newest" in second


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "lost"}, "state: no such state"),
        ({"since": "soon"}, "since: not a time"),
        ({"number": "12"}, "number: not a full telephone number"),
    ],
)
def test_a_filter_that_cannot_be_read_says_so_and_shows_what_is_owed(desk, query, said):
    desk.add(1)
    words = desk.words(**query)
    assert said in words
    assert "1 promise" in words


def test_one_promise_tells_its_story_and_its_calls(desk):
    kept = desk.fill()[S.KEPT]
    text = desk.page(f"/{kept.id}")
    words = words_of(text)
    assert "They talked for 40 s." in words
    for step in ("made", "dialled", "placed attempt 1", "talked attempt 1"):
        assert step in words
    assert 'href="/calls/4cf6b74c24af2bd4cd2e1b8b5a9d17zz"' in text
    assert 'href="/calls/4cf6b74c24af2bd4cd2e1b8b5a9d17bl"' in text
    assert "Attempts 1 of at most 3" in words
    assert desk.client.get("/promises/999").status_code == 404


def test_what_exotel_postponed_is_no_attempt_of_those_that_it_has(desk):
    desk.allow()
    promise = desk.add(1)
    for _ in range(4):
        promise = desk.settle(
            desk.dial(promise),
            PromiseEvent.POSTPONED,
            "the API answered 429",
            state=AttemptState.NOT_PLACED,
        )
    desk.settle(desk.dial(promise), PromiseEvent.PLACED, state=AttemptState.PLACED, call_sid=CALL)
    assert "Attempts 1 of at most 3; Exotel was asked 5 times" in desk.words(f"/{promise.id}")


def test_the_switch_is_an_administrators_and_stopping_it_an_operators(desk):
    desk.add(1)
    words = desk.words()
    assert "main does not dial Nobody has allowed this account to dial." in words
    assert "1 promise is due: it is dialled from the moment you press" in words
    desk.viewer = OPERATOR
    assert "/promises/allow-dialling" not in desk.page()
    form = {"account": "main", "reason": "ticket 42"}
    assert desk.client.post("/promises/allow-dialling", data=form).status_code == 403
    desk.viewer = Viewer("asha", Role.ADMINISTRATOR)
    assert "main dials from now on" in desk.press("allow-dialling", **form)
    assert "Callers are dialled: allowed by asha" in desk.words()
    desk.viewer = OPERATOR
    assert "Dialling of all accounts is stopped. Calls that ring go on" in desk.press(
        "stop-dialling", account="", reason=""
    )
    words = desk.words()
    assert "Stopped 15 Nov 03:43:20 by meena: no reason was given" in words
    assert "Stop all dialling" not in words
    assert deeds(desk) == ["stopped dialling", "allowed dialling"]


def test_what_we_stopped_ourselves_says_why(desk):
    desk.allow()
    desk.dialling.stop("main", "Exotel refuses the key (401)", Deed(who="", what="x"), desk.now)
    assert "stopped Stopped 15 Nov 03:43:20: Exotel refuses the key (401)" in desk.words()


def test_a_press_does_it_to_all_that_the_list_had_and_to_nobody_who_came_since(desk):
    for at in range(1, 4):
        desk.add(at)
    desk.add(4, class_="gold")
    text = desk.page()
    assert "Do something with all 4" in text
    assert "Hold back 4" in text
    assert "Dial again" not in text
    desk.now += 1_000
    late = desk.add(5, made_ms=desk.now)
    said = desk.press("act", act="pause", why="strike", state="owed", shown_ms=str(T))
    assert "Hold back: done to 4 of 4" in said
    assert desk.promises.get(late.id).state is S.OPEN
    said = desk.press(
        "act", act="resume", why="over", state="paused", **{"class": "gold"}, shown_ms=str(T)
    )
    assert "Go on with: done to 1 of 1" in said


def test_a_press_that_takes_long_goes_on_while_one_looks(desk, monkeypatch):
    """Tens of thousands take minutes, longer than browsers and proxies wait."""
    desk.add(1)
    go, done = threading.Event(), threading.Event()
    act = desk.steering.act

    def slowly(*said):
        assert go.wait(PATIENCE_S)
        try:
            return act(*said)
        finally:
            done.set()

    monkeypatch.setattr(desk.steering, "act", slowly)
    monkeypatch.setattr(page, "PATIENCE_S", 0.01)
    form = {"act": "pause", "why": "strike", "state": "owed", "shown_ms": str(T)}

    async def press_and_look():
        assert desk.client
        transport = httpx2.ASGITransport(desk.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            answer = await client.post("/promises/act", data=form)
            assert "It+goes+on" in answer.headers["location"]
            go.set()
            assert await asyncio.to_thread(done.wait, 30)

    asyncio.run(press_and_look())
    assert desk.promises.get(1).state is S.PAUSED


def test_a_press_on_one_promise_leads_back_to_it(desk):
    broken = desk.fill()[S.BROKEN]
    id = str(broken.id)
    assert "Dial again" in desk.page(f"/{id}")
    form = {"act": "retry", "id": id, "of": id, "why": "mended"}
    answer = desk.client.post("/promises/act", data=form)
    assert answer.headers["location"].startswith(f"/promises/{id}?said=")
    assert desk.promises.get(broken.id).state is S.OPEN


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        ("act", {"act": "dance", "id": "1", "why": "x"}, "the form names no act"),
        ("act", {"act": "cancel", "id": "x", "why": "x"}, "it names no promise"),
        (
            "act",
            {"act": "cancel", "state": "owed", "why": "x"},
            "the form does not say which list it means",
        ),
        ("act", {"act": "cancel", "id": "1", "why": " "}, "it has no reason"),
        ("act", {"act": "cancel", "state": "x", "shown_ms": "1", "why": "x"}, "no such state"),
        ("make", {"account": "x", "number": "1", "reason": "x"}, "no account 'x' calls back"),
        ("make", {"account": "main", "number": "112", "reason": "x"}, "it is"),
        ("allow-dialling", {"account": "main", "reason": ""}, "it has no reason"),
        ("allow-dialling", {"account": HOSTILE, "reason": "x"}, "no account"),
        ("stop-dialling", {"account": HOSTILE}, "no account"),
        ("do-not-call", {"number": "12", "reason": "x"}, "it is no whole telephone number"),
        ("do-not-call", {"number": number(1), "reason": ""}, "it has no reason"),
    ],
)
def test_what_is_refused_is_said_on_the_page(desk, path, form, said):
    desk.add(1)
    shown = desk.press(path, **form)
    assert f"Not done: {said}" in shown
    assert desk.promises.get(1).state is S.OPEN
    assert deeds(desk) == []


def test_a_list_of_a_name_that_nothing_has_says_so(desk):
    desk.add(1, class_="gold")
    said = "no class 'silver' is configured or has promises: known: default, gold"
    assert said in desk.words(**{"class": "silver"})


def test_a_press_beside_one_that_does_nothing_says_why(desk):
    made = desk.add(1)
    desk.settle(made, PromiseEvent.CANCELLED)
    said = desk.press("act", act="cancel", why="again", id=str(made.id))
    assert "Cancel: done to 0 of 1; number 1: it is dropped already (cancelled)" in said


def test_a_callback_is_promised_by_hand(desk):
    form = {"account": "main", "number": "098765 00009", "reason": "asked by mail", "class": "gold"}
    bad = desk.press("make", **form | {"class": "Bad Class"})
    assert "Not done: no such class is possible: 'Bad Class': 1 to 32 of a-z" in bad
    assert "Promised: it is number 1" in desk.press("make", **form)
    assert desk.promises.get(1).number == number(9)
    assert "Not done" in desk.press("make", **form)


def test_a_number_is_put_on_the_list_and_taken_off(desk):
    desk.add(9)
    form = {"number": "98765 00009", "reason": "asked"}
    assert "It is not called any more" in desk.press("do-not-call", **form)
    assert "It was on the list already" in desk.press("do-not-call", **form)
    assert desk.promises.get(1).event is PromiseEvent.CANCELLED
    assert "1 number" in desk.words()
    assert "It is off the list" in desk.press("do-not-call/remove", **form)
    assert "It was not on the list" in desk.press("do-not-call/remove", **form)


def test_a_viewer_sees_masked_numbers_and_no_press(desk):
    ringing = desk.fill()[S.RINGING]
    desk.do_not_call.add(number(70), "asked", deed(), T)
    desk.viewer = VIEWER
    for path in ("", f"/{ringing.id}"):
        text = desk.page(path)
        assert "•" in text
        assert "98765000" not in text
        assert 'action="/promises/' not in text
    assert desk.client.post("/promises/act", data={"act": "cancel", "id": "1"}).status_code == 403
    assert desk.client.post("/promises/stop-dialling", data={}).status_code == 403


def test_hostile_texts_are_shown_harmlessly(desk):
    made = desk.add(1, reason=HOSTILE, class_=HOSTILE, endpoint=HOSTILE, call_sid=HOSTILE)
    desk.promises.settle(made.id, PromiseEvent.EXHAUSTED, T, why=HOSTILE, by=HOSTILE)
    for text in (desk.page(state="all"), desk.page(f"/{made.id}"), desk.page(state=HOSTILE)):
        assert "<script>alert" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text


def test_the_pace_of_a_campaign_is_told_with_what_can_be_done(desk):
    words = desk.words()
    assert "Campaign pace 12 answered calls a minute" in words
    assert "it can't be changed while one runs" in words
    desk.streams = msgspec.structs.replace(desk.streams, allowed=None)
    desk.queries.forget()  # else kept for as long as it was dear to make, by the CPU that it took
    assert "not known: Exotel has not said" in desk.words()


def test_a_promise_of_an_account_that_calls_back_no_more_is_still_shown(desk):
    made = desk.add(1)
    desk.accounts = {}
    assert "it is not configured to call back" in desk.words().lower()
    assert f"Promise {made.id}" in desk.words(f"/{made.id}")
    desk.accounts = {"other": CallingAccount("other", SETTINGS)}
    assert "main" in desk.words()


def test_figures_that_are_dear_are_not_made_anew_for_each_who_looks(desk, monkeypatch):
    """In a storm something moves at any time; whoever did something sees what came of it."""
    spent = iter([0.0, 0.2, 1.0, 1.2, 2.0, 2.2])
    monkeypatch.setattr(queries.time, "thread_time", lambda: next(spent))
    first = desk.queries.view()
    desk.add(1)
    desk.now += 3_900
    assert desk.queries.view() is first
    desk.now += 200
    second = desk.queries.view()
    assert (second.due, second is first) == (1, False)
    desk.add(2)
    desk.queries.forget()
    assert desk.queries.view().due == 2


def test_figures_are_made_anew_once_something_moves(desk, monkeypatch):
    monkeypatch.setattr(queries.time, "thread_time", lambda: 0.0)  # cheap, on any machine
    desk.add(1)
    assert desk.queries.view().due == 1
    desk.add(2)
    assert desk.queries.view().due == 2
    first = desk.queries.view()
    desk.now += 1
    assert desk.queries.view() is first
    desk.now = T + HOUR
    assert desk.queries.view() is not first
