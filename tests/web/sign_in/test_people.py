"""Users deleted, what ends with a change of theirs, invitations, reads of revealed numbers."""

from __future__ import annotations

import pytest

from asgi_client import Client
from switchhook.access.audit import verify_chain
from switchhook.access.roles import Role, Scope
from web.sign_in.house import DEED, HERE, HOUR, MINUTE, SECOND
from web.sign_in.test_middleware import make_token
from web.sign_in.test_settings_page import once

DAY = 24 * HOUR
NEW = {"password": "eleven purple teacups", "again": "eleven purple teacups"}


def number(house, name):
    return str(house.kept.users.named(name).id)


def test_deleting_a_user(house):
    """A number stays in the place of the name; the chain holds, and the name is free."""
    admin, ravi = house.signed_in(), house.signed_in("ravi", Role.OPERATOR)
    gone = number(house, "ravi")
    token = make_token(house, Scope.READ, int(gone))
    assert admin.post("/settings/users/delete", {"id": gone, "again": "ravj"}).status_code == 400
    assert admin.post("/settings/users/delete", {"id": gone, "again": "ravi"}).status_code == 303
    assert ravi.get("/").status_code == 303
    assert Client(house.app, base_url=HERE).get("/metrics", headers=token).status_code == 401
    assert ravi.sign_in("ravi").status_code == 403
    assert [each.name for each in house.kept.users.all()] == ["asha"]
    assert house.kept.passes.tokens()[0].owner.name == f"deleted user {gone}"
    entries = list(house.kept.audit.oldest_first())
    assert entries[-2].what == "deleted a user"
    assert (entries[-2].subject, entries[-2].who) == (f"user {gone}", "asha")
    assert verify_chain(entries, house.kept.audit.head()).broken_at is None
    again = house.kept.users.add("ravi", Role.VIEWER, DEED, house.now_us)
    assert again is not None
    assert again.id != int(gone)
    assert house.kept.users.add(f"deleted user {gone}", Role.VIEWER, DEED, 1) is not None


def test_the_last_administrator_is_not_deleted(house):
    admin = house.signed_in()
    form = {"id": number(house, "asha"), "again": "asha"}
    assert "Somebody has to stay" in admin.post("/settings/users/delete", form).text
    assert admin.get("/").status_code == 200


def test_a_deleted_users_views_are_not_the_next_ones(house):
    from switchhook.streams.search.saved_views import SavedView
    from switchhook.streams.search.saved_views_ledger import LedgerViews

    views = LedgerViews(house.ledger)
    ravi = house.kept.users.add("ravi", Role.VIEWER, DEED, 1)
    views.save(SavedView(0, "mine", "q=x", "ravi", False), DEED, 1)
    views.save(SavedView(0, "ours", "q=y", "ravi", True), DEED, 1)
    house.user()
    house.kept.users.delete(ravi.id, DEED, 1)
    assert [(each.name, each.by) for each in views.seen_by("ravi")] == [
        ("ours", f"deleted user {ravi.id}")
    ]


@pytest.mark.parametrize("name", ["9876543210", "+91 98765 43210", "ravi (080-4567-8901)"])
def test_no_name_looks_like_a_number(house, name):
    """No erasure could reach it in the audit log."""
    admin = house.signed_in()
    reply = admin.post("/settings/users", {"name": name, "role": "viewer"})
    assert reply.status_code == 400
    assert "telephone number" in reply.text


def test_who_did_something_is_masked_in_the_audit_log(house):
    """Users of before may be called so, and a token's name may hold one."""
    from switchhook.access.audit import Deed

    house.kept.audit.note(Deed(who="token robot of 9876543210", what="looked"), 1)
    assert "9876543210" not in str(list(house.kept.audit.oldest_first()))


@pytest.mark.parametrize("change", ["password", "reset", "role", "disable", "delete"])
def test_sessions_and_tokens_end_with_a_change(house, change):
    """What was given to somebody else than they are now must not go on."""
    admin, ravi = house.signed_in(), house.signed_in("ravi", Role.OPERATOR)
    user = house.kept.users.named("ravi")
    tokens = Client(house.app, base_url=HERE)
    token = make_token(house, Scope.READ, user.id)
    assert tokens.get("/api/v1/things", headers=token).status_code == 200
    other = house.browser()
    other.sign_in("ravi")
    match change:
        case "password":
            form = NEW | {"current": "seven green parrots"}
            assert other.post("/settings/own/password", form).status_code == 200
        case "reset":
            link = once(admin.post("/settings/users/link", {"id": str(user.id)}))
            assert house.browser().post(link.removeprefix(HERE), NEW).status_code == 303
        case "role":
            admin.post("/settings/users/role", {"id": str(user.id), "role": "viewer"})
        case "disable":
            for disabled in ("yes", "no"):
                form = {"id": str(user.id), "disabled": disabled}
                admin.post("/settings/users/disabled", form)
        case "delete":
            admin.post("/settings/users/delete", {"id": str(user.id), "again": "ravi"})
    assert ravi.get("/").status_code == 303
    assert tokens.get("/api/v1/things", headers=token).status_code == 401
    assert house.kept.passes.tokens()[0].revoked_us is not None


def test_the_same_role_ends_nothing(house):
    admin, ravi = house.signed_in(), house.signed_in("ravi", Role.OPERATOR)
    admin.post("/settings/users/role", {"id": number(house, "ravi"), "role": "operator"})
    assert ravi.get("/").status_code == 200


def test_an_old_password_link_ends_with_a_new_password(house):
    """Whoever found it in a chat can't take the account back with it."""
    admin = house.signed_in()
    user = house.kept.users.add("ravi", Role.VIEWER, DEED, 1, password_hash="x")
    link = once(admin.post("/settings/users/link", {"id": str(user.id)})).removeprefix(HERE)
    house.kept.users.set_password(user.id, "y", DEED, house.now_us)
    assert house.browser().get(link).status_code == 410


# Invitations.


def test_an_invitation_lasts_three_days(house):
    """Once, for the name and role it was made for, and then it says that it is too old."""
    admin = house.signed_in()
    form = {"name": "ravi", "role": "operator"}
    link = once(admin.post("/settings/users", form)).removeprefix(HERE)
    house.now_us += 3 * DAY - 1
    guest = house.browser()
    page = guest.get(link).text
    assert "ravi" in page
    assert "operator" in page
    house.now_us += 1
    late = guest.get(link)
    assert late.status_code == 410
    assert "too old" in late.text
    assert "3 days" in late.text
    assert house.browser().post(link, NEW).status_code == 410
    house.now_us -= MINUTE
    assert guest.post(link, NEW | {"name": "king", "role": "administrator"}).status_code == 303
    assert house.kept.users.named("king") is None
    assert house.kept.users.named("ravi").role is Role.OPERATOR
    used = house.browser().get(link)
    assert used.status_code == 410
    assert "used or withdrawn" in used.text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("role", {"role": "viewer"}),
        ("disabled", {"disabled": "yes"}),
        ("delete", {"again": "ravi"}),
    ],
)
def test_an_invitation_goes_with_who_made_it(house, path, form):
    """An administrator who is none any more has let nobody in for later."""
    boss, ravi = house.signed_in(), house.signed_in("ravi")
    link = once(ravi.post("/settings/users", {"name": "x", "role": "administrator"}))
    link = link.removeprefix(HERE)
    assert house.browser().get(link).status_code == 200
    made = [each for each in house.kept.audit.oldest_first() if each.what == "invited a user"]
    assert [(each.who, each.details) for each in made] == [("ravi", '{"role":"administrator"}')]
    boss.post(f"/settings/users/{path}", {"id": number(house, "ravi"), **form})
    assert house.browser().get(link).status_code == 410
    assert house.browser().post(link, NEW).status_code == 410
    assert house.kept.users.named("x") is None
    assert "Links that nobody has used" not in boss.get("/settings").text


def test_invitations_are_listed_and_withdrawn(house):
    """Also those that nobody used in time: they say so."""
    admin = house.signed_in()
    admin.post("/settings/users", {"name": "ravi", "role": "operator"})
    assert ">expired<" not in admin.get("/settings").text
    house.now_us += 3 * DAY
    admin = house.browser()
    admin.sign_in()
    page = admin.get("/settings").text
    assert "ravi" in page
    assert ">expired<" in page
    link = house.kept.users.links(house.now_us)[0]
    admin.post("/settings/links/void", {"id": str(link.id)})
    assert ">expired<" not in admin.get("/settings").text


def test_a_password_link_lasts_a_quarter_of_an_hour(house):
    admin = house.signed_in()
    house.user("ravi", Role.VIEWER)
    link = once(admin.post("/settings/users/link", {"id": number(house, "ravi")}))
    house.now_us += 15 * MINUTE
    late = house.browser().get(link.removeprefix(HERE))
    assert late.status_code == 410
    assert "15 minutes" in late.text


def test_a_disabled_user_gets_no_password_link(house):
    """Neither is one made, nor does one of before say anything but why."""
    admin = house.signed_in()
    house.user("ravi", Role.VIEWER)
    user = {"id": number(house, "ravi")}
    assert "New password link" in admin.get("/settings").text
    link = once(admin.post("/settings/users/link", user)).removeprefix(HERE)
    guest = house.browser()
    assert guest.get(link).status_code == 200
    admin.post("/settings/users/disabled", user | {"disabled": "yes"})
    for late in (guest.get(link), guest.post(link, NEW)):
        assert late.status_code == 410
        assert "This account is disabled" in late.text
    refused = admin.post("/settings/users/link", user)
    assert refused.status_code == 400
    assert "This user is disabled" in refused.text
    assert admin.get("/settings").text.count("New password link") == 1  # asha's own


# Reads of revealed numbers.


def reads(house):
    return [
        (each.who, each.subject, each.details)
        for each in house.kept.audit.oldest_first()
        if each.what == "read with numbers revealed"
    ]


def test_each_page_read_with_numbers_revealed_is_noted(house):
    """By whom and which; a page that renews itself is one read a minute."""
    browser = house.signed_in("asha", Role.OPERATOR)
    browser.get("/")
    assert reads(house) == []
    browser.post("/reveal", {})
    for path in ("/", "/?q=x", "/?q=x", "/api/v1/things", "/settings", "/static/a.css"):
        browser.get(path)
    said = '{"of":"all"}'
    assert reads(house) == [
        ("asha", "/", said),
        ("asha", "/", said),
        ("asha", "/api/v1/things", said),
    ]
    house.now_us += 61 * SECOND
    browser.get("/")
    assert len(reads(house)) == 4
    browser.post("/mask", {})
    house.now_us += 61 * SECOND
    browser.get("/")
    assert len(reads(house)) == 4


def test_a_tokens_reads_are_noted_too(house):
    token = make_token(house, Scope.OPERATE, house.user())
    client = Client(house.app, base_url=HERE)
    client.post("/api/v1/calls/c1/reveal", headers=token)
    client.get("/api/v1/things", headers=token)
    assert [(subject, details) for _, subject, details in reads(house)] == [
        ("/api/v1/things", '{"of":"c1"}')
    ]


def test_a_read_that_can_not_be_noted_shows_nothing(house, monkeypatch):
    from switchhook.errors import LedgerError

    browser = house.signed_in("asha", Role.OPERATOR)
    browser.post("/reveal", {})

    def full(*_):
        raise LedgerError("ledger", "disk full", "make room")

    monkeypatch.setattr(house.kept.audit, "note", full)
    assert browser.get("/").status_code == 503
    monkeypatch.undo()
    assert browser.get("/").status_code == 200
