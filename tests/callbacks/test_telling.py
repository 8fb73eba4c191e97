"""What people are told of how promises ended."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from callbacks.test_promise import MADE
from switchhook.alerts.book import PROMISE_KIND, message_of
from switchhook.alerts.message import MessageKind
from switchhook.alerts.notify.text import compose
from switchhook.callbacks.history import PromiseStep
from switchhook.callbacks.promise import PromiseEvent, PromiseState
from switchhook.callbacks.telling import MOST_NAMED, deliveries_of
from switchhook.exotel.times import MINUTE_MS

NOW = 1_790_000_000_000
TELL = {"main": ("ops", "crm"), "other": ()}
ENDED = {
    PromiseEvent.TALKED: PromiseState.KEPT,
    PromiseEvent.EXPIRED: PromiseState.DROPPED,
    PromiseEvent.REFUSED: PromiseState.BROKEN,
}


def end(event=PromiseEvent.TALKED, id=1, why="", **of):
    promise = replace(MADE, id=id, made_ms=NOW - 4 * MINUTE_MS, **of)
    step = PromiseStep(
        id=100 + id,
        promise=id,
        at_ms=NOW,
        event=event,
        state=ENDED[event],
        why=why,
        attempt=1,
        by="",
    )
    return step, replace(promise, state=step.state, event=event)


def told(*ends):
    """The message, as it was put into the queue for the first destination."""
    first, *_ = deliveries_of(ends, TELL, NOW)
    return message_of(first)


def test_each_destination_of_the_account_hears_of_it_once():
    made = deliveries_of([end(), end(id=2)], TELL | {"main": ("ops", "crm", "ops")}, NOW)
    assert [(each.kind, each.key, each.destination) for each in made] == [
        (PROMISE_KIND, "102", "ops"),
        (PROMISE_KIND, "102", "crm"),
    ]


def test_nobody_hears_of_an_account_whose_ends_nobody_asked_to_know():
    assert deliveries_of([end(account="other"), end(account="gone")], TELL, NOW) == []


def test_accounts_are_told_of_apart():
    made = deliveries_of(
        [end(), end(id=2, account="other")], {"main": ("a",), "other": ("a",)}, NOW
    )
    assert [message_of(each).cause for each in made] == ["promises:main", "promises:other"]


def test_one_end_is_told_with_whom_when_and_what_for():
    message = told(end())
    assert message.say is MessageKind.NEWS
    assert message.title == "A promise of account main is kept"
    assert message.lines == ("+91••••••••01, called back after 4 min.", "Promised for: throttled.")
    assert message.page == "/promises/1"


def test_the_page_shows_what_is_told():
    message = told(end(reason="the bot was down"))
    page = (Path(__file__).parents[2] / "docs/calling-back.md").read_text(encoding="utf-8")
    assert "\n".join(("```text", message.title, *message.lines, "```")) in page


def test_what_was_not_kept_says_why():
    message = told(end(PromiseEvent.REFUSED, why="Exotel does not call +919876500001: DND"))
    assert message.title == "A promise of account main is broken"
    assert message.lines[0] == (
        "+91••••••••01, refused by Exotel after 4 min: Exotel does not call +91••••••••01: DND."
    )


def test_what_ended_together_is_one_message():
    ends = [end(PromiseEvent.TALKED, id=id) for id in range(1, 26)]
    ends += [end(PromiseEvent.EXPIRED, id=id) for id in range(26, 31)]
    message = told(*ends)
    assert message.title == "30 promises of account main ended: 25 kept, 5 dropped"
    assert len(message.lines) == MOST_NAMED + 1
    assert message.lines[-1] == "And 10 more."
    assert message.page == "/promises"


def test_no_message_holds_a_whole_number():
    reason = "call +919876500001 back"
    for message in (told(end(reason=reason)), told(end(why=reason), end(id=2, reason=reason))):
        assert "9876500001" not in str(message)


def test_the_message_leads_to_the_promise():
    _, body = compose(told(end()), url="https://console.example.com", zone="Asia/Kolkata")
    assert body.endswith("https://console.example.com/promises/1")
