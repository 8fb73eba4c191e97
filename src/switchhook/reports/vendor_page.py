"""The page of a vendor's report, and the same as files by the API. For operators, each noted."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.roles import Role
from switchhook.exotel.times import moment_of
from switchhook.reports.blame import MEANING, lead
from switchhook.reports.forms import FORMS, notes, report_json, talks_text, title, when_text
from switchhook.reports.vendor import LENGTHS_S
from switchhook.reports.vendor_queries import ReportSources, known_bots, vendor_report
from switchhook.reports.week import WEEK_HINT, stretch_of
from switchhook.web.endpoint import NO_STORE
from switchhook.web.json import encode_json, time_of
from switchhook.web.json_schema import COUNT, NUMBER, STRING, TEXT, TIME, WHOLE, list_of, object_of
from switchhook.web.openapi import Operation
from switchhook.web.parameters import (
    SINCE,
    TEXT_SCHEMA,
    UNTIL,
    Parameter,
    RefusedParameter,
    read_choice,
    read_filters,
    read_text,
)
from switchhook.web.render import ViewOptions, address, zone_named, zone_of, zone_word
from switchhook.web.sign_in.page_support import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from starlette.requests import Request

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.alerts.alert import Alert
    from switchhook.reports.vendor import VendorReport
    from switchhook.reports.week import Stretch
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.web.render import Renderer

REPORTED = "made a report for a vendor"
SHOWN = 20
"""Failures of a group that the page lists; files list all."""
ENDINGS = ("md", "html", "csv", "json")
MEDIA_TYPES = ("text/markdown", "text/html", "text/csv")


def _as_said(_parameter: Parameter, text: str, _now_ms: int) -> str:
    return text


PARAMETERS = {
    each.name: each
    for each in (
        Parameter("bot", "the bot, by its name or its host", TEXT_SCHEMA, read_text, required=True),
        Parameter("week", WEEK_HINT, {"type": "string", "default": "last"}, read_text),
        Parameter("since", SINCE.meaning, SINCE.schema, _as_said),
        Parameter("until", UNTIL.meaning, UNTIL.schema, _as_said),
        Parameter(
            "format",
            "the form of the file",
            {"type": "string", "enum": list(ENDINGS), "default": "json"},
            read_choice,
        ),
        Parameter(
            "tz",
            "the zone of weeks, days and times: ist, utc or an IANA name",
            {"type": "string", "default": "ist"},
            read_text,
        ),
    )
}
"""What `/api/v1/report` may be asked."""


class VendorReportPage:
    """`/report` and `/api/v1/report`. One report is made at a time; `note` keeps a deed."""

    def __init__(
        self,
        *,
        renderer: Renderer,
        store: Store,
        names: Callable[[], Names],
        alerts: Callable[[int, int], Iterable[Alert]],
        note: Callable[[Deed], object],
        now_ms: Callable[[], int],
        freshen: Callable[[], None],
    ) -> None:
        self._renderer = renderer
        self._store = store
        self._names = names
        self._alerts = alerts
        self._note = note
        self._now_ms = now_ms
        self._freshen = freshen
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="report")

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/report", self._page, methods=["GET"], name="report"),
            Route("/api/v1/report", self._file, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        viewer = require(request, Role.OPERATOR)
        return await self._in_thread(lambda: self._shown(request, viewer))

    def _shown(self, request: Request, viewer: Viewer) -> Response:
        said, zone, problem, report = request.query_params, zone_of(request), "", None
        names, bot = self._names(), said.get("bot", "")
        self._freshen()
        if bot:
            try:
                asked = {name: said.get(name, "").strip() for name in ("week", "since", "until")}
                report = self._made(viewer, bot, self._stretch(asked, zone), zone, "page")
            except RefusedParameter as error:
                problem = f"{error.parameter}: {error}; {error.hint}"
        context: dict[str, Any] = {
            "bots": known_bots(self._store, names),
            "bot": bot,
            "week": said.get("week", ""),
            "since": said.get("since", ""),
            "until": said.get("until", ""),
            "problem": problem,
            "report": report,
        }
        if report is not None:
            files = [(each, _file_address(report, each, zone)) for each in ENDINGS]
            context |= _report_context(report, zone) | {"files": files, "most": SHOWN}
        status = 400 if problem else 200
        return self._renderer.page(
            request, "report.html", context, status=status, sees_numbers=False
        )

    async def _file(self, request: Request) -> Response:
        viewer = require(request, Role.OPERATOR)
        pairs = request.query_params.multi_items()
        values = read_filters(pairs, self._now_ms(), PARAMETERS)
        if "bot" not in values:
            raise RefusedParameter("bot", "it is not said", "the bot's name or host")
        zone, ending = zone_named(values.get("tz", "ist")), values.get("format", "json")
        stretch = self._stretch(values, zone)

        def made() -> Response:
            self._freshen()
            report = self._made(viewer, values["bot"], stretch, zone, ending)
            if ending == "json":
                body, media_type = encode_json(report_json(report)), "application/json"
                return Response(body, headers=NO_STORE, media_type=media_type)
            body, media_type = self._written(report, ending, zone)
            name = file_name(report, ending)
            headers = NO_STORE | {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(body, headers=headers, media_type=media_type)

        return await self._in_thread(made)

    def _written(self, report: VendorReport, ending: str, zone: ZoneInfo) -> tuple[bytes, str]:
        if ending == "html":
            return report_html(self._renderer, report, zone), "text/html; charset=utf-8"
        form = FORMS[ending]
        return form.write(report, zone), form.media_type

    async def _in_thread(self, work: Callable[[], Response]) -> Response:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _stretch(self, said: dict[str, Any], zone: ZoneInfo) -> Stretch:
        week, since, until = (said.get(name, "") for name in ("week", "since", "until"))
        return stretch_of(week, since, until, self._now_ms(), zone)

    def _made(
        self, viewer: Viewer, bot: str, stretch: Stretch, zone: ZoneInfo, form: str
    ) -> VendorReport:
        when = when_of(stretch)
        self._note(deed_of(viewer, REPORTED, bot, form=form, numbers="masked", **when))
        sources = ReportSources(self._store, self._names(), self._alerts)
        return vendor_report(sources, bot, stretch, zone, self._now_ms())


def when_of(stretch: Stretch) -> dict[str, str]:
    """The time of a report, as addresses and the audit log name it."""
    if stretch.week:
        return {"week": stretch.week}
    return {
        "since": time_of(stretch.since_ms * 1000),
        "until": time_of(stretch.until_ms * 1000),
    }


def report_html(renderer: Renderer, report: VendorReport, zone: ZoneInfo) -> bytes:
    """The report as one file of HTML that loads nothing."""
    context = _report_context(report, zone) | {"report": report, "most": None}
    look = ViewOptions(sees_numbers=report.whole, zone=zone)
    return renderer.fragment("report_file.html", context, look).encode()


def _report_context(report: VendorReport, zone: ZoneInfo) -> dict[str, Any]:
    hours = [(f"{hour:02}:00", each) for hour, each in enumerate(report.hours) if each.streams]
    days = [
        (moment_of(each.at_ms * 1000).astimezone(zone).strftime("%a %d %b"), each)
        for each in report.days
    ]
    return {
        "when": lambda ms: when_text(ms * 1000, zone),
        "day_rows": days,
        "hour_rows": hours,
        "title": title(report),
        "notes": notes(report, zone),
        "lead": lead,
        "meanings": MEANING,
        "bounds": LENGTHS_S,
        "talks_text": talks_text,
    }


def file_name(report: VendorReport, ending: str) -> str:
    """What the file is called."""
    bot = re.sub(r"[^a-z0-9]+", "-", report.bot.lower()).strip("-")[:40] or "bot"
    return f"report-{bot}-{report.stretch.week or 'from-to'}.{ending}"


def _file_address(report: VendorReport, ending: str, zone: ZoneInfo) -> str:
    asked = {"bot": report.bot, **when_of(report.stretch)}
    return address("/api/v1/report", {**asked, "format": ending, "tz": zone_word(zone)})


# How the API describes it.

_SHARE = {
    "streams": COUNT,
    "judged": COUNT,
    "failed": COUNT,
    "failed_share": NUMBER,
}
_TALKS = object_of(
    known=COUNT,
    unknown=COUNT,
    shortest_s=WHOLE,
    half_s=WHOLE,
    nine_in_ten_s=WHOLE,
    longest_s=WHOLE,
    lengths=list_of(object_of(below_s=WHOLE, streams=COUNT)),
)
_BOOLEAN = {"type": "boolean"}
_FAILURE = object_of(
    at=TIME,
    call_sid=TEXT,
    sid=TEXT,
    number=TEXT,
    duration_s=WHOLE,
    host=TEXT,
    said=STRING,
    option=STRING,
    rule=STRING,
)
SCHEMAS = {
    "VendorReport": object_of(
        bot=STRING,
        owner=TEXT,
        hosts=list_of(object_of(host=STRING, streams=COUNT)),
        week=TEXT,
        since=TIME,
        until=TIME,
        zone=STRING,
        made_at=TIME,
        over=_BOOLEAN,
        kept_since=TIME,
        numbers={"type": "string", "enum": ["masked", "whole"]},
        calls=COUNT,
        streams=COUNT,
        without_host=COUNT,
        judged=COUNT,
        failed=COUNT,
        failed_share=NUMBER,
        causes={"type": "object", "additionalProperties": COUNT},
        whose=list_of(object_of(whose=STRING, certainty=STRING, streams=COUNT)),
        certainties={"type": "object", "additionalProperties": STRING},
        groups=list_of(
            object_of(
                cause=STRING,
                kind=TEXT,
                whose=STRING,
                certainty=STRING,
                why=STRING,
                streams=COUNT,
                failures=list_of(_FAILURE),
            )
        ),
        unlisted=COUNT,
        days=list_of(object_of(at=TIME, **_SHARE)),
        hours_of_day=list_of(object_of(hour=COUNT, **_SHARE)),
        each_hour=list_of(object_of(at=TIME, **_SHARE)),
        talks=_TALKS,
        left_early=_TALKS,
        first_sound=object_of(measured=_BOOLEAN, why=STRING),
        answered=list_of(
            object_of(endpoint=STRING, rule=STRING, option=STRING, leads_to=STRING, streams=COUNT)
        ),
        troubles=list_of(
            object_of(title=STRING, severity=STRING, since=TIME, ended=TIME, several_bots=_BOOLEAN)
        ),
    )
}
OPERATIONS = (
    Operation(
        "/api/v1/report",
        "report",
        "What became of a bot's streams in a week, for whoever runs it",
        "VendorReport",
        PARAMETERS,
        files=MEDIA_TYPES,
    ),
)
