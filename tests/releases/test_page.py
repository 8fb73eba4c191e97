"""The pages of releases: what runs for whom, is it harmful, and the presses of those who may."""

from __future__ import annotations

import html
import re
import sys
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import msgspec
import pytest

from asgi_client import Client
from program import until
from releases.made import DEFAULT, NOW, InMemory, runs, text, wanted
from releases.test_backtest_shown import found
from releases.test_words import judged, rollout
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.access.roles import Role, Viewer
from switchhook.overview.verdict import Level, State
from switchhook.releases.backtest import REPORT
from switchhook.releases.backtest_keeper import BackTests
from switchhook.releases.judgement import ExcludedCaller, FuseJudged, MeasureJudged, ShareTally
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.page import NEWEST, ReleasesPage
from switchhook.releases.release import ReleaseAct as A
from switchhook.releases.release import ReleaseState as S
from switchhook.releases.releasing import Releasing
from switchhook.releases.spans import Span
from switchhook.releases.view import (
    CallerView,
    DifferenceView,
    ShadowView,
    StageState,
    StageView,
)
from switchhook.web.app import create_app
from switchhook.web.render import Renderer, ViewOptions

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m"
CALLER = CallerView(
    at_ms=NOW, receipt="01m86d88ez0000000012bcvxxx", call_sid="c1", number="+919812345678", what="x"
)


class Here:
    def __init__(self, ledger, folder):
        self.running = InMemory(runs(text("A")), runs(text("B"), "rules/other"))
        self.releasing = Releasing(LedgerReleases(ledger), self.running, lambda: NOW)
        self.audit = LedgerAudit(ledger)
        self.backtests = BackTests(folder, self.releasing.releases, _command)
        self.views = {}
        self.viewer = Viewer("asha", Role.OPERATOR, releases=True)
        self.releasing.reconcile()
        page = ReleasesPage(
            Renderer(),
            self.releasing,
            self.views.get,
            lambda: NOW,
            backtests=self.backtests,
            note=self.note,
            node=lambda: 7,
            zone_of=lambda _endpoint: "Asia/Kolkata",
            stages=lambda subject: f"{subject} takes two days",
        )
        inner = create_app([page])

        async def app(scope, receive, send):
            scope["viewer"], scope["csrf"] = self.viewer, "proof"
            await inner(scope, receive, send)

        self.client = Client(app, base_url="http://127.0.0.1", follow_redirects=False)

    def note(self, deed):
        self.audit.note(deed, NOW * 1000)

    def add(self, of="C", reason="short talks to people"):
        made, _ = self.releasing.add(DEFAULT, text(of), "meera", reason, note)
        return made.release.number

    def act(self, number, what, **more):
        return self.releasing.act(number, wanted(what, **more), note)

    def canary(self, share=500, **more):
        number = self.add(**more)
        self.act(number, A.CANARY, share=share)
        return number

    def text(self, path="/releases"):
        found = self.client.get(path)
        assert found.status_code == 200
        return found.text

    def words(self, path="/releases"):
        """What one reads."""
        return " ".join(html.unescape(re.sub("<[^>]+>", "", self.text(path))).split())

    def cells(self, path):
        """The same, with each cell of a table apart."""
        return " ".join(html.unescape(re.sub("<[^>]+>", " ", self.text(path))).split())

    def press(self, number, **form):
        return self.client.post(f"/releases/{number}", data=form)

    def state(self, number):
        return self.releasing.releases.standing(number).state


def note(what, subject, details):
    return Deed(who="meera", what=what, subject=subject, details=details)


def _command(number, since):
    """A back-test that says how it was begun, and then what is wrong."""
    return sys.executable, "-c", f"import sys; sys.exit('switchhook: {number} {since}')"


@pytest.fixture
def here(ledger, tmp_path):
    found = Here(ledger, tmp_path)
    yield found
    found.backtests.close()


def test_what_runs_stands_there_by_subject(here):
    words = here.words()
    assert "each decides for all callers" in words
    assert words.index("Rules of default") < words.index("Rules of other")
    here.add()
    words = here.words()
    assert "Release 1 decides for all callers." in words
    assert words.index("Rules of default") < words.index("All others")


def test_a_canary_stands_first_with_its_harm_and_its_end(here):
    number = here.canary()
    here.releasing.act(number, wanted(A.STOP), note)
    other, _ = here.releasing.add("rules/other", text("C"), "meera", "why", note)
    here.releasing.act(other.release.number, wanted(A.CANARY, share=250), note)
    here.views[other.release.number] = rollout(judged(), number=other.release.number, plan="next")
    words = here.words()
    assert words.index("Rules of other") < words.index("Rules of default")
    assert f"Release {other.release.number} decides for 2.5 % of callers" in words
    assert f"No harm by release {other.release.number} is seen. As it is. Next." in words
    assert "Stop the canary" in words


def test_a_canary_that_can_not_decide_any_more_decides_for_none(here):
    number = here.canary()
    assert f"Release {number} decides for 5 % of callers" in here.words()
    here.running.problems[text("C")] = ("there is no pool 'sales'",)
    for path in ("/releases", f"/releases/{number}"):
        words = here.words(path)
        assert f"decides for all callers, and release {number} for none just now" in words
    assert "nobody can be answered by it:there is no pool 'sales'" in words


def test_the_share_is_the_one_that_answer_processes_know(here):
    number = here.canary()
    here.views[number] = rollout(judged(), number=number, told_share=0, told_ms=NOW)
    assert f"decides for all callers, and release {number} for none just now." in here.words()


def test_harm_is_told_with_its_evidence_and_the_callers_behind_it(here):
    number = here.canary()
    tallies = (ShareTally(100, 20, 2, 300, 3), ShareTally(500, 100, 12, 110, 6))
    measures = (
        MeasureJudged(name="stream-failed", e=530.0, tallies=tallies),
        MeasureJudged(name="short-talk", e=0.8, tallies=tallies[:1]),
    )
    found = judged(
        e=134.2,
        harm=True,
        low=1.9,
        high=9.4,
        words="stream failed: 14 of 120",
        measures=measures,
        fuses=(FuseJudged("split", 120.0, tripped=True, words="the split is broken"),),
        excluded=(ExcludedCaller(1, 0.12),),
        full=True,
    )
    here.views[number] = rollout(
        found,
        number=number,
        ended_ms=NOW,
        callers=(CALLER,),
        unwatched="the console lags",
        mix=("everybody gets B",),
        stages=(
            StageView(share=500, state=StageState.NOW, least_callers=9, least_ms=0, begun_ms=NOW),
            StageView(share=5_000, state=StageState.TO_COME, least_callers=9, least_ms=0),
        ),
    )
    here.act(number, A.FREEZE, evidence="E is 134, where 100 is enough")
    words = here.words(f"/releases/{number}")
    for said in (
        "It harmed callers, was taken back, and decides nothing. Release 1 decides for all",
        f"Release {number} harmed callers. Stream failed: 14 of 120.",
        "134 of 100",
        "1 in 134",
        "1.9 to 9.4 times as often",
        "The split is broken.",
        "about 12 % of all calls is left out",
        "Nobody watches it: the console lags.",
        "Everybody gets B.",
        "taken back and frozen, for it harmed callers",
        "E is 134, where 100 is enough",
        "0 callers in 0 min, then it ended",
        "The E above is what counts.",
        f"Next: look at the callers behind it, below; mend its text, which switchhook release show"
        f" {number} --text prints; and put that in shadow: switchhook release shadow FILE --of",
    ):
        assert said in words
    assert "then 9 callers" not in words  # nothing is to come
    cells = here.cells(f"/releases/{number}")
    assert "Stream failed 120 14 12 % 410 9 2 % 530" in cells
    assert "while its share was 1 % 20 2 10 % 300 3 1 %" in cells
    assert "Promote" not in words
    assert "Release 3 harmed callers." in here.words()


def test_whom_nothing_is_known_of_yet_is_said_where_the_figures_stand(here):
    """Nobody could tell why 0 of 1,043 callers had come where the candidate decided for 66."""
    number = here.canary()
    stage = StageView(
        share=5_000,
        state=StageState.NOW,
        least_callers=1_043,
        least_ms=60_000,
        begun_ms=NOW,
        decided=66,
    )
    here.views[number] = rollout(
        judged(high=None), number=number, stages=(stage,), known_after_min=10
    )
    words = here.words(f"/releases/{number}")
    for said in (
        "66 callers were decided for so far, of whom 0 can be judged yet: a caller counts 10 min"
        " after the decision at the latest, once it is known whether they called again",
        "66 callers in 0 min so far, 0 of them judged, of 1,043 callers and 1 min at least",
        "The canary has 0 of 1,043 callers; 66 more came, and can't be judged yet.",
    ):
        assert said in words
    assert "66 callers were decided for so far" in here.words()


def test_numbers_are_masked_for_those_who_may_not_see_them(here):
    number = here.canary(reason="as 9812345678 asked")
    here.views[number] = rollout(judged(), number=number, callers=(CALLER,))
    here.viewer = Viewer("ravi", Role.VIEWER)
    for path in ("/releases", f"/releases/{number}"):
        assert "98123456" not in here.text(path)


def test_a_shadow_says_what_it_would_have_done(here):
    number = here.add()
    here.act(number, A.SHADOW)
    here.views[number] = ShadowView(
        number=number,
        since_ms=NOW,
        seen=412,
        different=31,
        kinds=(DifferenceView(words="B, where A was given", count=31),),
        callers=(CALLER,),
    )
    words = here.words(f"/releases/{number}")
    assert f"Release 1 decides for all callers. Release {number} decides beside it" in words
    assert "31 of 412 requests otherwise (7.5 %)" in words
    assert "B, where A was given" in words
    assert "31 of 412" in here.words()


def test_a_release_says_what_it_changes_in_words_and_lines(here):
    number = here.add("B")
    words = here.words(f"/releases/{number}")
    assert "against release 1, which runs" in words
    assert "now go to B" in words
    assert '- option = "A"' in words
    assert '+ option = "B"' in words
    assert "Both have the same text." not in words
    here.act(number, A.PROMOTE)
    assert "against release 1, which ran when it was made" in here.words(f"/releases/{number}")
    assert "it is the first of its subject" in here.words("/releases/2")


def test_a_press_does_it_and_the_audit_log_has_it(here):
    number = here.add()
    seen = here.releasing.releases.standing(number).since_ms
    form = {"act": "canary", "share": "500", "reason": "looks right", "seen": str(seen)}
    answer = here.press(number, **form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/releases/{number}")
    assert here.state(number) is S.CANARY
    assert here.running.proposed == {DEFAULT: number}
    (entry, *_) = here.audit.entries(AuditFilter(), 1)
    assert (entry.who, entry.what) == ("asha", "put a release in canary")
    assert here.press(number, act="stop", reason="enough").status_code == 303
    assert here.running.proposed == {}


def test_what_a_canary_would_take_is_said_before_it_begins(here):
    number = here.add()
    said = "Stages of a canary: rules/default takes two days."
    assert said in here.words(f"/releases/{number}")
    here.act(number, A.CANARY, share=500)
    assert said not in here.words(f"/releases/{number}")
    here.viewer = Viewer("ravi", Role.VIEWER)
    assert said not in here.words(f"/releases/{here.add('A', 'as before')}")


def test_a_text_that_harmed_callers_has_to_be_confirmed(here):
    harmed = here.canary()
    here.act(harmed, A.FREEZE, by="Switchhook", evidence="E = 239 (harm from 100 on)")
    number = here.add()
    path = f"/releases/{number}"
    words = f"This text is release {harmed}'s, which harmed callers (E = 239)."
    assert here.words(path).count(words) == 4  # where it stands, and in each of three presses
    assert here.text(path).count('name="again" value="yes" required') == 3
    form = {"act": "canary", "share": "500", "reason": "the bot was down"}
    here.press(number, **form)
    assert here.state(number) is S.CHECKED
    here.press(number, again="yes", **form)
    assert here.state(number) is S.CANARY


def test_the_press_that_promotes_says_that_the_canary_is_not_done(here):
    number = here.canary()
    stage = StageView(
        share=500,
        state=StageState.NOW,
        least_callers=433,
        least_ms=0,
        callers=12,
        begun_ms=NOW,
    )
    here.views[number] = rollout(judged(), number=number, stages=(stage,))
    path = f"/releases/{number}"
    assert here.words(path).count("The canary has 12 of 433 callers.") == 1
    assert 'name="again"' not in here.text(path)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"act": "fly", "reason": "x"}, "the form names no act"),
        ({"act": "canary", "share": "500", "reason": " "}, "has no reason"),
        ({"act": "canary", "share": "all", "reason": "x"}, "no canary"),
        ({"act": "promote", "reason": "x", "seen": "1"}, "look at it again"),
        ({"act": "stop", "reason": "x"}, "checked"),
    ],
)
def test_what_can_not_be_done_is_said_where_it_was_pressed(here, form, said):
    number = here.add()
    answer = here.press(number, **form)
    assert answer.status_code == 303
    assert said in here.words(answer.headers["location"])
    assert here.state(number) is S.CHECKED


def test_whoever_may_not_release_sees_no_press_and_has_none(here):
    number = here.canary()
    here.viewer = Viewer("ravi", Role.VIEWER)
    for path in ("/releases", f"/releases/{number}"):
        assert f'action="/releases/{number}"' not in here.text(path)
    assert here.press(number, act="stop", reason="x").status_code == 403
    assert here.state(number) is S.CANARY


def test_a_draft_says_why_it_does_not_check_out(here):
    here.running.problems = {text("C"): (f"{HOSTILE}: unknown name",)}
    number = here.add()
    shown = here.text(f"/releases/{number}")
    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "unknown name" in shown
    assert "Check it again" in shown


def test_what_came_from_people_is_shown_harmlessly(here):
    number = here.canary(reason=HOSTILE)
    here.views[number] = rollout(judged(words=HOSTILE), number=number, plan=HOSTILE)
    for path in (
        "/releases",
        f"/releases/{number}",
        f"/releases?{urlencode({'refused': HOSTILE})}",
    ):
        shown = here.text(path)
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
        assert "\x1b" not in shown


def test_a_back_test_says_what_it_found_with_its_calls(here):
    number = here.add()
    assert "not yet" in here.words(f"/releases/{number}")
    body = msgspec.msgpack.encode(found(done=[Span(1, 500)], ended_ms=None))
    here.releasing.releases.report(number, REPORT, body, NOW)
    words = here.cells(f"/releases/{number}")
    assert "It would have answered 31 of 412 requests otherwise (7.5 %)." in words
    assert 'A by "default" → would be B by "short talk"' in words
    assert "By cause 20 caller left of 100" in words
    assert "records are looked at" in words
    here.releasing.releases.report(number, REPORT, b"of another version", NOW)
    assert "not yet" in here.words(f"/releases/{number}")


@pytest.mark.process
def test_a_back_test_is_begun_and_stopped_by_a_press(here):
    number = here.add()
    path = f"/releases/{number}"
    assert "Try it" in here.words(path)
    begun = here.client.post(f"{path}/backtest", data={"since": "7d"})
    assert (begun.status_code, begun.headers["location"]) == (303, path)
    until(lambda: f"It ended early: {number} 7d" in here.words(path), "the back-test to end")
    assert here.client.post(f"{path}/backtest", data={"act": "stop"}).status_code == 303
    wrong = here.client.post(f"{path}/backtest", data={"since": "ever"})
    assert "no length of time" in here.words(wrong.headers["location"])
    here.viewer = Viewer("ravi", Role.VIEWER)
    assert "Try it" not in here.words(path)
    assert here.client.post(f"{path}/backtest", data={"since": "7d"}).status_code == 403


def test_older_releases_are_a_click_away(here):
    for at in range(NEWEST + 2):
        here.add(f"A {at}")
    assert "older" in here.words()
    words = here.words(f"/releases?subject={DEFAULT}")
    assert "older" not in words
    assert "Rules of other" not in words


def test_a_release_that_is_none_is_not_found(here):
    assert here.client.get("/releases/99").status_code == 404
    assert here.client.get("/releases/x").status_code == 404


def test_while_another_is_on_its_way_a_release_says_so(here):
    number = here.add("D")
    on_its_way = here.canary()
    assert f"Release {on_its_way} is on its way." in here.words(f"/releases/{number}")


def test_nothing_released_says_how_to_begin(here):
    assert "Nothing has been released yet" in here.words("/releases?subject=nobody")


@pytest.mark.parametrize(
    ("page", "word"),
    [("/releases/5", "Release 5"), ("/releases", "Releases"), ("/routes", "Routes")],
)
def test_the_first_line_of_every_page_leads_to_the_release_that_it_is_about(page, word):
    state = State(level=Level.WARN, what="Release 5 harmed callers.", page=page)
    look = ViewOptions(sees_numbers=True, zone=ZoneInfo("Asia/Kolkata"))
    said = Renderer(lambda: state).fragment("verdict.html", {}, look)
    assert re.search(rf'href="{page}[^"]*">{word}</a>', said)
