"""A plan from a TOML file: every name checked, every error with its file and place."""

from __future__ import annotations

import difflib
import math
import tomllib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from switchhook.emulator.bot.script import ScriptRefusal, script_of
from switchhook.emulator.net.addresses import read_allowed
from switchhook.emulator.plan.behaviour import Behaviour
from switchhook.emulator.plan.bots import bot_key, is_address
from switchhook.emulator.plan.flow import (
    Applet,
    Connect,
    Flow,
    Passthru,
    Stream,
    Voicebot,
    outputs,
)
from switchhook.emulator.plan.numbers import number_of, with_e164
from switchhook.emulator.plan.plan import (
    Account,
    Act,
    Agent,
    Arrivals,
    Bot,
    Burst,
    Caller,
    Fault,
    Foreign,
    HeartbeatPlan,
    Number,
    Plan,
)
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_T = TypeVar("_T")
_TABLES: dict[str, Any] = {
    "account": Account,
    "number": Number,
    "caller": Caller,
    "agent": Agent,
    "bot": Bot,
}
_LONGEST_STREAM_URL = 600  # exotel-platform E.1


def read_plan(text: str, *, file: str = "") -> Plan:
    """Read and check a plan. Raises ConfigError, which names the file, the place and the remedy."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", file=file) from None
    return _Reading(file).plan(said)


class _Reading:
    def __init__(self, file: str) -> None:
        self.file = file

    def plan(self, said: dict[str, Any]) -> Plan:
        known = Plan.__struct_fields__
        for name in said:
            if name not in known:
                raise self.wrong(name, "there is no such setting", _near(name, known))
        self.finite("", said)
        parts: dict[str, Any] = {}
        for name, kind in _TABLES.items():
            table = self.table(said, name)
            parts[name] = {key: self.convert(f"{name}.{key}", x, kind) for key, x in table.items()}
        parts["flow"] = {
            name: self.flow(f"flow.{name}", flow) for name, flow in self.table(said, "flow").items()
        }
        parts["fault"] = self.listed(said, "fault", Fault)
        parts["heartbeat"] = self.listed(said, "heartbeat", HeartbeatPlan)
        parts["foreign"] = self.listed(said, "foreign", Foreign)
        parts["burst"] = self.listed(said, "burst", Burst)
        if "arrivals" in said:
            parts["arrivals"] = self.convert("arrivals", said["arrivals"], Arrivals)
        rest = {
            name: said[name] for name in ("seed", "behaviour", "allow", "voice") if name in said
        }
        self.numbers(parts)
        plan: Plan = with_e164(msgspec.structs.replace(self.convert("", rest, Plan), **parts))
        self.check(plan)
        return plan

    def flow(self, place: str, said: Any) -> Flow:
        if not isinstance(said, dict):
            raise self.wrong(place, "a flow is a table")
        found = self.table(said, "applet", place)
        applets = {
            name: self.convert(f"{place}.applet.{name}", applet, Applet)
            for name, applet in found.items()
        }
        rest = {key: value for key, value in said.items() if key != "applet"}
        shape: Flow = self.convert(place, rest | {"applet": {}}, Flow)
        return msgspec.structs.replace(shape, applet=applets)

    # Shapes.

    def finite(self, place: str, said: Any) -> None:
        """Refuse `nan` and `inf`, which TOML has and no clock or count."""
        if isinstance(said, float) and not math.isfinite(said):
            raise self.wrong(place, f"{said} is no number to wait for or to count to")
        if isinstance(said, dict):
            for key, below in said.items():
                self.finite(f"{place}.{key}" if place else key, below)
        if isinstance(said, list):
            for at, below in enumerate(said, 1):
                self.finite(f"{place} {at}", below)

    def table(self, said: dict[str, Any], name: str, place: str = "") -> dict[str, Any]:
        found = said.get(name, {})
        if not isinstance(found, dict) or not all(isinstance(x, dict) for x in found.values()):
            whole = f"{place}.{name}" if place else name
            raise self.wrong(whole, "this is a table of tables", f"write [{whole}.NAME] above each")
        return found

    def listed(self, said: dict[str, Any], name: str, kind: type[_T]) -> tuple[_T, ...]:
        found = said.get(name, [])
        if not isinstance(found, list):
            raise self.wrong(name, f"{name}s are a list", f"write [[{name}]] above each of them")
        return tuple(self.convert(f"{name} {at}", x, kind) for at, x in enumerate(found, 1))

    def convert(self, place: str, said: Any, kind: Any) -> Any:
        try:
            return msgspec.convert(said, kind)
        except msgspec.ValidationError as error:
            problem, _, at = str(error).partition(" - at ")
            below = at.strip("`").removeprefix("$").lstrip(".")
            where = ".".join(part for part in (place, below) if part)
            raise self.wrong(where, _plain(problem), _hint(problem, kind, said)) from None

    # Numbers.

    def numbers(self, parts: dict[str, Any]) -> None:
        for table in ("number", "agent"):
            seen: dict[str, str] = {}
            for key in parts[table]:
                number = self.number(f"{table}.{key}", key)
                if number in seen:
                    raise self.wrong(
                        f"{table}.{key}", f"this is {seen[number]} again", "delete one"
                    )
                seen[number] = key
        for name, flow in parts["flow"].items():
            for at, applet in flow.applet.items():
                for number in applet.numbers if isinstance(applet, Connect) else ():
                    self.number(f"flow.{name}.applet.{at}.numbers", number)
        for name, caller in parts["caller"].items():
            if caller.number is not None:
                self.number(f"caller.{name}.number", caller.number)
        for sid, account in parts["account"].items():
            for number in account.verified:
                self.number(f"account.{sid}.verified", number)
        for place, fault in enumerate(parts["fault"], 1):
            if fault.number is not None:
                self.number(f"fault {place}.number", fault.number)
        for place, burst in enumerate(parts["burst"], 1):
            if burst.number is not None:
                self.number(f"burst {place}.number", burst.number)

    def number(self, place: str, text: str) -> str:
        number = number_of(text)
        if number is None:
            raise self.wrong(
                place, f"{text!r} is no phone number", 'write "+918047112233" or "08047112233"'
            )
        return number

    # Names.

    def check(self, plan: Plan) -> None:
        for number, at in plan.number.items():
            self.known(f"number.{number}.account", at.account, plan.account, "account")
            self.known(f"number.{number}.flow", at.flow, plan.flow, "flow")
        for name, flow in plan.flow.items():
            self.check_flow(f"flow.{name}", flow)
        self.behaviour("behaviour", plan.behaviour)
        for sid, account in plan.account.items():
            self.behaviour(f"account.{sid}.behaviour", account.behaviour)
            for name in ("status_callback_url", "heartbeat_url"):
                url = getattr(account, name)
                if url is not None:
                    self.url(f"account.{sid}.{name}", url, ("http", "https"))
            if account.streams < 0:
                raise self.wrong(f"account.{sid}.streams", "a limit is 0 or more")
        if plan.caller and not any(caller.share for caller in plan.caller.values()):
            raise self.wrong("caller", "nobody calls: every share is 0", "give one a share")
        for text in plan.allow:
            try:
                read_allowed(text)
            except ConfigError as error:
                raise self.wrong("allow", error.problem, error.hint) from None
        applets = {applet for flow in plan.flow.values() for applet in flow.applet}
        for name, caller in plan.caller.items():
            for place, act in enumerate(caller.does, 1):
                self.check_act(f"caller.{name}.does {place}", act, applets)
        self.check_bots(plan)
        for place, foreign in enumerate(plan.foreign, 1):
            self.known(f"foreign {place}.account", foreign.account, plan.account, "account")
        for place, burst in enumerate(plan.burst, 1):
            if burst.number is not None:
                self.known(f"burst {place}.number", burst.number, plan.number, "number")
            elif not plan.number:
                raise self.wrong(f"burst {place}", "no number rings", "add a [number.…] table")
        for place, fault in enumerate(plan.fault, 1):
            self.check_fault(f"fault {place}", fault, plan, applets)
        for place, beat in enumerate(plan.heartbeat, 1):
            self.check_beat(f"heartbeat {place}", beat, plan)

    def check_flow(self, place: str, flow: Flow) -> None:
        self.known(f"{place}.first", flow.first, flow.applet, "applet")
        for name, applet in flow.applet.items():
            at = f"{place}.applet.{name}"
            for label, after in outputs(applet).items():
                if after is not None:
                    self.known(f"{at}.{label}", after, flow.applet, "applet")
            match applet:
                case Passthru(mode="async") if applet.a or applet.b:
                    raise self.wrong(at, "an async passthru has one output", "use `next`")
                case Passthru(mode="sync") if applet.next:
                    raise self.wrong(at, "a sync passthru has two outputs", "use `a` and `b`")
                case Passthru():
                    self.url(f"{at}.url", applet.url, ("http", "https"))
                case Voicebot() | Stream(action="start"):
                    self.url(f"{at}.url", applet.url, ("ws", "wss", "http", "https"))
                    if len(applet.url) > _LONGEST_STREAM_URL:
                        raise self.wrong(f"{at}.url", "longer than the 600 characters allowed")
                case _:
                    pass

    def check_bots(self, plan: Plan) -> None:
        keys: dict[str, str] = {}
        for name, bot in plan.bot.items():
            self.url(f"bot.{name}.url", bot.url, ("ws", "wss"))
            twin = keys.setdefault(bot_key(bot.url), name)
            if twin != name:
                raise self.wrong(f"bot.{name}.url", f"this is where {twin} is dialled, too")
            if bot.plays is None and bot.auth is not None:
                raise self.wrong(f"bot.{name}.auth", "only a bot that is played here asks for it")
            script = None if bot.plays is None else script_of(bot.plays)
            if isinstance(script, ScriptRefusal):
                raise self.wrong(f"bot.{name}.plays", script.text)

    def check_act(self, place: str, act: Act, applets: set[str]) -> None:
        if act.at is not None:
            self.known(f"{place}.at", act.at, applets, "applet")
        if not (act.hangs_up or act.presses or act.says or act.plays or act.tone_hz):
            raise self.wrong(
                place, "nothing is done", "say one of hangs_up, presses, says, plays, tone_hz"
            )

    def check_fault(self, place: str, fault: Fault, plan: Plan, applets: set[str]) -> None:
        for name, among in (
            ("account", plan.account),
            ("flow", plan.flow),
            ("applet", applets),
            ("number", plan.number),
            ("bot", plan.bot),
        ):
            wanted = getattr(fault, name)
            if wanted is not None and not (name == "bot" and is_address(wanted)):
                self.known(f"{place}.{name}", wanted, among, name)
        for key, problem in fault.problems():
            raise self.wrong(f"{place}.{key}", problem)
        if fault.what != "behave" and fault.behaviour:
            raise self.wrong(f"{place}.behaviour", f"{fault.what!r} changes no behaviour")
        self.behaviour(f"{place}.behaviour", fault.behaviour)

    def check_beat(self, place: str, beat: HeartbeatPlan, plan: Plan) -> None:
        if beat.account is not None:
            self.known(f"{place}.account", beat.account, plan.account, "account")
        among = [beat.account] if beat.account is not None else list(plan.account)
        if not any(plan.account[sid].heartbeat_url for sid in among):
            raise self.wrong(place, "nobody is told of it", "give an account a heartbeat_url")
        if beat.after_s < 0 or (beat.every_s is not None and beat.every_s <= 0):
            raise self.wrong(place, "after_s is 0 or more, and every_s more than 0")

    def behaviour(self, place: str, patch: dict[str, Any]) -> None:
        try:
            Behaviour().changed(patch)
        except msgspec.ValidationError as error:
            problem, _, at = str(error).partition(" - at ")
            where = f"{place}.{at.strip('`').removeprefix('$.')}" if at else place
            raise self.wrong(where, _plain(problem), _hint(problem, Behaviour, patch)) from None

    def url(self, place: str, url: str, schemes: tuple[str, ...]) -> None:
        scheme, mark, rest = url.partition("://")
        if not mark or scheme.lower() not in schemes or not rest.strip("/"):
            raise self.wrong(place, f"{url!r} is no URL of the kind {' or '.join(schemes)}")

    def known(self, place: str, name: str, among: Iterable[str], what: str) -> None:
        names = list(among)
        if name not in names:
            raise self.wrong(place, f"there is no {what} {name!r}", _near(name, names))

    def wrong(self, place: str, problem: str, hint: str = "") -> ConfigError:
        return ConfigError(problem, file=self.file, key=place, hint=hint)


def _near(name: str, names: Iterable[str]) -> str:
    listed = sorted(names)
    near = difflib.get_close_matches(name, listed, 1)
    if near:
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(listed[:20])}" if listed else "there are none"


def _plain(problem: str) -> str:
    return (problem[:1].lower() + problem[1:]).replace("`", "'")


def _hint(problem: str, kind: Any, said: Any) -> str:
    """What could have been written instead: a field, a word, or a number without quotes."""
    if problem.startswith(("Expected `float`", "Expected `int`")) and "got `str`" in problem:
        return "write the number without quotes"
    if not hasattr(kind, "__struct_fields__"):
        tags = {k.__struct_config__.tag: k for k in Applet.__args__}
        tag = said.get("applet") if isinstance(said, dict) else None
        if problem.startswith("Invalid value"):
            return _near(str(tag), tags)
        kind = tags.get(tag)
    if kind is None:
        return ""
    if "unknown field" in problem:
        return _near(problem.partition("`")[2].partition("`")[0], kind.__struct_fields__)
    if problem.startswith("Invalid enum value"):
        word = problem.partition("'")[2].rpartition("'")[0]
        return _near(word, _words_of(msgspec.inspect.type_info(kind), word, said))
    return ""


def _words_of(kind: Any, word: str, said: Any) -> Iterable[str]:
    """The words that a field of a struct takes, for the one that was said to have another."""
    for field in kind.fields:
        if isinstance(said, dict) and said.get(field.encode_name) == word:
            kinds = getattr(field.type, "types", (field.type,))
            return [each for one in kinds for each in getattr(one, "values", ())]
    return []
