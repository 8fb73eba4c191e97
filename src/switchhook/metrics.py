"""The figures that rules of alerts, the verdict and /metrics are made of: one name, one meaning.

A source is a function from the time to its figures as they are then. Who needs figures takes
those of all sources together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import msgspec

Labels = tuple[tuple[str, str], ...]


class Figure(msgspec.Struct, frozen=True):
    """One figure. `value` is None where it should be known and is not: unknown is not zero.

    `at_ms` is when it was true, Unix time; `cases` how many cases a share is made of. `since_ms`
    is since when it is so, or unknown, where that is known better than by looking. `gone` is
    whether what it is of is no more: its alerts end.
    """

    name: str
    value: float | None
    at_ms: int
    labels: Labels = ()
    cases: int | None = None
    since_ms: int | None = None
    gone: bool = False

    def label(self, name: str) -> str:
        """What a label says; empty where there is none of this name."""
        return next((text for key, text in self.labels if key == name), "")


Source = Callable[[int], Iterable[Figure]]
"""Gives the figures as they are at a time in ms."""


def unknown_until(known: Callable[[], bool], source: Source) -> Source:
    """The figures of a source, unknown until what they are made of was `known` once.

    Just after a start they would tell of less than there is, and alerts would end by that.
    """
    begun = False

    def read(now_ms: int) -> Iterable[Figure]:
        nonlocal begun
        found = tuple(source(now_ms))
        begun = begun or known()
        if begun:
            return found
        return [msgspec.structs.replace(each, value=None, since_ms=None) for each in found]

    return read


class Metric(msgspec.Struct, frozen=True):
    """What a figure means. `unit` is share (0 to 1), count, s, ms, bytes, yes (1, else 0) or level.

    A level is 0 where all is well, 1 where something is wrong, 2 where much is. A figure is stale
    once it is older than `fresh_s`; None where its age says nothing.
    """

    name: str
    unit: str
    labels: tuple[str, ...]
    meaning: str
    fresh_s: int | None = None


_FOLDED, _LOOKED = 60, 60
_STREAMS = (
    Metric("streams.count", "count", ("endpoint",), "Streams in 15 minutes.", _FOLDED),
    Metric("streams.failed", "count", ("bot",),
          "Streams in 15 minutes whose bot could not be reached, or dropped them.", _FOLDED),
    Metric("streams.failed_share", "share", ("bot",),
          "Share of those among a bot's streams in 15 minutes; of its last ten in up to 3 hours"
          " where it had fewer. Throttled ones, those that run and those whose caller hung up"
          " before the bot could speak say nothing of the bot and don't count.", _FOLDED),
    Metric("streams.throttled", "count", ("account",),
          "Streams in 15 minutes that the account's limit refused.", _FOLDED),
    Metric("streams.throttled_share", "share", ("account",),
          "Share of those among the account's streams in 15 minutes.", _FOLDED),
    Metric("streams.missing", "count", ("endpoint",),
          "Streams that usually come in as many minutes as none came now: the most of the same"
          " minutes of the last three days, but no more than a week ago.", _FOLDED),
    Metric("streams.new_failures", "count", ("bot", "cause", "kind"),
          "Streams that a bot failed in a way (cause, kind of error, host, endpoint) that was never"
          " seen until an hour ago.", _FOLDED),
)  # fmt: skip
_JUDGED = (
    Metric("bot.failing", "level", ("bot",),
          "Whether a bot can't be reached or drops talks: 2 where many of its streams do.",
          _FOLDED),
    Metric("bots.failing_together", "level", (),
          "Whether several bots fail at once of one cause; then none of them is told alone.",
          _FOLDED),
    Metric("bot.leaving", "level", ("bot",),
          "Whether a bot ends talks within 3 seconds, more than is usual for it.", _FOLDED),
    Metric("bot.losing_callers", "level", ("bot",),
          "Whether callers hang up before a bot can speak, more than is usual for it.", _FOLDED),
    Metric("bot.unended", "level", ("bot",),
          "Whether talks end of which neither caller nor bot was the one, more than is usual.",
          _FOLDED),
    Metric("bot.talks_short", "level", ("bot",),
          "Whether a bot's talks are much shorter than usual: than nine of ten, and than half of"
          " the median, of those at this hour of the last seven days, or lately where these are"
          " few.", _FOLDED),
    Metric("account.throttled", "level", ("account",),
          "Whether callers find no free stream: 2 where many don't.", _FOLDED),
)  # fmt: skip
_ENDPOINTS = (
    Metric("endpoint.a_share", "share", ("endpoint",),
          "Share of streams in an hour that were answered with Option A.", _FOLDED),
    Metric("endpoint.a_share_shift", "share", ("endpoint",),
          "By how much that differs from the hour before the rules changed, where they did in this"
          " hour; else from the same hour a day ago, or from the six hours before where that had"
          " too few. Beyond what chance explains.", _FOLDED),
    Metric("endpoint.wrong_secrets", "count", ("endpoint",),
          "Requests in an hour that were refused for a wrong or no secret and look like passthrus;"
          " 20 an hour are kept, and the first three of each endpoint and reason. 0 once none was"
          " refused for two minutes.", _FOLDED),
    Metric("endpoint.wrong_secret_share", "share", ("endpoint",),
          "Share of those among them and the endpoint's streams since the first of them.", _FOLDED),
)  # fmt: skip
_ACCOUNTS = (
    Metric("account.active", "count", ("account",), "Streams in use.", _LOOKED),
    Metric("account.allowed", "count", ("account",), "Streams allowed.", _LOOKED),
    Metric("account.headroom", "count", ("account",), "Streams left.", _LOOKED),
    Metric("account.headroom_share", "share", ("account",), "Share of the streams left.", _LOOKED),
    Metric("account.missing_passthrus", "count", ("account",),
          "Passthrus that lack since the last one came, by the streams that ran since by Exotel's"
          " count, and by how many of those ended in the six hours before."),
    Metric("account.heartbeat", "count", ("account",),
          "What Exotel's newest heartbeat in a day says: 0 is OK, 1 WARNING and the like,"
          " 2 CRITICAL.", _LOOKED),
    Metric("account.unreadable_polls", "count", ("account",),
          "Polls in a row that told nothing: no answer, an error, or a text that can't be read."),
)  # fmt: skip
_POOLS = (
    Metric("pool.degraded", "yes", ("pool",),
          "Whether all members that should take a pool's calls fail, or nobody should; 0 without"
          " calls in 15 minutes, and once a person sent them elsewhere.", _LOOKED),
    Metric("member.out", "yes", ("pool", "member"),
          "Whether a member's breaker has it out, or would where it only reports, or its name leads"
          " into a network of our own.", _LOOKED),
    Metric("member.certificate_days", "count", ("pool", "member"),
          "Whole days until a member's certificate ends; below 0 after.", _LOOKED),
    Metric("member.silent_calls", "count", ("pool", "member"),
          "Calls in 15 minutes whose bot was connected and said nothing for 10 seconds, by its own"
          " reports.", _LOOKED),
)  # fmt: skip
_ADMISSION = (
    Metric("admission.room", "count", ("account",),
          "Streams that may be let in now.", _LOOKED),
    Metric("admission.pending", "count", ("account",),
          "Leases of calls that were let in; their stream is not known to have started.", _LOOKED),
    Metric("admission.live", "count", ("account",),
          "Leases of streams that run.", _LOOKED),
    Metric("admission.foreign", "count", ("account",),
          "Streams that run and that nobody asked us for, as estimated.", _LOOKED),
    Metric("admission.reserve", "count", ("account",),
          "Streams kept free for those, beside the classes' own reserves.", _LOOKED),
    Metric("admission.admitted", "count", ("account",),
          "Callers in 15 minutes who were let in.", _LOOKED),
    Metric("admission.refused", "count", ("account",),
          "Callers in 15 minutes who were refused for want of room.", _LOOKED),
    Metric("admission.unknown", "count", ("account",),
          "Callers in 15 minutes who got the safe option, as nothing was known of room.", _LOOKED),
    Metric("admission.refused_now", "count", ("account",),
          "Callers in the last minute who were refused for want of room.", _LOOKED),
    Metric("admission.unknown_now", "count", ("account",),
          "Callers in the last minute who got the safe option, as nothing was known of room.",
          _LOOKED),
)  # fmt: skip
_RELEASES = (
    Metric("release.harmed", "yes", ("release", "subject"),
          "A release that was taken back by itself in six hours, as it harmed callers in its"
          " canary; until another one of the same is on its way."),
    Metric("release.damaged", "yes", ("release", "subject"),
          "A canary that was stopped by itself in six hours, as its copy in the data folder was"
          " damaged; until somebody does anything about the releases of the same."),
    Metric("release.unwatched", "yes", ("release", "subject"),
          "Whether nobody watches a canary, as the console is a minute or more behind.", _LOOKED),
    Metric("release.ready", "yes", ("release", "subject"),
          "Whether a canary may go to its next stage, and waits for a person.", _LOOKED),
    Metric("release.share", "share", ("release", "subject"),
          "Share of the callers for whom a canary decides, as answer processes were told.",
          _LOOKED),
    Metric("release.evidence", "count", ("release", "subject"),
          "Evidence that a canary harms callers, as E: from 100 on it is taken back, or from what"
          " `releases.false_rollbacks` makes of it.", _LOOKED),
)  # fmt: skip
_PROMISES = (
    Metric("promises.waiting", "count", ("account",),
          "Promises that wait: not proven yet, open or paused.", _LOOKED),
    Metric("promises.due", "count", ("account",),
          "Promises that may be dialled now, and wait for their turn or a free stream.", _LOOKED),
    Metric("promises.on_the_way", "count", ("account",),
          "Callbacks that Exotel was asked for and that are not known to be over.", _LOOKED),
    Metric("promises.unknown", "count", ("account",),
          "Those of them of which nobody knows whether Exotel calls.", _LOOKED),
    Metric("promises.late", "count", ("account",),
          "Promises that will miss their time at the pace that free streams, caps and calling hours"
          " allow; at none while dialling is off.", _LOOKED),
    Metric("promises.kept", "count", ("account",), "Promises kept in a day.", _LOOKED),
    Metric("promises.dropped", "count", ("account",),
          "Promises in a day that are not owed any more.", _LOOKED),
    Metric("promises.broken", "count", ("account",),
          "Promises in a day that could not be kept.", _LOOKED),
    Metric("promises.in_time_share", "share", ("account",),
          "Share of the promises kept within their time, of those that were kept, expired or broke"
          " in a day.", _LOOKED),
    Metric("promises.refused", "count", ("account",),
          "Callers in an hour who should have been promised a callback and could not be.", _LOOKED),
    Metric("promises.refuted", "count", ("account",),
          "Promises in an hour of calls that Exotel does not know, or knows otherwise.", _LOOKED),
    Metric("callbacks.abandoned", "count", ("account",),
          "Callbacks in an hour that were answered, and nobody talked to them.", _LOOKED),
    Metric("dialling.off", "yes", ("account",),
          "Whether promises wait and nobody may be dialled, as a person has not turned it on or has"
          " stopped it.", _LOOKED),
    Metric("dialling.refused", "yes", ("account",),
          "Whether dialling stopped by itself, as Exotel refuses the account.", _LOOKED),
)  # fmt: skip
_CLUSTER = (
    Metric("cluster.nodes", "count", (), "Nodes that are there and have not left.", _LOOKED),
    Metric("cluster.led_s", "s", (), "For how long the node has led that leads now.", _LOOKED),
    Metric("cluster.leader_changes", "count", (), "Times in an hour that a node began to lead.",
          _LOOKED),
    Metric("cluster.rules_differ", "yes", (),
          "Whether nodes run different rules, pools or configurations.", _LOOKED),
    Metric("cluster.days_ahead", "count", (),
          "Days after today for which the database has a partition.", _LOOKED),
    Metric("cluster.undated", "count", (),
          "Receipts of a clock that was far off, kept apart; 10,000 at most.", _LOOKED),
    Metric("cluster.commits_waiting", "count", (),
          "Sessions of the database that wait for a standby.", _LOOKED),
    Metric("cluster.commits_waiting_s", "s", (), "For how long the longest of them has.", _LOOKED),
    Metric("cluster.erased_again", "count", (),
          "Erasures in a day that the database was restored to before, and that are done again.",
          _LOOKED),
    Metric("node.away", "yes", ("node",),
          "Whether a node was not heard of for 15 seconds; not of one that was drained and has"
          " handed over all. Unknown for as long after the database was away.", _LOOKED),
    Metric("node.left", "yes", ("node",), "Whether a node runs that left the cluster.", _LOOKED),
    Metric("node.leads", "yes", ("node",), "Whether it leads.", _LOOKED),
    Metric("node.seen_s", "s", ("node",), "How long ago it was heard of.", _LOOKED),
    Metric("node.cloned", "yes", ("node",),
          "Whether records of a node came again with another content in a day, as two machines"
          " call themselves by its number.", _LOOKED),
    Metric("node.behind", "count", ("node",),
          "Records of its journal that are not in the database.", _LOOKED),
    Metric("node.behind_s", "s", ("node",), "For how long the oldest of them waits, at most.",
          _LOOKED),
    Metric("node.segments_waiting", "count", ("node",),
          "Closed segments of its journal that are not handed over.", _LOOKED),
    Metric("node.bytes_waiting", "bytes", ("node",), "How large they are.", _LOOKED),
    Metric("node.one_copy", "count", ("node",),
          "Answers of it that left with one copy of their receipt.", _LOOKED),
    Metric("node.clock_off_s", "s", ("node",), "By how much its clock differs from the database's.",
          _LOOKED),
)  # fmt: skip
_ANSWERING = (
    Metric("answer.unreachable", "yes", ("node",), "Whether the answer side does not answer.",
          _LOOKED),
    Metric("answer.p99_ms", "ms", (),
          "Within this time 99 of 100 answers of 15 minutes left.", _FOLDED),
    Metric("answer.missed_deadlines", "count", (),
          "Answers in 15 minutes that left before their receipt was on disk; 0 once none did for"
          " two minutes, as it is with the four that follow.", _FOLDED),
    Metric("answer.one_copy", "count", (),
          "Answers in 15 minutes that left before their receipt was kept twice, though their"
          " endpoint asks for that.", _FOLDED),
    Metric("answer.undecided", "count", (),
          "Requests in 15 minutes for which deciding failed: the safe option was taken.", _FOLDED),
    Metric("answer.unreadable_share", "share", (),
          "Share of requests in 15 minutes that were no readable HTTP: TLS on a plain port, say."
          " Those refused for another reason don't count.", _FOLDED),
    Metric("answer.unread", "count", (),
          "Passthrus in 15 minutes that proved their secret though their head could not be read"
          " whole; each has a receipt with the reason.", _FOLDED),
    Metric("receipts.waiting", "yes", ("node",),
          "Whether receipts wait for the disk, and callers don't.", _LOOKED),
    Metric("receipts.lost", "count", (),
          "Records in a day that memory could not hold while the disk failed.", _FOLDED),
)  # fmt: skip
_OURSELVES = (
    Metric("rules.refused", "count", ("node",),
          "Complaints about the operator's files: what does not check out is not taken over.",
          _LOOKED),
    Metric("destination.silent_s", "s", ("destination",),
          "For how long a destination of alerts has taken no message; 0 where it took the last."),
    Metric("files.damaged", "count", ("node",),
          "Small files of the data folder that are damaged, and those set aside that nobody has"
          " removed.", _LOOKED),
    Metric("clock.step_s", "s", (),
          "By how much the system's clock stepped, forward or back: while it is off, and five"
          " minutes longer. Windows and ages go by a steady clock. Not on several nodes, which go"
          " by the database's clock: see `node.clock_off_s`."),
    Metric("retention.held_days", "count", (),
          "By how many days the clock is ahead of the time that retention trusts, while something"
          " would be removed by it; 0 where nothing is held."),
    Metric("fold.lag", "count", (), "Records of the journal that are not folded yet.", _LOOKED),
    Metric("fold.stalled_s", "s", (), "For how long the fold stands still though there is more."),
    Metric("disk.free_share", "share", ("node",),
          "Share of the data folder's fullest disk that is free.", _LOOKED),
    Metric("disk.free_bytes", "bytes", ("node",), "Bytes free on it.", _LOOKED),
)  # fmt: skip

KNOWN: dict[str, Metric] = {
    each.name: each
    for each in (
        *_STREAMS,
        *_JUDGED,
        *_ENDPOINTS,
        *_ACCOUNTS,
        *_POOLS,
        *_ADMISSION,
        *_RELEASES,
        *_PROMISES,
        *_CLUSTER,
        *_ANSWERING,
        *_OURSELVES,
    )
}
"""Every figure by its name. docs/alerts.md holds the same table."""


_LEVELS = ("no caller", "some callers", "many callers")


def value_text(value: float | None, unit: str) -> str:
    """A value as people read it."""
    if value is None:
        return "unknown"
    match unit:
        case "share":
            return f"{100 * value:.0f} %"
        case "yes":
            return "yes" if value else "no"
        case "level":
            return _LEVELS[min(int(value), 2)]
        case "s":
            return duration_text(value)
        case "ms":
            return f"{value:.0f} ms"
        case "bytes":
            return f"{value / 1e9:.1f} GB"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def duration_text(seconds: float) -> str:
    """Seconds as `40 s`, `12 min`, `3 h` or `2 days`."""
    for unit, length, until in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < until:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def count_text(count: int, word: str) -> str:
    """So many of something, by its word for one: `1 node`, `1,204 nodes`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


OTHER = "other"
"""What a host or ExoPhone beyond the ceiling is counted under."""


T = TypeVar("T")


class Cached(Generic[T]):
    """A value that is made anew only once it is older than `for_ms`."""

    def __init__(self, for_ms: int, make: Callable[[int], T]) -> None:
        self._for_ms, self._make = for_ms, make
        self._made: tuple[int, T] | None = None

    def get(self, now_ms: int) -> T:
        made = self._made
        if made is None or not 0 <= now_ms - made[0] < self._for_ms:
            made = self._made = now_ms, self._make(now_ms)
        return made[1]
