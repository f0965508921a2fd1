"""The records that the manager of a symbol cache writes beside it."""

from __future__ import annotations

import pytest

from socorro_processor.symbol_cache.records import CacheRecords


def test_the_order_of_use_is_read_back_whatever_the_names(tmp_path):
    records = CacheRecords(tmp_path / "state")
    used = {"a/0/a.sym": 1.5, "b\nc/0/\udcff.sym": 2.25}
    records.save_order({"gone": 1.0}.items())
    records.save_order(used.items())
    assert records.order() == used
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["order"]


def test_a_leftover_of_a_killed_manager_is_overwritten_and_a_link_in_its_place_is_not_followed(tmp_path):
    records = CacheRecords(tmp_path)
    (tmp_path / ".order.writing").write_text("left by a killed manager")
    records.save_order({"a": 1.0}.items())
    (tmp_path / "precious").write_text("data")
    (tmp_path / ".order.writing").symlink_to("precious")
    with pytest.raises(OSError, match="symbolic links"):
        records.save_order({"b": 2.0}.items())
    assert (tmp_path / "precious").read_text() == "data"
    assert records.order() == {"a": 1.0}
