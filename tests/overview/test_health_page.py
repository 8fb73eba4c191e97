"""The page Health: each part names whose it is."""

from __future__ import annotations

import re
from html import unescape

from asgi_client import Client
from switchhook.overview.health import Memory, NodeHealth, NodesHealth, Said, health_of
from switchhook.overview.health_keeper import Health
from switchhook.overview.health_page import HealthPage
from switchhook.web.app import create_app
from switchhook.web.render import Renderer
from switchhook.web.sign_in.request_origin import FORWARDED_BY

NOW_MS = 1_795_000_000_000
LEFT = (
    "this node answers callers, yet it left the cluster on 2026-11-18 11:06 UTC: it never leads,"
    " and lets nobody in by admission (stop it, or take it back: `switchhook cluster join`)"
)
NODES = NodesHealth(
    "mumbai-1",
    (
        NodeHealth(2, "mumbai-2", away=False, seen_ago_s=0.5, problems=(LEFT,)),
        NodeHealth(3, "mumbai-3", away=True, seen_ago_s=75.0),
        NodeHealth(4, "mumbai-4", away=False, seen_ago_s=0.5),
    ),
)


def text_of(nodes, by=None, answers=True):
    """What the page says, without markup; `by` is the node that passed the request on."""
    said = Said(NOW_MS, "ok", (), "", 0, "1.4.0")
    answer = health_of("answer", said, Memory()) if answers else None
    health = Health(answer, health_of("console", said, Memory()))
    page = HealthPage(Renderer(), lambda: health, tuple, lambda: NOW_MS, lambda: nodes)
    inner = create_app([page])

    async def app(scope, receive, send):
        more = {} if by is None else {FORWARDED_BY: by}
        await inner({**scope, **more}, receive, send)

    found = Client(app, base_url="http://127.0.0.1").get("/health")
    assert found.status_code == 200
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found.text)).split())


def test_on_one_machine_no_node_is_named():
    said = text_of(None)
    assert "The answer side /healthz" in said
    assert "The console /healthz" in said
    assert "leads" not in said
    assert "The other nodes" not in said


def test_in_a_cluster_each_part_names_its_node():
    said = text_of(NODES)
    assert "mumbai-1 leads: first come its own programs" in said
    assert "The answer side of mumbai-1" in said
    assert "The console of mumbai-1" in said
    assert "You asked" not in said
    assert "The answer side of mumbai-1" in text_of(NODES, answers=False)


def test_who_asked_another_node_is_told_whose_it_is():
    assert "You asked mumbai-2 , which shows what the node that leads shows. mumbai-1 leads" in (
        text_of(NODES, by=2)
    )


def test_every_other_node_is_there_with_what_it_complains_of_and_what_that_means():
    said = text_of(NODES).partition("The other nodes")[2]
    assert "mumbai-2 not well just now this node answers callers, yet it left" in said
    assert "take it back: switchhook cluster join" in said
    assert "mumbai-3 away 1 min 15 s ago" in said
    assert "mumbai-4 well just now It complains of nothing." in said
