"""What one stream's end says of whom: of its bot, of its account's limit, of its callers."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Direction
from switchhook.streams.facet import Facet
from switchhook.streams.issues.issues import fingerprint
from switchhook.streams.recent import BOT_FAILED, BOT_WELL, account_of
from switchhook.troubles.judge import Outcome, Terms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.streams.names import Names
    from switchhook.streams.parsed_record import PassthruRecord

AT_ONCE_S = 3
"""A bot that ends a talk within so many seconds has hardly greeted anybody."""


class Measure(StrEnum):
    """What of a subject is judged."""

    BOT_FAILS = "bot-fails"
    """The bot could not be reached, or dropped the talk."""
    ANY_BOT = "any-bot"
    """The same of all bots as one: what hits all is seen before each has had calls enough."""
    LIMIT = "limit"
    """The account had no free stream."""
    BOT_LEAVES = "bot-leaves"
    """The bot ended the talk within seconds."""
    CALLERS_LEAVE = "callers-leave"
    """The caller hung up before the bot could speak."""
    NOBODY_ENDED = "nobody-ended"
    """Neither caller nor bot ended the talk."""
    TALKS_SHORT = "talks-short"
    """The talk was much shorter than is usual for the bot at this hour."""


TERMS = {
    Measure.BOT_FAILS: Terms(),
    Measure.ANY_BOT: Terms(),
    # Whoever is throttled was refused for want of streams: one is worth a warning.
    Measure.LIMIT: Terms(usual=0.002, failing=0.3, budget=0.01, bad_share=0.1, first=True),
    Measure.BOT_LEAVES: Terms(usual=0.05, budget=0.1, bad_share=0.5),
    Measure.CALLERS_LEAVE: Terms(usual=0.05, budget=0.1, bad_share=0.5),
    Measure.NOBODY_ENDED: Terms(usual=0.05, budget=0.1, bad_share=2.0),  # never more than a warning
    # By what is meant with "much shorter", up to a tenth is usual.
    Measure.TALKS_SHORT: Terms(usual=0.1, failing=0.6, budget=0.2, bad_share=0.5, burns=()),
}


class Subject(msgspec.Struct, frozen=True, order=True):
    """Whom it is about: a bot's or an account's name; empty where nothing is known."""

    measure: Measure
    name: str

    @property
    def key(self) -> str:
        """A short text that tells it from every other, for acknowledging and silencing."""
        return f"{self.measure.value}:{self.name}"


class UsualTalk(msgspec.Struct, frozen=True):
    """How long a bot's talks last at an hour: half of them `median_s` or more, few below `short_s`.

    In seconds.
    """

    short_s: int
    median_s: int


class EndedStream(msgspec.Struct, frozen=True, gc=False):
    """A stream that ended, as much of it as is judged. `key` is None where it has no id.

    `caller` is a hash, so that no number stays in memory; `seconds` how long it lasted.
    """

    at_ms: int
    facet: Facet
    key: tuple[str | None, str] | None = None
    caller: int | None = None
    seconds: int | None = None


def ended_stream(parsed: PassthruRecord, at_ms: int) -> EndedStream | None:
    """What a passthru tells of a stream's end; None where it tells nothing, or it runs."""
    passthru, stream, facet = parsed.passthru, parsed.passthru.stream, parsed.facet
    if stream is None or facet.cause == Cause.RUNNING or not parsed.enters_stories:
        return None
    caller = passthru.to if passthru.direction is Direction.OUTBOUND else passthru.from_
    caller = caller or passthru.call_sid
    return EndedStream(
        at_ms,
        facet,
        None if stream.sid is None else (passthru.call_sid, stream.sid),
        None if caller is None else hash(caller),
        stream.duration_s,
    )


_ENDED_TALKS = frozenset({Cause.BOT_DONE, Cause.CALLER_LEFT})


def talk_s(stream: EndedStream) -> int | None:
    """How long caller and bot talked, in seconds; None where they did not, or it is not known.

    A talk that the bot ended at once says that it leaves, and nothing of how long talks last.
    """
    seconds = stream.seconds
    if seconds is None or stream.facet.cause not in _ENDED_TALKS:
        return None
    return None if stream.facet.cause == Cause.BOT_DONE and seconds <= AT_ONCE_S else seconds


_TALKED = BOT_WELL | {Cause.BOT_DROPPED}
_REACHED_LIMIT = frozenset(Cause) - {Cause.NO_STREAM, Cause.UNKNOWN}


def outcomes(
    stream: EndedStream, bot: str, names: Names, usual: UsualTalk | None
) -> Iterable[tuple[Subject, Outcome]]:
    """What a stream says of whom; `bot` is its bot's name, `usual` how long its talks last.

    Streams that were throttled, or whose caller hung up before the bot could speak, say nothing of
    whether the bot fails.
    """
    facet = stream.facet
    cause = facet.cause
    found: list[tuple[Measure, str, bool]] = []
    if cause in _REACHED_LIMIT:
        account = account_of(facet.endpoint, names)
        found.append((Measure.LIMIT, account, cause == Cause.THROTTLED))
    if cause in BOT_FAILED or cause in BOT_WELL:
        found.append((Measure.BOT_FAILS, bot, cause in BOT_FAILED))
        found.append((Measure.ANY_BOT, "", cause in BOT_FAILED))
    if cause in _TALKED:
        seconds = stream.seconds
        short = cause == Cause.BOT_DONE and seconds is not None and seconds <= AT_ONCE_S
        found.append((Measure.BOT_LEAVES, bot, short))
        found.append((Measure.NOBODY_ENDED, bot, cause == Cause.ENDED_BY_SYSTEM))
    if cause in _TALKED or cause == Cause.CALLER_LEFT_EARLY:
        found.append((Measure.CALLERS_LEAVE, bot, cause == Cause.CALLER_LEFT_EARLY))
    traits = (
        ("kind", facet.kind or facet.cause),
        ("host", facet.host),
        ("bot", bot),
        ("went", (facet.endpoint, facet.option)),
        ("print", fingerprint(facet)),
    )
    for measure, name, failed in found:
        outcome = Outcome(stream.at_ms, failed, stream.caller, traits if failed else ())
        yield Subject(measure, name), outcome
    seconds = talk_s(stream)
    if seconds is not None and usual is not None:
        short = seconds < usual.short_s
        met = (*traits, ("usual", usual)) if short else ()
        yield Subject(Measure.TALKS_SHORT, bot), Outcome(stream.at_ms, short, stream.caller, met)
