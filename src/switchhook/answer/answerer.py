"""Answer one passthru: parse, decide, keep, reply. Everything a caller waits for is here.

The one rule of the deadline: the decision is made in memory and never changes; what can be late
is only the disk. So a caller waits until the receipt is durable or the deadline is near, whichever
comes first, and nobody waits for a disk that has just made somebody wait too long.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.endpoints import (
    Admission,
    Endpoint,
    admit,
    find,
    is_of_this_machine,
    looks_like_passthru,
)
from switchhook.answer.http import Answer
from switchhook.answer.repeats import Asked, RepeatMemory, fingerprint
from switchhook.cause import judge
from switchhook.errors import JournalError
from switchhook.receipt import (
    Auth,
    ClockStep,
    Counters,
    Journal,
    Kind,
    Late,
    Receipt,
    Sample,
    TakeOver,
    encode,
    receipt_id,
)
from switchhook.rules import Decision, Facts, Option, decide
from switchhook.wire.passthru import parse
from switchhook.wire.request import LONGEST_BODY, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.answer.http import Head

log = logging.getLogger("switchhook.answer")

SWEEP_S = 0.01
"""How often deadlines are looked at."""
_MARGIN_NS = 25_000_000  # an answer sets off this long before its deadline
_FOREVER_NS = 1 << 63
_COUNT_EVERY_NS = 10 * 10**9
_STEP_MS = 2000  # a clock that moves by more is marked
_MOST_SAMPLES = 20  # refused requests kept per hour, whoever sends them
_HOUR_NS = 3600 * 10**9

_EMPTY_B = Answer(302)
SAFE_RULE = "safe option"


class Clock:
    """The three clocks of an answer; tests bring their own."""

    def wall_us(self) -> int:
        """Unix time."""
        return time.time_ns() // 1000

    def mono_ns(self) -> int:
        """Steady, and going on over restarts of the process."""
        return time.monotonic_ns()


class _Waiting:
    """An answer that is due when its receipt is durable or its deadline near."""

    __slots__ = ("answer", "answerer", "deadline", "reply", "seq")

    def __init__(
        self, answerer: Answerer, answer: Answer, reply: Callable[[Answer], None], deadline: int
    ) -> None:
        self.answerer, self.answer, self.deadline = answerer, answer, deadline
        self.reply: Callable[[Answer], None] | None = reply
        self.seq = 0

    def done(self, kept: bool) -> None:
        """The journal's word on the receipt: durable, or set aside because it was refused."""
        if not kept:
            self.answerer.counts["receipt refused by the database"] += 1
        reply, self.reply = self.reply, None
        if reply is not None:
            reply(self.answer)
        else:
            self.answerer.kept_late(self)


class Answerer:
    """The answer side without its socket. Called in the loop's thread only; never blocks.

    `facts` is looked at for every decision; `key` is the data folder's, for fingerprints; `last_at`
    the newest record's time in ms.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        journal: Journal,
        *,
        node: int,
        key: bytes,
        last_at: int = 0,
        memory: RepeatMemory | None = None,
        clock: Clock | None = None,
        trusted: Callable[[str], bool] = lambda _address: False,
    ) -> None:
        self.endpoints = endpoints
        self.facts = Facts()
        self.counts: Counter[str] = Counter()
        self.problems: tuple[str, ...] = ()
        self.alarms: dict[str, str] = {}
        self._journal = journal
        self._node, self._key = node, key
        self._memory = RepeatMemory() if memory is None else memory
        self._clock = clock or Clock()
        self._trusted = trusted
        self._waiting: dict[int, deque[_Waiting]] = {}
        self._last_at = last_at
        self._counted: Counter[str] = Counter()
        self._counted_ns = self._clock.mono_ns()
        self._offset_ms = self._clock.wall_us() // 1000 - self._clock.mono_ns() // 1_000_000
        self._samples = 0
        self._samples_since = self._sampled_ns = self._counted_ns

    # What the protocol asks.

    def admit(self, head: Head) -> Admission | Answer:
        """Let a head with the endpoint's secret in; everything else gets its refusal."""
        if head.path == b"/healthz":
            return self.health(whole=is_of_this_machine(head))
        verdict = admit(self.endpoints, head)
        if isinstance(verdict, Admission):
            return verdict
        self.counts[verdict.reason] += 1
        if verdict.endpoint is not None and looks_like_passthru(head):
            self._sample(verdict.endpoint, verdict.reason, head)
        return Answer(verdict.status, verdict.text.encode())

    def answer(
        self,
        head: Head,
        token: object,
        body: bytes,
        body_problem: str | None,
        reply: Callable[[Answer], None],
    ) -> None:
        """Decide, keep, and reply once the receipt is durable or the deadline near."""
        assert isinstance(token, Admission)
        clock = self._clock
        started = clock.mono_ns()
        wall_us = clock.wall_us()
        endpoint = token.endpoint
        at = self._at(wall_us)
        redact = endpoint.redactor
        request = Request(
            redact(head.query),
            head.method,
            head.content_type,
            redact(body[:LONGEST_BODY]) if body else b"",
        )
        decision, asked, first = self._decide(endpoint, request, at, started)
        answer = endpoint.answer(decision.option)
        body = encode(
            Receipt(
                received_us=wall_us,
                endpoint=endpoint.name,
                method=request.method,
                raw=request.query,
                decision=decision,
                http_status=answer.status,
                body=request.body,
                content_type=request.content_type,
                body_problem=body_problem,
                auth=token.auth,
                peer=self._peer(head),
                facts=self.facts,
                zone=endpoint.zone.key,
                region=endpoint.region,
                mode=endpoint.mode,
                repeat_of=first and receipt_id(first.at, self._node, first.seq),
                decided_in_us=(clock.mono_ns() - started) // 1000,
            )
        )
        waiting = _Waiting(self, answer, reply, started + endpoint.deadline_ms * 1_000_000)
        journal = self._journal
        new = asked is not None and first is None and request.method != "HEAD"
        mono = started // 1_000_000
        option = 0 if decision.option is Option.A else 1
        seq = journal.append(
            Kind.PASSTHRU,
            at,
            body,
            mono=mono,
            asked=asked if new else None,
            option=option,
            done=waiting.done,
        )
        self.counts["answered"] += 1
        if seq is None or not journal.healthy:
            # No room to wait in (the journal counts it as lost), or a disk not worth waiting for.
            waiting.reply = None
            reply(answer)
        if seq is None:
            return
        waiting.seq = seq
        if asked is not None and new:
            self._memory.remember(asked, Asked(seq, at, mono, option))
        if waiting.reply is not None:
            self._wait(endpoint.deadline_ms, waiting)

    def unreadable(self, head: Head | None, reason: str) -> Answer:
        """Answer what the HTTP parser could not read: the endpoint's safe option, else B."""
        self.counts[f"unreadable: {reason}"] += 1
        endpoint = find(self.endpoints, head.path)[0] if head is not None else None
        return _EMPTY_B if endpoint is None else endpoint.answer(endpoint.safe_option)

    def turned_away(self, reason: str) -> None:
        """Count a connection that was closed without an answer."""
        self.counts[reason] += 1

    # What the loop does beside.

    def sweep(self, *, everything: bool = False) -> None:
        """Send what is due, or `everything` at the end; called every `SWEEP_S`."""
        now = self._clock.mono_ns()
        due_at = _FOREVER_NS if everything else now + _MARGIN_NS
        for waiting in self._waiting.values():
            while waiting and (waiting[0].reply is None or waiting[0].deadline <= due_at):
                due = waiting.popleft()
                if due.reply is None:
                    continue
                self._journal.mark_slow()
                self.counts["deadline before disk"] += 1
                reply, due.reply = due.reply, None
                reply(due.answer)
        self._mark_clock(now)
        if now - self._counted_ns >= _COUNT_EVERY_NS:
            self.keep_counts()
            if now - self._sampled_ns >= _HOUR_NS:
                self.alarms.pop("samples", None)

    def kept_late(self, waiting: _Waiting) -> None:
        """A receipt is durable after its answer has left: say so in a later record."""
        late_ms = max(0, (self._clock.mono_ns() - waiting.deadline) // 1_000_000)
        try:
            self._keep(Kind.LATE, Late(waiting.seq, late_ms))
        except JournalError:
            log.warning(
                "receipt %d was kept %d ms late, as the journal closed", waiting.seq, late_ms
            )

    def keep_take_over(self, take_over: TakeOver) -> None:
        """Put a file that was taken over into the journal."""
        self._keep(Kind.TAKEOVER, take_over)

    def keep_counts(self) -> None:
        """Put what was counted since the last time into the journal, if anything was."""
        self._counted_ns = self._clock.mono_ns()
        fresh = self.counts - self._counted
        if fresh:
            self._counted = self.counts.copy()
            self._keep(Kind.COUNTERS, Counters(dict(fresh)))

    def health(self, *, whole: bool) -> Answer:
        """Whether answering works (200 as long as this can be said), and what is amiss.

        The problems name endpoints and files, which is no stranger's business.
        """
        problems = [*self.problems, *self.alarms.values()]
        if not self._journal.healthy:
            problems.append("receipts wait for the disk; callers don't")
        status = "degraded" if problems else "ok"
        if problems and not whole:
            problems = [f"{len(problems)}, told on the machine itself and in the log"]
        body = msgspec.json.encode({"status": status, "problems": problems})
        return Answer(200, body, "application/json")

    @property
    def owed(self) -> int:
        """Answers that wait for the disk."""
        return sum(w.reply is not None for queue in self._waiting.values() for w in queue)

    # How a decision comes about.

    def _decide(
        self, endpoint: Endpoint, request: Request, at: int, started_ns: int
    ) -> tuple[Decision, int | None, Asked | None]:
        try:
            passthru = parse(request, region=endpoint.region)
            asked = fingerprint(endpoint.name, passthru, self._key)
            first = None if asked is None else self._memory.find(asked, started_ns // 1_000_000)
            if first is not None:
                return self._repeat(endpoint, first), asked, first
            decision = decide(
                passthru, judge(passthru), self.facts, at, endpoint.zone, endpoint.ruleset
            )
            return decision, asked, None
        except Exception as error:  # noqa: BLE001
            # Law 1: whatever goes wrong in deciding, the caller gets the safe option, by name.
            # The message may hold what was sent, so only the kind of error is said.
            self.counts["failed to decide"] += 1
            kind = type(error).__name__
            log.error("deciding failed with %s; the safe option was taken", kind)  # noqa: TRY400
            reason = f"deciding failed ({kind}); the endpoint's safe option"
            release = endpoint.ruleset.release
            return Decision(endpoint.safe_option, SAFE_RULE, release, reason), None, None

    def _repeat(self, endpoint: Endpoint, first: Asked) -> Decision:
        name = receipt_id(first.at, self._node, first.seq)
        return Decision(
            Option.B if first.option else Option.A,
            "repeat",
            endpoint.ruleset.release,
            f"the same question as {name}, and its answer",
        )

    def _wait(self, deadline_ms: int, waiting: _Waiting) -> None:
        queue = self._waiting.get(deadline_ms)
        if queue is None:
            queue = self._waiting[deadline_ms] = deque()
        # Those answered meanwhile leave from the front, so that the queue is as long as the wait.
        while queue and queue[0].reply is None:
            queue.popleft()
        queue.append(waiting)

    def _peer(self, head: Head) -> str:
        """The sender's address; what a forwarding header says is believed of trusted proxies."""
        if head.forwarded_for is None or not self._trusted(head.peer):
            return head.peer
        hops = [hop.strip() for hop in head.forwarded_for.split(",")]
        return next((hop for hop in reversed(hops) if not self._trusted(hop)), head.peer)[:64]

    def _sample(self, endpoint: Endpoint, reason: str, head: Head) -> None:
        self._sampled_ns = now = self._clock.mono_ns()
        if now - self._samples_since >= _HOUR_NS:
            self._samples, self._samples_since = 0, now
        if self._samples >= _MOST_SAMPLES:
            return
        if self._samples == 0:
            log.warning(
                "endpoint %s refuses what looks like a passthru (%s): if the URL in the applet is"
                " mistaken, its callers all take Option B",
                endpoint.name,
                reason,
            )
        self._samples += 1
        self.alarms["samples"] = (
            f"endpoint {endpoint.name} refused what looks like passthrus ({reason}): is the URL in"
            " the applet right?"
        )
        raw = endpoint.redactor(head.query)[:4096]
        self._keep(Kind.SAMPLE, Sample(endpoint.name, reason, raw, self._peer(head)))

    def _mark_clock(self, now_ns: int) -> None:
        offset = self._clock.wall_us() // 1000 - now_ns // 1_000_000
        step = offset - self._offset_ms
        if abs(step) > _STEP_MS:
            self._offset_ms = offset
            log.warning("the system's clock stepped by %d ms", step)
            self._keep(Kind.CLOCK, ClockStep(step))

    def _keep(self, kind: Kind, record: msgspec.Struct) -> None:
        self._journal.append(kind, self._at(self._clock.wall_us()), encode(record))

    def _at(self, wall_us: int) -> int:
        """The time of a record in ms: the clock's, but never before the record's before it."""
        self._last_at = at = max(self._last_at, wall_us // 1000)
        return at


__all__ = ["SWEEP_S", "Answerer", "Auth", "Clock"]
