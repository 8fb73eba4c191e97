"""From templates to responses: escaped, with the security headers, masked by role, in one zone.

For those who may not see numbers every text that a template puts out is masked, whatever it is and
wherever it comes from. What is ours and has many digits (counts, addresses, tokens) says so by
being `Ours`.

What a template gets besides its own context: `viewer`, `zone` (an IANA name), `path`, `verdict`,
`csrf`, addresses (`to`, `to_call`, `same`, `static`; the filter `href` makes a link of one that may
have a number in it), and what shows values (`time`, `number`, `shown`, the filter `visible`).
`macros.html` has these as markup. Every page extends `base.html`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.responses import HTMLResponse

from switchhook.access.roles import Role, Viewer
from switchhook.exotel.cause import Cause
from switchhook.exotel.phone_numbers import Ours, holds_number, mask_text, masked
from switchhook.web.assets import Assets
from switchhook.web.chart import cause_class
from switchhook.web.compiled_templates import CompiledTemplates, at_run_time
from switchhook.web.escaping import may_link, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

_IST, _UTC = ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")  # by their names, as addresses have them
OPEN = Viewer("this machine", Role.ADMINISTRATOR, open=True)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; media-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LEVELS = {
    Cause.THROTTLED: "bad",
    Cause.CONNECT_FAILED: "bad",
    Cause.BOT_DROPPED: "bad",
    Cause.CALLER_LEFT_EARLY: "warn",
    Cause.CALLER_LEFT: "good",
    Cause.BOT_DONE: "good",
    Cause.ENDED_BY_SYSTEM: "warn",
    Cause.RUNNING: "live",
    Cause.NO_STREAM: "muted",
    Cause.UNKNOWN: "muted",
}
"""How a cause looks: red is what an operator has to do something about."""


class ViewOptions(msgspec.Struct, frozen=True):
    """All that changes how a value is shown: whether numbers are in full, and the zone."""

    sees_numbers: bool
    zone: ZoneInfo


def viewer_of(request: Request) -> Viewer:
    """Who asks; the access middleware put it there."""
    viewer: Viewer = request.scope.get("viewer", OPEN)
    return viewer


def zone_of(request: Request) -> ZoneInfo:
    """The zone in which times are shown: the address's `tz`, else IST."""
    return zone_named(request.query_params.get("tz", "ist"))


def zone_named(said: str) -> ZoneInfo:
    """A zone by `ist`, `utc` or an IANA name; IST where there is none of that name."""
    known = {"ist": _IST, "utc": _UTC}.get(said.lower())
    if known is not None:
        return known
    try:
        return ZoneInfo(said)
    except (ValueError, KeyError, OSError):
        return _IST


def zone_word(zone: ZoneInfo) -> str | None:
    """What an address says of a zone; None for the usual one."""
    return {_IST.key: None, _UTC.key: "utc"}.get(zone.key, zone.key)


class Renderer:
    """Makes pages.

    `verdict` gives the first line of every page, `hands` what people set by hand, a line each below
    it; `news` how far each topic is that pages renew themselves by, in a word that changes with it;
    `now_us` is the clock; `link_hosts` the hosts whose https addresses may be clicked; `clustered`
    is whether there are nodes to show.
    """

    def __init__(
        self,
        verdict: Callable[[], object] = lambda: None,
        *,
        assets: Assets | None = None,
        hands: Callable[[], Sequence[object]] = tuple,
        news: Callable[[], Mapping[str, str]] = dict,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        link_hosts: Callable[[], tuple[str, ...]] = tuple,
        clustered: bool = False,
    ) -> None:
        self._clustered = clustered
        self._verdict, self._hands, self._link_hosts = verdict, hands, link_hosts
        self.news, self._now_us = news, now_us
        self.assets = assets or Assets()
        self._environments = {sees: self._environment(sees) for sees in (True, False)}

    def _environment(self, sees_numbers: bool) -> Environment:
        environment = Environment(
            loader=PackageLoader("switchhook.web"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=None if sees_numbers else at_run_time(_masked),
            bytecode_cache=CompiledTemplates("whole" if sees_numbers else "masked"),
        )
        filters: dict[str, Callable[..., str]] = {
            "visible": visible if sees_numbers else _visible_masked,
            "href": lambda address: _href(address, sees_numbers),
            "thousands": lambda number: Ours(thousands(number)),
            "span": lambda seconds: Ours(span(seconds)),
            "percent": lambda share: Ours(percent(share)),
            "ours": Ours,
        }
        environment.filters |= {name: at_run_time(work) for name, work in filters.items()}
        environment.globals |= {
            "static": lambda name: Ours(self.assets.address(name)),
            "cause_level": cause_level,
            "cause_class": cause_class,
            "rfc3339": rfc3339,
            "both_times": both_times,
            "bars": bars,
        }
        return environment

    def warm(self) -> None:
        """Load every template, so that the first visitor need not wait for its compiling."""
        for environment in self._environments.values():
            for name in environment.list_templates():
                environment.get_template(name)

    def page(
        self,
        request: Request,
        template: str,
        context: dict[str, Any],
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        sees_numbers: bool | None = None,
    ) -> Response:
        """A whole page, or a fragment of one where the template is a fragment.

        `sees_numbers` is for a page about one call, of which somebody may see more than of others.
        """
        text = self.text(request, template, context, sees_numbers=sees_numbers)
        return HTMLResponse(text, status, headers=PAGE_HEADERS | (headers or {}))

    def text(
        self,
        request: Request,
        template: str,
        context: dict[str, Any],
        *,
        sees_numbers: bool | None = None,
    ) -> str:
        """The same as text."""
        viewer, zone = viewer_of(request), zone_of(request)
        sees = viewer.sees_numbers if sees_numbers is None else sees_numbers
        tz = zone_word(zone)
        here = dict(request.query_params.multi_items())
        theme = request.cookies.get("theme")
        common = {
            "viewer": viewer,
            "path": request.url.path,
            "csrf": Ours(request.scope.get("csrf", "")),
            "theme": theme if theme in ("light", "dark") else None,
            "reads": request.method == "GET",
            "news": lambda: msgspec.json.encode(self.news()).decode(),
            "made_us": self._now_us(),
            # Only what they asked themselves.
            "same": lambda **changes: Ours(address(request.url.path, {**here, **changes})),
            "feed": Ours(address("/feed", {"tz": tz})),
        }
        return self.fragment(template, {**common, **context}, ViewOptions(sees, zone))

    def fragment(self, template: str, context: dict[str, Any], look: ViewOptions) -> str:
        """A template for all who have the same look, whoever and wherever they are."""
        zone, tz = look.zone, zone_word(look.zone)
        number = str if look.sees_numbers else masked
        common = {
            "verdict": self._verdict(),
            "by_hand": self._hands(),
            "zone": zone.key,
            "tz": tz,
            "clustered": self._clustered,
            "to": lambda path, **query: shown_address(path, {"tz": tz, **query}, look.sees_numbers),
            "to_call": lambda sid, id: call_address(sid, id, tz, look.sees_numbers),
            "number": number,
            "shown_number": number,
            "shown": str if look.sees_numbers else mask_text,
            "time": lambda us: shown_time(us, zone),
            "shown_time": lambda us: shown_time(us, zone),
            "shown_clock": lambda us: shown_time(us, zone)[7:],
            "may_link": lambda url: may_link(url, self._link_hosts()),
        }
        environment = self._environments[look.sees_numbers]
        return environment.get_template(template).render({**common, **context})


def _masked(value: object) -> object:
    """What a template puts out, for those who may not see numbers."""
    known = isinstance(value, Ours) or hasattr(value, "__html__")
    return mask_text(value) if isinstance(value, str) and not known else value


def _visible_masked(value: object, longest: int = 500, *, lines: bool = False) -> Markup:
    return visible(_masked(value), longest, lines=lines)


def address(path: str, query: dict[str, Any]) -> str:
    """A path with its query; what is None is left out."""
    said = urlencode([(name, value) for name, value in query.items() if value is not None])
    return f"{path}?{said}" if said else path


_OURS = ("before", "cursor", "page", "tz", "cols", "format", "columns")
"""Parameters of addresses that people don't fill in."""


def shown_address(path: str, query: dict[str, Any], sees_numbers: bool) -> Ours:
    """An address for a page; empty where somebody may not see it, as a number is in it."""
    if not sees_numbers:
        path_of_ours = path.startswith("/causes/")  # ids of issues
        texts = [
            *([] if path_of_ours else [path]),
            *query,
            *(str(value) for name, value in query.items() if name not in _OURS and value),
        ]
        if any(map(holds_number, texts)):
            return Ours()
    return Ours(address(path, query))


def call_address(call_sid: str, receipt: str, tz: str | None, sees_numbers: bool) -> Ours:
    """The address of a call's page: by one of its receipts where its SID may not be seen."""
    name = call_sid if sees_numbers or not holds_number(call_sid) else receipt
    return Ours(address(f"/calls/{quote(name, safe='')}", {"tz": tz}))


def _href(address: str, sees_numbers: bool) -> Markup:
    """The attribute of a link, with a blank before it; nothing where it would lead nowhere.

    That is an empty address, or a masked one.
    """
    masked = not sees_numbers and not isinstance(address, Ours) and holds_number(address)
    return Markup(' href="{}"').format(address) if address and not masked else Markup()


def cause_level(cause: str) -> str:
    """The class of a cause's chip."""
    try:
        return LEVELS[Cause(cause)]
    except ValueError:
        return "muted"


def shown_time(us: int | None, zone: ZoneInfo) -> str:
    """Unix microseconds as `25 Nov 18:06:08`; a dash where there is none."""
    moment = _moment(us)
    return "–" if moment is None else moment.astimezone(zone).strftime("%d %b %H:%M:%S")


def rfc3339(us: int | None) -> str:
    """The same in UTC, for machines."""
    moment = _moment(us)
    return "" if moment is None else moment.isoformat().replace("+00:00", "Z")


def both_times(us: int | None) -> str:
    """The same with its year, in IST and UTC, for those who point at it."""
    moment = _moment(us)
    if moment is None:
        return ""
    ist = moment.astimezone(_IST).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
    return f"{ist} IST · {moment.strftime('%Y-%m-%d %H:%M:%S.%f')[:-3]} UTC"


def _moment(us: int | None) -> datetime | None:
    if us is None:
        return None
    try:
        return datetime.fromtimestamp(us / 1_000_000, UTC)
    except (OverflowError, ValueError, OSError):  # a clock beyond every calendar
        return None


def thousands(number: float) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def percent(share: float | None) -> str:
    """A share as `12 %`, `0.4 %` below one; a dash where there is none."""
    if share is None:
        return "–"
    hundredths = 100 * share
    return f"{hundredths:.1f} %" if 0 < hundredths < 1 else f"{hundredths:.0f} %"


_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """A stretch of time in its greatest unit and the next: `42 s`, `3 min 5 s`, `2 h 5 min`."""
    whole = max(int(seconds), 0)
    for at, (size, unit) in enumerate(_SPANS):
        if whole >= size:
            rest = whole % size
            if at + 1 < len(_SPANS) and rest >= _SPANS[at + 1][0]:
                small, word = _SPANS[at + 1]
                return f"{whole // size} {unit} {rest // small} {word}"
            return f"{whole // size} {unit}"
    return f"{whole} s"


def bars(points: Sequence[int]) -> str:
    """Whole numbers as the path of bars up to 18 high on a line at 19, a unit for each."""
    most = max(points, default=0) or 1
    tall = [(at, max(18 * point / most, 2)) for at, point in enumerate(points) if point]
    return "".join(f"M{at}.1 19v-{height:.1f}h.8v{height:.1f}z" for at, height in tall)
