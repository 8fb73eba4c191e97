"""The files of pages: kept for ever under their hashed names, asked again under plain ones."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette

from asgi_client import Client
from switchhook.web.assets import Assets


@pytest.fixture(scope="module")
def assets():
    return Assets()


@pytest.fixture(scope="module")
def client(assets):
    return Client(Starlette(routes=assets.routes()))


@pytest.mark.parametrize(
    "name", ["console.css", "console.js", "live.js", "mark.svg", "vendor/htmx.js",
             "vendor/sse.js", "vendor/uplot.js", "vendor/uplot.css"]
)  # fmt: skip
def test_every_file_of_the_frame_is_in_the_package(assets, client, name):
    reply = client.get(assets.address(name))
    assert reply.status_code == 200
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert assets.address(name) != f"/static/{name}"


def test_a_plain_name_is_asked_for_again(client):
    reply = client.get("/static/console.css")
    assert reply.headers["cache-control"] == "no-cache"
    again = client.get("/static/console.css", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.css", "../render.py", "vendor/versions.json", ""])
def test_nothing_else_is_served(client, name):
    assert client.get(f"/static/{name}").status_code == 404


def test_a_missing_file_still_has_an_address(tmp_path):
    """A checkout whose JavaScript was never built in: pages can be read without."""
    assert Assets(tmp_path).address("vendor/htmx.js") == "/static/vendor/htmx.js"
