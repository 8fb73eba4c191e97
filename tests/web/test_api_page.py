"""The page of the API, without a browser; tests/browser/test_api_page.py sends its forms."""

from __future__ import annotations

import re

from starlette.applications import Starlette

from asgi_client import Client
from switchhook.server.api_document import describe_all
from switchhook.web.api_page import PATH, ApiPage
from switchhook.web.render import Renderer

DOCUMENT = describe_all("1.2.3")


def page():
    asked = []

    def document():
        asked.append(1)
        return DOCUMENT

    client = Client(Starlette(routes=ApiPage(Renderer(), document).routes()))
    return [client.get(PATH), client.get(PATH)], asked


def test_it_has_every_address_and_is_made_once():
    (first, again), asked = page()
    assert (first.status_code, len(asked)) == (200, 1)
    assert again.text.count("<details") == first.text.count("<details")
    for path, methods in DOCUMENT["paths"].items():
        for method, said in methods.items():
            assert f'id="ask-{said["operationId"]}"' in first.text
            assert f'data-try="{method.upper()}" data-path="{path}"' in first.text


def test_what_stands_between_backticks_is_code():
    (reply, _), _asked = page()
    assert "<code><bdi>next</bdi></code><bdi> of the page before</bdi>" in reply.text
    assert "`" not in reply.text


def test_nothing_of_it_has_the_name_of_something_else():
    """An operation may be called as a part of every page is, such as `verdict`."""
    (reply, _), _asked = page()
    ids = re.findall(r'\sid="([^"]+)"', reply.text)
    assert len(ids) > 100
    assert [each for each in ids if ids.count(each) > 1] == []


def test_it_is_a_page_under_the_policy_of_all_others():
    (reply, _), _asked = page()
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert not re.search(r"""\s(?:style|on\w+)=|<script(?! src="/static/)""", reply.text)
    assert "://" not in re.sub(r"http://www\.w3\.org/\S+", "", reply.text)
