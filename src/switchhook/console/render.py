"""From templates to responses: escaped, with the security headers, masked by role, in one zone.

What a template gets besides its own context: `viewer`, `zone` (ist, utc or an IANA name), `path`,
`verdict`, and the filters below. Every page extends `base.html`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse

from switchhook.access import Role, Viewer, masked, masked_text

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

IST = ZoneInfo("Asia/Kolkata")
OPEN = Viewer("this machine", Role.ADMINISTRATOR, open=True)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def viewer_of(request: Request) -> Viewer:
    """Who asks; the access middleware put it there."""
    viewer: Viewer = request.scope.get("viewer", OPEN)
    return viewer


def zone_of(request: Request) -> ZoneInfo:
    """The zone in which times are shown: the address's `tz`, else IST."""
    said = request.query_params.get("tz", "ist")
    if said.lower() in ("ist", "utc"):
        return IST if said.lower() == "ist" else ZoneInfo("UTC")
    try:
        return ZoneInfo(said)
    except (ValueError, KeyError, OSError):
        return IST


class Renderer:
    """Makes pages. `verdict` gives the first line of every page."""

    def __init__(self, verdict: Callable[[], object] = lambda: None) -> None:
        self._verdict = verdict
        self.environment = Environment(
            loader=PackageLoader("switchhook.console"),
            autoescape=select_autoescape(default=True, default_for_string=True),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(
        self,
        request: Request,
        template: str,
        context: dict[str, Any],
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """A whole page, or a fragment of one where the template is a fragment."""
        text = self.text(request, template, context)
        return HTMLResponse(text, status, headers=PAGE_HEADERS | (headers or {}))

    def text(self, request: Request, template: str, context: dict[str, Any]) -> str:
        """The same as text."""
        viewer, zone = viewer_of(request), zone_of(request)
        common = {
            "viewer": viewer,
            "path": request.url.path,
            "verdict": self._verdict(),
            "zone": zone.key,
            "number": (lambda n: n) if viewer.sees_numbers else masked,
            "shown": (lambda t: t) if viewer.sees_numbers else masked_text,
            "time": lambda us: shown_time(us, zone),
            "csrf": request.scope.get("csrf", ""),
        }
        return self.environment.get_template(template).render({**common, **context})


def shown_time(us: int | None, zone: ZoneInfo) -> str:
    """Unix microseconds as `25 Nov 18:06:08`; a dash where there is none."""
    if us is None:
        return "–"
    moment = datetime.fromtimestamp(us / 1_000_000, UTC).astimezone(zone)
    return moment.strftime("%d %b %H:%M:%S")
