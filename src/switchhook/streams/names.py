"""What the operator calls things: accounts, bots, flows, ExoPhones, and where A and B lead."""

from __future__ import annotations

from fnmatch import fnmatchcase

import msgspec


class Bot(msgspec.Struct, frozen=True):
    """A bot by its hosts, patterns such as `*.bot.example`.

    Where a stream tells no host, it is the bot's by endpoint or ExoPhone (E.164).
    """

    name: str
    hosts: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    exophones: tuple[str, ...] = ()
    owner: str = ""
    contact: str = ""


class NamedAccount(msgspec.Struct, frozen=True):
    """An Exotel account by the operator's name for it."""

    name: str
    sid: str
    region: str = ""


class Names(msgspec.Struct, frozen=True):
    """All of them; what is not named shows under its own text.

    `flows` by flow_id, `exophones` by E.164; `destinations` by endpoint and option, `selects` by
    endpoint and keyword say where that leads, `accounts_of` which account an endpoint belongs to.
    """

    accounts: tuple[NamedAccount, ...] = ()
    bots: tuple[Bot, ...] = ()
    flows: dict[str, str] = {}
    exophones: dict[str, str] = {}
    destinations: dict[tuple[str, str], str] = {}
    selects: dict[tuple[str, str], str] = {}
    accounts_of: dict[str, str] = {}

    def bot(self, host: str, endpoint: str = "", exophone: str = "") -> Bot | None:
        """The bot that a stream belongs to: by its host, else by ExoPhone, else by endpoint."""
        low = host.lower()
        if low:
            return next(
                (bot for bot in self.bots if any(fnmatchcase(low, each) for each in bot.hosts)),
                None,
            )
        return next(
            (bot for bot in self.bots if exophone and exophone in bot.exophones), None
        ) or next((bot for bot in self.bots if endpoint in bot.endpoints), None)

    def bot_name(self, host: str, endpoint: str = "", exophone: str = "") -> str:
        """Its name; the host where no bot is configured for it; empty where nothing is known."""
        bot = self.bot(host, endpoint, exophone)
        return bot.name if bot is not None else host

    def flow(self, flow_id: str | None) -> str:
        return self.flows.get(flow_id or "", flow_id or "")

    def exophone(self, number: str | None) -> str:
        return self.exophones.get(number or "", number or "")

    def destination(self, endpoint: str, option: str, select: str = "") -> str:
        """Where an option leads, or the keyword beside it, in the operator's words.

        Empty where they did not say; a keyword that they did not name leads where it says itself.
        """
        if select:
            return self.selects.get((endpoint, select), select)
        return self.destinations.get((endpoint, option), "")
