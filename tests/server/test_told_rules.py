"""What all nodes are told runs in each data folder; what is edited in one runs on all."""

from __future__ import annotations

import pytest

from config.test_live import World, rules
from switchhook.cluster import told
from switchhook.cluster.told import ToldCandidate, ToldRow, ToldText
from switchhook.config.kept_text import Candidate, hash_of
from switchhook.config.released import ReleasedRules
from switchhook.errors import DataFolderError
from switchhook.overview.health_checks import RELEASES
from switchhook.overview.health_messages import meaning_of
from switchhook.server.told_part import ConfigHash
from switchhook.server.told_rules import Follows, ToldRules, follows

SALES = "rules/sales"
TOPIC, BESIDE = told.topic_of_text(SALES), told.topic_of_candidate(SALES)
A, B, C = (f'[rule.{each}]\noption = "{each}"\nwhen = "true"\n' for each in "ABC")


@pytest.mark.parametrize(
    ("told_hash", "before", "runs", "then"),
    [
        ("a", None, None, Follows.PUT),
        ("a", None, "b", Follows.PUT),  # a folder that joins has what all have
        ("a", None, "a", Follows.NOTE),
        ("a", "a", "a", Follows.NOTHING),
        ("b", "a", "a", Follows.PUT),
        ("b", "a", "c", Follows.PUT),  # edited here while all were told something else
        ("a", "a", "c", Follows.OFFER),
        ("a", "a", None, Follows.NOTHING),  # one node's configuration names no rules any more
        ("b", "a", None, Follows.PUT),
    ],
)
def test_what_follows_from_what_is_told_and_what_runs(told_hash, before, runs, then):
    assert follows(told_hash, before, runs) is then


class Told:
    """The rows, and what was offered."""

    def __init__(self):
        self.rows, self.takes = {}, True

    def text(self, text, release=0, by="asha"):
        body = told.encode(ToldText(text, hash_of(text), by, "2026-11-29T10:00:00+00:00", release))
        self._put(TOPIC, body)

    def candidate(self, number, text, beside):
        found = ToldCandidate(number, hash_of(text), text, hash_of(beside))
        self._put(BESIDE, told.encode(found))

    def none_beside(self):
        self._put(BESIDE, b"")

    def _put(self, topic, body):
        before = self.rows.get(topic)
        self.rows[topic] = ToldRow(1 if before is None else before.version + 1, body)

    def offer(self, topic, version, body):
        assert self.rows[topic].version == version
        if self.takes:
            self._put(topic, body)
        return self.takes

    def runs(self):
        return told.read_text(self.rows[TOPIC].body)


@pytest.fixture
def rows():
    return Told()


def node(folder, name="node-1"):
    return ToldRules(folder, name, ConfigHash(folder).now)


def running(folder):
    found = ReleasedRules(folder).running(SALES)
    return None if found is None else (found.text, found.release)


def test_what_is_told_runs_and_what_is_edited_in_place_is_offered_to_all(tmp_path, rows):
    one, two = tmp_path / "one", tmp_path / "two"
    nodes = [node(one, "one"), node(two, "two")]
    rows.text(A, release=3)
    for each in nodes:
        each.settle(rows.rows, rows.offer)
    assert running(one) == running(two) == (A, 3)

    ReleasedRules(one).run(SALES, B, release=0, by="changed file")
    for each in nodes:
        each.settle(rows.rows, rows.offer)
    assert running(one) == running(two) == (B, 0)
    assert rows.runs().by == "changed file on one"
    assert nodes[0].runs().rules == nodes[1].runs().rules == {"sales": hash_of(B)}

    for each in nodes:  # and nothing more
        each.settle(rows.rows, lambda *_: pytest.fail("nothing changed"))


def test_whose_edit_runs_is_said_where_the_own_file_holds_something_else(tmp_path, rows):
    """Nothing was undone: another node's file was put in its place."""
    world = World(tmp_path)
    keeper, _ = world.start()
    two = node(keeper.data_folder, "two")
    rows.text(rules("two"), by="changed file on one")
    two.settle(rows.rows, rows.offer)
    settings, _ = keeper.poll()
    said = (
        f"{world.sales} holds other rules than all nodes run, which came by a changed file on one"
    )
    (complaint,) = settings.complaints
    assert complaint.startswith(f"rules of endpoint sales: {said}; those of ")
    assert meaning_of(complaint).check is RELEASES


def test_a_node_that_joins_or_was_away_has_what_all_have(tmp_path, rows):
    ReleasedRules(tmp_path).run(SALES, C, release=0, by="changed file")
    rows.text(A, release=3)
    node(tmp_path).settle(rows.rows, lambda *_: pytest.fail("it is told, and not asked"))
    assert running(tmp_path) == (A, 3)
    rows.text(B, release=4)
    ReleasedRules(tmp_path).run(SALES, C, release=0, by="changed file")
    node(tmp_path).settle(rows.rows, lambda *_: pytest.fail("all were told something since"))
    assert running(tmp_path) == (B, 4)


def test_what_was_edited_while_the_program_was_down_is_offered_too(tmp_path, rows):
    rows.text(A)
    node(tmp_path).settle(rows.rows, rows.offer)
    ReleasedRules(tmp_path).run(SALES, B, release=0, by="changed file")
    node(tmp_path).settle(rows.rows, rows.offer)
    assert rows.runs().text == B


def test_an_offer_that_came_too_late_is_overruled(tmp_path, rows):
    at = node(tmp_path)
    rows.text(A)
    at.settle(rows.rows, rows.offer)
    ReleasedRules(tmp_path).run(SALES, B, release=0, by="changed file")
    rows.takes = False
    at.settle(rows.rows, rows.offer)
    assert running(tmp_path) == (B, 0)
    rows.text(C, release=5)
    at.settle(rows.rows, rows.offer)
    assert running(tmp_path) == (C, 5)


def test_a_candidate_stands_beside_what_it_was_proposed_for_alone(tmp_path, rows):
    at, released = node(tmp_path), ReleasedRules(tmp_path)
    rows.text(A)
    rows.candidate(7, B, beside=C)
    at.settle(rows.rows, rows.offer)
    assert released.candidate(SALES) is None
    rows.candidate(7, B, beside=A)
    at.settle(rows.rows, rows.offer)
    assert released.candidate(SALES) == Candidate(7, hash_of(B), B, hash_of(A))
    rows.none_beside()
    at.settle(rows.rows, rows.offer)
    assert released.candidate(SALES) is None


def test_a_candidate_that_nobody_was_told_of_yet_stays(tmp_path, rows):
    """The first leader may not have come to tell it."""
    released = ReleasedRules(tmp_path)
    released.run(SALES, A, release=1, by="asha")
    released.propose(SALES, Candidate(7, hash_of(B), B))
    rows.text(A)
    node(tmp_path).settle(rows.rows, rows.offer)
    assert released.candidate(SALES) is not None


def test_a_damaged_candidate_is_put_right(tmp_path, rows):
    at, released = node(tmp_path), ReleasedRules(tmp_path)
    rows.text(A)
    rows.candidate(7, B, beside=A)
    at.settle(rows.rows, rows.offer)
    (file,) = (tmp_path / "kept").glob("candidate-*")
    file.write_bytes(b"{}")
    at.settle(rows.rows, rows.offer)
    assert released.candidate(SALES) == Candidate(7, hash_of(B), B, hash_of(A))


def test_what_was_told_by_another_release_is_named(tmp_path, rows):
    at = node(tmp_path)
    rows.rows[TOPIC] = ToldRow(1, b'{"of": 2}')
    at.settle(rows.rows, rows.offer)
    assert at.problems == (
        "what all nodes run of the rules of sales is of another release; run one release on all"
        " nodes",
    )
    rows.text(A)
    at.settle(rows.rows, rows.offer)
    assert at.problems == ()


def test_a_folder_that_cannot_be_written_says_so(tmp_path, rows):
    (tmp_path / "kept").write_bytes(b"no folder")
    rows.text(A)
    with pytest.raises(DataFolderError):
        node(tmp_path).settle(rows.rows, rows.offer)


def test_nodes_have_their_configuration_in_common_but_not_where_they_listen(tmp_path):
    hashes = []
    for number, text in enumerate((A, A, B)):
        folder = tmp_path / str(number)
        folder.mkdir()
        world = World(folder)
        listen = f'[answer]\nlisten = "127.0.0.1:{8000 + number}"\n'
        endpoint = "[endpoints.sales]\n" + ("" if text is A else 'safe_option = "A"\n')
        world.config.write_text(listen + endpoint)
        world.start()
        hashes.append(ConfigHash(world.data).now())
    assert hashes[0] == hashes[1] != ""
    assert hashes[2] not in ("", hashes[0])
