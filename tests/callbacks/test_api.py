"""The API of promises: viewers read, operators steer, administrators let it dial."""

from __future__ import annotations

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from callbacks.desk import CALL, HOUR, SETTINGS, Desk, T, deed, number
from switchhook.access.audit import AuditFilter
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.openapi import OPERATIONS, PATHS, SCHEMAS
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.view import CallingAccount
from switchhook.errors import LedgerError
from switchhook.web.openapi import describe

VIEWER = Viewer("vik", Role.VIEWER)
OPERATOR = Viewer("meena", Role.OPERATOR)
SEES = Viewer("meena", Role.OPERATOR, revealed=frozenset({"*"}))
S = PromiseState


@pytest.fixture
def desk(tmp_path):
    found = Desk(tmp_path)
    found.viewer = SEES
    yield found
    found.close()


def problem(answer):
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]["problem"]


def audited(desk):
    return [(each.who, each.what, each.subject, each.details) for each in entries(desk)]


def entries(desk):
    return LedgerAudit(desk.ledger).entries(AuditFilter(), 100)


# Reading.


def test_promises_are_told_newest_first_page_by_page(desk):
    made = [desk.add(at) for at in range(1, 6)]
    first = desk.get(limit=2).json()
    assert [each["id"] for each in first["promises"]] == [made[4].id, made[3].id]
    second = desk.get(limit=3, cursor=first["next"]).json()
    assert [each["id"] for each in second["promises"]] == [each.id for each in made[2::-1]]
    assert second["next"] is None


def test_a_promise_tells_everything_of_itself(desk):
    found = desk.fill()[S.KEPT]
    told = desk.get(f"/{found.id}").json()
    assert told["number"] == number(7)
    assert (told["state"], told["event"], told["said"]) == (
        "kept",
        "talked",
        "they talked for 40 s",
    )
    assert told["acts"] == []
    assert [each["event"] for each in told["steps"]] == [None, "dialled", "placed", "talked"]
    (call,) = told["calls"]
    assert (call["state"], call["outcome"], call["talk_s"], call["price"]) == (
        "talked",
        "talked",
        40,
        0.6,
    )
    assert desk.get("/999").status_code == 404
    assert desk.get(f"/{2**60}").status_code == 404


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ({"state": "open"}, [1, 2]),
        ({"state": "open,paused"}, [1, 2, 3]),
        ({"class": "gold"}, [2]),
        ({"reason": "cut off"}, [3]),
        ({"account": "main"}, [1, 2, 3]),
        ({"class": "default", "state": "open"}, []),
        ({"number": "098765 00001"}, [1]),
        ({"due_before": "2023-11-14T22:13:21Z"}, [1, 2, 3]),
        ({"since": "2023-11-14T23:00:00Z"}, []),
    ],
)
def test_a_filter_finds_what_it_says(desk, query, indexes):
    desk.add(1)
    desk.add(2, class_="gold")
    desk.promises.settle(desk.add(3, reason="cut off").id, PromiseEvent.PAUSED, T)
    found = desk.get(**query).json()["promises"]
    assert sorted(each["number"] for each in found) == [number(at) for at in indexes]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"state": "lost"}, "no such state"),
        ({"account": "zzz"}, "no account 'zzz' calls back or has promises"),
        ({"class": "zzz"}, "no class 'zzz' is configured or has promises"),
        ({"number": "12"}, "not a full telephone number"),
        ({"limit": "0"}, "not a number in range"),
        ({"cursor": "x"}, "not a number in range"),
        ({"since": "yesterday"}, "not a time with its zone"),
        ({"colour": "red"}, "unknown parameter"),
    ],
)
def test_what_is_asked_wrongly_is_said(desk, query, said):
    assert problem(desk.get(**query)) == said


def test_an_account_that_is_configured_no_more_is_known_while_it_has_promises(desk):
    desk.add(1, class_="gold")
    desk.accounts.clear()
    assert len(desk.get(account="main", **{"class": "gold"}).json()["promises"]) == 1
    answer = desk.get(account="zzz").json()["error"]
    assert (answer["parameter"], answer["hint"]) == ("account", "known: main")


def test_an_act_on_a_name_that_nothing_has_is_refused(desk):
    for dry_run in (True, False):
        act = {"act": "cancel", "where": {"account": "zzz"}, "reason": "x", "dry_run": dry_run}
        assert problem(desk.post("/acts", **act)) == "no account 'zzz' calls back or has promises"
    assert audited(desk) == []


def test_the_summary_counts_states_dues_and_what_was_kept_in_time(desk):
    desk.fill()
    found = desk.get("/summary").json()
    assert found["states"] == {
        "unproven": 1,
        "open": 1,
        "paused": 1,
        "dialling": 1,
        "unknown": 1,
        "ringing": 1,
    }
    assert (found["due"], found["on_their_way"], found["refused"]) == (1, 3, 1)
    of_late = found["lately"]
    assert (of_late["kept"], of_late["broken"], of_late["served"], of_late["expired"]) == (
        1,
        1,
        1,
        1,
    )
    assert (of_late["owed"], of_late["in_time"]) == (3, 0.3333)
    assert (of_late["median_s"], of_late["p90_s"]) == (90.0, 90.0)
    (account,) = found["accounts"]
    assert account["dialling"]["allowed"]
    assert account["dialling"]["why_not"] is None
    assert account["campaign_pace"] == {
        "allowed": 20,
        "reserve": 2,
        "mean_s": 90.0,
        "calls_a_minute": 12.0,
        "words": "12 answered calls a minute: 20 streams, less 2 kept for those who call in,"
        " for 90 s each",
    }


def test_an_account_that_is_configured_no_more_still_tells_of_its_promises(desk):
    desk.add(1)
    desk.accounts = {}
    (account,) = desk.get("/summary").json()["accounts"]
    assert (account["account"], account["due"]) == ("main", 1)
    assert account["dialling"]["why_not"] == "it is not configured to call back"


def test_refusals_are_listed_with_why(desk):
    desk.lists_refusal()
    desk.lists_refusal()
    found = desk.get("/refusals", limit=1).json()
    assert found["refusals"][0]["why"] == "the number is on the do-not-call list"
    assert found["refusals"][0]["code"] == "do not call"
    assert len(desk.get("/refusals", cursor=found["next"]).json()["refusals"]) == 1


# Who may.


def test_a_viewer_reads_masked_and_does_nothing(desk):
    id = desk.add(1).id
    desk.viewer = VIEWER
    text = desk.get().text + desk.get(f"/{id}").text + desk.get("/summary").text
    assert number(1) not in text
    assert "•" in text
    body = {"account": "main", "number": number(2), "reason": "x"}
    for path, said in {
        "": body,
        "/acts": {"act": "cancel", "where": {}, "reason": "x"},
        "/stop-dialling": {},
        "/allow-dialling": {"account": "main", "reason": "x"},
        "/do-not-call": {"number": number(2), "reason": "x"},
        "/do-not-call/remove": {"number": number(2), "reason": "x"},
    }.items():
        assert desk.post(path, **said).status_code == 403, path
    assert desk.get(number=number(1)).status_code == 403
    assert entries(desk) == []


def test_only_an_administrator_allows_dialling_and_an_operator_stops_it(desk):
    body = {"account": "main", "reason": "the ticket says so"}
    assert desk.post("/allow-dialling", **body).status_code == 403
    desk.viewer = Viewer("asha", Role.ADMINISTRATOR)
    assert desk.post("/allow-dialling", **body).json()["allowed"]
    desk.viewer = OPERATOR
    stopped = desk.post("/stop-dialling").json()["accounts"][0]["dialling"]
    assert (stopped["allowed"], stopped["stopped"], stopped["stopped_by"]) == (
        False,
        "no reason was given",
        "meena",
    )
    assert [(who, what) for who, what, *_ in audited(desk)] == [
        ("meena", "stopped dialling"),
        ("asha", "allowed dialling"),
    ]


@pytest.mark.parametrize("sent", [b"", b" \n"])
def test_a_stop_without_a_body_stops_all(desk, sent):
    """Whoever stops it is in a hurry: a bare POST must not fail for want of two braces."""
    desk.accounts["other"] = CallingAccount("other", SETTINGS)
    for name in ("main", "other"):
        desk.dialling.allow(name, deed(), T)
    answer = desk.client.post("/api/v1/promises/stop-dialling", content=sent)
    assert answer.status_code == 200
    assert not any(each["dialling"]["allowed"] for each in answer.json()["accounts"])


def test_a_stop_that_can_not_be_kept_stops_all_the_same_and_says_so(desk, monkeypatch):
    """Dialling would go on as soon as there is room again."""
    desk.allow()
    desk.viewer = Viewer("meena", Role.OPERATOR)

    def full(*_given):
        raise LedgerError("the ledger", "the disk is full", "make room")

    monkeypatch.setattr(desk.dialling, "stop", full)
    answer = desk.post("/stop-dialling")
    assert answer.status_code == 400
    assert "dialling is stopped, but a restart would forget it" in answer.text
    assert "the disk is full" in answer.text
    assert desk.halted == [(None, "no reason was given", "meena")]


def test_a_body_that_is_broken_stops_nothing(desk):
    desk.dialling.allow("main", deed(), T)
    answer = desk.client.post("/api/v1/promises/stop-dialling", content=b'{"account": "ma')
    assert problem(answer) == "the body is not JSON"
    assert desk.dialling.of("main").allowed


def test_where_callbacks_lead_is_no_number_of_anybody(desk):
    """An id of a flow is masked for nobody, however many digits it has."""
    desk.viewer = VIEWER
    for flow in ("4711", "123456789"):
        settings = msgspec.structs.replace(SETTINGS, flow=flow)
        desk.accounts["main"] = CallingAccount("main", settings)
        desk.queries.forget()
        (account,) = desk.get("/summary").json()["accounts"]
        assert (account["flow_id"], account["bot"]) == (flow, False)
        assert f"into flow {flow}" in desk.words()
    straight = msgspec.structs.replace(SETTINGS, flow="", has_bot=True)
    desk.accounts["main"] = CallingAccount("main", straight)
    desk.queries.forget()
    (account,) = desk.get("/summary").json()["accounts"]
    assert (account["flow_id"], account["bot"]) == (None, True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"account": "main", "number": "12", "reason": "x"}),
        ("/do-not-call", {"number": "12", "reason": "x"}),
        ("/acts", {"act": "cancel", "where": {"number": "12"}, "reason": "x"}),
        ("/acts", {"act": "cancel", "where": {"state": "open"}, "reason": "x", "cursor": "0"}),
    ],
)
def test_a_hint_is_masked_for_nobody(desk, path, body):
    desk.viewer = OPERATOR
    answer = desk.post(path, **body)
    assert answer.status_code == 400
    assert "•" not in answer.text
    assert "•" not in desk.get(cursor="0").text


def test_one_account_is_stopped_and_the_others_dial_on(desk):
    desk.accounts["other"] = CallingAccount("other", SETTINGS)
    for name in ("main", "other"):
        desk.dialling.allow(name, deed(), T)
    found = desk.post("/stop-dialling", account="main", reason="a bad flow").json()["accounts"]
    assert {each["account"]: each["dialling"]["allowed"] for each in found} == {
        "main": False,
        "other": True,
    }
    assert problem(desk.post("/stop-dialling", account="nobody")).startswith("no account")


def test_a_search_for_a_number_is_noted_once(desk):
    desk.viewer = OPERATOR
    for _ in range(2):
        assert desk.get(number=number(1)).status_code == 200
    assert [each.what for each in desk.noted] == ["looked for a number"]


# Doing.


def test_a_promise_by_hand_is_open_at_once_and_in_the_audit_log(desk):
    body = {"account": "main", "number": "098765 00009", "reason": "asked by mail", "class": "gold"}
    made = desk.post(**body)
    assert made.status_code == 201
    told = made.json()
    assert (told["state"], told["origin"], told["made_by"]) == ("open", "hand", "meena")
    assert (told["number"], told["class"]) == (number(9), "gold")
    assert desk.promises.get(told["id"]).due_ms > desk.now
    ((who, what, subject, details),) = audited(desk)
    assert (who, what, subject) == ("meena", "promised a callback", "main")
    assert "asked by mail" in details
    assert "98765" not in details


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"account": "nobody"}, "no account 'nobody' calls back"),
        ({"number": "112"}, "it is"),
        ({"number": "+918047112233"}, "it is an ExoPhone of yours"),
        ({"reason": " "}, "it has no reason"),
        ({"reason": "x" * 101}, "its reason is too long"),
        ({"class": "x" * 33}, "no such class is possible"),
        ({"class": " gold"}, "no such class is possible"),
    ],
)
def test_a_promise_that_cannot_be_made_says_why(desk, body, said):
    whole = {"account": "main", "number": number(9), "reason": "asked"} | body
    assert problem(desk.post(**whole)).startswith(said)
    assert desk.get().json()["promises"] == []


def test_a_class_that_nobody_says_is_that_of_rules(desk):
    """Else those of no class would have their turns twice."""
    body = {"account": "main", "number": number(9), "reason": "asked"}
    assert desk.post(**body).json()["class"] == "default"


def test_one_number_is_promised_once(desk):
    body = {"account": "main", "number": number(9), "reason": "asked"}
    assert desk.post(**body).status_code == 201
    assert desk.post(**body).status_code == 400
    assert len(desk.get().json()["promises"]) == 1


def test_who_is_on_the_do_not_call_list_is_promised_nothing_and_dropped(desk):
    id = desk.add(9).id
    said = {"number": "9876500009", "reason": "he asked for it"}
    assert desk.post("/do-not-call", **said).json() == {"changed": True}
    assert desk.post("/do-not-call", **said).json() == {"changed": False}
    assert desk.get(f"/{id}").json()["event"] == "cancelled"
    body = {"account": "main", "number": number(9), "reason": "asked"}
    assert "do-not-call" in problem(desk.post(**body))
    listed = desk.get("/do-not-call").json()
    assert (listed["count"], listed["more"]) == (1, False)
    assert listed["numbers"][0]["number"] == number(9)
    assert listed["numbers"][0]["by"] == "meena"
    assert desk.post("/do-not-call/remove", **said).json() == {"changed": True}
    assert desk.get("/do-not-call").json()["numbers"] == []
    assert all("9876500009" not in str(each) for each in audited(desk))


def test_an_act_meets_what_its_filter_finds_and_counts_it_before(desk):
    for at in range(1, 4):
        desk.add(at, class_="gold")
    other = desk.add(4)
    desk.promises.settle(other.id, PromiseEvent.PAUSED, T)
    act = {"act": "pause", "where": {"class": "gold"}, "reason": "they are on strike"}
    assert desk.post("/acts", **act, dry_run=True).json() == {
        "matched": 3,
        "changed": 3,
        "left_out": [],
    }
    assert desk.get(state="paused").json()["promises"][0]["id"] == other.id
    assert desk.post("/acts", **act).json() == {"matched": 3, "changed": 3, "left_out": []}
    assert len(desk.get(state="paused").json()["promises"]) == 4
    assert desk.post("/acts", **act, dry_run=True).json() == {
        "matched": 3,
        "changed": 0,
        "left_out": [],
    }
    who, what, subject, details = audited(desk)[0]
    assert (who, what, subject) == ("meena", "paused promises", "of class gold")
    assert "they are on strike" in details


def test_an_act_on_named_ones_leaves_others_alone(desk):
    first, second = desk.add(1), desk.add(2)
    act = {"act": "cancel", "where": {"ids": [first.id]}, "reason": "done by hand"}
    assert desk.post("/acts", **act).json() == {"matched": 1, "changed": 1, "left_out": []}
    assert desk.get(f"/{first.id}").json()["why"] == "done by hand"
    assert desk.get(f"/{second.id}").json()["state"] == "open"


def test_an_act_says_of_each_that_it_leaves_out_why(desk):
    first, second = desk.add(1), desk.add(2)
    desk.settle(second, PromiseEvent.SERVED)
    ids = [first.id, second.id, 999]
    act = {"act": "cancel", "where": {"ids": ids}, "reason": "done by hand"}
    left_out = [
        {"id": second.id, "why": "it is dropped (served after all)"},
        {"id": 999, "why": "there is none"},
    ]
    found = {"matched": 2, "changed": 1, "left_out": left_out}
    assert desk.post("/acts", **act, dry_run=True).json() == found
    assert desk.post("/acts", **act).json() == found
    assert desk.get(f"/{first.id}").json()["state"] == "dropped"


def test_a_retry_gives_it_a_whole_time_anew(desk):
    broken = desk.fill()[S.BROKEN]
    desk.now = T + 5 * HOUR
    act = {"act": "retry", "where": {"ids": [broken.id]}, "reason": "the flow is mended"}
    assert desk.post("/acts", **act).json()["changed"] == 1
    found = desk.promises.get(broken.id)
    assert (found.state, found.due_ms) == (S.OPEN, desk.now)
    assert found.until_ms > desk.now


def test_what_ends_one_that_rings_waits_for_its_call(desk):
    ringing = desk.fill()[S.RINGING]
    act = {"act": "cancel", "where": {"ids": [ringing.id]}, "reason": "asked"}
    assert desk.post("/acts", **act).status_code == 200
    found = desk.get(f"/{ringing.id}").json()
    assert found["state"] == "ringing"
    assert found["ending"] == "ends after this call unless they talk: cancelled (asked)"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"where": {"ids": []}}, "it is empty"),
        ({"where": {"ids": "1"}}, "no list of numbers of promises"),
        ({"where": {"ids": [True, "x"]}}, "no list of numbers of promises"),
        ({"where": {"state": 3}}, "it is no text"),
        ({"where": {"stat": "open"}}, "unknown parameter"),
        ({"reason": ""}, "it has no reason"),
        ({"act": "dance"}, "the body is not as described"),
    ],
)
def test_an_act_that_cannot_be_done_says_why(desk, body, said):
    id = desk.add(1).id
    whole = {"act": "cancel", "where": {"ids": [id]}, "reason": "x"} | body
    assert problem(desk.post("/acts", **whole)).startswith(said)
    assert desk.promises.get(id).state is S.OPEN


def test_whoever_may_see_a_call_sees_the_number_that_it_was_promised_to(desk):
    desk.add(1, call_sid=CALL)
    desk.add(2, call_sid="other")
    desk.viewer = Viewer("meena", Role.OPERATOR, revealed=frozenset({CALL}))
    told = {each["call_sid"]: each["number"] for each in desk.get().json()["promises"]}
    assert told[CALL] == number(1)
    assert "•" in told["other"]


def test_it_does_what_its_description_says(desk):
    """Every operation, with bodies that fit and ones that don't; what there is not is refused."""
    desk.fill()
    desk.viewer = Viewer("asha", Role.ADMINISTRATOR, open=True)
    document = describe("1", OPERATIONS, SCHEMAS | {"Error": {"type": "object"}})
    for path, methods in PATHS.items():
        document["paths"].setdefault(path, {}).update(methods)
    schema = schemathesis.openapi.from_dict(document)
    assert desk.client
    schema.app = desk.app
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        tried.add(operation.label)

        @settings(max_examples=15, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        check()
    assert len(tried) == 11
