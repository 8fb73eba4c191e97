"""How pools stand, in a file: what was written is read back, and what is damaged is nothing."""

from __future__ import annotations

import pytest

from routes.pools import NOW, SALES
from switchhook.routes.routes_file import FILE, RoutesFile, WrittenRoutes, read_routes
from switchhook.routes.view import LIVES_MS, RoutesView, pool_view


def written(tmp_path):
    pool = pool_view(SALES, (), {}, {"sales": SALES}, NOW)
    found = WrittenRoutes(RoutesView(made_ms=NOW, pools=(pool,)), (("sales", "vendor-a"),))
    RoutesFile(tmp_path).write(found)
    return found


def test_what_was_written_is_read_back(tmp_path):
    found = written(tmp_path)
    assert read_routes(tmp_path) == found


def test_it_is_readable_by_its_owner_alone(tmp_path):
    written(tmp_path)
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("body", [b"", b"{}", b"no json", b"[" * 100_000])
def test_what_cannot_be_read_is_nothing(tmp_path, body):
    (tmp_path / FILE).write_bytes(body)
    assert read_routes(tmp_path) is None


def test_a_flipped_bit_is_noticed(tmp_path):
    written(tmp_path)
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes().replace(b"vendor-a", b"vendor-q", 1))
    assert read_routes(tmp_path) is None


def test_it_tells_how_things_are_for_half_a_minute(tmp_path):
    view = written(tmp_path).view
    assert view.fresh(NOW + LIVES_MS)
    assert not view.fresh(NOW + LIVES_MS + 1)
