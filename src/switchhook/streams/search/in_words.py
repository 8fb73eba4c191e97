"""A search in words, term by term: what it was understood as, and what would ask for less."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import phonenumbers

from switchhook.errors import SearchError
from switchhook.exotel.number_keys import may_be_end
from switchhook.exotel.passthru import StreamStatus
from switchhook.streams.search.query import Condition, Query
from switchhook.streams.search.syntax import query_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Moment, SearchPage
    from switchhook.streams.store import Store

_SAID = {
    "cause": "it ended as",
    "kind": "what went wrong on the way to its bot is",
    "status": "its status is",
    "bot": "its bot is",
    "host": "its bot's host is",
    "endpoint": "its endpoint is",
    "option": "it was answered with option",
    "rule": "it was decided by the rule",
    "exophone": "your number is",
    "custom_field": "its CustomField is",
    "digits": "the digits dialled are",
    "flow": "its flow is",
    "call": "its CallSid is",
    "stream": "its StreamSID is",
    "sid": "its CallSid or StreamSID is",
    "error": "its error's text has",
    "name": "the name of its bot, host, endpoint or ExoPhone has",
}
_NUMBERS = {
    "from": "the caller's number",
    "to": "the number called",
    "number": "the caller's number or the one called",
}
_STATES = {
    "failed": "it failed: it was throttled, did not reach its bot, or the bot dropped it",
    "running": "it runs as far as is known",
    "ended": "it has ended",
    "late": "it was kept after its answer had left",
    "one_copy": "it was answered with one copy of its receipt, where two were asked for",
    "withheld": "no number of the caller was told",
}
_COMPARED = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most", "=": ""}
_FEWEST_OF_END = 5


class Loosened(msgspec.Struct, frozen=True):
    """A search that asks for less, and what it would do in words.

    `finds` is whether it finds anything; None where nobody looked.
    """

    words: str
    query: Query
    finds: bool | None = None


class Term(msgspec.Struct, frozen=True):
    """One term of a search: `text` as one types it, `words` for people; `less` asks for less."""

    text: str
    words: str
    less: tuple[Loosened, ...]


def terms_of(query: Query, zone: tzinfo, names: Names) -> list[Term]:
    """Every term of a search, in the order in which `query_text` writes them."""
    found = []
    for place, each in enumerate(query.conditions):
        replaced = partial(_replaced, query, place)
        less = (Loosened("without it", replaced(None)), *_less(each, replaced, names))
        found.append(Term(query_text(Query((each,))), _words(each), less))
    if query.since is not None:
        less = (Loosened("without it", msgspec.structs.replace(query, since=None)),)
        text = query_text(Query(since=query.since))
        found.append(Term(text, _time_words(query, "since", zone), less))
    if query.until is not None:
        less = (Loosened("without it", msgspec.structs.replace(query, until=None)),)
        text = query_text(Query(until=query.until))
        found.append(Term(text, _time_words(query, "until", zone), less))
    return found


def in_words(query: Query, zone: tzinfo) -> list[str]:
    """The same without what would ask for less."""
    said = [_words(each) for each in query.conditions]
    return said + [_time_words(query, n, zone) for n in ("since", "until") if getattr(query, n)]


def _replaced(query: Query, place: int, condition: Condition | None) -> Query:
    """A search with another condition in the place of one, or with none."""
    before, after = query.conditions[:place], query.conditions[place + 1 :]
    middle = () if condition is None else (condition,)
    return msgspec.structs.replace(query, conditions=(*before, *middle, *after))


def _less(
    condition: Condition, replaced: Callable[[Condition], Query], names: Names
) -> list[Loosened]:
    """What else a condition may have been meant as."""
    if condition.excluded:
        return []
    found = []
    if condition.key in ("from", "to"):
        either = Condition("number", condition.values)
        found.append(Loosened("as the caller's number or the one called", replaced(either)))
    wholes = [value for value in condition.values if value.startswith("+")]
    if condition.key in _NUMBERS and wholes:
        ends = tuple(dict.fromkeys("*" + value[-_FEWEST_OF_END:] for value in condition.values))
        words = f"any number with the same last {_FEWEST_OF_END} digits"
        found.append(Loosened(words, replaced(Condition("number", ends))))
    for value in condition.values:
        if near := _near(value, _known(condition.key, names)):
            meant = Condition(condition.key, (near,))
            found.append(Loosened(f"did you mean {query_text(Query((meant,)))}?", replaced(meant)))
    return found


def _near(value: str, known: list[str]) -> str | None:
    low = {each.casefold(): each for each in known}
    if value.casefold() in low:
        return None
    found = get_close_matches(value.casefold(), low, 1)
    return low[found[0]] if found else None


def _known(key: str, names: Names) -> list[str]:
    match key:
        case "status":
            return [each.value for each in StreamStatus if each is not StreamStatus.UNKNOWN]
        case "bot":
            return [each.name for each in names.bots]
        case "flow":
            return [*names.flows.values(), *names.flows]
        case "exophone":
            return list(names.exophones.values())
        case "endpoint":
            return list(names.accounts_of)
        case _:
            return []


def _words(condition: Condition) -> str:
    said = _all_of(condition)
    return f"not so that {said}" if condition.excluded else said


def _all_of(condition: Condition) -> str:
    key, values = condition.key, condition.values
    if key == "is":
        return " or ".join(_STATES[value] for value in values)
    if key == "duration":
        return "it lasted " + " or ".join(map(_length, values))
    if key in _NUMBERS:
        return f"{_NUMBERS[key]} " + " or ".join(map(_number, values))
    if key == "exophone" and all(value.strip("+*").isdigit() for value in values):
        return "your number " + " or ".join(map(_number, values))
    shown = [value.replace("_", " ") if key in ("cause", "kind") else value for value in values]
    if key == "error" and values == ("*",):
        return "it has an error's text"
    return f"{_SAID[key]} " + " or ".join(f"“{value}”" for value in shown)


def _length(value: str) -> str:
    sign = value.rstrip("0123456789")
    return f"{_COMPARED[sign]} {value.removeprefix(sign)} s".strip()


def _number(value: str) -> str:
    if value.startswith("*"):
        return f"ends in {value[1:]}"
    if value.startswith("+"):
        number = phonenumbers.parse(value) if len(value) > 5 else None
        if number is not None and phonenumbers.is_possible_number(number):
            shown = phonenumbers.PhoneNumberFormat.INTERNATIONAL
            return f"is {phonenumbers.format_number(number, shown)}"
        return f"begins with {value}"
    if value.endswith("*"):
        return f"begins with {value[:-1]} (in any country)"
    if may_be_end(value):
        return f"begins with or ends in {value} (in any country)"
    return f"begins with {value} (in any country)"


def _time_words(query: Query, name: str, zone: tzinfo) -> str:
    moment: Moment = getattr(query, name)
    said = f"first told of {'from' if name == 'since' else 'before'} {_shown(moment.ms, zone)}"
    if name == "since":
        return f"{said} on"
    if query.since is not None and query.since.ms >= moment.ms:
        return f"{said}, which is not after the beginning: nothing lies between"
    return said


def _shown(ms: int, zone: tzinfo) -> str:
    try:
        moment = datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone)
    except (OverflowError, ValueError):
        return "the end of the calendar"
    return f"{moment:%a %d %b %Y %H:%M:%S} {moment.tzname() or ''}".strip()


_MOST_TRIED = 10  # each costs a search


def explained(query: Query, zone: tzinfo, store: Store, names: Names) -> list[Term]:
    """The terms of a search that found nothing, with which of what asks for less finds any.

    None where it was not looked for: too many, or it takes too long.
    """
    tried, found = 0, []
    for term in terms_of(query, zone, names):
        less = []
        for each in term.less:
            finds = None
            if tried < _MOST_TRIED:
                tried, finds = _finds(each.query, store, names, tried)
            less.append(msgspec.structs.replace(each, finds=finds))
        found.append(msgspec.structs.replace(term, less=tuple(less)))
    return found


def _finds(query: Query, store: Store, names: Names, tried: int) -> tuple[int, bool | None]:
    """Whether a search finds anything, and how many more have been tried by then."""
    try:
        page = store.search(query, names, limit=1)
    except SearchError:  # the next ones take as long
        return _MOST_TRIED, None
    return tried + 1, True if page.rows else None if page.next is not None else False


def count_in_words(page: SearchPage, *, paged: bool) -> str:
    """How many streams there are, as far as that is known; `paged` is behind a first page."""
    count = page.count
    if count is not None:
        return f"{'more than ' if count.more else ''}{_streams(count.count)}"
    shown = len(page.rows)
    if paged or (not shown and page.next is not None):
        return ""
    return _streams(shown) if page.next is None else f"at least {_streams(shown)}"


def _streams(count: int) -> str:
    return f"{count:,} stream{'' if count == 1 else 's'}"
