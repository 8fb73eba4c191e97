"""A candidate is tried on what was kept: what it would have given, and what nobody can know."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from answer.bots import gate, member, pool, pooled, voicebot
from answer.desk import TAKES_A, TAKES_B, Desk
from switchhook.config import EndpointConfig
from switchhook.exotel.spellings import ErasedNumber, Spellings
from switchhook.journal.masking import ERASED_ASKED
from switchhook.journal.receipt import RecordKind, decode_receipt, encode
from switchhook.releases import trial
from switchhook.releases.pools_then import PoolsThen
from switchhook.releases.trial import Became, Given, Trial, Tried, caller_of
from switchhook.rules.flags import Flag, FlagKind, FlagSetting, SettingsThen
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import BUILTIN, load_rules
from switchhook.streams.decided_again import WEIGHTS_UNKNOWN, PoolsTried, read_request
from switchhook.streams.names import Bot, Names

TEN = """
[[rule]]
name = "pressed 2"
when = 'call.digits == "2"'
option = "B"

[default]
option = "A"
"""


def rules(text: str = TEN, **more: Any) -> Any:
    return load_rules(text, file="", **more)


def tried_on(asked: Desk, candidate: Any, subject: str = "rules/sales", **more: Any) -> list[Tried]:
    said = {"pools": None, "names": Names(), **more}
    tried = Trial(subject, candidate.release, candidate, **said)
    return [each for each in map(tried.try_on, asked.journal.records) if each is not None]


def kept(query: str = TAKES_A, **more: Any) -> Desk:
    asked = Desk()
    asked.ask(query, **more)
    return asked


@pytest.mark.parametrize(
    ("query", "became", "was", "would"),
    [
        (TAKES_A, Became.SAME, Given("A", "default"), Given("A", "default")),
        ("CallSid=c1&digits=2", Became.DIFFERENT, None, Given("B", "pressed 2")),
        (TAKES_B, Became.DIFFERENT, None, Given("A", "default")),
    ],
)
def test_what_was_given_and_what_would_be(query, became, was, would):
    (found,) = tried_on(kept(query), rules())
    assert found.became is became
    assert found.would == would
    assert was is None or found.was == was


def test_a_rule_that_is_decided_in_two_ways_is_a_fault():
    """The compiled form is made wrong by hand: nobody knows of a rule that is."""
    candidate = rules()
    blocks = tuple(dataclasses.replace(each, function=lambda _: -1) for each in candidate.blocks)
    wrong = dataclasses.replace(candidate, blocks=blocks)
    pressed = kept("CallSid=c1&digits=2")
    assert tried_on(pressed, wrong)[0].would == Given("A", "default")
    (found,) = tried_on(pressed, wrong.judged_by_cel())
    assert found.became is Became.FAULT
    assert found.why == f'{trial.DISPUTED}: "pressed 2"'
    assert found.would == Given("B", "pressed 2")


PROMISE = TEN.replace('option = "B"', 'option = "B"\npromise = true\nreason = "asked"')


def test_a_promised_callback_is_another_answer():
    pressed = kept("CallSid=c1&digits=2")
    (found,) = tried_on(pressed, rules(PROMISE))
    assert found.would == Given("B", "pressed 2", promise="asked")
    plain = Given("B", "pressed 2")
    assert found.would.words == 'B and a callback by "pressed 2"'
    assert not found.would.same_answer(plain)
    assert found.would.same_answer(replace(found.would, promise="for another reason"))
    assert found.mix == 'B by "pressed 2"'


def test_what_was_kept_of_back_tests_before_there_were_promises_is_read():
    """They are arrays in the ledger."""
    kept = msgspec.msgpack.encode(["B", "pressed 2", "", "", ""])
    assert msgspec.msgpack.decode(kept, type=Given) == Given("B", "pressed 2")


def test_the_same_by_another_rule_is_told_apart():
    renamed = rules(TEN.replace("pressed 2", "keys").replace('"2"', '""'))
    (found,) = tried_on(kept(TAKES_B), renamed)
    assert found.became is Became.OTHER_RULE
    assert found.would is not None
    assert found.would.words == 'B by "keys"'


def test_its_own_decisions_have_to_be_the_same_bit_for_bit():
    asked = kept(TAKES_B)
    (found,) = tried_on(asked, BUILTIN)
    assert found.became is Became.SAME
    (record,) = asked.journal.records
    receipt = decode_receipt(record.body)
    other = replace(receipt.decision, reason="something else")
    body = encode(replace(receipt, decision=other))
    asked.journal.records[:] = [replace(record, body=body)]
    (fault,) = tried_on(asked, BUILTIN)
    assert (fault.became, fault.why) == (Became.FAULT, "not as it was kept: reason")


def test_what_no_release_can_change_is_left_out_by_name():
    asked = Desk()
    asked.ask(TAKES_A)
    asked.ask(TAKES_A)
    asked.ask(TAKES_A, method="HEAD")
    whys = [each.why for each in tried_on(asked, rules())]
    assert whys == ["", trial.REPEATS, trial.REPEATS]
    alone = kept(TAKES_A, method="HEAD")
    assert [each.why for each in tried_on(alone, rules())] == [trial.ASKED_BY_HEAD]
    assert tried_on(asked, rules(), subject="rules/other") == []


@pytest.mark.parametrize("remembered", [True, False])
def test_what_was_erased_cannot_be_decided_again(remembered):
    asked = kept("CallSid=c1&From=09876543210")
    (record,) = asked.journal.records
    body, struck = Spellings(ErasedNumber("+919876543210")).mask(record.body)
    assert struck
    masked = replace(record, body=body, asked=ERASED_ASKED if remembered else None)
    asked.journal.records[:] = [masked]
    (found,) = tried_on(asked, rules())
    assert (found.became, found.why) == (Became.UNABLE, trial.ERASED)


def test_a_caller_who_says_erased_is_not_erased():
    (found,) = tried_on(kept("CallSid=c1&CustomField=erased"), rules())
    assert found.became is Became.SAME


@pytest.mark.parametrize(
    ("change", "why"),
    [({"body": b"\xc1"}, trial.UNREADABLE), ({"damage": "torn"}, trial.UNREADABLE)],
)
def test_what_can_not_be_read_is_counted(change, why):
    asked = kept()
    asked.journal.records[:] = [replace(asked.journal.records[0], **change)]
    (found,) = tried_on(asked, rules())
    assert (found.became, found.why) == (Became.UNABLE, why)


def test_who_had_the_safe_option_can_not_be_decided_again():
    asked = kept()
    (record,) = asked.journal.records
    receipt = decode_receipt(record.body)
    failed = replace(receipt.decision, rule="safe option")
    body = encode(replace(receipt, decision=failed))
    asked.journal.records[:] = [replace(record, body=body)]
    (found,) = tried_on(asked, rules())
    assert (found.became, found.why) == (Became.UNABLE, trial.UNDECIDED)


def test_an_endpoint_that_was_of_another_kind():
    admits = rules('[default]\noption = "A"\n', kind=EndpointKind.ADMIT)
    (found,) = tried_on(kept(), admits)
    assert found.why == trial.OTHER_KIND


def test_marked_tests_and_other_records_are_none():
    asked = kept()
    (record,) = asked.journal.records
    asked.journal.records[:] = [
        replace(record, kind=RecordKind.TEST),
        replace(record, kind=RecordKind.COUNTERS),
    ]
    assert tried_on(asked, rules()) == []


def test_a_flag_that_no_receipt_kept_is_as_by_default_and_said():
    flags = (Flag("early", FlagKind.BOOLEAN, default=True),)
    reads = rules(
        TEN.replace("call.digits", 'call.type != "x" && flags.early && call.digits'), flags=flags
    )
    (found,) = tried_on(kept("CallSid=c1&digits=2"), reads)
    assert (found.became, found.unkept) == (Became.DIFFERENT, ("early",))
    asked = kept("CallSid=c1&digits=2")
    (record,) = asked.journal.records
    receipt = replace(decode_receipt(record.body), flags={"early": False})
    asked.journal.records[:] = [replace(record, body=encode(receipt))]
    (off,) = tried_on(asked, reads)
    assert (off.became, off.unkept) == (Became.SAME, ())


def test_a_flag_that_no_receipt_kept_is_as_it_was_set_then():
    early = Flag("early", FlagKind.BOOLEAN, default=True)
    text = TEN.replace("call.digits", 'call.type != "x" && flags.early && call.digits')
    asked = kept("CallSid=c1&digits=2")
    (record,) = asked.journal.records
    at_ms = decode_receipt(record.body).received_us // 1000
    then = SettingsThen({})
    then.add(at_ms - 5, FlagSetting("early", early.kind, value=False))
    then.add(at_ms + 1, FlagSetting("early", early.kind, value=True))
    (found,) = tried_on(asked, rules(text, flags=(early,)), flags=then.at)
    assert (found.became, found.unkept) == (Became.SAME, ())
    later = SettingsThen({"early": then.changed["early"][1:]})
    (found,) = tried_on(asked, rules(text, flags=(early,)), flags=later.at)
    assert (found.became, found.unkept) == (Became.DIFFERENT, ("early",))


def test_the_bot_is_called_as_the_operator_calls_it():
    query = f"{TAKES_B}&Stream[StreamUrl]=wss://a.bots.example/media"
    names = Names(bots=(Bot("hindi", hosts=("*.bots.example",)),))
    (found,) = tried_on(kept(query), rules(), names=names)
    assert (found.bot, found.cause) == ("hindi", "connect_failed")


def before_stream() -> Desk:
    pools = pool("sales", member("vendor-a"), member("vendor-b")), pool("spare", member("spare-a"))
    asked = Desk(gate(), voicebot(), EndpointConfig("sales"), config=pooled(*pools))
    for call in range(20):
        asked.ask(f"CallSid=c{call}", path="/voicebot/sales-in")
        asked.ask(f"CallSid=c{call}", path="/passthru/gate")
    return asked


def test_other_pools_are_tried_on_the_calls_of_all_voicebot_endpoints():
    asked = before_stream()
    then = asked.answerer.endpoints["sales-in"].bots.pools
    only_b = {**then, "sales": pool("sales", member("vendor-a", weight=0), member("vendor-b"))}

    def tried(now: Any) -> list[Tried]:
        tries = Trial("pools", "hash", None, PoolsTried(now, then), Names())
        return [each for each in map(tries.try_on, asked.journal.records) if each is not None]

    assert {each.became for each in tried(then)} == {Became.SAME}
    found = tried(only_b)
    assert len(found) == 20
    assert {each.mix for each in found} == {"sales/vendor-b"}
    moved = [each for each in found if each.became is Became.DIFFERENT]
    assert moved
    assert all(each.was is not None and each.was.member == "vendor-a" for each in moved)


def test_pools_are_held_against_those_that_ran_when_a_call_was_drawn():
    asked = before_stream()
    drawn = asked.answerer.endpoints["sales-in"].bots.pools["sales"]
    runs = {"sales": pool("sales", member("vendor-a", weight=7), member("vendor-b", weight=900))}

    def tried(then: PoolsThen | None) -> list[Tried]:
        tries = Trial("pools", "hash", None, PoolsTried({"sales": drawn}, runs), Names(), then=then)
        return [each for each in map(tries.try_on, asked.journal.records) if each is not None]

    known = tried(PoolsThen([(0, "one")], {"one": (drawn,)}))
    assert {(each.became, each.unsure) for each in known} == {(Became.SAME, "")}
    # What runs now is a guess only, and is said to be one.
    for none in (PoolsThen(), PoolsThen([(2**60, "one")], {"one": (drawn,)})):
        assert {each.unsure for each in tried(none)} == {WEIGHTS_UNKNOWN}
    assert WEIGHTS_UNKNOWN in {each.unsure for each in tried(None)}


def test_a_member_that_was_not_drawn_is_a_fault_of_the_draw():
    asked = before_stream()
    receipts = asked.journal.addresses()
    route = receipts[0].route
    assert route is not None
    other = "vendor-b" if route.member == "vendor-a" else "vendor-a"
    wrong = replace(receipts[0], route=replace(route, member=other))
    asked.journal.records[:] = [replace(asked.journal.records[0], body=encode(wrong))]
    then = asked.answerer.endpoints["sales-in"].bots.pools
    tries = Trial("pools", "hash", None, PoolsTried(then, then), Names())
    found = tries.try_on(asked.journal.records[0])
    assert found is not None
    assert (found.became, found.why) == (Became.FAULT, trial.MEMBER_DIFFERS)


def test_admissions_are_tried_by_the_room_that_there_was():
    asked = before_stream()
    refuses = rules('[default]\noption = "B"\n', kind=EndpointKind.ADMIT)
    found = tried_on(asked, refuses, subject="rules/gate")
    assert len(found) == 20
    assert {each.would.option for each in found if each.would is not None} == {"B"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("From=%2B919876543210", "From=09876543210", True),
        ("From=+91 98765 43210", "From=09876543210&CallSid=x", True),
        ("From=09876543210", "From=09876543211", False),
        ("From=anonymous&CallSid=a", "From=anonymous&CallSid=b", False),
        ("To=09876543210&Direction=outbound-dial&From=1", "From=09876543210", True),
    ],
)
def test_a_caller_is_the_same_however_the_number_is_written(one, other, same):
    first, second = (
        caller_of(read_request(kept(each).journal.receipts()[0]).passthru) for each in (one, other)
    )
    assert (first == second) is same
    assert first
