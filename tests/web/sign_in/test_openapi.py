"""The API of access is as its part of the OpenAPI document says."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings

from switchhook.access.audit import Deed
from switchhook.streams.openapi import SCHEMAS as OTHERS
from switchhook.system.local_keys import link_token
from switchhook.web.openapi import describe
from switchhook.web.sign_in.openapi import OPERATIONS, PATHS, SCHEMAS
from web.sign_in.house import HERE, KEY


def test_it_is_as_described(house):
    """Whatever it is asked, on a log with something in it."""
    for number in range(5):
        house.kept.audit.note(Deed(who="asha", what="did", subject=str(number)), number)
    document = describe("0", OPERATIONS, {})
    document["paths"] |= PATHS
    assert not OTHERS.keys() & SCHEMAS.keys()
    schema = schemathesis.openapi.from_dict(
        document | {"components": {"schemas": OTHERS | SCHEMAS}}
    )
    schema.app = house.app
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        tried += 1

        @settings(max_examples=25, deadline=None, suppress_health_check=[*HealthCheck])
        @given(operation.as_strategy())
        def check(case):
            case.call_and_validate(
                headers={"Host": "127.0.0.1", "Authorization": f"Bearer {link_token(KEY)}"},
                base_url=HERE,
            )

        check()
    assert tried == 2
