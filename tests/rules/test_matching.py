"""Rules in a row: which is the first that is true, however they are put together."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

from rules.test_expression import see
from switchhook.exotel.cause import classify
from switchhook.exotel.passthru import Passthru, Stream
from switchhook.rules.expression import LONGEST, Invalid, check
from switchhook.rules.matching import OTHERWISE, by_cel, chain, first_match, first_match_judged
from switchhook.rules.variables import AccountFacts, seen

INDIA = ZoneInfo("Asia/Kolkata")


def test_chain_respects_comments_and_line_breaks() -> None:
    rules = [check(text) for text in ("false // no", "call.sid == 'a' //", "true\n&&\ntrue")]
    assert first_match(chain(rules), see()) == (2, ())


def test_chain_joins_rules_as_far_as_the_runtime_goes() -> None:
    rules = [check(f"call.digits == '{n}'") for n in range(200)]
    blocks = chain(rules)
    assert [rule for block in blocks for rule in block.rules] == rules
    assert len(blocks) < 20
    for n in (0, 1, 24, 25, 100, 199):
        assert first_match(blocks, see(Passthru(digits=str(n)))) == (n, ())
    assert first_match(blocks, see(Passthru(digits="200"))) == (-1, ())


def test_chain_of_long_rules() -> None:
    """Longer together than the runtime's 100,000 characters."""
    long = "call.digits == '" + "a" * (LONGEST - 17) + "'"
    rules = [*[check(long)] * 60, check("call.digits == 'b'")]
    assert first_match(chain(rules), see(Passthru(digits="b"))) == (60, ())


def test_chain_takes_a_rule_as_deep_as_the_runtime_allows() -> None:
    """One that stands alone only is asked alone."""
    for depth in range(20, 40):
        text = "(" * depth + "call.digits == 'd'" + ")" * depth
        try:
            deep = check(text)
        except Invalid:
            assert depth > 25
            break
        rules = [check("false && stream.present"), deep, check("true")]
        assert first_match(chain(rules), see(Passthru(digits="d"))) == (1, ())


def test_absent_numbers_do_not_spoil_the_chain() -> None:
    """The usual form is guarded: the chain itself gives the answer."""
    rules = [check("stream.duration > 5"), check("account.active > 1 && stream.present")]
    (block,) = chain([*rules, check("call.sid == ''")])
    assert [number for _, number in block.guards] == ["account.active", "stream.duration"]
    assert first_match([block], see()) == (2, ())
    assert first_match([block], see(Passthru(stream=Stream(duration_raw="6")))) == (0, ())


def test_too_many_steps_are_a_failure() -> None:
    """The runtime raises then, as it does nowhere else."""
    rules = [check("extra.all(a, extra.all(b, a != b || a == b))"), check("call.sid == ''")]
    many = Passthru(extra=tuple((f"k{n}", "v") for n in range(150)))
    place, failures = first_match(chain(rules), see(many))
    assert place == 1
    assert failures == ((0, "iteration budget exceeded"),)


def test_first_match_of_nothing() -> None:
    assert first_match(chain([]), see()) == (-1, ())


def test_where_they_differ_cel_decides_and_it_is_said():
    """The compiled form is made wrong by hand: nobody knows of a rule that is."""
    (block,) = chain([check('call.digits == "1"'), check('call.digits == "2"')])
    wrong = (replace(block, function=lambda _: 0),)
    passthru = Passthru(digits="2")
    asked = seen(passthru, classify(passthru), AccountFacts(), 0, INDIA)
    found, ((place, words),) = first_match_judged(wrong, asked)
    assert (found, place) == (1, 1)
    assert words == OTHERWISE
    assert first_match_judged((block,), asked) == (1, ())
    assert first_match(by_cel(wrong), asked) == (1, ())
