"""Looking for numbers: not by those who may not see them, and not unnoted by the others."""

from __future__ import annotations

import pytest

from asgi_client import Client
from browser.world import OPERATOR, VIEWER, World
from patience import PATIENCE_S
from switchhook.access.roles import EVERYTHING, Role, Viewer
from switchhook.streams.search.numbers import NOTED_FOR_MS, NumberSearches, refuse_numbers
from switchhook.streams.search.query import Query
from switchhook.streams.search.syntax import parse_query
from switchhook.web.parameters import RefusedParameter

NOW = 1_800_000_000_000
PROBLEM = "your role may not look for numbers, nor by error or flow"
PIECES = [
    "from:98123",
    "number:*456",
    "0981234",
    "exophone:*47*",
    "name:8047",
    "!from:981234",
    "error:caller",
    "!error:*98*",
    "flow:Sales",
    "host:cust98*",
    "bot:*98*.example",
    "endpoint:*9*8*",
    "status:cust9876543210",
    "call:9876543210",
    "name:t98",
]


def asked(text: str) -> Query:
    return parse_query(text, NOW)


@pytest.fixture
def noted():
    return []


@pytest.fixture
def searches(noted):
    class Searches(NumberSearches):
        now = NOW

    made = Searches(noted.append, lambda: made.now)
    return made


@pytest.mark.parametrize("text", PIECES)
def test_a_viewer_looks_for_no_number(searches, noted, text):
    """A number that is masked can't be found digit by digit, in the API or on the page."""
    for refuse in (refuse_numbers, searches.in_api):
        with pytest.raises(RefusedParameter, match="your role may not look for numbers"):
            refuse(asked(text), VIEWER)
    left = searches.on_page(asked(f"cause:throttled {text}"), VIEWER)
    assert [each.key for each in left.conditions] == ["cause"]
    assert [each.problem for each in left.problems] == [PROBLEM]
    assert not noted


def test_an_operator_is_noted_once_a_while(searches, noted):
    """As by a reveal; without the number."""
    for _ in range(2):
        searches.in_api(asked("from:981234 cause:throttled"), OPERATOR)
        searches.on_page(asked("from:981234 cause:throttled"), OPERATOR)
    (deed,) = noted
    assert (deed.who, deed.what, deed.details) == (
        OPERATOR.name,
        "looked for a number",
        {"by": "from"},
    )
    searches.in_api(asked("from:981235"), OPERATOR)
    searches.now += NOTED_FOR_MS
    searches.in_api(asked("from:981235"), OPERATOR)
    assert len(noted) == 3


@pytest.mark.parametrize(
    "viewer",
    [
        Viewer("asha", Role.OPERATOR, "s", revealed=frozenset({EVERYTHING})),
        Viewer("this machine", Role.ADMINISTRATOR, "machine", open=True),
    ],
)
def test_who_sees_numbers_looks_for_them(searches, noted, viewer):
    """What is revealed was noted then."""
    searches.in_api(asked("from:981234"), viewer)
    assert searches.on_page(asked("from:981234"), viewer) == asked("from:981234")
    assert not noted


def test_what_cannot_be_noted_is_not_answered(noted):
    def fails(deed: object) -> None:
        raise OSError("the disk is full")

    searches = NumberSearches(fails, lambda: NOW)
    for _ in range(2):
        with pytest.raises(OSError, match="full"):
            searches.in_api(asked("from:981234"), OPERATOR)


def test_many_searches_take_little_memory(searches, noted):
    for number in range(1_500):
        searches.in_api(asked(f"from:98{number:04d}"), OPERATOR)
    assert len(noted) == 1_500
    assert len(searches._noted) == 1_000


def test_the_page_finds_no_number_for_a_viewer(tmp_path):
    world = World(tmp_path)
    try:
        world.tell("bot", number="09812345678")
        world.writer.flush(PATIENCE_S)
        world.folder.reach(world.reader.last_seq(), 10)
        client = Client(world.app(), follow_redirects=False)
        for viewer in (VIEWER, OPERATOR):
            world.viewer = viewer
            found = [client.get("/streams", params={"q": f"from:{n}"}).text for n in (981, 777)]
            told = ["No stream fits" in text for text in found]
            assert told == ([False, False] if viewer is VIEWER else [False, True])
            assert ("your role may not look" in found[0]) is (viewer is VIEWER)
        form = {"name": "VIP", "state": "q=from%3A0981234", "shared": "1"}
        assert client.post("/views", data=form).status_code == 409
        assert client.post("/views", data={**form, "shared": ""}).status_code == 303
    finally:
        world.close()
