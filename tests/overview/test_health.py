"""Both programs check by check: nothing that they say is missing, and since when it is said."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from switchhook.overview.health import MOST_REMEMBERED, Memory, Said, health_of
from switchhook.overview.health_checks import ANSWERING, FILES, LET_IN, OF_ANSWER, OTHER

WRONG = (
    "endpoint a refused what looks like passthrus (secret wrong): is the URL in the applet right?"
)
FILE = "rules of endpoint a: /r.toml: not TOML; those of 2026 (1) go on running"


def complaints(health):
    return [each for row in health.checks for each in row.complaints]


@given(st.lists(st.text(min_size=1, max_size=60), unique=True, max_size=12))
def test_every_sentence_is_told_once(problems):
    said = Said(1000, "degraded" if problems else "ok", tuple(problems))
    for name in ("answer", "console"):
        told = complaints(health_of(name, said, Memory()))
        assert sorted(each.text for each in told) == sorted(problems)


def test_what_is_not_well_stands_first():
    health = health_of("answer", Said(1000, "degraded", (FILE, WRONG)), Memory())
    assert [row.check for row in health.checks[:2]] == [LET_IN, FILES]
    assert all(not row.complaints for row in health.checks[2:])
    assert {row.check for row in health.checks} == {*OF_ANSWER}


def test_since_when_is_remembered_until_it_is_over():
    """A count in a sentence makes it no other one; what came back began anew."""
    memory = Memory()

    def look(at_ms, *problems):
        return health_of("answer", Said(at_ms, "degraded", problems), memory)

    look(1000, "journal: 3 commits or more can't be read behind a damaged place of a log: x")
    later = look(
        5000, "journal: 4 commits or more can't be read behind a damaged place of a log: x", WRONG
    )
    assert {each.text[:9]: each.since_ms for each in complaints(later)} == {
        "journal: ": 1000,
        "endpoint ": 5000,
    }
    assert later.since_ms == 1000
    look(6000)
    (back,) = complaints(look(7000, WRONG))
    assert back.since_ms == 7000


def test_a_check_that_is_well_says_since_when():
    memory = Memory()
    health_of("console", Said(1000, "degraded", (FILE,)), memory)
    health = health_of("console", Said(4000, "ok"), memory)
    assert {row.check: row.since_ms for row in health.checks}[FILES] == 4000
    assert {row.check: row.since_ms for row in health.checks}[OTHER] == 1000
    assert health.since_ms == 4000


def test_a_program_that_does_not_answer_says_why():
    health = health_of("answer", Said(1000, problem="no connection"), Memory())
    (row, *rest) = health.checks
    assert row.check is ANSWERING
    assert [each.text for each in row.complaints] == ["no connection"]
    assert not any(each.complaints for each in rest)


def test_what_is_remembered_is_bounded():
    memory = Memory()
    many = [chr(0x4E00 + at) for at in range(MOST_REMEMBERED + 50)]
    assert len(memory.since("x", many, 1)) == MOST_REMEMBERED


def test_of_a_program_that_does_not_answer_nothing_else_is_known():
    memory = Memory()
    health_of("answer", Said(1000, "ok"), memory)
    health = health_of("answer", Said(2000, problem="no connection"), memory)
    first, *others = health.checks
    assert first.check is ANSWERING
    assert "nor does it answer callers" in first.complaints[0].meaning.why
    assert not any(row.known for row in others)
    assert {row.since_ms for row in others} == {2000}
    (nobody,) = complaints(health_of("answer", Said(3000), Memory()))
    assert nobody.meaning.why == "Whether callers are answered is not known."
