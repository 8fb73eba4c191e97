"""What people set by hand above rules and releases: wanted, checked, in force, undone. Pure.

A setting holds until its end, until it is undone, or until another takes its place: there is one
move and one switch of a pool, one state and one weight of a member, one safe option of an endpoint.
What was replaced does not come back when its successor is undone. A member that is set in is left
alone by its breaker.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import HandError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.rules.bot_pool import MOST_WEIGHT, MemberState, Pool
from switchhook.rules.routing import HandAct, HandSetting, eligible_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LONGEST_REASON = 300
LONGEST_S = 366 * 86_400
"""The longest that a setting may be given an end for; without one it has none."""
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f-\x9f\ufeff]")


class KnownRoutes(msgspec.Struct, frozen=True):
    """What there is to act on, as the configuration says now: pools by name, endpoints' names."""

    pools: Mapping[str, Pool]
    endpoints: tuple[str, ...] = ()

    def pinned(self, setting: HandSetting) -> bool:
        """Whether a setting keeps a member in whatever its breaker says."""
        pool = self.pools.get(setting.pool)
        return setting.state is MemberState.IN and pool is not None and pool.breaker.enabled


class HandWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to set: an act, what it is about, why, and for how many seconds.

    `member` may be said with its pool, as `sales/vendor-a`, or alone where one pool has it.
    """

    act: HandAct
    reason: str
    pool: str = ""
    member: str = ""
    to: str = ""
    endpoint: str = ""
    state: MemberState | None = None
    weight: int | None = None
    for_s: int | None = None


class HandChange(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a wish: what begins, and the ids of what ends by it.

    `begins` is None where only something ends: a member that is back as it is configured. `said` is
    the change in words, `warning` what it brings along, each a sentence's part.
    """

    begins: HandSetting | None
    ends: tuple[int, ...]
    said: str
    warning: str = ""


def in_force(settings: Iterable[HandSetting], now_ms: int) -> tuple[HandSetting, ...]:
    """Those that hold, in the order in which they were set."""
    return tuple(sorted((each for each in settings if each.holds(now_ms)), key=lambda s: s.id))


def change_of(
    wanted: HandWanted, known: KnownRoutes, held: Sequence[HandSetting], by: str, now_ms: int
) -> HandChange:
    """What a wish changes of what is in force. Raises HandError, which says what to do instead."""
    reason = _reason(wanted.reason)
    _check_length(wanted.for_s)
    setting = _placed(wanted, known)
    if setting.act is HandAct.MOVE:
        _check_move(setting, known, held)
    same = [each for each in held if seat_of(each) == seat_of(setting)]
    ends = tuple(each.id for each in same)
    if not _differs(setting, known.pools):
        if not ends and not known.pinned(setting):
            raise HandError(f"{words_of(setting)} already", "there is nothing to change")
        if ends and wanted.for_s is None:
            return HandChange(begins=None, ends=ends, said=words_of(setting))
    setting = msgspec.structs.replace(
        setting,
        by=by,
        reason=reason,
        since_ms=now_ms,
        until_ms=None if wanted.for_s is None else now_ms + wanted.for_s * 1000,
    )
    after = [*(each for each in held if each.id not in ends), setting]
    return HandChange(
        begins=setting,
        ends=ends,
        said=words_of(setting),
        warning=_warning(setting, known.pools, after),
    )


def undone(id: int | None, held: Sequence[HandSetting]) -> HandSetting:
    """The setting of that id, or the newest for None. Raises HandError."""
    if not held:
        raise HandError("nothing is set by hand", "there is nothing to undo")
    if id is None:
        return max(held, key=lambda each: each.id)
    found = next((each for each in held if each.id == id), None)
    if found is None:
        ids = ", ".join(str(each.id) for each in held[:10])
        raise HandError(f"no setting {id} is in force", f"in force: {ids}")
    return found


def words_of(setting: HandSetting) -> str:
    """A setting in words, as it stands in sentences."""
    member = f"{setting.member} of {setting.pool}"
    match setting.act:
        case HandAct.MOVE:
            return f"calls of {setting.pool} go to {setting.to}"
        case HandAct.STATE:
            return f"{member} {_STATE_WORDS[setting.state or MemberState.IN]}"
        case HandAct.WEIGHT:
            return f"{member} has weight {setting.weight}"
        case HandAct.OFF:
            return f"pool {setting.pool} is switched off"
        case HandAct.SAFE:
            return f"callers of endpoint {setting.endpoint} get its safe option"


_STATE_WORDS = {
    MemberState.IN: "takes calls",
    MemberState.DRAINING: "drains: it gets no new calls",
    MemberState.OUT: "is out: it gets no calls",
}


# What is meant.


def _reason(said: str) -> str:
    reason = said.strip()
    if not _VISIBLE.search(reason):
        raise HandError("it has no reason", "say why, for those who read it tomorrow")
    if len(reason) > LONGEST_REASON:
        raise HandError("its reason is too long", f"at most {LONGEST_REASON} characters")
    return mask_text(reason)


def _check_length(for_s: int | None) -> None:
    if for_s is not None and for_s < 1:
        raise HandError("its length is none", "1 second to 366 days, such as 2h or 90m")
    if for_s is not None and for_s > LONGEST_S:
        raise HandError("its length is too long", f"at most {LONGEST_S // 86_400} days: 366d")


def _placed(wanted: HandWanted, known: KnownRoutes) -> HandSetting:
    """The setting that is wanted, with what it is about found in what there is."""
    match wanted.act:
        case HandAct.SAFE:
            endpoint = _named(wanted.endpoint, known.endpoints, "endpoint")
            return HandSetting(id=0, act=wanted.act, endpoint=endpoint)
        case HandAct.OFF:
            return HandSetting(id=0, act=wanted.act, pool=_pool(wanted.pool, known))
        case HandAct.MOVE:
            pool, to = _pool(wanted.pool, known), _pool(wanted.to, known)
            return HandSetting(id=0, act=wanted.act, pool=pool, to=to)
        case HandAct.STATE:
            if wanted.state is None:
                raise HandError("it says no state", "in, draining or out")
            pool, member = _member(wanted.pool, wanted.member, known)
            return HandSetting(id=0, act=wanted.act, pool=pool, member=member, state=wanted.state)
        case HandAct.WEIGHT:
            if wanted.weight is None or not 0 <= wanted.weight <= MOST_WEIGHT:
                raise HandError("no such weight is possible", f"0 to {MOST_WEIGHT:,}")
            pool, member = _member(wanted.pool, wanted.member, known)
            return HandSetting(id=0, act=wanted.act, pool=pool, member=member, weight=wanted.weight)


def _pool(said: str, known: KnownRoutes) -> str:
    if "/" in said and said.partition("/")[0] in known.pools:
        hint = f"say the pool; `drain {said}` leaves its calls to the other members"
        raise HandError(f"{said} is a member, and this is done to whole pools", hint)
    if not known.pools:
        hint = "a bot becomes one by its [bots.NAME.members.NAME] in the configuration"
        raise HandError(f"there is no pool {said}", hint)
    return _named(said, known.pools, "pool")


def _member(pool: str, said: str, known: KnownRoutes) -> tuple[str, str]:
    if "/" in said:
        before, _, said = said.partition("/")
        if pool and pool != before:
            raise HandError(f"it names two pools, {pool} and {before}", "say one")
        pool = before
    if not pool:
        of = [name for name, each in known.pools.items() if each.member(said) is not None]
        if len(of) > 1:
            hint = "say " + " or ".join(f"{name}/{said}" for name in of[:5])
            raise HandError(f"{len(of)} pools have a member {said}", hint)
        if not of:
            members = [f"{p.name}/{m.name}" for p in known.pools.values() for m in p.members]
            raise HandError(f"no pool has a member {said}", _near(said, members))
        return of[0], said
    name = _pool(pool, known)
    names = [each.name for each in known.pools[name].members]
    return name, _named(said, names, f"member of pool {name}", before=f"{name}/")


def _named(said: str, names: Iterable[str], what: str, before: str = "") -> str:
    known = sorted(names)
    if said in known:
        return said
    if not said:
        raise HandError(f"it names no {what}", _listed(known))
    near = _near(said, known, before)
    raise HandError(f"there is no {what} {said}" if not before else f"no {what} is {said}", near)


def _near(said: str, known: Sequence[str], before: str = "") -> str:
    close = difflib.get_close_matches(said, known, 1)
    last = [each for each in known if each.rpartition("/")[2] in close] or list(close)
    if not close:
        names = {each.rpartition("/")[2]: each for each in known}
        last = [names[each] for each in difflib.get_close_matches(said, list(names), 1)]
    return f"did you mean {before}{last[0]}?" if last else _listed(known)


def _listed(known: Sequence[str]) -> str:
    more = f" and {len(known) - 10} more" if len(known) > 10 else ""
    return f"known: {', '.join(known[:10])}{more}" if known else "there is none"


# What it meets.


def seat_of(setting: HandSetting) -> tuple[HandAct, str, str, str]:
    """What there is only one setting of."""
    return setting.act, setting.pool, setting.member, setting.endpoint


def _differs(setting: HandSetting, pools: Mapping[str, Pool]) -> bool:
    """Whether it says something else than the configuration."""
    if not setting.member:
        return True
    member = pools[setting.pool].member(setting.member)
    assert member is not None
    if setting.act is HandAct.WEIGHT:
        return setting.weight != member.weight
    return setting.state is not member.state


def _check_move(setting: HandSetting, known: KnownRoutes, held: Sequence[HandSetting]) -> None:
    pool, to = setting.pool, setting.to
    if pool == to:
        raise HandError(f"{pool} has its calls already", "say another pool")
    moves = {e.pool: e for e in held if e.act is HandAct.MOVE and e.pool != pool}
    at, chain = to, list[HandSetting]()
    while at in moves:
        chain.append(moves[at])
        at = moves[at].to
        if at == pool:
            way = ", ".join(f"those of {each.pool} to {each.to}" for each in chain)
            undo = " or ".join(f"`undo {each.id}`" for each in chain)
            problem = f"calls of {pool} would come back to it: {way} by hand"
            raise HandError(problem, f"{undo} first")
    off = next((e for e in held if e.act is HandAct.OFF and e.pool == at), None)
    if off is not None:
        raise HandError(f"pool {at} is switched off", f"`undo {off.id}` first, or another pool")
    if not eligible_of(known.pools[at], {}, held)[0]:
        hint = "let one of its members in first, or say another pool"
        raise HandError(f"no member of pool {at} is in", hint)


def _warning(setting: HandSetting, pools: Mapping[str, Pool], after: Sequence[HandSetting]) -> str:
    """What a setting brings along that somebody may not have meant."""
    if setting.act is HandAct.OFF:
        return f"whoever is sent to pool {setting.pool} gets no address, and the flow goes on"
    pool = pools.get(setting.pool)
    if not setting.member or pool is None or eligible_of(pool, {}, after)[0]:
        return ""
    return f"no member of pool {pool.name} is in now: its calls get the endpoint's fallback"


# The audit log.

_DEEDS = {
    HandAct.MOVE: "moved a pool's calls",
    HandAct.STATE: "set a member's state",
    HandAct.WEIGHT: "set a member's weight",
    HandAct.OFF: "switched a pool off",
    HandAct.SAFE: "sent callers to the safe option",
}
UNDID = "undid a setting by hand"


def noted(wanted: HandWanted, change: HandChange) -> tuple[str, str, dict[str, str]]:
    """What the audit log says of a change: the deed, what it was done to, details."""
    said = change.begins
    subject = wanted.endpoint or "/".join(filter(None, (wanted.pool, wanted.member)))
    if said is not None:
        subject = said.endpoint or "/".join(filter(None, (said.pool, said.member)))
    details = {"said": change.said, "reason": wanted.reason.strip()}
    if wanted.for_s is not None:
        details["for_s"] = str(wanted.for_s)
    if change.ends:
        details["in place of"] = ", ".join(map(str, change.ends))
    return _DEEDS[wanted.act], subject, details


def noted_undo(setting: HandSetting, reason: str) -> tuple[str, str, dict[str, str]]:
    """The same of one that was undone."""
    details = {"said": words_of(setting)} | ({"reason": reason.strip()} if reason.strip() else {})
    return UNDID, str(setting.id), details
