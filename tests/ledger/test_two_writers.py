"""Two nodes that write one ledger at once: each deed is done whole, after the other or not at all.

Each node has a `Ledger` of its own; on SQLite that is a command beside the console.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Barrier

import pytest
from sqlalchemy import make_url

from callbacks.some_promises import T, deed, promise
from patience import PATIENCE_S
from releases.made import DEFAULT, new, text
from switchhook.access.audit import Deed, verify_chain
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role, Scope
from switchhook.access.users import LinkKind
from switchhook.callbacks.claims import Claimed
from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.ledger import LedgerPromises
from switchhook.callbacks.promise import Promise
from switchhook.errors import ReleaseError
from switchhook.flags.changes import FlagWanted, change_of
from switchhook.flags.ledger import LedgerFlags
from switchhook.releases.acts import ActWanted
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.routes.hands import HandChange
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.rules.flags import Flag, FlagKind
from switchhook.rules.routing import HandAct, HandSetting
from switchhook.server.tables import open_ledger
from switchhook.streams.issues.issues import IssueNote, IssueState
from switchhook.streams.issues.ledger import LedgerIssueHistory
from switchhook.streams.search.saved_views import SavedView
from switchhook.streams.search.saved_views_ledger import LedgerViews

DEED = Deed(who="asha", what="did it")
COUNT = Flag(name="count", kind=FlagKind.NUMBER, default=0)


@pytest.fixture
def nodes(ledger_place):
    """Two nodes' ledgers."""
    with ExitStack() as held:
        yield [held.enter_context(closing(open_ledger(ledger_place))) for _ in range(2)]


def at_once(*acts):
    """What each gave, or raised."""
    begun = Barrier(len(acts))

    def run(act):
        begun.wait(PATIENCE_S)
        try:
            return act()
        except ReleaseError as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))


def times(count, nodes, act):
    """Each node does it so often, both at once; all that was given."""
    runs = [lambda node=node: [act(node, at) for at in range(count)] for node in nodes]
    return [each for found in at_once(*runs) for each in found]


def check_audit(node, entries):
    """One chain, of so many entries, each after another."""
    log = LedgerAudit(node)
    found = list(log.oldest_first())
    assert [each.seq for each in found] == list(range(1, entries + 1))
    assert verify_chain(found, log.head()).broken_at is None


def test_the_audit_log_is_one_chain(nodes):
    times(25, nodes, lambda node, at: LedgerAudit(node).note(DEED, at))
    check_audit(nodes[1], 50)


def test_it_is_so_whatever_isolation_the_server_has_by_default(postgresql_schema):
    url = make_url(postgresql_schema)
    options = f"{url.query['options']} -cdefault_transaction_isolation=serializable"
    place = url.update_query_dict({"options": options}).render_as_string(hide_password=False)
    with closing(open_ledger(place)) as one, closing(open_ledger(place)) as other:
        times(15, [one, other], lambda node, at: LedgerAudit(node).note(DEED, at))
        check_audit(one, 30)


def test_of_two_who_take_a_name_one_has_it(nodes):
    users = times(
        10, nodes, lambda node, at: LedgerAccess(node).users.add(f"u{at}", Role.VIEWER, DEED, at)
    )
    assert len([each for each in users if each is not None]) == 10
    assert len(LedgerAccess(nodes[0]).users.all()) == 10
    check_audit(nodes[0], 10)


def test_the_last_administrator_stays_whoever_takes_the_right_away(nodes):
    """Each of two would leave the other: one of them does."""
    access = [LedgerAccess(node) for node in nodes]
    both = [
        access[0].users.add(name, Role.ADMINISTRATOR, DEED, 1, password_hash="x")
        for name in ("asha", "ravi")
    ]
    done = at_once(
        *(
            lambda at=at: access[at].users.set_role(both[at].id, Role.VIEWER, DEED, 2)
            for at in range(2)
        )
    )
    assert sorted(done) == [False, True]


def test_a_link_a_code_and_a_step_are_used_once_by_one(nodes):
    access = [LedgerAccess(node) for node in nodes]
    access[0].users.make_link(LinkKind.INVITE, "asha", Role.OPERATOR, None, b"h", DEED, 1)
    used = at_once(*(lambda a=a: a.users.use_link(b"h", "asha", "hash", DEED, 2) for a in access))
    (user,) = [each for each in used if each is not None]
    assert access[0].second_factors.enrol(user.id, b"secret", 5, [b"code"], DEED, 3)
    done = at_once(
        *(lambda a=a: a.second_factors.use_code(user.id, b"code", DEED, 4) for a in access)
    )
    assert sorted(done) == [False, True]
    assert sorted(
        at_once(*(lambda a=a: a.second_factors.use_step(user.id, 6) for a in access))
    ) == [
        False,
        True,
    ]


def test_a_session_or_a_token_that_one_node_ends_is_over_on_the_other(nodes):
    one, other = (LedgerAccess(node) for node in nodes)
    user = one.users.add("asha", Role.ADMINISTRATOR, DEED, 1)
    one.passes.open_session(user.id, b"s", "", "", DEED, 2)
    one.passes.make_token("t", Scope.READ, user.id, b"t", 9, DEED, 2)
    found = other.passes.standing(b"s", b"t")
    assert found.session is not None
    assert found.token is not None
    other.passes.end_session(found.session.id, DEED, 3)
    other.passes.revoke_token(found.token.id, DEED, 3)
    after = one.passes.standing(b"s", b"t")
    assert after.session is None
    assert after.token is None or not after.token.works(4)


def test_each_release_has_a_number_of_its_own_and_the_same_text_one(nodes):
    def add(node, at):
        made, fresh = LedgerReleases(node).add(new(text(f"{at}")), at)
        return made.release.number, fresh

    found = times(10, nodes, add)
    assert {number for number, _ in found} == set(range(1, 11))
    assert sum(fresh for _, fresh in found) == 10


def test_of_two_who_promote_at_once_the_later_knows_of_the_other(nodes):
    releases = [LedgerReleases(node) for node in nodes]
    numbers = [releases[0].add(new(text(of)), 1)[0].release.number for of in "AB"]

    def promote(at):
        wanted = ActWanted(act=ReleaseAct.PROMOTE, by=f"node {at}")
        return releases[at].act(numbers[at], wanted, 2, check=lambda _: ())

    at_once(*(lambda at=at: promote(at) for at in range(2)))
    states = {each.release.number: each.state for each in releases[0].standings(DEFAULT)}
    assert sorted(states.values()) == sorted([ReleaseState.FULL, ReleaseState.RETIRED])


def test_of_two_candidates_at_once_one_is_refused(nodes):
    releases = [LedgerReleases(node) for node in nodes]
    numbers = [releases[0].add(new(text(of)), 1)[0].release.number for of in "AB"]

    def propose(at):
        wanted = ActWanted(act=ReleaseAct.SHADOW, by=f"node {at}")
        return releases[at].act(numbers[at], wanted, 2, check=lambda _: ())

    found = at_once(*(lambda at=at: propose(at) for at in range(2)))
    assert sum(isinstance(each, ReleaseError) for each in found) == 1
    assert len(releases[0].candidates()) == 1


def test_changes_of_a_flag_follow_each_other(nodes):
    """Each knows the one before it, so that undos go back through all of them."""

    def add_one(node, at):
        def decide(held, _named):
            before = held.get("count")
            value = (0 if before is None or before.value is None else before.value) + 1
            wanted = FlagWanted(flag="count", value=value, reason="count")
            return change_of(wanted, [COUNT], held, "asha", T + at)

        return LedgerFlags(node).change(decide, lambda _: DEED, T + at)

    times(15, nodes, add_one)
    past = LedgerFlags(nodes[1]).history("count", 100)
    assert [each.value for each in past] == list(range(30, 0, -1))
    assert [each.before for each in past[:-1]] == [each.id for each in past[1:]]
    check_audit(nodes[0], 30)


def test_what_is_set_by_hand_ends_what_was_set_before(nodes):
    """One setting is in force, whoever came last."""

    def put(node, at):
        begins = HandSetting(id=0, act=HandAct.OFF, pool="sales", by=str(at), since_ms=T)

        def decide(held):
            return HandChange(begins=begins, ends=tuple(each.id for each in held), said="off")

        return LedgerHands(node).change(decide, lambda _: DEED, T)

    times(10, nodes, put)
    assert len(LedgerHands(nodes[0]).held(T)) == 1
    assert len(LedgerHands(nodes[1]).past(T, 100)) == 19


def test_a_promise_is_dialled_by_one(nodes):
    LedgerDialling(nodes[0]).allow("main", deed("allowed an account to dial"), T)
    books = [LedgerPromises(node) for node in nodes]
    made = at_once(*(lambda book=book: book.make(promise()) for book in books))
    promises = [each for each in made if isinstance(each, Promise)]
    claims = [
        lambda book=book: book.claim(
            promises[0].id, 1, "+918045601234", T, lambda _: None, price=1.0
        )
        for book in books
    ]
    assert sum(isinstance(each, Claimed) for each in at_once(*claims)) == 1


def test_views_and_notes_of_issues_are_kept_from_both(nodes):
    def save(node, at):
        view = SavedView(0, f"view {at}", "q=is:failed", "asha", shared=True)
        LedgerViews(node).save(view, DEED, at + 1)
        note = IssueNote("bot_dropped@sales", at, IssueState.RESOLVED, "asha")
        LedgerIssueHistory(node).add(note, DEED)

    times(5, nodes, save)
    assert len(LedgerViews(nodes[0]).seen_by("asha")) == 5
    assert len(LedgerIssueHistory(nodes[1]).history("bot_dropped@sales")) == 10
    check_audit(nodes[0], 20)
