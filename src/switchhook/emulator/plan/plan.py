"""What an emulator is told to be: accounts, numbers, flows, callers, agents, faults. As values.

A plan comes from a TOML file (`file`), from a scenario, or from a test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from switchhook.emulator.plan.flow import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from switchhook.emulator.chance import Chance


Seconds = Annotated[float, msgspec.Meta(ge=0)]
Standing = Literal["good", "no-kyc", "trial", "suspended", "no-balance"]
"""Why an account may call nobody; one on trial calls the numbers that it has verified."""
_Count = Annotated[int, msgspec.Meta(ge=1)]
_NotNegative = Annotated[float, msgspec.Meta(ge=0)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts share: unknown names are refused."""


class Account(_Part, frozen=True, kw_only=True):
    """An Exotel account. `streams` is its stream limit, `key` and `token` its API credentials."""

    key: str = ""
    token: str = ""
    region: Literal["in", "sg"] = "in"
    streams: int = 100
    requests_a_minute: _Count = 200
    standing: Standing = "good"
    verified: tuple[str, ...] = ()
    """The numbers that an account on trial may call."""
    tenant_id: str = "67291"
    status_callback_url: str | None = None
    """Told of each call that nobody asked for over the API; those name an address of their own."""
    status_callback_events: tuple[Literal["ringing", "answered", "terminal"], ...] = ()
    """None for the short callback at the end; with any, the full one for each."""
    status_callback_json: bool = False
    heartbeat_url: str | None = None
    """Told how the account's numbers are, when a `heartbeat` or the control API says so."""
    behaviour: dict[str, Any] = {}


class Number(_Part, frozen=True, kw_only=True):
    """An ExoPhone: whose it is, and where its callers go."""

    account: str
    flow: str


class Act(_Part, frozen=True, kw_only=True):
    """Something a caller does, `after_s` seconds into the applet `at`, or into the call."""

    at: str | None = None
    after_s: Seconds = 0.0
    hangs_up: bool = False
    presses: str = ""
    says: str = ""
    """Spoken by espeak-ng where it is installed, else as speech-like sound of that length."""
    plays: str = ""
    """A WAV file."""
    tone_hz: _NotNegative = 0.0
    seconds: Seconds = 2.0
    """How long a tone is."""


Answers = Literal["yes", "busy", "no-answer", "failed", "declined", "voicemail"]


class Caller(_Part, frozen=True, kw_only=True):
    """A person on the phone. `share` is the weight in the mix of callers."""

    number: str | None = None
    share: _NotNegative = 1.0
    patience_s: Seconds = 120.0
    """Hangs up this long after the call was answered, whatever happens."""
    answers: Answers = "yes"
    """What a call to them meets."""
    rings_s: Seconds = 4.0
    does: tuple[Act, ...] = ()
    redials_s: Seconds | None = None
    """Calls again, this long after a call of theirs in which nobody talked to them."""
    redials: _Count = 1
    """How often, in all."""
    dnd: bool = False
    """Does not want to be disturbed: nobody calls them whom they didn't call in six months."""
    unsubscribed: bool = False
    """Told the account not to call, so its whitelist has them as Blacklist."""


class Agent(_Part, frozen=True, kw_only=True):
    """A person whom a Connect applet rings."""

    answers: Literal["yes", "busy", "no-answer", "failed"] = "yes"
    rings_s: Seconds = 5.0
    talks_s: Seconds = 20.0


FaultKind = Literal[
    "behave",
    "passthru-lost",
    "passthru-twice",
    "passthru-empty",
    "passthru-late",
    "passthru-out-of-order",
    "bot-refused",
    "bot-dns",
    "bot-tls",
    "bot-401",
    "bot-slow-handshake",
    "bot-refused-once",
    "bot-crash",
    "bot-closes",
    "bot-silent",
    "bot-dies",
    "bot-hangs",
    "throttled",
    "callback-lost",
    "callback-twice",
    "callback-late",
    "rest",
    "rest-slow",
    "rest-drop",
    "connect-refused",
    "connect-before",
    "connect-after",
    "connect-late",
    "connect-twice",
    "connect-5xx-after",
    "lists-refused",
    "lists-omit",
    "lists-repeat",
    "details-refused",
]


REFUSING = ("rest", "connect-refused", "lists-refused", "details-refused")
"""What answers with the status `code`, and does nothing."""

WHOLE_BOT = ("bot-dies", "bot-hangs")
"""What befalls a bot as a whole, its running streams too, and not one call of it."""


class Fault(_Part, frozen=True, kw_only=True):
    """Something that goes wrong: always, with a probability, or the first `count` times.

    It strikes from `after_s` seconds on, counted from the start or from when it was put in force,
    for `for_s` seconds, and so again every `every_s`; without these, as long as it is in force.
    `applet`, `number`, `account`, `flow` and `bot` say where; what is not said is anywhere. A bot
    is meant by its name in the plan, or by an address that is dialled, whatever its query.
    """

    what: FaultKind
    probability: float = 1.0
    count: int | None = None
    after_s: float = 0.0
    for_s: float | None = None
    every_s: float | None = None
    applet: str | None = None
    number: str | None = None
    account: str | None = None
    flow: str | None = None
    bot: str | None = None
    seconds: Seconds = 3.0
    """How late, how slow, or how far into the stream."""
    code: int = 1011
    """The close code of `bot-closes`; the HTTP status with which the API refuses."""
    behaviour: dict[str, Any] = {}
    """What `behave` changes."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """What its numbers can't mean: the key, and the problem."""
        if not 0 <= self.probability <= 1:
            yield "probability", "a probability is between 0 and 1"
        if self.count is not None and self.count < 1:
            yield "count", "it strikes at least once"
        if self.after_s < 0:
            yield "after_s", "it is 0 or more"
        if self.for_s is not None and self.for_s <= 0:
            yield "for_s", "it is more than 0"
        if self.every_s is not None and (self.for_s is None or self.every_s <= self.for_s):
            yield "every_s", "it is longer than for_s, which has to be said"
        if self.bot is not None and not self.what.startswith("bot-"):
            yield "bot", "it befalls no bot"
        if self.what in WHOLE_BOT and (self.probability != 1 or self.count is not None):
            yield "what", "a bot is dead, or hangs, for everybody: leave out probability and count"
        if self.what in REFUSING and not 400 <= self.code <= 599:
            yield "code", "an API refuses with a status of 400 to 599; write code = 503"
        if self.what == "connect-5xx-after" and not 500 <= self.code <= 599:
            yield "code", "it is 500 to 599, such as code = 504"
        if self.what == "bot-closes" and not 1000 <= self.code <= 4999:
            yield "code", "a close code is 1000 to 4999"


HeartbeatStatus = Literal["OK", "WARNING", "CRITICAL", "PAYLOAD_TOO_LARGE"]


class HeartbeatPlan(_Part, frozen=True, kw_only=True):
    """A heartbeat (exotel-platform E.7): `after_s` seconds after the start, then every `every_s`.

    Numbers as they shall be sent; those of the account where none are given and it isn't OK.
    """

    account: str | None = None
    """None for every account with a `heartbeat_url`."""
    status_type: HeartbeatStatus = "OK"
    after_s: float = 0.0
    every_s: float | None = None
    incoming_affected: tuple[str, ...] | None = None
    outgoing_affected: tuple[str, ...] | None = None
    data: dict[str, Any] = {}


class Arrivals(_Part, frozen=True, kw_only=True):
    """Calls that come by themselves."""

    per_minute: Annotated[float, msgspec.Meta(gt=0)] = 12.0
    most: int | None = None
    """Calls after which no more come; None for no end."""
    at_once: _Count | None = None
    """Calls in progress at once, at most; None for no limit but the pace."""


class Bot(_Part, frozen=True, kw_only=True):
    """A bot by name, so that faults can be aimed at it. `url` is where it is dialled.

    With `plays`, a path of the built-in bot's, the emulator plays it there itself: on an address of
    this machine for everybody, else for its own calls only. `auth` is the `user:password` that it
    lets in then.
    """

    url: str
    plays: str | None = None
    auth: str | None = None


class Foreign(_Part, frozen=True, kw_only=True):
    """Streams of an account that come from elsewhere: they take its places, and tell nobody.

    `streams` run on average, each for `lasts_s` seconds on average (exponential), from `after_s`
    seconds after the start and for `for_s`.
    """

    account: str
    streams: Annotated[float, msgspec.Meta(gt=0)]
    lasts_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    after_s: Seconds = 0.0
    for_s: Seconds | None = None


class Burst(_Part, frozen=True, kw_only=True):
    """Calls that come at once, beside others.

    They come `after_s` seconds after the start, then every `every_s`. `number` is the ExoPhone that
    they ring; any, where none is named.
    """

    calls: _Count
    after_s: Seconds = 0.0
    every_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    number: str | None = None


class Plan(_Part, frozen=True, kw_only=True):
    """The whole of it. A flow or number that is named exists; `file` sees to that."""

    seed: int | None = None
    account: dict[str, Account] = {}
    number: dict[str, Number] = {}
    flow: dict[str, Flow] = {}
    caller: dict[str, Caller] = {}
    agent: dict[str, Agent] = {}
    bot: dict[str, Bot] = {}
    fault: tuple[Fault, ...] = ()
    foreign: tuple[Foreign, ...] = ()
    burst: tuple[Burst, ...] = ()
    heartbeat: tuple[HeartbeatPlan, ...] = ()
    behaviour: dict[str, Any] = {}
    allow: tuple[str, ...] = ()
    """Hosts, addresses and networks that may be dialled beside loopback."""
    arrivals: Arrivals | None = None
    voice: str | None = None
    """The espeak-ng voice of callers, `en-in` where none is named; "" for speech-like sound."""


def with_keys(plan: Plan, chance: Chance) -> Plan:
    """The plan with credentials made for the accounts that have none."""

    def made(sid: str, account: Account) -> Account:
        # From the seed, where one is given: a run that repeats has the same keys too.
        draw = chance.stream("keys", sid)
        return msgspec.structs.replace(
            account,
            key=account.key or draw.randbytes(12).hex(),
            token=account.token or draw.randbytes(16).hex(),
        )

    accounts = {sid: made(sid, account) for sid, account in plan.account.items()}
    return msgspec.structs.replace(plan, account=accounts)
