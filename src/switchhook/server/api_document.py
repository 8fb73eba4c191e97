"""The OpenAPI document of the whole API: what each part of it says of its own addresses."""

from __future__ import annotations

from typing import Any

from switchhook.alerts import openapi as alert_openapi
from switchhook.callbacks import openapi as callbacks_api
from switchhook.calls import api as calls_api
from switchhook.calls import callback_page
from switchhook.capacity import api as capacity_api
from switchhook.cluster import api as nodes_api
from switchhook.flags import api as flags_api
from switchhook.overview import api as page_api
from switchhook.overview import verdict_api
from switchhook.releases import api as releases_api
from switchhook.releases import backtest_api, evidence_api
from switchhook.reports import vendor_page
from switchhook.retention import api as keep_api
from switchhook.retention import person_api
from switchhook.routes import admission_api
from switchhook.routes import api as routes_api
from switchhook.streams.openapi import (
    COUNTED,
    ENDPOINT_SCHEMAS,
    ENDPOINTS,
    OPERATIONS,
    SCHEMAS,
)
from switchhook.web.openapi import describe
from switchhook.web.sign_in import openapi as access_api

_PARTS = (
    *OPERATIONS,
    *COUNTED,
    *ENDPOINTS,
    *page_api.SHOWN,
    *capacity_api.OPERATIONS,
    *admission_api.OPERATIONS,
    *callbacks_api.OPERATIONS,
    *calls_api.OPERATIONS,
    *callback_page.OPERATIONS,
    *vendor_page.OPERATIONS,
    *keep_api.OPERATIONS,
    *access_api.OPERATIONS,
)
_SCHEMAS = (
    ENDPOINT_SCHEMAS,
    page_api.SHOWN_SCHEMAS,
    capacity_api.SCHEMAS,
    callbacks_api.SCHEMAS,
    calls_api.SCHEMAS,
    callback_page.SCHEMAS,
    vendor_page.SCHEMAS,
    keep_api.SCHEMAS,
    person_api.SCHEMAS,
    alert_openapi.SCHEMAS,
    admission_api.SCHEMAS,
    routes_api.SCHEMAS,
    releases_api.SCHEMAS,
    flags_api.SCHEMAS,
    nodes_api.SCHEMAS,
    backtest_api.SCHEMAS,
    evidence_api.SCHEMAS,
    verdict_api.SCHEMAS,
    access_api.SCHEMAS,
)
_PATHS = (
    alert_openapi.PATHS,
    callbacks_api.PATHS,
    routes_api.PATHS,
    releases_api.PATHS,
    flags_api.PATHS,
    nodes_api.PATHS,
    backtest_api.PATHS,
    evidence_api.PATHS,
    verdict_api.PATHS,
    access_api.PATHS,
    keep_api.PATHS,
    person_api.PATHS,
    page_api.SHOWN_PATHS,
)


def describe_all(version: str) -> dict[str, Any]:
    """Every address of the API, the live feed included, which never ends."""
    document = describe(version, _PARTS, SCHEMAS)
    for paths in _PATHS:
        for path, methods in paths.items():
            known = document["paths"].setdefault(path, {})
            assert not known.keys() & methods.keys(), "two parts describe the same address"
            known |= methods
    named = dict(document["components"]["schemas"])
    for schemas in _SCHEMAS:
        assert not named.keys() & schemas.keys(), "two parts describe the same name"
        named |= schemas
    return document | {"components": {"schemas": named}}
