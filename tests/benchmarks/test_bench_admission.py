"""The simulation of admission: a law holds in one of its cells, and its callers all add up."""

import msgspec
import pytest

from benchmarks.admission import (
    LEAST_AVOIDED,
    METHODS,
    MOST_FEWER,
    NOTHING,
    OURS,
    Cell,
    Leased,
    Outcome,
    Traffic,
    calls_of,
    exact_count,
    no_admission,
    simulate,
    table,
    traffics,
)

SHORT = Traffic(hours=0.5, foreign=0.05)
SEED = 91


@pytest.fixture(scope="module")
def cell():
    """A twentieth of the streams is not ours, and a hundredth of the passthrus is lost."""
    wanted = (NOTHING, "exact count", "`active < allowed`", OURS)
    return Cell(SHORT, {name: simulate(SHORT, METHODS[name](), SEED) for name in wanted})


def test_nearly_all_throttles_are_avoided_and_few_callers_are_turned_away_for_it(cell):
    assert cell.avoided(OURS) >= LEAST_AVOIDED
    assert cell.fewer(OURS) <= MOST_FEWER
    assert cell.met(OURS)
    assert not cell.met("`active < allowed`")


def test_the_same_seed_brings_the_same_callers_to_every_method(cell):
    assert calls_of(SHORT, SEED) == calls_of(SHORT, SEED) != calls_of(SHORT, SEED + 1)
    assert len({(each.ours, each.foreign) for each in cell.outcomes.values()}) == 1
    assert simulate(SHORT, METHODS[OURS](), SEED) == cell.outcomes[OURS]


def test_nobody_is_counted_twice(cell):
    for outcome in cell.outcomes.values():
        assert outcome.served + outcome.throttled + outcome.refused <= outcome.ours
        assert outcome.foreign_throttled <= outcome.foreign
    assert cell.outcomes[NOTHING].refused == 0


def test_an_exact_count_of_what_is_all_ours_throttles_nobody():
    traffic = msgspec.structs.replace(SHORT, foreign=0.0, hours=0.2)
    assert simulate(traffic, exact_count(), SEED).throttled == 0
    assert simulate(traffic, no_admission(), SEED).throttled > 0


def test_where_every_passthru_is_lost_the_polls_alone_keep_the_line_going():
    """Nobody is told of an end; fewer streams than leases say so half a minute later."""
    traffic = msgspec.structs.replace(SHORT, lost=1.0)
    exact, nothing = (simulate(traffic, METHODS[name](), SEED) for name in ("exact count", NOTHING))
    found = simulate(traffic, Leased(signals=True), SEED)
    assert found.served > 0.8 * exact.served
    assert found.throttled < 0.2 * nothing.throttled


def test_the_table_has_a_line_for_each_traffic(cell):
    whole = {name: cell.outcomes.get(name, Outcome()) for name in METHODS}
    lines = table([Cell(SHORT, whole)])
    assert len(lines) == 3
    assert lines[2].startswith("| exponential, 3 s, 5% |")
    assert "**missed**" not in lines[2]
    missed = {**whole, OURS: whole[NOTHING]}
    assert "**missed**" in table([Cell(SHORT, missed)])[2]
    assert table([]) == []
    assert len(traffics(1.0)) == 12
