"""Answer one request: parse, decide, keep, reply. Everything a caller waits for begins here.

What the kinds of endpoints have of their own stands in `admission` and `voicebot`, how a receipt
comes before its answer in `owed`.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer import bot_reports, callback_receivers
from switchhook.answer.authentication import (
    NOT_FOUND,
    Endpoint,
    LetIn,
    ProvedPaths,
    admit,
    is_of_this_machine,
    looks_like_passthru,
)
from switchhook.answer.bot_reports import BotReports, Report
from switchhook.answer.callback_receivers import Receivers, Webhook
from switchhook.answer.clock import AnswerClock
from switchhook.answer.clock_steps import ClockSteps
from switchhook.answer.deciding import Decider
from switchhook.answer.facts import CurrentFacts
from switchhook.answer.given import Given
from switchhook.answer.hand_over import SLOW, HandOver
from switchhook.answer.health import health
from switchhook.answer.http.messages import FAILED, Answer
from switchhook.answer.marked_tests import MarkedTests
from switchhook.answer.owed import ReceiptsFirst
from switchhook.answer.owed_answer import OwedAnswer
from switchhook.answer.places import PlacesGiven
from switchhook.answer.repeats import FirstAnswer, RepeatMemory
from switchhook.answer.samples import Samples
from switchhook.answer.timing import AnswerTimeHistogram
from switchhook.answer.two_copies import TwoCopies
from switchhook.errors import JournalError
from switchhook.exotel.wire.request import LONGEST_BODY, Request
from switchhook.journal.receipt import (
    ANSWERED_ALONE,
    ANSWERED_UNREAD,
    UNREADABLE,
    WAITING,
    ClockStep,
    ConfigApplied,
    Counters,
    Journal,
    Keep,
    Late,
    Receipt,
    RecordKind,
    encode,
)
from switchhook.rules.expression import ENGINE
from switchhook.rules.routing import NOTHING_KNOWN
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.answer.callback_receivers import ReceivingAccount
    from switchhook.answer.http.messages import Head, Reply
    from switchhook.answer.redact import Redactor
    from switchhook.rules.routing import RoutingFacts

log = logging.getLogger("switchhook.answer")

SWEEP_S = 0.01
"""How often deadlines are looked at."""
_COUNT_EVERY_NS = 10**9
_LOCAL = Keep.LOCAL  # to look for a member at its class takes ten times as long


class Answerer:
    """The answer side without its socket. Called in the loop's thread only; never blocks.

    `accounts` are those whose webhooks are received, by name; `key` is the data folder's, for
    fingerprints; `places` those that were given before a restart.
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
        places: PlacesGiven | None = None,
    ) -> None:
        self._endpoints, self._proved = endpoints, ProvedPaths()
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
        self._reports = BotReports(self._receivers, self.counts)
        self._facts = CurrentFacts()
        self._places = PlacesGiven(journal.next_seq) if places is None else places
        self._decider = Decider(
            self._memory, self._facts, self._places, self.counts, node=node, key=key
        )
        self._receipts = ReceiptsFirst(journal, self._clock)
        self.hand_over = HandOver(lambda: journal.next_seq - 1, self.now_ns)
        self._copies = TwoCopies(self.hand_over, self._keep)
        self._trusted = trusted
        self._counted, self._counted_ns = Counter[str](), self._clock.mono_ns()
        wall_ms, mono_ms = self._clock.wall_us() // 1000, self._counted_ns // 1_000_000
        self._steps = ClockSteps(self._keep, self.alarms, wall_ms, mono_ms)
        self._samples = Samples(self.alarms, self._counted_ns)
        self._tests = MarkedTests(key, self._clock)

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The endpoints by their names; others may take their place at any time."""
        return self._endpoints

    @endpoints.setter
    def endpoints(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints
        self._proved.clear()

    # What the protocol asks.

    def admit(self, head: Head) -> LetIn | Webhook | Report | Answer:
        """Let a head with the endpoint's secret in; everything else gets its refusal."""
        if head.path == b"/healthz":
            return self.health(whole=is_of_this_machine(head))
        if head.mark is not None:
            marked = self._tests.admit(self.endpoints, head)
            if marked is not None:
                return marked
        known = self._proved.find(head.path)
        if known is not None:
            return known
        verdict = admit(self.endpoints, head)
        if isinstance(verdict, LetIn):
            self._proved.add(head.path, verdict)
            return verdict
        if verdict is NOT_FOUND:
            webhook = callback_receivers.admit(self.accounts, head)
            other = webhook or bot_reports.admit(self.endpoints, head)
            if isinstance(other, Webhook | Report):
                return other
            verdict = other or verdict
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
        if isinstance(token, LetIn):
            owing = self if token.test is None else self._tests
            owing.times.asked()
            owed = OwedAnswer(owing, reply, started)
            self._answer(head, token, body, body_problem, wall_us, owed)
            return
        peer = self._peer(head)
        if isinstance(token, Webhook):
            self._receivers.take(head, token, body, body_problem, reply, peer, wall_us, started)
        else:
            assert isinstance(token, Report)
            self._reports.take(token, body, body_problem, reply, peer, wall_us, started)

    def _answer(
        self,
        head: Head,
        token: LetIn,
        body: bytes,
        body_problem: str | None,
        wall_us: int,
        owed: OwedAnswer,
    ) -> None:
        """Decide, and owe the answer until what is kept of it is durable."""
        endpoint, at, started = token.endpoint, wall_us // 1000, owed.since
        request = _kept_request(head, body, endpoint.redactor)
        facts = self._facts.of(endpoint.account, started)
        given, ruled = self._decider.decide(token, head, request, facts, at, started)
        receipt = Receipt(
            received_us=wall_us,
            endpoint=endpoint.name,
            method=request.method,
            raw=request.query,
            decision=given.decision,
            http_status=given.answer.status,
            body=request.body,
            content_type=request.content_type,
            head_problem=head.problem,
            body_problem=body_problem,
            auth=token.auth,
            peer=self._peer(head),
            facts=facts,
            zone=endpoint.zone.key,
            region=endpoint.region,
            mode=endpoint.mode,
            repeat_of=ruled.repeat_of,
            decided_in_us=(self._clock.mono_ns() - started) // 1000,
            test=token.test,
            flags=ruled.flags,
            rollout=ruled.rollout,
            engine=ENGINE,
            keep=token.keep,
        )
        self._owe(owed, receipt, given, at, ruled.asked, endpoint)

    def _owe(
        self,
        owed: OwedAnswer,
        receipt: Receipt,
        given: Given,
        at: int,
        asked: int | None,
        endpoint: Endpoint,
    ) -> None:
        """Keep the receipt first; `asked` is the fingerprint of a question to remember."""
        owed.answer, number = given.answer, given.number
        kind = given.kind if receipt.test is None else RecordKind.TEST
        body = encode(receipt if given.more is None else given.kept(receipt))
        asked = None if number is None else asked
        copies = None if receipt.keep is _LOCAL else self._copies
        seq = self._receipts.owe(owed, kind, at, body, asked, number, endpoint.deadline_ms, copies)
        if asked is not None and number is not None and seq is not None:
            self._memory.remember(asked, FirstAnswer(seq, at, owed.since // 1_000_000, number))
        if given.place is not None:
            # Where the receipt was lost, it counts until the console has read what came next.
            self._places.add(given.place, given.call, seq or self._journal.next_seq)

    def unreadable(self, head: Head, beginning: bytes) -> LetIn | Webhook | Report | Answer:
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
        if isinstance(verdict, LetIn):
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
        self._copies.sweep(now, everything=everything)
        self._receipts.sweep(now, everything=everything)
        self._receivers.sweep(now, everything=everything)
        self._steps.look(self._clock.wall_us() // 1000, now // 1_000_000)
        if now - self._counted_ns >= _COUNT_EVERY_NS:
            self._look_at_copies()
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

    def learn(
        self, facts: Mapping[str, AccountFacts], routing: RoutingFacts = NOTHING_KNOWN
    ) -> None:
        """Take over what is known at this moment: of the accounts by name, and for routing."""
        self._facts.learn(facts, self._clock.mono_ns(), routing)

    def health(self, *, whole: bool) -> Answer:
        """Whether answering works, and what is amiss; `whole` where it may be told in full."""
        problems = (*self.problems, *self.alarms.values())
        return health(problems, keeps_up=self._journal.healthy, whole=whole)

    def _look_at_copies(self) -> None:
        """Say it as long as answers would leave, or have just left, with one copy."""
        asked = any(each.keep is Keep.TWO_COPIES for each in self.endpoints.values())
        alone = self.counts[ANSWERED_ALONE] - self._counted[ANSWERED_ALONE]
        problem = self.hand_over.problem or (alone and SLOW)
        if not (asked and problem):
            self.alarms.pop("copies", None)
            return
        alarm = f"receipts are kept once, not twice: {problem}; callers don't wait for that"
        if self.alarms.get("copies") != alarm:
            log.error("%s", alarm)
            self.alarms["copies"] = alarm

    @property
    def owed(self) -> int:
        """Answers that wait for the disk."""
        return self._receipts.owed

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
