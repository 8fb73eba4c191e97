"""Answer one passthru: parse, decide, keep, reply. Everything a caller waits for is here.

The one rule of the deadline: the decision is made in memory and never changes; what can be late
is only the disk. So a caller waits until the receipt is durable or the deadline is near, whichever
comes first, and nobody waits for a disk that has just made somebody wait too long.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer import callback_receivers
from switchhook.answer.authentication import (
    NOT_FOUND,
    Admission,
    Endpoint,
    admit,
    is_of_this_machine,
    looks_like_passthru,
)
from switchhook.answer.callback_receivers import Receivers, Webhook
from switchhook.answer.clock import AnswerClock
from switchhook.answer.clock_steps import ClockSteps
from switchhook.answer.facts import CurrentFacts
from switchhook.answer.health import health
from switchhook.answer.http.messages import FAILED, Answer
from switchhook.answer.marked_tests import MarkedTests
from switchhook.answer.owed import OwedAnswer
from switchhook.answer.repeats import FirstAnswer, RepeatMemory, askings, fingerprint
from switchhook.answer.samples import Samples
from switchhook.answer.timing import AnswerTimeHistogram
from switchhook.errors import JournalError
from switchhook.exotel.cause import classify
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import LONGEST_BODY, Request
from switchhook.journal.receipt import (
    ANSWERED_UNREAD,
    UNREADABLE,
    WAITING,
    ClockStep,
    ConfigApplied,
    Counters,
    Journal,
    Late,
    Receipt,
    RecordKind,
    encode,
    receipt_id,
)
from switchhook.rules.admission import SAFE_RULE
from switchhook.rules.decide import Decision, Option, decide
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.answer.callback_receivers import ReceivingAccount
    from switchhook.answer.http.messages import Head, Reply
    from switchhook.answer.redact import Redactor
    from switchhook.exotel.passthru import Passthru

log = logging.getLogger("switchhook.answer")

SWEEP_S = 0.01
"""How often deadlines are looked at."""
_MARGIN_NS = 25_000_000  # an answer sets off this long before its deadline
_FOREVER_NS = 1 << 63
_COUNT_EVERY_NS = 10**9


class Answerer:
    """The answer side without its socket. Called in the loop's thread only; never blocks.

    `accounts` are those whose webhooks are received, by name; `key` is the data folder's, for
    fingerprints.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        journal: Journal,
        *,
        node: int,
        key: bytes,
        memory: RepeatMemory | None = None,
        clock: AnswerClock | None = None,
        trusted: Callable[[str], bool] = lambda _address: False,
        accounts: Mapping[str, ReceivingAccount] | None = None,
    ) -> None:
        self.endpoints = endpoints
        self.accounts: Mapping[str, ReceivingAccount] = {} if accounts is None else accounts
        self.counts: Counter[str] = Counter()
        self.times = AnswerTimeHistogram()
        self.problems: tuple[str, ...] = ()
        self.alarms: dict[str, str] = {}
        self._journal = journal
        self._node, self._key = node, key
        self._memory = RepeatMemory() if memory is None else memory
        self._clock = clock or AnswerClock()
        self.now_ns = self._clock.mono_ns
        self._receivers = Receivers(self._keep, self.counts)
        self._facts = CurrentFacts()
        self._trusted = trusted
        self._waiting: dict[int, deque[OwedAnswer]] = {}
        self._counted: Counter[str] = Counter()
        self._counted_ns = self._clock.mono_ns()
        wall_ms, mono_ms = self._clock.wall_us() // 1000, self._counted_ns // 1_000_000
        self._steps = ClockSteps(self._keep, self.alarms, wall_ms, mono_ms)
        self._samples = Samples(self.alarms, self._counted_ns)
        self._tests = MarkedTests(key, self._clock)

    # What the protocol asks.

    def admit(self, head: Head) -> Admission | Webhook | Answer:
        """Let a head with the endpoint's secret in; everything else gets its refusal."""
        if head.path == b"/healthz":
            return self.health(whole=is_of_this_machine(head))
        if head.mark is not None:
            marked = self._tests.admit(self.endpoints, head)
            if marked is not None:
                return marked
        verdict = admit(self.endpoints, head)
        if isinstance(verdict, Admission):
            return verdict
        if verdict is NOT_FOUND:
            webhook = callback_receivers.admit(self.accounts, head)
            if isinstance(webhook, Webhook):
                return webhook
            verdict = webhook or verdict
        self.counts[verdict.reason] += 1
        if verdict.endpoint is not None and looks_like_passthru(head.query):
            sample = self._samples.take(
                verdict.endpoint, verdict.reason, head.query, self._peer(head), self.now_ns()
            )
            if sample is not None:
                self._keep(RecordKind.SAMPLE, sample)
        return Answer(verdict.status, verdict.text.encode())

    def answer(
        self, head: Head, token: object, body: bytes, body_problem: str | None, reply: Reply
    ) -> None:
        """Decide, keep, and reply once the receipt is durable or the deadline near."""
        started, wall_us = self._clock.mono_ns(), self._clock.wall_us()
        peer = self._peer(head)
        if isinstance(token, Webhook):
            self._receivers.take(head, token, body, body_problem, reply, peer, wall_us, started)
            return
        assert isinstance(token, Admission)
        owing = self if token.test is None else self._tests
        owing.times.asked()
        endpoint, at = token.endpoint, wall_us // 1000
        request = _kept_request(head, body, endpoint.redactor)
        facts = self._facts.of(endpoint.account, started)
        decision, asked, first = self._decide(token, head, request, facts, at, started)
        answer = endpoint.answer(decision.option)
        receipt = Receipt(
            received_us=wall_us,
            endpoint=endpoint.name,
            method=request.method,
            raw=request.query,
            decision=decision,
            http_status=answer.status,
            body=request.body,
            content_type=request.content_type,
            head_problem=head.problem,
            body_problem=body_problem,
            auth=token.auth,
            peer=peer,
            facts=facts,
            zone=endpoint.zone.key,
            region=endpoint.region,
            mode=endpoint.mode,
            repeat_of=first and receipt_id(first.at, self._node, first.seq),
            decided_in_us=(self._clock.mono_ns() - started) // 1000,
            test=token.test,
        )
        due_ns = started + endpoint.deadline_ms * 1_000_000
        self._owe(OwedAnswer(owing, answer, reply, started, due_ns), receipt, at, asked, endpoint)

    def _owe(
        self, waiting: OwedAnswer, receipt: Receipt, at: int, asked: int | None, endpoint: Endpoint
    ) -> None:
        """Keep a receipt; its answer waits for that, if the disk is worth waiting for.

        `asked` is the fingerprint of a question that was not asked before.
        """
        journal, mono = self._journal, waiting.since // 1_000_000
        option = 0 if receipt.decision.option is Option.A else 1
        seq = journal.append(
            RecordKind.PASSTHRU if receipt.test is None else RecordKind.TEST,
            at,
            encode(receipt),
            mono=mono,
            asked=asked,
            option=option,
            done=waiting.done,
        )
        waiting.answerer.counts["answered"] += 1
        if seq is None or not journal.healthy:
            # No room to wait in (the journal counts it as lost), or a disk not worth waiting for.
            waiting.send(self._clock.mono_ns())
        if seq is None:
            return
        waiting.seq = seq
        if asked is not None:
            self._memory.remember(asked, FirstAnswer(seq, at, mono, option))
        if waiting.reply is not None:
            self._wait(endpoint.deadline_ms, waiting)

    def unreadable(self, head: Head, beginning: bytes) -> Admission | Webhook | Answer:
        """Let a head in that has its secret where it could be read; B where no path could."""
        if head.mark is not None:
            marked = self._tests.admit(self.endpoints, head)
            if marked is not None:
                return marked
        problem = head.problem or ""
        self.counts[UNREADABLE + problem] += 1
        if not head.path:
            sample = self._samples.take_unreadable(
                problem, beginning, self._peer(head), self.now_ns()
            )
            if sample is not None:
                self._keep(RecordKind.SAMPLE, sample)
            return FAILED
        verdict = self.admit(head)
        if isinstance(verdict, Admission):
            self.counts[ANSWERED_UNREAD] += 1
            self._samples.warn_of_unread(verdict.endpoint, problem, self.now_ns())
        return verdict

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
                due.answerer.counts["deadline before disk"] += 1
                due.send(now)
        self._receivers.sweep(now, everything=everything)
        self._steps.look(self._clock.wall_us() // 1000, now // 1_000_000)
        if now - self._counted_ns >= _COUNT_EVERY_NS:
            self.keep_counts()
            self._samples.calm(now)

    def kept_late(self, waiting: OwedAnswer) -> None:
        """A receipt is durable after its answer has left: say so in a later record."""
        late_ms = max(0, (self._clock.mono_ns() - waiting.deadline) // 1_000_000)
        try:
            self._keep(RecordKind.LATE, Late(waiting.seq, late_ms))
        except JournalError:
            log.warning(
                "receipt %d was kept %d ms late, as the journal closed", waiting.seq, late_ms
            )

    def keep_config_applied(self, take_over: ConfigApplied) -> None:
        """Put a file that was taken over into the journal."""
        self._keep(RecordKind.TAKEOVER, take_over)

    def keep_boot(self) -> None:
        """Put into the journal that the machine started: its monotonic clock began anew."""
        self._keep(RecordKind.CLOCK, ClockStep(boot=True))

    def keep_counts(self) -> None:
        """Put what was counted since the last time into the journal, if anything was."""
        self._counted_ns = self._clock.mono_ns()
        fresh = self.counts - self._counted
        if fresh:
            self._counted = self.counts.copy()
            times, peak = self.times.take()
            peaks = {WAITING: peak} if peak else {}
            self._keep(RecordKind.COUNTERS, Counters({**fresh, **times}, peaks))

    def learn(self, facts: Mapping[str, AccountFacts]) -> None:
        """Take over what is known of the accounts at this moment, by their names."""
        self._facts.learn(facts, self._clock.mono_ns())

    def health(self, *, whole: bool) -> Answer:
        """Whether answering works, and what is amiss; `whole` where it may be told in full."""
        problems = (*self.problems, *self.alarms.values())
        return health(problems, keeps_up=self._journal.healthy, whole=whole)

    @property
    def owed(self) -> int:
        """Answers that wait for the disk."""
        return sum(w.reply is not None for queue in self._waiting.values() for w in queue)

    # How a decision comes about.

    def _decide(
        self,
        token: Admission,
        head: Head,
        request: Request,
        facts: AccountFacts,
        at: int,
        started_ns: int,
    ) -> tuple[Decision, int | None, FirstAnswer | None]:
        """The decision, the fingerprint of a question to remember, and whose answer it repeats."""
        endpoint = token.endpoint
        if head.cut:
            return _safely(token, "the request line is not whole"), None, None
        try:
            passthru = parse(request, region=endpoint.region)
            asked, first = self._asked_before(token, passthru, started_ns // 1_000_000)
            if first is not None:
                return self._repeat(endpoint, first), None, first
            decision = decide(
                passthru, classify(passthru), facts, at, endpoint.zone, endpoint.ruleset
            )
            return decision, None if request.method == "HEAD" else asked, None
        except Exception as error:  # noqa: BLE001
            # Law 1: whatever goes wrong in deciding, the caller gets the safe option, by name.
            # The message may hold what was sent, so only the kind of error is said.
            self.counts["failed to decide"] += 1
            kind = type(error).__name__
            log.error("deciding failed with %s; the safe option was taken", kind)  # noqa: TRY400
            return _safely(token, f"deciding failed ({kind})"), None, None

    def _asked_before(
        self, token: Admission, passthru: Passthru, now_ms: int
    ) -> tuple[int | None, FirstAnswer | None]:
        """What to remember the question by, and the first answer to it; nothing of a test."""
        endpoint = token.endpoint
        asked = fingerprint(endpoint.name, passthru, self._key)
        if asked is None or token.test is not None:
            return None, None
        if not endpoint.ruleset.changing:
            return asked, self._memory.find(asked, now_ms)
        keys = askings(asked, passthru, now_ms)
        found = (self._memory.find(key, now_ms) for key in keys)
        return keys[0], next((first for first in found if first is not None), None)

    def _repeat(self, endpoint: Endpoint, first: FirstAnswer) -> Decision:
        name = receipt_id(first.at, self._node, first.seq)
        return Decision(
            Option.B if first.option else Option.A,
            "repeat",
            endpoint.ruleset.release,
            f"the same question as {name}, and its answer",
        )

    def _wait(self, deadline_ms: int, waiting: OwedAnswer) -> None:
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

    def _keep(
        self, kind: RecordKind, record: msgspec.Struct, done: Callable[[bool], None] | None = None
    ) -> bool:
        at, mono = self._clock.wall_us() // 1000, self._clock.mono_ns() // 1_000_000
        return self._journal.append(kind, at, encode(record), mono=mono, done=done) is not None


def _kept_request(head: Head, body: bytes, redact: Redactor) -> Request:
    """What is parsed and kept of a request: nothing with a secret in it."""
    kept_body = redact(body[:LONGEST_BODY]) if body else b""
    return Request(redact(head.query), head.method, head.content_type, kept_body)


def _safely(token: Admission, problem: str) -> Decision:
    """Take the endpoint's safe option; B for one whom report-only let in without a secret."""
    endpoint = token.endpoint
    option, whose = endpoint.safe_option, "the endpoint's safe option"
    if not token.proven:
        option, whose = Option.B, "Option B, as no secret was proved"
    return Decision(option, SAFE_RULE, endpoint.ruleset.release, f"{problem}; {whose}")
