"""The first configuration: what a few answers become, with remarks that say what to change."""

from __future__ import annotations

import json
import re

import msgspec

from switchhook.config.values import Mode

CONFIG = "switchhook.toml"


class StarterAnswers(msgspec.Struct, frozen=True):
    """What is asked before a configuration is written; an empty text is said later.

    `url` is how Exotel reaches the answer side, `leads_a` and `leads_b` where the options lead in
    the flow, `sid` the account at Exotel, with its `region`, `key` and `token`, and `alerts_to` an
    address of apprise.
    """

    endpoint: str = "default"
    url: str = ""
    mode: Mode = Mode.SYNC
    leads_a: str = ""
    leads_b: str = ""
    sid: str = ""
    region: str = "mumbai"
    key: str = ""
    token: str = ""
    alerts_to: str = ""
    data: str = "data"

    @property
    def watched(self) -> bool:
        """Whether all is there to ask Exotel about the account."""
        return bool(self.sid and self.key and self.token)

    def __repr__(self) -> str:
        return "StarterAnswers(…)"


class StarterFile(msgspec.Struct, frozen=True):
    """A file to write: its path from the folder of the configuration; `secret` is for few eyes."""

    path: str
    text: str
    secret: bool = False

    def __repr__(self) -> str:
        return f"StarterFile({self.path!r})"


def starter_files(answers: StarterAnswers, secret: str) -> tuple[StarterFile, ...]:
    """What to write, the configuration first; `secret` lets the applet's requests in."""
    name = answers.endpoint
    others = {
        f"rules/{name}.toml": "" if answers.mode is Mode.ASYNC else _rules(answers),
        f"secrets/{name}.txt": f"{secret}\n",
        "secrets/exotel-key.txt": answers.watched and f"{answers.key}\n",
        "secrets/exotel-token.txt": answers.watched and f"{answers.token}\n",
        "secrets/alerts.txt": answers.alerts_to and f"{answers.alerts_to}\n",
    }
    return (
        StarterFile(CONFIG, _config(answers)),
        *(
            StarterFile(path, text, path.startswith("secrets/"))
            for path, text in others.items()
            if text
        ),
    )


def _quoted(text: str) -> str:
    """A text as TOML writes it; it escapes as JSON does, and DEL too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _quoted(name)


def _config(answers: StarterAnswers) -> str:
    return "\n".join(
        [
            "# The configuration of Switchhook. `switchhook check` says whether it checks out; a",
            "# change here, or in a file named here, is taken over while it runs.",
            "# Every key: docs/configuration.md",
            "",
            "# Where receipts, streams and settings are kept: on a disk of this machine.",
            f"data = {_quoted(answers.data)}",
            "",
            *_answer(answers.url),
            *_endpoint(answers),
            *_account(answers),
            *_alerts(answers.alerts_to),
        ]
    )


def _answer(url: str) -> list[str]:
    said = f"url = {_quoted(url)}" if url else '# url = "https://hooks.example.com"'
    return [
        "[answer]",
        "# Where Exotel's requests arrive. A proxy on this machine takes them by https and leads",
        "# here: nginx, a tunnel or a load balancer (docs/deploy).",
        'listen = "127.0.0.1:8080"',
        'trusted_proxies = ["127.0.0.1", "::1"]',
        "# How Exotel reaches it: the URL for the applet begins with it.",
        said,
        "",
    ]


def _endpoint(answers: StarterAnswers) -> list[str]:
    name = answers.endpoint
    sync = answers.mode is Mode.SYNC
    leads = [(option, at) for option, at in (("A", answers.leads_a), ("B", answers.leads_b)) if at]
    return [
        f"# One Passthru applet: `switchhook endpoint url {name}` prints the URL to paste into it.",
        f"[endpoints.{_key(name)}]",
        f'mode = "{answers.mode}"'
        + ("   # the flow waits for A or B" if sync else "   # every answer is 200"),
        f"secret_files = [{_quoted(f'secrets/{name}.txt')}]",
        *([f"rules = {_quoted(f'rules/{name}.toml')}"] if sync else []),
        *(['account = "main"'] if answers.sid else []),
        "",
        *(
            [
                "# What the console says instead of A and B.",
                f"[endpoints.{_key(name)}.leads]",
                *(f"{option} = {_quoted(at)}" for option, at in leads),
                "",
            ]
            if leads
            else []
        ),
    ]


def _account(answers: StarterAnswers) -> list[str]:
    named = "" if answers.sid else "# "
    region = _quoted(answers.region) + ("" if answers.sid else '   # or "singapore"')
    asked = "" if answers.watched else "# "
    return [
        "# Exotel's account, to watch its streams and their limit (docs/accounts.md).",
        f"{named}[accounts.main]",
        f"{named}sid = {_quoted(answers.sid or '…')}",
        f"{named}region = {region}",
        *(
            []
            if answers.watched
            else [f"{named}poll = false   # until both files hold what Exotel's dashboard shows"]
        ),
        f'{asked}key_file = "secrets/exotel-key.txt"',
        f'{asked}token_file = "secrets/exotel-token.txt"',
        "",
        *(_CALLBACKS if answers.watched else []),
    ]


_CALLBACKS = [
    "# Calling back those whom a stream failed, by rules that say `promise = true`. Nobody is",
    "# dialled until an administrator allows it, by name (docs/calling-back.md).",
    "# [accounts.main.callbacks]",
    '# exophone = "+918047112233"   # the ExoPhone that calls',
    '# flow = "77001"               # where it leads, by the number in the flow\'s address',
    '# hours = "9:00-21:00"         # or "lenders", where the one who is called is',
    "",
]


def _alerts(alerts_to: str) -> list[str]:
    mark = "" if alerts_to else "# "
    return [
        "# Who is told when something is wrong: Slack, mail, PagerDuty and a hundred more by their",
        "# apprise address (docs/alerts.md). `switchhook alerts test ops` tries it.",
        f"{mark}[alerts.send.ops]",
        f'{mark}url_file = "secrets/alerts.txt"',
        "",
    ]


_PROMISE = """\
# Promise them a callback; it needs [accounts.main.callbacks] in the configuration:
# promise = true
"""


def _rules(answers: StarterAnswers) -> str:
    a = answers.leads_a or "where all is well"
    b = answers.leads_b or "the safe one, such as people"
    return f"""\
# Which callers go down Option A (200) and which down Option B (302). The first rule whose
# expression is true decides; if none is, the default does. What a rule can ask: docs/rules.md
#   A: {a}
#   B: {b}
# Before you save a change: switchhook check rules/{answers.endpoint}.toml --against 24h
# To take one back:         switchhook rules undo {answers.endpoint}

[[rule]]
name = "bot trouble"
when = 'stream.cause in ["throttled", "connect_failed", "bot_dropped", "unknown"]'
option = "B"
{_PROMISE if answers.watched else ""}
# [[rule]]
# name = "short talk at night"
# when = 'stream.duration < 5 && (local.hour >= 21 || local.hour < 8)'
# option = "B"

[default]
option = "A"
"""
