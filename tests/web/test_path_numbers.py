"""Numbers in paths are those that a database can have; all others are nobody's."""

from __future__ import annotations

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asgi_client import Client
from switchhook.web.app import create_app


class Page:
    def routes(self):
        return [
            Route(
                "/of/{id:number}",
                lambda request: PlainTextResponse(repr(request.path_params["id"])),
            )
        ]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("0", 200, "0"),
        ("12", 200, "12"),
        ("9" * 18, 200, "9" * 18),
        ("1" + "0" * 18, 404, None),
        ("147868634624930373752061952", 404, None),
        ("-1", 404, None),
        ("1.5", 404, None),
        ("٣", 404, None),
    ],
)
def test_a_number_of_a_path(path, status, text):
    client = Client(create_app([Page()]), base_url="http://127.0.0.1")
    answer = client.get(f"/of/{path}")
    assert answer.status_code == status
    assert text in (None, answer.text)
