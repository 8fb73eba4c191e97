"""What to do about a connection to the bot that failed or broke: one sentence for its owner.

`at` is where the bot is, in words: `bot.example.com:443`.
"""

from __future__ import annotations

import re

from switchhook.exotel.close_codes import meaning_of
from switchhook.exotel.stream_error import ErrorKind

_CONNECT_ADVICE = {
    ErrorKind.REFUSED: "the bot at {at} refused the connection: is it running, and is this the"
    " right port?",
    ErrorKind.TIMEOUT: "the bot at {at} did not answer in time: does a firewall drop Exotel's"
    " addresses, or is the bot overloaded?",
    ErrorKind.DNS: "the name {at} could not be looked up: is the bot's URL spelt right, and is its"
    " DNS record public?",
    ErrorKind.TLS_TO_PLAIN: "Exotel spoke TLS (wss://) to the bot at {at}, whose port speaks none:"
    " let a proxy with a certificate stand before the bot, or give the port that has TLS",
    ErrorKind.PLAIN_TO_TLS: "Exotel spoke plain HTTP (ws://) to the bot at {at}, whose port speaks"
    " TLS: write wss:// in the bot's URL",
    ErrorKind.BAD_HANDSHAKE: "the bot at {at} answered, but not as a WebSocket server: check path,"
    " credentials and that nothing strips the query of its URL",
    ErrorKind.UNREACHABLE: "there is no network route to the bot at {at}: is the address public?",
    ErrorKind.EOF: "the bot at {at} closed the connection while it was being set up: look in its"
    " log for a crash, or at a proxy before it",
    ErrorKind.DEADLINE: "the bot at {at} did not finish the WebSocket handshake within Exotel's 10"
    " seconds: accept at once and start models afterwards",
}
_OTHER = (
    "Exotel could not connect to the bot at {at}: see the error text, and try the URL with a"
    " WebSocket client from outside your network"
)

# What TLS stumbles over, the telling words first. Go says "has expired or is not yet valid" of
# both, and then which: "current time … is after …".
_TLS_ADVICE = (
    (
        r"revoked",
        "the certificate of the bot at {at} is revoked: get a new one, and let the bot use it",
    ),
    (
        r"time \S{1,40} is before|\A(?!.*expired)[^\0]*(?:not.?yet|notbefore)",
        "the certificate of the bot at {at} is not valid yet: check the dates in it, and the clock"
        " of the machine that made it",
    ),
    (
        r"expired or is not yet valid(?!.*is after)",
        "the certificate of the bot at {at} has expired or is not valid yet: check the dates in it,"
        " and renew it",
    ),
    (
        r"expired|notafter",
        "the certificate of the bot at {at} has expired: renew it, and let the bot and every proxy"
        " before it load the new one",
    ),
    (
        r"certificate (?:is )?(?:required|unknown)|bad certificate",
        "the bot at {at} did not take Exotel as a client: switch off that it asks for a client's"
        " certificate, which Exotel has none of",
    ),
    (
        r"not valid for|is valid for|wanted to match|cannot validate certificate for|ip sans"
        r"|altname|alternative|name mismatch|hostname|mismatch|does not match|notvalidforname"
        r"|common name|unrecognized.?name",
        "the certificate of the bot at {at} is made out to another name: get one for the very name"
        " in the bot's URL, or use a name in the URL that the certificate has",
    ),
    (
        r"self.?signed",
        "the certificate of the bot at {at} is self-signed, which Exotel does not trust: get one of"
        " a public authority such as Let's Encrypt",
    ),
    (
        r"unknown.?authority|unknown.?issuer|unknown.?ca\b|issuer|unable to verify|leaf.signature"
        r"|pkix|certification path|trust",
        "Exotel does not know who signed the certificate of the bot at {at}: serve it with its"
        " whole chain (fullchain.pem, not cert.pem), from a public authority",
    ),
    (
        r"protocol.version|unsupported.protocol|no.cipher|shared.cipher|handshake.failure"
        r"|cipher.suite",
        "the bot at {at} and Exotel found no version or cipher of TLS that both speak: let the bot"
        " offer TLS 1.2 and 1.3 with common ciphers",
    ),
)
_TLS_OTHER = (
    "TLS with the bot at {at} failed: is its certificate valid, complete with its chain, and made"
    " out to this name?"
)


def connect_advice(kind: ErrorKind, text: str, at: str) -> str:
    """What to do where Exotel had no connection; `text` is its error."""
    if kind is not ErrorKind.TLS:
        return _CONNECT_ADVICE.get(kind, _OTHER).format(at=at)
    low = text.lower()
    found = (advice for words, advice in _TLS_ADVICE if re.search(words, low))
    return next(found, _TLS_OTHER).format(at=at)


def closed_advice(code: int | None, at: str) -> str:
    """What to do where a connection that stood was closed with a code, or broke without one."""
    if code is None:
        return (
            f"the connection to the bot at {at} broke during the talk: look in the bot's log at"
            " that time, and at idle limits of proxies between"
        )
    means = meaning_of(code)
    return (
        f"the connection to the bot at {at} stood, and ended with close code {code}"
        f" ({means.meaning}): {means.who}; {means.todo}"
    )
