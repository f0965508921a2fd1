"""The bounds of a store: what goes, in which order, and all that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from socorro_processor.errors import TransientStorageError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.retention.bounds import Bounds
from socorro_processor.search.filters import Filter
from socorro_processor.search.sqlite.directory import IndexDirectory
from tests.retention_site import DUMP_SIZE, RetentionSite


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RetentionSite]:
    with RetentionSite(tmp_path) as site:
        yield site


def test_without_bounds_everything_stays_and_is_counted(site):
    crashes = {site.crash(1000), site.crash(1, "other"), site.crash(2, processed=False)}
    done = site.keep(Bounds())
    assert site.kept() == crashes
    assert (done.crashes, done.size) == (3, sum(map(site.size_of, crashes)))
    assert site.audit.lines == []


def test_a_store_that_does_not_exist_yet_has_nothing_to_bound(tmp_path):
    with RetentionSite(tmp_path) as site:
        for path in sorted(site.root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        site.root.rmdir()
        done = site.retention(Bounds(1, 1, 1)).run(site.now.timestamp())
        assert (done.crashes, done.size, site.root.exists()) == (0, 0, False)


def test_a_crash_goes_once_it_is_older_than_the_days_with_all_its_files_and_its_entry_in_the_index(site):
    old, young, waiting_long = site.crash(90.1), site.crash(89.9), site.crash(91, processed=False)
    site.keep(Bounds(days=90))
    assert site.kept() == site.indexed() == {young}
    assert site.files(old) == site.files(waiting_long) == []
    assert site.audit.lines == [("old crashes were removed", {"by_age": "2"})]


def test_a_crash_is_as_old_as_its_arrival_however_often_it_was_processed(site):
    again, restored = site.crash(100), site.crash(0, id_age=100)
    site.process(again, "main")
    site.keep(Bounds(days=90))
    assert site.kept() == {restored}


def test_a_crash_whose_id_is_dated_in_the_future_is_as_old_as_its_files(site):
    old = site.crash(100, id_age=-400)
    young = site.crash(1, id_age=-400)
    site.keep(Bounds(days=90))
    assert site.kept() == {young}
    assert old not in site.indexed()


def test_files_without_a_time_do_not_make_a_crash_old(site):
    crash = site.crash(1)
    for path in site.files(crash):
        os.utime(path, (0, 0))
    site.keep(Bounds(days=90))
    assert site.kept() == {crash}


def test_above_the_size_the_oldest_go_and_no_more_than_needed(site):
    crashes = [site.crash(age) for age in (5, 4, 3, 2, 1)]
    each = site.size_of(crashes[0])
    done = site.keep(Bounds(size=3 * each))
    assert site.kept() == site.indexed() == set(crashes[2:])
    assert (done.size, done.excess) == (3 * each, 0)
    assert site.keep(Bounds(size=3 * each)).removed == {}


def test_days_and_size_hold_together_whichever_comes_first(site):
    crashes = [site.crash(age) for age in (100, 95, 3, 2, 1)]
    each = site.size_of(crashes[0])
    done = site.keep(Bounds(days=90, size=2 * each))
    assert done.removed == {"age": 2, "bytes": 1}
    assert site.kept() == set(crashes[3:])


def test_a_product_above_its_size_loses_its_own_oldest_and_the_others_lose_none(site):
    noisy = [site.crash(age, product="Noisy") for age in (4, 3, 2, 1)]
    others = {site.crash(50, product=product) for product in ("Browser", "Mail")}
    each = site.size_of(noisy[0])
    done = site.keep(Bounds(size=100 * each, products={"Noisy": 2 * each}))
    assert site.kept() == {*noisy[2:], *others}
    assert done.removed == {"product": 2}


def test_the_star_bounds_each_product_that_is_not_named(site):
    browser = [site.crash(age, product="Browser") for age in (3, 2, 1)]
    mail = [site.crash(age, product="Mail") for age in (3, 2, 1)]
    chat = [site.crash(age, product="Chat") for age in (3, 2, 1)]
    each = site.size_of(browser[0])
    site.keep(Bounds(products={"*": each, "Mail": 0, "Chat": 2 * each}))
    assert site.kept() == {browser[-1], *mail, *chat[1:]}


def test_a_crash_that_was_never_processed_counts_for_the_product_that_it_names(site):
    deferred = [site.crash(age, product="Noisy", processed=False) for age in (3, 2, 1)]
    site.keep(Bounds(products={"Noisy": site.size_of(deferred[0])}))
    assert site.kept() == {deferred[-1]}


def test_only_the_newest_of_a_signature_keep_their_dumps_and_the_others_keep_all_else(site):
    crashes = [site.crash(age, "frequent") for age in (5, 4, 3, 2)]
    rare = site.crash(50, "rare")
    site.keep(Bounds(dumps=2))
    assert [site.parts(crash) for crash in crashes[:2]] == [
        {"raw_crash", "dump_names", "processed_crash", "dumps_removed"}
    ] * 2
    assert all({"dump", "log"} <= site.parts(crash) for crash in (*crashes[2:], rare))
    assert site.kept() == site.indexed() == {*crashes, rare}
    assert site.audit.lines == [("old crashes were removed", {"dumps_of": "2"})]


def test_the_store_says_when_and_why_dumps_were_removed(site):
    old, new = site.crash(2), site.crash(1)
    site.keep(Bounds(dumps=1))
    assert site.store.dumps_removed(old) == (
        "on 2026-06-15, because only those of a signature's newest crash are kept (retention.keep_dumps)"
    )
    assert site.store.dumps_removed(new) == ""


def test_a_crash_without_its_dumps_counts_with_what_is_left(site):
    crashes = [site.crash(age) for age in (3, 2, 1)]
    whole = site.size_of(crashes[0])
    done = site.keep(Bounds(dumps=1))
    assert done.size == sum(map(site.size_of, crashes)) < 3 * whole - 2 * DUMP_SIZE + 3 * 4096
    assert site.keep(Bounds(dumps=1)).dumps_removed == 0


def test_a_crash_that_has_no_signature_or_was_not_processed_keeps_its_dumps(site):
    crashes = [site.crash(age, None) for age in (4, 3)] + [site.crash(age, processed=False) for age in (2, 1)]
    site.keep(Bounds(dumps=1))
    assert all("dump" in site.parts(crash) for crash in crashes)


def test_a_crash_that_got_another_signature_counts_for_that_one(site):
    first, second = site.crash(3, "before"), site.crash(2, "after")
    site.keep(Bounds(dumps=1))
    assert "dump" in site.parts(first)
    site.process(first, "after")
    site.keep(Bounds(dumps=1))
    assert ["dump" in site.parts(crash) for crash in (first, second)] == [False, True]


def test_a_crash_that_the_index_has_only_later_is_counted_then(site):
    old, new = site.crash(2), site.crash(1)
    site.writer.remove(old)
    site.keep(Bounds(dumps=1))
    assert "dump" in site.parts(old)
    site.destination.index.save_processed(site.store.get_unredacted_processed(old))
    site.keep(Bounds(dumps=1))
    assert ["dump" in site.parts(crash) for crash in (old, new)] == [False, True]


def test_all_bounds_hold_together(site):
    old = site.crash(100)
    frequent = [site.crash(age, "frequent") for age in (9, 8, 7)]
    noisy = [site.crash(age, product="Noisy") for age in (6, 5)]
    newest = site.crash(1)
    each = site.size_of(old)
    done = site.keep(Bounds(days=90, size=4 * each, dumps=1, products={"Noisy": each}))
    assert done.removed == {"age": 1, "product": 1, "bytes": 1}
    assert site.kept() == {*frequent[1:], noisy[1], newest}
    assert ["dump" in site.parts(crash) for crash in frequent[1:]] == [False, True]
    assert done.size <= 4 * each


@pytest.mark.parametrize("state", ["waits", "in work", "parked"])
def test_a_crash_that_a_processor_or_an_operator_may_still_need_stays_whole(site, state):
    crash, other = site.crash(100), site.crash(99)
    site.queue.submit(crash)
    if state != "waits":
        delivery = next(delivery for delivery in site.queue.new_crashes() if delivery)
        site.queue.begin(delivery)
        if state == "parked":
            site.queue.park(delivery, "it failed")
    done = site.keep(Bounds(days=90, size=1, dumps=1, products={"*": 1}))
    assert site.kept() == {crash}
    assert "dump" in site.parts(crash)
    assert (done.size, done.excess) == (site.size_of(crash), site.size_of(crash) - 1)
    assert site.files(other) == []


def test_a_crash_that_is_still_in_the_spool_stays(site):
    spooled, other = site.crash(100, processed=False), site.crash(99)
    site.keep(Bounds(days=90), needed=lambda crash_ids: {spooled} & {*crash_ids})
    assert site.kept() == {spooled}
    assert site.files(other) == []


def test_the_record_of_a_signature_stays_when_its_crashes_go(site):
    site.crash(100, "gone for long")
    site.keep(Bounds(days=90))
    assert site.index.count([Filter("signature", "is", ("gone for long",))]) == 0
    (record,) = site.index.records("gone for long")
    assert record.first_seen.date() == (site.now - timedelta(days=100)).date()


def test_what_somebody_else_removed_is_counted_no_more(site):
    crash, other = site.crash(2), site.crash(1)
    site.keep(Bounds())
    site.destination.remove(crash)
    done = site.keep(Bounds())
    assert (done.crashes, done.size) == (1, site.size_of(other))


def test_a_store_whose_file_system_is_not_mounted_loses_nothing_and_is_not_forgotten(site):
    crash = site.crash(100)
    site.keep(Bounds())
    (site.root / "v1").rename(site.root / "elsewhere")
    with pytest.raises(TransientStorageError, match="mounted"):
        site.keep(Bounds(days=90))
    (site.root / "elsewhere").rename(site.root / "v1")
    assert site.kept() == {crash}


def test_without_a_search_index_days_and_size_hold(site):
    old, crashes = site.crash(100), [site.crash(age) for age in (3, 2, 1)]
    IndexDirectory(site.root / "search").mark_damaged("by a test")
    with pytest.raises(TransientStorageError):
        site.index.count()
    done = site.keep(Bounds(days=90, size=2 * site.size_of(old)))
    assert {crash_id for crash_id, _ in site.store.seen()} == set(crashes[1:])
    assert "search index" in done.problem


def test_what_the_index_could_not_remove_goes_from_it_once_it_can_be_written(site):
    old = site.crash(100)
    IndexDirectory(site.root / "search").mark_damaged("by a test")
    assert site.keep(Bounds(days=90)).problem
    assert site.files(old) == []
    (site.root / "search" / "damaged").unlink()
    assert site.indexed() == {old}
    assert site.keep(Bounds(days=90)).problem == ""
    assert site.indexed() == set()


def test_a_damaged_ledger_is_made_anew(site):
    old, young = site.crash(100), site.crash(1)
    site.keep(Bounds())
    for path in (site.root / "retention").glob("ledger*"):
        path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    done = site.keep(Bounds(days=90))
    assert (done.crashes, site.kept()) == (1, {young})
    assert site.files(old) == []


def test_what_was_removed_is_measured(site):
    before = METRICS.snapshot()
    site.crash(100), site.crash(2), site.crash(1)
    done = site.keep(Bounds(days=90, dumps=1))
    after = METRICS.snapshot()
    removed = after.counter("retention.removed", reason="age") - before.counter("retention.removed", reason="age")
    stripped = after.counter("retention.dumps_removed") - before.counter("retention.dumps_removed")
    assert (removed, stripped) == (1, 1)
    assert after.gauges["retention.bytes", ()] == done.size
    assert after.gauges["retention.crashes", ()] == 2
