"""The suite for an index of crashes: what is saved is found, in pages, facets, histograms and lists of signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.base import CrashStorageBase
from socorro_processor.errors import QueryError
from socorro_processor.fields import Field, FieldTable
from socorro_processor.search.base import CrashIndex, Sort, TopOrder
from socorro_processor.search.filters import Filter, read_filters
from socorro_processor.search.results import Neighbours

TABLE = FieldTable(
    [
        Field("album", "string", "public", "keyword", "album shown", annotations=("Album",)),
        Field("camera", "string", "protected", "keyword", "camera used", annotations=("Camera",)),
    ]
)
"""The table of fields of the indexes in these tests: the project's own, and two of an operator."""

OWN_FIELDS = (
    '[{"name": "album", "annotations": ["Album"], "access": "public", "doc": "album shown"},'
    ' {"name": "camera", "annotations": ["Camera"], "access": "protected", "doc": "camera used"}]'
)
"""The option ``own_fields`` that makes TABLE."""

DAY = date(2026, 11, 24)
NEXT = DAY + timedelta(days=1)

HOSTILE_VALUES: Mapping[str, Any] = {
    "a text of half a megabyte": "x" * 500_000,
    "NULs": "a\0b\0",
    "a lone surrogate": "\ud800 half",
    "what separates items": "\x1e\x1f\x1f",
    "an integer of 65 bits": 2**64,
    "an integer of 10,000 bits": 1 << 10_000,
    "not a number": float("nan"),
    "infinity": float("-inf"),
    "a list in lists": [[[[["deep"]]]]],
    "a list of 10,000": ["item"] * 10_000,
    "a list of odd things": [None, 1 << 20_000, {"a": 1}, float("inf"), "\udfff"],
    "an object": {"a": {"b": [{"c": "\0"}]}, "": "", "d" * 10_000: 1},
    "an empty text": "",
    "a boolean": True,
    "a date of the year 0": "0000-01-01",
    "the last moment": "9999-12-31T23:59:59.999999-14:00",
    "marks of SQL and of patterns": "'; DROP TABLE crash; -- %_\\*?",
}


class SearchSuite:
    """The tests of an index, and of the store that fills it.

    The subclass implements ``new_store`` and ``new_index``, and ``refresh`` if a search finds crashes only later.

        class TestMyIndex(SearchSuite):
            def new_store(self, directory):
                return MyStore(defaults(MyStore, directory=str(directory), own_fields=OWN_FIELDS))

            def new_index(self, directory):
                return MyIndex(directory, TABLE)

    Set ``has_protected`` to False if the store does not keep what the table of fields protects.
    """

    has_protected: ClassVar[bool] = True

    def new_store(self, directory: Path) -> CrashStorageBase:
        """Return an empty store. It may keep files in ``directory``, which does not exist yet."""
        raise NotImplementedError

    def new_index(self, directory: Path) -> CrashIndex:
        """Return the index of the store, with the fields of TABLE."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Make what was saved visible."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[CrashStorageBase]:
        with closing(self.new_store(tmp_path / "store")) as store:
            store.setup()
            yield store

    @pytest.fixture
    def index(self, store: CrashStorageBase, tmp_path: Path) -> Iterator[CrashIndex]:
        with closing(self.new_index(tmp_path / "store")) as index:
            yield index

    def save(self, store: CrashStorageBase, day: date = DAY, hour: int = 0, **fields: Any) -> str:
        """Save a crash of an hour of a day; return its id."""
        moment = datetime(day.year, day.month, day.day, hour, tzinfo=UTC).isoformat()
        crash_id = str(fields.pop("uuid", None) or new_crash_id(day))
        crash = {
            "processing": {"algorithm": 2026},
            "uuid": crash_id,
            "crash_id": crash_id,
            "submitted_timestamp": moment,
            "date_processed": moment,
            "product": "Lightbox",
            "version": "1.0",
            "signature": "render",
        }
        processed = {name: value for name, value in (crash | fields).items() if value is not None}
        store.save_raw_and_processed({}, {}, processed, crash_id)
        self.refresh()
        return crash_id

    @staticmethod
    def found(index: CrashIndex, *filters: str, protected: bool = False) -> set[str]:
        return {crash.crash_id for crash in index.find(read_filters(list(filters)), protected=protected).crashes}

    def test_an_empty_index_finds_nothing(self, index: CrashIndex) -> None:
        assert index.find().crashes == ()
        assert index.find().next is None
        assert index.count() == 0
        assert index.facets(["product"])[0].values == ()
        assert [day.crashes for day in index.histogram(DAY, NEXT)] == [0, 0]
        assert index.top(DAY, NEXT).signatures == ()
        assert index.top(DAY, NEXT).days == (0, 0)
        assert index.compare(DAY, NEXT, (), ()).signatures == ()
        assert index.choices(DAY, NEXT)["product"] == ()
        assert index.records("render") == ()

    def test_a_saved_crash_is_found_with_the_fields_that_were_asked_for(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(
            store, hour=5, uptime=60, startup_crash=True, addons=["a:1", "b:2"], album="Summer", user_comments="no"
        )
        names = ["product", "uptime", "startup_crash", "addons", "album", "date_processed", "hang", "signature"]
        (crash,) = index.find(fields=names).crashes
        assert crash.crash_id == crash_id
        assert dict(crash.fields) == {
            "product": "Lightbox",
            "uptime": 60,
            "startup_crash": True,
            "addons": ["a:1", "b:2"],
            "album": "Summer",
            "date_processed": datetime(2026, 11, 24, 5, tzinfo=UTC),
            "signature": "render",
        }

    @pytest.mark.parametrize(
        ("field", "value", "hits", "misses"),
        [
            ("product", "Lightbox", ["=Lightbox", "~ghtb", "~LIGHT", "^Light", "^light", "?"], ["=lightbox", "^box"]),
            ("reason", "100% sure_", ["=100% sure_", "~0% s", "^100%", "~e_"], ["=100", "~0_ s", "^1%"]),
            ("signature", "a::render", ["=a::render", "~render", "^a::", "?"], ["=render", "^render", "!?"]),
            ("proto_signature", "f | g<T>", ["=f | g<T>", "^f", "?"], ["=f", "!?"]),
            ("uptime", 60, ["=60", "<61", "<=60", ">=60", ">59", "?"], ["=61", "<60", ">60", "!?"]),
            ("uptime_ts", 0.5, ["=0.5", "<0.6", ">0"], ["=0", ">0.5"]),
            ("startup_crash", False, ["=false", "=0", "?"], ["=true", "!?"]),
            ("addons", ["one:1", "two:2"], ["=one:1", "=two:2", "~two", "^two", "?"], ["=one", "=one:1two:2"]),
            ("client_crash_date", "2026-11-23T10:30:00Z", ["=2026-11-23", ">=2026-11-23", "<2026-11-24",
             "<=2026-11-23", ">2026-11-22", "=2026-11-23T10:30:00"], ["=2026-11-24", ">2026-11-23", "<2026-11-23"]),
            ("album", "Summer 2016", ["=Summer 2016", "~2016", "^summer"], ["=Summer", "^2016"]),
        ],
    )  # fmt: skip
    def test_a_crash_is_found_by_the_operators_of_its_field(
        self, store: CrashStorageBase, index: CrashIndex, field: str, value: Any, hits: list[str], misses: list[str]
    ) -> None:
        crash_id = self.save(store, **{field: value})
        others: dict[str, Any] = {} if field == "product" else {"product": None}
        self.save(store, signature=None, **others)
        for condition in hits:
            expected = 2 if condition == "?" and field == "product" else 1
            assert crash_id in self.found(index, f"{field}{condition}"), condition
            assert field == "product" or len(self.found(index, f"{field}{condition}")) == expected, condition
        for condition in misses:
            assert crash_id not in self.found(index, f"{field}{condition}"), condition
            opposite = condition.removeprefix("!") if condition.startswith("!") else f"!{condition}"
            assert crash_id in self.found(index, f"{field}{opposite}"), condition

    def test_crashes_are_found_by_what_is_in_an_object(self, store: CrashStorageBase, index: CrashIndex) -> None:
        crash_id = self.save(store, classifications={"support": {"classification": "winsock", "data": None}})
        self.save(store, classifications={"skunk": {"classification": "winsock"}})
        assert self.found(index, "classifications.support.classification=winsock") == {crash_id}
        assert self.found(index, "classifications.support.classification?") == {crash_id}
        assert self.found(index, "classifications.support.classification=win") == set()
        assert self.found(index, "classifications.support.data?") == set()

    def test_crashes_are_found_by_function_and_module_of_their_stack(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(store, proto_signature="abort | render | main", modules_in_stack="libc.so.6/AB;app/CD")
        self.save(store, proto_signature="abort | main", modules_in_stack="libc.so.6/AB")
        assert self.found(index, "frame~render") == {crash_id}
        assert self.found(index, "module~app") == {crash_id}
        assert len(self.found(index, "module~libc.so.6")) == 2

    def test_a_crash_is_found_by_its_id_and_by_the_beginning_of_it(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(store)
        self.save(store, uuid=("0" if crash_id[0] != "0" else "1") + crash_id[1:])
        for condition in (f"uuid={crash_id}", f"crash_id={crash_id}", f"uuid^{crash_id[:13]}", f"uuid^{crash_id[0]}"):
            assert self.found(index, condition) == {crash_id}, condition
        assert self.found(index, f"uuid={crash_id[:-1]}") == set()
        assert self.found(index, "uuid=x' OR 1=1") == set()

    def test_all_filters_must_be_true_and_one_of_the_values_of_each(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        one = self.save(store, version="1.0", uptime=1)
        two = self.save(store, version="2.0", uptime=2)
        three = self.save(store, version="3.0", uptime=3)
        assert self.found(index, "version=1.0", "version=2.0") == {one, two}
        assert self.found(index, "version=1.0", "version=2.0", "uptime>1") == {two}
        assert self.found(index, "version!=1.0", "version!=2.0") == {three}
        assert self.found(index, "uptime>=1", "uptime<3") == {one, two}

    def test_the_opposite_of_a_filter_finds_crashes_without_the_field(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        gpu, none = self.save(store, process_type="gpu"), self.save(store)
        assert self.found(index, "process_type!=gpu") == {none}
        assert self.found(index, "process_type!=content") == {gpu, none}
        assert self.found(index, "process_type!?") == {none}

    def test_pages_have_each_crash_once_also_if_others_come_and_go_meanwhile(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_ids = [self.save(store, hour=hour % 3) for hour in range(9)]
        seen: list[str] = []
        after = None
        while True:
            page = index.find(limit=2, after=after)
            seen += [crash.crash_id for crash in page.crashes]
            assert len(page.crashes) <= 2
            if (after := page.next) is None:
                break
            self.save(store, NEXT)
        assert sorted(seen) == sorted(crash_ids)
        assert len(seen) == len(crash_ids)

    @pytest.mark.parametrize(
        ("field", "values"),
        [
            ("uptime", [1, 5, 9]),
            ("version", ["1.0", "2.0", "3.0"]),
            ("startup_crash", [False, True]),
            ("client_crash_date", ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"]),
            ("signature", ["a", "b", "c"]),
            ("minidump_sha256_hash", ["aa", "bb"]),
        ],
    )
    def test_crashes_are_sorted_by_a_field_those_without_it_last(
        self, store: CrashStorageBase, index: CrashIndex, field: str, values: list[Any]
    ) -> None:
        ordered = {place: self.save(store, **{field: values[place]}) for place in range(len(values))}
        without = self.save(store, **dict[str, Any]({field: None}))
        up = [ordered[place] for place in range(len(values))]
        for descending in (False, True):
            wanted = [*(up[::-1] if descending else up), without]
            sort = Sort(field, descending)
            assert [crash.crash_id for crash in index.find(sort=sort).crashes] == wanted
            seen: list[str] = []
            after = None
            while len(seen) <= len(wanted):
                page = index.find(sort=sort, limit=1, after=after)
                seen += [crash.crash_id for crash in page.crashes]
                if (after := page.next) is None:
                    break
            assert seen == wanted

    def test_many_threads_find_at_once(self, store: CrashStorageBase, index: CrashIndex) -> None:
        crash_ids = {self.save(store, hour=hour) for hour in range(20)}
        begin = Barrier(12)

        def find(_: int) -> list[set[str]]:
            begin.wait(60)
            return [{crash.crash_id for crash in index.find().crashes} for _ in range(10)]

        with ThreadPoolExecutor(begin.parties) as threads:
            found = [each for results in threads.map(find, range(begin.parties)) for each in results]
        assert found == [crash_ids] * len(found)

    def test_the_newest_come_first(self, store: CrashStorageBase, index: CrashIndex) -> None:
        crash_ids = [self.save(store, hour=1), self.save(store, NEXT), self.save(store, hour=3)]
        assert [crash.crash_id for crash in index.find().crashes] == [crash_ids[1], crash_ids[2], crash_ids[0]]
        assert list(index.crash_ids()) == [crash_ids[1], crash_ids[2], crash_ids[0]]

    def test_saving_twice_keeps_one_crash_the_newer_everywhere(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(store, signature="old", os_name="Linux", user_comments="first")
        for _ in range(2):
            self.save(store, uuid=crash_id, signature="new", os_name="Windows NT")
        assert index.count() == 1
        assert self.found(index, "signature=old") == set()
        assert self.found(index, "signature=new") == {crash_id}
        (top,) = index.top(DAY, DAY).signatures
        assert (top.signature, top.crashes, dict(top.systems)) == ("new", 1, {"Windows NT": 1})
        assert [value.value for value in index.facets(["os_name"])[0].values] == ["Windows NT"]
        assert index.histogram(DAY, DAY)[0].crashes == 1

    def test_a_removed_crash_is_gone_from_everything_but_the_record_of_its_signature(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(store)
        store.remove(crash_id)
        self.refresh()
        assert index.count() == 0
        assert index.top(DAY, DAY).crashes == 0
        assert index.facets(["product"])[0].values == ()
        assert [record.signature for record in index.records("render")] == ["render"]

    def test_facets_count_crashes_and_installations(self, store: CrashStorageBase, index: CrashIndex) -> None:
        for install_time, version in ((1, "1.0"), (1, "1.0"), (2, "1.0"), (2, "2.0"), (None, "2.0"), (None, None)):
            self.save(store, version=version, install_time=install_time, addons=["a:1", "b:2"][: install_time or 0])
        of_version, addons, uptime = index.facets(["version", "addons", "uptime"])
        assert [(each.value, each.crashes, each.installations) for each in of_version.values] == [
            ("1.0", 3, 2),
            ("2.0", 2, 1),
        ]
        assert of_version.missing == 1
        assert [(each.value, each.crashes, each.installations) for each in addons.values] == [
            ("a:1", 4, 2),
            ("b:2", 2, 1),
        ]
        assert (uptime.values, uptime.missing) == ((), 6)

    def test_facets_have_the_most_frequent_values_of_the_crashes_that_the_filters_find(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        for version, crashes in (("1", 1), ("2", 3), ("3", 2)):
            for number in range(crashes):
                self.save(store, version=version, address=f"0x{number}", startup_crash=number == 0)
        (by_version,) = index.facets(["version"], size=2)
        assert [(each.value, each.crashes) for each in by_version.values] == [("2", 3), ("3", 2)]
        (address, startup) = index.facets(["address", "startup_crash"], read_filters(["version=2", "version=3"]))
        assert [(each.value, each.crashes) for each in address.values] == [("0x0", 2), ("0x1", 2), ("0x2", 1)]
        assert [(each.value, each.crashes) for each in startup.values] == [(False, 3), (True, 2)]

    def test_a_histogram_has_every_day_and_splits_it_by_a_field(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        self.save(store, version="1.0", hour=23)
        self.save(store, version="2.0")
        self.save(store, version=None)
        self.save(store, NEXT + timedelta(days=1), version="2.0")
        days = index.histogram(DAY, NEXT + timedelta(days=1), by="version")
        assert [(day.day, day.crashes, dict(day.by)) for day in days] == [
            (DAY, 3, {"1.0": 1, "2.0": 1, None: 1}),
            (NEXT, 0, {}),
            (NEXT + timedelta(days=1), 1, {"2.0": 1}),
        ]
        assert [day.crashes for day in index.histogram(DAY, DAY, read_filters(["version=2.0"]))] == [1]

    @pytest.mark.parametrize("also", [(), ("uptime=7",)], ids=["by roll-ups", "by counting"])
    def test_top_signatures_are_ranked_now_and_before(
        self, store: CrashStorageBase, index: CrashIndex, also: tuple[str, ...]
    ) -> None:
        for day, signature, crashes in ((DAY, "a", 3), (DAY, "b", 1), (NEXT, "b", 2), (NEXT, "c", 2), (NEXT, "a", 1)):
            for number in range(crashes):
                system = "Linux" if number else "Mac OS X"
                self.save(store, day, hour=number, signature=signature, os_name=system, install_time=number, uptime=7)
        filters = read_filters(list(also))
        top = index.top(NEXT, NEXT, filters)
        assert (top.crashes, top.crashes_before, top.count) == (5, 4, 3)
        by_signature = {each.signature: each for each in top.signatures}
        assert {name: (each.rank, each.rank_before) for name, each in by_signature.items()} == {
            "b": (1, 2),
            "c": (1, None),
            "a": (3, 1),
        }
        assert top.signatures[-1].signature == "a"
        b = by_signature["b"]
        assert (b.crashes, b.crashes_before, b.share, b.share_before, b.installations) == (2, 1, 0.4, 0.25, 2)
        assert dict(b.systems) == {"Linux": 1, "Mac OS X": 1}
        assert b.first_seen == datetime(2026, 11, 24, tzinfo=UTC)
        assert b.last_seen == datetime(2026, 11, 25, 1, tzinfo=UTC)
        assert [each.days for each in index.top(DAY, NEXT, filters).signatures] == [(3, 1), (1, 2), (0, 2)]
        assert [each.rank for each in index.top(DAY, NEXT, filters, limit=1, offset=1).signatures] == [2]
        assert index.top(DAY, NEXT, filters).days == (4, 5)
        assert index.top(DAY, NEXT, [*filters, *read_filters(["os_name=Linux"])]).days == (2, 2)

    @pytest.mark.parametrize("also", [(), ("uptime=7",)], ids=["by roll-ups", "by counting"])
    def test_top_signatures_can_have_another_order(
        self, store: CrashStorageBase, index: CrashIndex, also: tuple[str, ...]
    ) -> None:
        for day, signature, crashes, installations in (
            (DAY, "many", 6, 1),
            (DAY, "more", 1, 1),
            (NEXT, "many", 6, 1),
            (NEXT, "wide", 3, 3),
            (NEXT, "more", 4, 2),
            (NEXT, None, 1, 1),
        ):
            for number in range(crashes):
                self.save(store, day, signature=signature, install_time=number % installations, uptime=7)
        filters = read_filters(list(also))
        ranks: dict[str | None, int] = {"many": 1, "more": 2, "wide": 3, None: 4}
        orders: dict[TopOrder, list[str | None]] = {
            "crashes": ["many", "more", "wide", None],
            "installations": ["wide", "more", "many", None],
            "difference": ["wide", "more", None, "many"],
        }
        for order, expected in orders.items():
            top = index.top(NEXT, NEXT, filters, order=order)
            assert [each.signature for each in top.signatures] == expected
            assert [each.rank for each in top.signatures] == [ranks[each] for each in expected]
            second = index.top(NEXT, NEXT, filters, order=order, limit=1, offset=1)
            assert [each.signature for each in second.signatures] == expected[1:2]

    def test_when_a_top_signature_was_seen_follows_the_product(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        self.save(store, DAY, product="Lightbox", version="1.0")
        self.save(store, NEXT, product="Frame", version="2.0")

        def seen(*filters: str) -> tuple[date, date]:
            (found,) = index.top(DAY, NEXT, read_filters(list(filters))).signatures
            assert found.first_seen
            assert found.last_seen
            return found.first_seen.date(), found.last_seen.date()

        assert seen() == seen("version?") == (DAY, NEXT)
        assert seen("product=Frame") == (NEXT, NEXT)
        assert seen("product!=Frame") == (DAY, NEXT)

    @pytest.mark.parametrize("also", [(), ("uptime=7",)], ids=["by roll-ups", "by counting"])
    def test_signatures_of_two_searches_are_compared(
        self, store: CrashStorageBase, index: CrashIndex, also: tuple[str, ...]
    ) -> None:
        saved: dict[str, dict[str | None, int]] = {
            "1.0": {"a": 3, "b": 1, None: 1},
            "2.0": {"b": 2, "c": 1},
            "3.0": {"d": 9},
        }
        for version, counts in saved.items():
            for signature, crashes in counts.items():
                for _ in range(crashes):
                    self.save(store, version=version, signature=signature, uptime=7)
        self.save(store, NEXT, version="1.0", signature="e", uptime=7)
        one, other = (read_filters([f"version={version}", *also]) for version in ("1.0", "2.0"))

        compared = index.compare(DAY, DAY, one, other)

        assert (compared.crashes, compared.other_crashes, compared.count) == (5, 3, 4)
        assert {each.signature: (each.crashes, each.other_crashes) for each in compared.signatures} == {
            "a": (3, 0),
            "b": (1, 2),
            "c": (0, 1),
            None: (1, 0),
        }
        # Of a signature that is listed for one search, the crashes in the other are known all the same.
        most = index.compare(DAY, DAY, one, other, limit=1)
        assert most.count == 4
        assert [(each.signature, each.crashes, each.other_crashes) for each in most.signatures] == [
            ("a", 3, 0),
            ("b", 1, 2),
        ]
        assert index.compare(NEXT, NEXT, other, other).signatures == ()

    @pytest.mark.parametrize("also", [(), ("uptime=7",)], ids=["by roll-ups", "by counting"])
    def test_choices_are_the_values_of_the_crashes_of_these_days(
        self, store: CrashStorageBase, index: CrashIndex, also: tuple[str, ...]
    ) -> None:
        for version in ("1.0", "2.0", "2.0"):
            self.save(store, version=version, release_channel="beta", os_name="Linux", uptime=7)
        self.save(store, product="Frame", version="9.9.9-with-a-name-longer-than-most", os_name="Windows NT", uptime=7)
        self.save(store, NEXT, product="Darkroom", version=None, uptime=7)
        filters = read_filters(list(also))
        assert index.choices(DAY, DAY, filters) == {
            "product": ("Lightbox", "Frame"),
            "version": ("2.0", "1.0", "9.9.9-with-a-name-longer-than-most"),
            "release_channel": ("beta",),
            "os_name": ("Linux", "Windows NT"),
        }
        assert index.choices(NEXT, NEXT, filters) == {
            "product": ("Darkroom",),
            "version": (),
            "release_channel": (),
            "os_name": (),
        }
        of_frame = index.choices(DAY, NEXT, [*filters, *read_filters(["product=Frame"])])
        assert of_frame["version"] == ("9.9.9-with-a-name-longer-than-most",)
        assert index.choices(DAY, DAY, filters, size=1)["version"] == ("2.0",)

    def test_top_signatures_follow_filters_by_every_dimension(self, store: CrashStorageBase, index: CrashIndex) -> None:
        self.save(store, signature="a", product="Lightbox", version="1.0", release_channel="beta", os_name="Linux")
        self.save(store, signature="b", product="Frame", version="2.1", release_channel="release")
        self.save(store, signature=None, product=None, version=None)
        expected: dict[str, list[str | None]] = {
            "product=Lightbox": ["a"],
            "product!=Lightbox": [None, "b"],
            "product!?": [None],
            "version^2.": ["b"],
            "version~0": ["a"],
            "release_channel=beta": ["a"],
            "release_channel?": ["a", "b"],
            "os_name=Linux": ["a"],
            "os_name!?": [None, "b"],
            "signature=a": ["a"],
            "signature!?": [None],
            "version=9": [],
        }
        for condition, signatures in expected.items():
            top = index.top(DAY, DAY, read_filters([condition]))
            assert sorted((each.signature for each in top.signatures), key=str) == sorted(signatures, key=str), (
                condition
            )

    @pytest.mark.parametrize("also", [(), ("uptime=7",)], ids=["by roll-ups", "by counting"])
    def test_a_signature_stands_where_the_list_of_all_has_it(
        self, store: CrashStorageBase, index: CrashIndex, also: tuple[str, ...]
    ) -> None:
        for day, signature, crashes in ((DAY, "a", 3), (NEXT, "b", 2), (NEXT, "c", 2), (NEXT, "a", 1), (NEXT, None, 3)):
            for number in range(crashes):
                version = "2.0" if number else "1.0"
                self.save(store, day, signature=signature, version=version, install_time=number % 2, uptime=7)
        filters = read_filters(list(also))
        a, b, c = (index.standing(signature, NEXT, NEXT, filters) for signature in "abc")
        assert (b.crashes, b.installations, b.rank, b.signatures, b.all_crashes) == (2, 2, 2, 4, 8)
        assert (a.rank, c.rank) == (4, 2)
        before = index.standing("b", DAY, DAY, filters)
        assert (before.crashes, before.installations, before.rank, before.all_crashes) == (0, 0, None, 3)
        of_version = index.standing("a", DAY, NEXT, (*filters, *read_filters(["version=2.0"])))
        assert (of_version.crashes, of_version.rank, of_version.all_crashes) == (2, 1, 6)
        assert index.standing("none", DAY, NEXT, filters).rank is None

    def test_the_newest_crashes_are_counted_by_fields_and_by_conditions(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        long = "a reason that is too long to be kept in the table of crashes"
        for hour, uptime, address, reason, install_time in (
            (0, 1, "0x9", "oldest", 9),
            (1, 70, "0x1", long, 1),
            (2, 3, None, "SIGABRT", 1),
            (3, 4, "0x1", "SIGABRT", 2),
            (4, 80, "0x2", long, None),
        ):
            self.save(
                store,
                hour=hour,
                uptime=uptime,
                address=address,
                reason=reason,
                install_time=install_time,
                addons=["a:1", "b:2"][: hour % 3],
                startup_crash=uptime < 4,
            )
        self.save(store, hour=5, signature="another", address="0x3")
        fields = ("address", "reason", "uptime", "addons", "startup_crash", "signature", "hang")
        found = index.newest(
            read_filters(["signature=render"]),
            fields=fields,
            conditions=[read_filters(["uptime<60", "uptime>3"]), read_filters(["startup_crash=true"]), ()],
            limit=4,
        )
        assert found.crashes == 4
        assert {facet.field: [(each.value, each.crashes) for each in facet.values] for facet in found.facets} == {
            "address": [("0x1", 2), ("0x2", 1)],
            "reason": [("SIGABRT", 2), (long, 2)],
            "uptime": [(3, 1), (4, 1), (70, 1), (80, 1)],
            "addons": [("a:1", 3), ("b:2", 1)],
            "startup_crash": [(False, 3), (True, 1)],
            "signature": [("render", 4)],
            "hang": [],
        }
        assert [facet.missing for facet in found.facets] == [1, 0, 0, 1, 0, 0, 4]
        assert found.fulfilling == (1, 1, 4)
        assert (found.known_installations, found.of_known_installations, found.most_of_one_installation) == (2, 3, 2)

    def test_the_newest_of_no_crashes_are_none(self, store: CrashStorageBase, index: CrashIndex) -> None:
        for found in (index.newest(fields=["version"]), index.newest(fields=["version"], limit=1)):
            assert (found.crashes, found.facets[0].values, found.facets[0].missing) == (0, (), 0)
            assert (found.known_installations, found.most_of_one_installation) == (0, 0)

    def test_the_newest_have_the_same_facets_as_all_if_there_are_no_more(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        for number in range(30):
            self.save(
                store,
                version=f"{number % 4}",
                address=f"0x{number % 7}",
                uptime=number % 5 or None,
                addons=["a:1", "b:2", "c:3"][: number % 3],
                install_time=number % 6 or None,
            )
        fields = ("version", "address", "uptime", "addons", "signature", "date_processed", "classifications")
        counted = index.newest(fields=fields, size=5, with_installations=True)
        assert counted.facets == index.facets(fields, size=5)
        without = index.newest(fields=fields, size=5)
        assert [(each.value, each.installations) for each in without.facets[0].values] == [
            (each.value, None) for each in counted.facets[0].values
        ]

    def test_a_crash_has_neighbours_among_those_that_the_filters_find(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        first, second, third = (self.save(store, hour=hour) for hour in (3, 5, 7))
        self.save(store, hour=4, signature="other")
        same = read_filters(["signature=render"])
        assert index.neighbours(second, same) == Neighbours(older=first, newer=third)
        assert index.neighbours(first, same) == Neighbours(older=None, newer=second)
        assert index.neighbours(third, same) == Neighbours(older=second, newer=None)
        assert index.neighbours(new_crash_id(DAY), same) == Neighbours()

    def test_crashes_of_the_same_moment_are_all_reached_from_neighbour_to_neighbour(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_ids = [self.save(store, hour=hour) for hour in (1, 2, 2, 2, 3)]
        reached = [crash_ids[0]]
        while newer := index.neighbours(reached[-1]).newer:
            assert index.neighbours(newer).older == reached[-1]
            reached.append(newer)
        assert sorted(reached) == sorted(crash_ids)

    def test_a_signature_has_a_record_by_product_that_stays(self, store: CrashStorageBase, index: CrashIndex) -> None:
        self.save(store, NEXT, product="Frame", version="3.0")
        last = self.save(store, NEXT, version="2.0")
        self.save(store, version="1.0")
        store.remove(last)
        self.refresh()
        records = {each.product: each for each in index.records("render")}
        assert set(records) == {"Lightbox", "Frame"}
        assert records["Lightbox"].first_version == "1.0"
        assert records["Lightbox"].first_seen == datetime(2026, 11, 24, tzinfo=UTC)
        assert records["Lightbox"].last_seen == datetime(2026, 11, 25, tzinfo=UTC)
        assert index.records("other") == ()

    def test_protected_fields_are_only_for_those_who_may_see_them(
        self, store: CrashStorageBase, index: CrashIndex
    ) -> None:
        crash_id = self.save(store, email="ann@example.com", camera="box")
        for ask in (
            lambda **options: index.find(read_filters(["email=ann@example.com"]), **options),
            lambda **options: index.count(read_filters(["camera!?"]), **options),
            lambda **options: index.find(fields=["email"], **options),
            lambda **options: index.find(sort=Sort("camera"), **options),
            lambda **options: index.facets(["camera"], **options),
            lambda **options: index.histogram(DAY, DAY, by="email", **options),
            lambda **options: index.top(DAY, DAY, read_filters(["email?"]), **options),
            lambda **options: index.compare(DAY, DAY, (), read_filters(["email?"]), **options),
            lambda **options: index.choices(DAY, DAY, read_filters(["email?"]), **options),
            lambda **options: index.standing("render", DAY, DAY, read_filters(["email?"]), **options),
            lambda **options: index.newest(read_filters(["email?"]), **options),
            lambda **options: index.newest(fields=["camera"], **options),
            lambda **options: index.newest(conditions=[read_filters(["camera?"])], **options),
        ):
            with pytest.raises(QueryError, match="it is protected"):
                ask()
            if self.has_protected:
                ask(protected=True)
        if self.has_protected:
            assert self.found(index, "email~ann@", "camera=box", protected=True) == {crash_id}
            (crash,) = index.find(fields=["email"], protected=True).crashes
            assert crash.fields == {"email": "ann@example.com"}

    @pytest.mark.parametrize("name", HOSTILE_VALUES)
    def test_hostile_values_are_cut_or_left_out_and_the_crash_is_found(
        self, store: CrashStorageBase, index: CrashIndex, name: str
    ) -> None:
        value = HOSTILE_VALUES[name]
        odd = {field: value for field in index.fields() if field not in ("uuid", "crash_id", "hang")}
        crash_id = self.save(store, hang="yes", **odd)
        assert crash_id in self.found(index, "hang=yes")
        shown = [field for field, each in index.fields().items() if not each.is_protected]
        (crash,) = index.find(fields=shown).crashes
        for field, found in crash.fields.items():
            texts = found if isinstance(found, list) else list(found.values()) if isinstance(found, dict) else [found]
            assert all(len(str(text)) <= 33_000 and "\0" not in str(text) for text in texts), field
            str(found).encode()
        for field in shown:
            index.facets([field])
            index.newest(fields=[field])
        index.histogram(DAY, DAY, by="reason")
        assert index.top(date(2026, 1, 1), date(2027, 1, 1)).crashes == 1

    def test_what_was_cut_is_found_by_its_whole_text(self, store: CrashStorageBase, index: CrashIndex) -> None:
        crash_id = self.save(store, signature="f" * 5000, release_channel="\ud800beta", user_comments=None)
        assert self.found(index, f"signature={'f' * 2000}") == {crash_id}
        assert len(index.records("f" * 5000)) == 1
        assert index.standing("f" * 5000, DAY, DAY).crashes == 1
        assert self.found(index, "signature^ffff") == {crash_id}
        assert self.found(index, "release_channel~beta") == {crash_id}

    @pytest.mark.parametrize(
        ("condition", "why"),
        [
            ("nothing=x", "there is no such field"),
            ("mdsw_stderr=x", "it is kept, but not searched"),
            ("product.x=y", "there is nothing inside it"),
            ("classifications=x", "name what is in it"),
            ("uptime=soon", "it is not a whole number"),
            ("uptime~6", "takes is, at least"),
            ("product<6", "takes is, contains"),
            ("startup_crash=perhaps", "it is not a boolean"),
            ("date_processed=yesterday", "it is not a date"),
            ("product=", "empty text"),
        ],
    )
    def test_what_cannot_be_searched_is_refused_with_the_reason(
        self, index: CrashIndex, condition: str, why: str
    ) -> None:
        with pytest.raises(QueryError, match=why):
            index.find(read_filters([condition]))
        with pytest.raises(QueryError, match=why):
            index.top(DAY, DAY, read_filters([condition]))

    def test_every_question_is_bounded(self, store: CrashStorageBase, index: CrashIndex) -> None:
        self.save(store)
        many = [Filter("product", "is", ("x",))] * 51
        for ask in (
            lambda: index.find(limit=1001),
            lambda: index.find(limit=0),
            lambda: index.find(many),
            lambda: index.count(many),
            lambda: index.facets(["product"] * 21),
            lambda: index.facets(["product"], size=1001),
            lambda: index.histogram(DAY, DAY + timedelta(days=5000)),
            lambda: index.histogram(NEXT, DAY),
            lambda: index.histogram(date.min, date.min),
            lambda: index.top(date.min, date.min),
            lambda: index.top(date.max, date.max),
            lambda: index.top(DAY, DAY, limit=1001),
            lambda: index.top(DAY, DAY, offset=-1),
            lambda: index.compare(NEXT, DAY, (), ()),
            lambda: index.compare(DAY, DAY, (), many),
            lambda: index.compare(DAY, DAY, (), (), limit=1001),
            lambda: index.choices(NEXT, DAY),
            lambda: index.choices(DAY, DAY, many),
            lambda: index.choices(DAY, DAY, size=1001),
            lambda: index.standing("render", NEXT, DAY),
            lambda: index.standing("render", DAY, DAY, many),
            lambda: index.newest(many),
            lambda: index.newest(conditions=[many]),
            lambda: index.newest(conditions=[()] * 21),
            lambda: index.newest(limit=50_001),
            lambda: index.newest(fields=["product"] * 21),
            lambda: index.newest(size=0),
            lambda: index.find(after="[]"),
            lambda: index.find(after='["date_processed", true, 1e400, 99999999999999999999999]'),
            lambda: index.find(after="x" * 100_000),
        ):
            with pytest.raises(QueryError):
                ask()

    def test_the_state_tells_how_many_crashes_there_are(self, store: CrashStorageBase, index: CrashIndex) -> None:
        self.save(store)
        state = index.state()
        assert (state.crashes, state.waiting) == (1, 0)
        assert state.place
