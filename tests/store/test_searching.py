"""Searching the store finds exactly what fits, page by page, however it looks for it."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kept_receipts import START_MS, Kept, fold, query, receipt
from patience import PATIENCE_S
from store.kinds import KINDS, Stores
from switchhook.errors import SearchError
from switchhook.journal.receipt import Late, OneCopy, RecordKind, encode
from switchhook.store import SqliteStore, buckets, found_count, searching
from switchhook.store.deadline import Deadline
from switchhook.store.postgresql import searching as in_postgresql
from switchhook.store.sqlite import searching as in_sqlite
from switchhook.store.tables import SeqRange
from switchhook.streams.names import Bot, Names
from switchhook.streams.search.query import Query, fits
from switchhook.streams.search.syntax import parse_query

NAMES = Names(
    bots=(Bot("Reception", hosts=("*.bot.example",)), Bot("Desk", exophones=("+918047112233",))),
    flows={"11754": "Sales line"},
    exophones={"+918047112233": "Front desk"},
)
REFUSED = "3009 dial tcp 10.0.0.1:50: connect: connection refused"


@pytest.fixture(scope="module")
def small_buckets():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "BITS", 3)
        yield


def requests():
    """Streams of many kinds; every seventh is told of again later."""
    found = []
    for n in range(120):
        status = ("completed", "failed", "in-progress", "Parked", "cancelled")[n % 5]
        more = {
            "StreamUrl": (f"wss://h{n % 7}.bot.example/x", "wss://plain.example", None)[n % 3],
            "Error": REFUSED if n % 5 == 1 and n % 2 else None,
            "DisconnectedBy": ("bot", "user")[n % 2],
            "Duration": str(n),
        }
        raw = query(f"c{n // 2}", f"s{n}" if n % 11 else None, status, **more)
        numbers = {
            0: f"CallFrom=0987650{n:04d}&CallTo=08047112233&Direction=incoming",
            1: f"CallFrom=08047112233&CallTo=0987650{n:04d}&Direction=outbound-dial",
            2: f"CallFrom=%2B1415555{n:04d}&CallTo=08047115566&Direction=incoming",
            3: "CallFrom=anonymous&CallTo=1860",
        }[n % 4]
        flow = f"&flow_id={11754 + n % 3}" if n % 2 else ""
        flow += f"&CustomField=Lead-{n % 9}" if n % 3 else f"&digits=%22{n % 5}%22"
        found.append(
            receipt(raw + f"&{numbers}{flow}".encode(), endpoint=("default", "sales")[n % 2])
        )
        if n % 7 == 0:
            found.append(receipt(query(f"c{n // 2}", f"s{n}", "completed", DisconnectedBy="user")))
        if n % 13 == 0:
            late = b"&CallFrom=09000012345&CallTo=08047112233&flow_id=77"
            found.append(receipt(query("late", f"L{n}", "in-progress")))
            found.append(receipt(query("late", f"L{n}", "completed") + late))
    return found


@pytest.fixture(scope="module", params=KINDS)
def store(request, tmp_path_factory, small_buckets):
    folder = tmp_path_factory.mktemp("searching")
    database = None if request.param == "sqlite" else request.getfixturevalue("postgresql")
    stores = Stores(folder, database)
    kept = Kept(folder / "journal")
    kept.keep(*requests())
    for seq in (3, 50, 51):
        kept.record(RecordKind.LATE, encode(Late(seq, 40)))
    for seq in (4, 50, 77):
        kept.record(RecordKind.ONE_COPY, encode(OneCopy(seq)))
    assert kept.writer.flush(PATIENCE_S)
    store = stores.new(kept.reader)
    fold(store, kept.reader, 17)
    yield store
    stores.close()
    kept.close()


@pytest.fixture(scope="module")
def everything(store):
    return store.search(Query(), NAMES, limit=10_000).rows


def pages(store, asked, limit):
    found, before = [], 2**63 - 1
    while True:
        page = store.search(asked, NAMES, before_seq=before, limit=limit)
        assert len(page.rows) <= limit
        found += page.rows
        if page.next is None:
            return found
        assert page.next < before
        before = page.next


SEARCHES = (
    "",
    "cause:connect_failed",
    "!cause:connect_failed",
    "is:failed",
    "!is:failed",
    "is:late",
    "!is:late",
    "is:late option:A",
    "is:one-copy",
    "!is:one_copy",
    "is:one_copy,late",
    "is:one_copy is:late",
    "is:one_copy option:A",
    "status:parked",
    "!status:parked",
    "status:completed,parked",
    "kind:refused",
    "bot:reception",
    "!bot:reception",
    "bot:desk",
    "bot:plain.example",
    "host:h1.*",
    "!host:*",
    "endpoint:sales option:A",
    "option:B",
    "from:98765",
    "from:09876500004",
    "from:*0004",
    "from:+1415",
    "from:415",
    "from:8047112233",
    "!from:98765",
    "to:8047112233",
    "to:98765",
    "to:*5566",
    "to:1860",
    "number:*2233",
    "number:98765,415",
    "number:9000012345",
    "from:9000012345",
    "exophone:8047112233",
    'exophone:"front desk"',
    "!exophone:8047*",
    "rule:default",
    'rule:"the stream went wrong" option:B',
    "!rule:default",
    "flow:11754",
    'flow:"sales line",11755',
    "flow:*",
    "!flow:11754",
    "flow:77",
    "custom_field:lead-7",
    "custom_field:LEAD-1,Lead-2 option:B",
    "custom_field:lead*",
    "!custom_field:lead-7",
    "digits:2",
    "digits:*",
    "is:withheld",
    "!is:withheld from:98765",
    "98765*",
    "to:5566",
    "from:0004",
    "on:2026-11-18",
    "call:c3",
    "call:c3,c4 stream:s7",
    "sid:c5",
    "sid:s10,c9",
    "!call:c3 from:98765",
    "duration>60",
    "duration>60 duration<=70",
    "error:refused",
    "!error:*",
    "name:bot",
    "from:8047 cause:connect_failed !bot:plain.example",
    "from:98765 to:8047",
)


@pytest.mark.parametrize("text", SEARCHES)
def test_a_search_finds_what_fits(store, everything, text):
    asked = parse_query(text, START_MS)
    assert not asked.problems
    expected = [row for row in everything if fits(asked, NAMES, row)]
    for limit in (1, 7, 1000):
        assert pages(store, asked, limit) == expected
    if text not in ("duration>60 duration<=70",):
        assert expected, "a search that finds nothing tries nothing"


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from([t for t in SEARCHES if t]), min_size=1, max_size=3),
    st.sampled_from(["", "since:2026-11-18T11:07:00Z", "until:2026-11-18T11:08:00Z"]),
    st.integers(1, 40),
)
def test_searches_together_find_what_fits_all(store, everything, texts, time, limit):
    asked = parse_query(" ".join([*texts, time]), START_MS)
    expected = [row for row in everything if fits(asked, NAMES, row)]
    assert pages(store, asked, limit) == expected


@pytest.mark.parametrize("text", [*SEARCHES, "since:2026-11-18T11:07:00Z is:failed", "until:now"])
@pytest.mark.parametrize("most", [3, 10_000])
def test_a_count_is_that_of_what_is_found(store, everything, monkeypatch, text, most):
    """Exact, or a floor; or none where streams are looked at one by one."""
    monkeypatch.setattr(found_count, "MOST_COUNTED", most)
    asked = parse_query(text, START_MS + 600_000)
    expected = sum(fits(asked, NAMES, row) for row in everything)
    count = store.search(asked, NAMES, limit=1, counted=True).count
    if count is None:
        assert asked.conditions
    elif count.more:
        assert count.count < expected
    else:
        assert count.count == expected


def test_what_facets_decide_is_always_counted(store):
    for text in ("", "option:B", "is:failed", "!cause:connect_failed since:2026-11-18", "bot:desk"):
        asked = parse_query(text, START_MS + 600_000)
        assert store.search(asked, NAMES, limit=1, counted=True).count is not None
        assert store.search(asked, NAMES, limit=1).count is None


def test_everything_is_found_newest_first_each_once(everything):
    seqs = [row.seq for row in everything]
    assert seqs == sorted(set(seqs), reverse=True)
    assert len(seqs) == 120 + 10 + 2  # two have no id at first, and one later


@pytest.mark.parametrize("most", [0, 300])
def test_however_many_facets_the_same_is_found(store, everything, monkeypatch, most):
    """By merging a few, or by going through all with a bound."""
    for engine in (in_sqlite, in_postgresql):
        monkeypatch.setattr(engine, "_MOST_MERGED", most)
        monkeypatch.setattr(engine, "_MOST_SCANNED", 25)
    monkeypatch.setattr(in_postgresql, "_SCANNED_AT_ONCE", 7)
    monkeypatch.setattr(in_postgresql, "_FIRST_CHUNK", 3)
    asked = parse_query("option:B", START_MS)
    expected = [row for row in everything if fits(asked, NAMES, row)]
    assert pages(store, asked, 5) == expected


def test_a_search_that_finds_little_stops_with_the_place_to_go_on_from(
    store, everything, monkeypatch
):
    monkeypatch.setattr(searching, "_MOST_READ", 20)
    asked = parse_query("duration:1", START_MS)
    page = store.search(asked, NAMES, limit=5)
    assert page.rows == []
    assert page.next is not None
    assert pages(store, asked, 5) == [row for row in everything if fits(asked, NAMES, row)]


def test_a_page_between_two_seqs(store, everything):
    asked = Query()
    found = store.search(asked, NAMES, after_seq=20, before_seq=40).rows
    assert found == [row for row in everything if 20 < row.seq < 40]
    assert store.search(asked, NAMES, limit=0).rows == []


def test_what_the_journal_lost_is_left_out_unless_its_story_was_kept(kept, stores):
    kept.keep(*(receipt(query(f"c{n}", f"s{n}")) for n in range(6)))

    class Forgetful:
        """The journal without its first records."""

        def __init__(self):
            self.gone = 0

        def __getattr__(self, name):
            return getattr(kept.reader, name)

        def get_many(self, seqs):
            return kept.reader.get_many([seq for seq in seqs if seq > self.gone])

    journal = Forgetful()
    store = stores.new(journal)
    fold(store, kept.reader)
    assert store.keep_stories(0, 3, limit=1) == 1
    assert store.keep_stories(1, 3, limit=5) is None
    journal.gone = 4
    assert [row.seq for row in store.search(Query(), NAMES).rows] == [6, 5, 2, 1]


class Ticking:
    """A clock of which each look takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.mark.parametrize("steps", [1, 1_000_000])
@pytest.mark.parametrize("text", ["", "error:x", "host:*.example", "from:98765", "flow:1*"])
def test_a_search_is_given_up_when_its_time_is_over(tmp_path, monkeypatch, text, steps):
    """In a statement as between them; the next search is answered on the same connection."""
    journal = Kept(tmp_path / "journal")
    store = SqliteStore(tmp_path / "store", journal.reader)
    try:
        store.open()
        journal.keep(*(receipt(query(f"c{n}", f"s{n}", "failed")) for n in range(30)))
        fold(store, journal.reader)
        asked = parse_query(text, 0)
        monkeypatch.setattr(in_sqlite, "_STEPS", steps)
        with store._reading() as connection:
            tables = in_sqlite.SqliteSearchTables(connection, journal.reader)

            def look(limit_s):
                deadline, span = Deadline(limit_s, Ticking()), SeqRange(1, 2**62)
                return searching.search(tables, journal.reader, asked, Names(), span, 100, deadline)

            with pytest.raises(SearchError, match=r"took longer than 0\.5 s"):
                look(0.5)
            look(1e9)
        assert store.search(asked, Names()).next is None
    finally:
        store.close()
        journal.close()
