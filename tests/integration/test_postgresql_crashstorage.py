"""PostgreSQLCrashStorage on a real server: what it saves, whatever strangers sent, and how it fails."""

from __future__ import annotations

import copy
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socorro_processor.cli.main import main
from socorro_processor.configuration import class_name
from socorro_processor.crash_id import crash_date, new_crash_id
from socorro_processor.crashstorage.missed_symbols import MissedModule, most_missed
from socorro_processor.crashstorage.postgresql import columns
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.postgresql.partitions import TABLES
from socorro_processor.errors import CrashIDNotFound, InvalidCrashID, PermanentStorageError, TransientStorageError
from socorro_processor.monitoring.metrics import METRICS
from socorro_processor.testing import JSONStoreSuite
from socorro_processor.testing.stores import INVALID_CRASH_IDS
from tests.integration.postgresql_database import SERVER, USER, new_database, new_role

DAY = date(2016, 11, 23)
EVERYTHING = (*TABLES, "plugins")
XUL = ["xul.pdb", "83CF4DC03621B778E931FC713889E8F10", "xul.dll", None]
NTDLL = ["ntdll.pdb", "C5B5651B46B7612E118339D19A6E66360", "ntdll.dll", "5b8"]


@pytest.fixture(scope="module")
def database():
    with new_database() as database:
        with closing(database.store()) as store:
            store.setup()
        yield database


@pytest.fixture
def store(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store


@pytest.fixture
def crash_id():
    return new_crash_id(DAY)


def report(crash_id: str, **fields: Any) -> dict[str, Any]:
    return {"uuid": crash_id, "date_processed": "2016-11-23T12:00:00+00:00", **fields}


def plugin(crash_id: str, filename: Any, name: Any, version: Any = "1.0") -> dict[str, Any]:
    fields = {"PluginFilename": filename, "PluginName": name, "PluginVersion": version}
    return report(crash_id, process_type="plugin", **fields)


def missing(crash_id: str, *rows: list[Any]) -> dict[str, Any]:
    return report(crash_id, processing={"missing_symbols": list(rows)})


def save(store, processed_crash: dict[str, Any], **annotations: Any) -> None:
    store.save_raw_and_processed(annotations, {}, processed_crash, processed_crash["uuid"])


class TestContract(JSONStoreSuite):
    @pytest.fixture
    def store(self, store):
        return store


class TestWhatIsSaved:
    def test_a_report_has_a_column_for_each_field(self, store, database, crash_id):
        noon = datetime(2016, 11, 23, 12, tzinfo=UTC)
        texts = [name for name, converter in columns.REPORT.items() if converter.__qualname__.startswith("text")]
        fields = {name: f"of {name}"[:16] for name in texts}
        fields |= {"install_age": 2**63 - 1, "last_crash": -(2**63), "uptime": 0}
        fields |= {"success": True, "truncated": False, "addons_checked": True}
        moments = ("client_crash_date", "date_processed", "started_datetime", "completed_datetime")
        save(store, {"uuid": crash_id, **fields, **dict.fromkeys(moments, noon.isoformat())})

        row = database.row("reports", crash_id)
        assert row.pop("partition") == "reports_20161121"
        assert row == {"uuid": crash_id, "crash_date": DAY, "fields": None, **fields, **dict.fromkeys(moments, noon)}
        assert len(row) == 38

    @pytest.mark.parametrize(
        ("column", "length"),
        [
            ("address", 20),
            ("app_notes", 1024),
            ("build", 30),
            ("cpu_info", 100),
            ("cpu_name", 100),
            ("distributor", 20),
            ("distributor_version", 20),
            ("email", 100),
            ("os_name", 100),
            ("os_version", 100),
            ("product", 30),
            ("reason", 255),
            ("signature", 255),
            ("user_comments", 1024),
            ("user_id", 50),
            ("url", 255),
            ("version", 16),
        ],
    )
    @pytest.mark.parametrize("character", ["x", "\U0001f600"])
    def test_a_text_is_cut_to_its_length_in_characters(self, store, database, crash_id, column, length, character):
        text = character * (length + 1)
        save(store, report(crash_id, **{column: text}))

        assert database.row("reports", crash_id)[column] == text[:length]
        assert store.get_unredacted_processed(crash_id)[column] == text

    @pytest.mark.parametrize(
        "column",
        ["processor_notes", "topmost_filenames", "flash_version", "hangid", "process_type", "release_channel"],
    )
    def test_a_text_without_a_limit_is_kept_whole(self, store, database, crash_id, column):
        save(store, report(crash_id, **{column: "x" * 100_000}))

        assert database.row("reports", crash_id)[column] == "x" * 100_000

    def test_raw_and_processed_crash_are_saved_as_json(self, store, database, crash_id):
        save(store, report(crash_id, json_dump={"threads": [{"frames": [1.5, None]}]}), ProductName="Lightbox")

        processed = database.row("processed_crashes", crash_id)
        raw = database.row("raw_crashes", crash_id)
        assert processed["processed_crash"]["json_dump"] == {"threads": [{"frames": [1.5, None]}]}
        assert raw["raw_crash"] == {"ProductName": "Lightbox"}
        assert processed["date_processed"] == datetime(2016, 11, 23, 12, tzinfo=UTC)
        assert {row["crash_date"] for row in (processed, raw)} == {DAY}

    def test_a_raw_crash_is_dated_by_its_submission(self, store, database, crash_id):
        store.save_raw_crash({"submitted_timestamp": "2016-11-23T23:59:59.5+02:00"}, {}, crash_id)

        moment = datetime(2016, 11, 23, 21, 59, 59, 500_000, tzinfo=UTC)
        assert database.row("raw_crashes", crash_id)["date_processed"] == moment

    @pytest.mark.parametrize("uuid", [uuid for uuid in INVALID_CRASH_IDS if uuid != "../x"])
    def test_an_invalid_crash_id_is_refused(self, store, crash_id, uuid):
        for use in (
            lambda: store.save_raw_crash({}, {}, uuid),
            lambda: store.save_processed({"uuid": uuid}),
            lambda: store.save_raw_and_processed({}, {}, {"uuid": uuid}, crash_id),
            lambda: store.get_raw_crash(uuid),
            lambda: store.get_processed(uuid),
            lambda: store.remove(uuid),
        ):
            with pytest.raises(InvalidCrashID):
                use()


class TestAStrangersValues:
    def test_nul_and_lone_surrogates_are_mended_wherever_they_are(self, store, database, crash_id, caplog):
        odd = 'a\0b\ud800c\\u0000\\\0"'
        mended = 'a\ufffdb\ufffdc\\u0000\\\ufffd"'
        processed_crash = report(
            crash_id,
            **{column: odd for column in columns.REPORT if column != "date_processed"},
            deep=[{"list": [[odd]], odd: {odd: odd}}],
            processing={"missing_symbols": [[odd, odd, odd, odd]]},
        )
        processed_crash |= {"process_type": "plugin", "PluginFilename": odd, "PluginName": odd, "PluginVersion": odd}
        before = copy.deepcopy(processed_crash)
        save(store, processed_crash, **{"Comments": odd, odd: [odd]})

        assert store.get_raw_crash(crash_id) == {"Comments": mended, mended: [mended]}
        assert store.get_unredacted_processed(crash_id)["deep"] == [{"list": [[mended]], mended: {mended: mended}}]
        row = database.row("reports", crash_id)
        assert row["signature"] == row["processor_notes"] == mended
        (file,) = database.rows("missing_symbols", crash_id)
        assert {file[name] for name in MissedModule._fields} == {mended}
        assert database.row("plugins_reports", crash_id)["version"] == mended
        assert database.execute("SELECT name FROM plugins WHERE filename = %s", mended) == [mended]
        assert processed_crash == before
        assert any("in place of NUL" in message and crash_id in message for message in caplog.messages)
        assert any("lone surrogates" in message and crash_id in message for message in caplog.messages)

    def test_every_other_character_is_kept(self, store, database, crash_id):
        text = "".join(map(chr, [*range(1, 0x300), 0x2028, 0xFFFE, 0xFFFF, 0x1F600, 0x10FFFF])) + "%s%(uuid)s''\\"
        save(store, report(crash_id, user_comments=text, **{text: text}), Comments=text)

        assert database.row("reports", crash_id)["user_comments"] == text
        assert store.get_unredacted_processed(crash_id)[text] == text
        assert store.get_raw_crash(crash_id) == {"Comments": text}

    @pytest.mark.parametrize("column", ["install_age", "last_crash", "uptime"])
    @pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
    def test_an_integer_outside_bigint_is_null_and_counted(self, store, database, crash_id, caplog, column, number):
        before = METRICS.snapshot().counter("postgresql.left_out", column=column)
        save(store, report(crash_id, signature="kept", **{column: number}))

        assert database.row("reports", crash_id)[column] is None
        assert database.row("reports", crash_id)["signature"] == "kept"
        assert METRICS.snapshot().counter("postgresql.left_out", column=column) == before + 1
        assert any(column in message and crash_id in message for message in caplog.messages)

    @pytest.mark.parametrize(
        "moment",
        [
            "9999-12-31T23:59:59-12:00",
            "0001-01-01T00:00:00+14:00",
            "99999-01-01",
            "yesterday",
            "",
            0,
            float("nan"),
            ["2016"],
        ],
    )
    def test_an_impossible_date_is_null_or_the_day_of_the_crash_id(self, store, database, crash_id, moment):
        save(store, report(crash_id, client_crash_date=moment, date_processed=moment), submitted_timestamp=moment)

        row = database.row("reports", crash_id)
        assert row["client_crash_date"] is None
        midnight = datetime(2016, 11, 23, tzinfo=UTC)
        tables = ("reports", "processed_crashes", "raw_crashes")
        assert [database.row(table, crash_id)["date_processed"] for table in tables] == [midnight] * 3

    @pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"])
    def test_the_first_and_the_last_moment_are_kept(self, store, database, crash_id, moment):
        save(store, report(crash_id, client_crash_date=moment))

        assert database.row("reports", crash_id)["client_crash_date"] == datetime.fromisoformat(moment)

    @pytest.mark.parametrize(
        "value",
        [None, True, 0, -1, 1.5, 10**5000, float("inf"), float("nan"), "", "x" * 3000, [], {}, [[None]], {"a": "b"}],
        ids=lambda value: f"{type(value).__name__}-{str(value)[:5] if not isinstance(value, int) else ''}",
    )
    def test_a_value_of_a_wrong_type_costs_its_column_alone(self, store, database, crash_id, value):
        everywhere = dict.fromkeys((*columns.REPORT, *columns.PLUGIN, "processing", "json_dump"), value)
        save(store, {**everywhere, "uuid": crash_id, "process_type": "plugin"}, **everywhere)

        row = database.row("reports", crash_id)
        assert row["process_type"] == "plugin"
        if isinstance(value, list | dict):
            kept = {"uuid", "crash_date", "date_processed", "process_type", "partition"}
            assert {name for name in row if row[name] is not None} == kept
        assert len(database.rows("plugins_reports", crash_id)) == 1
        assert store.get_unredacted_processed(crash_id)["uuid"] == crash_id

    @settings(max_examples=100)
    @given(
        st.dictionaries(
            st.sampled_from((*columns.REPORT, *columns.PLUGIN, "processing", "other")),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
                lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
                max_leaves=5,
            ),
        )
    )
    def test_any_processed_crash_is_saved(self, store_of_module, values):
        crash_id = new_crash_id(DAY)
        save(store_of_module, values | {"uuid": crash_id}, **values)

        assert store_of_module.get_unredacted_processed(crash_id)["uuid"] == crash_id

    @given(st.text(st.sampled_from('\\"u0f\0a/\n\ud800\U0001f600')))
    def test_in_json_nul_becomes_u_fffd_and_nothing_else_does(self, text):
        mended = columns.storable_text(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
        assert json.loads(columns.to_jsonb_text({text: [text]}, lambda note: None)) == {mended: [mended]}


@pytest.fixture(scope="module")
def store_of_module(database):
    with closing(database.store(today=lambda: DAY)) as store:
        yield store


class TestPlugins:
    def test_a_crash_of_a_plugin_has_a_row_that_names_it(self, store, database, crash_id):
        save(store, plugin(crash_id, "NPSWF32.dll", "Shockwave Flash", "23.0.0.207"))

        row = database.row("plugins_reports", crash_id)
        assert row["version"] == "23.0.0.207"
        assert row["crash_date"] == DAY
        assert row["date_processed"] == datetime(2016, 11, 23, 12, tzinfo=UTC)
        assert database.execute("SELECT filename, name FROM plugins WHERE id = %s", row["plugin_id"]) == [
            ("NPSWF32.dll", "Shockwave Flash")
        ]

    def test_a_crash_of_another_process_has_no_plugin_row(self, store, database, crash_id):
        save(store, plugin(crash_id, "NPSWF32.dll", "Shockwave Flash") | {"process_type": "content"})

        assert database.rows("plugins_reports", crash_id) == []

    def test_a_plugin_has_one_row_however_many_crash_at_once(self, store, database):
        crash_ids = [new_crash_id(DAY) for _ in range(40)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda crash_id: save(store, plugin(crash_id, "npjp2.dll", "Java")), crash_ids))

        (number,) = database.execute("SELECT id FROM plugins WHERE filename = 'npjp2.dll'")
        assert {database.row("plugins_reports", crash_id)["plugin_id"] for crash_id in crash_ids} == {number}

    def test_a_plugin_without_a_name_has_an_empty_one(self, store, database, crash_id):
        save(store, plugin(crash_id, None, ["x"], {}))

        row = database.row("plugins_reports", crash_id)
        assert row["version"] == ""
        assert database.execute("SELECT filename, name FROM plugins WHERE id = %s", row["plugin_id"]) == [("", "")]

    def test_names_of_any_length_fit_into_the_index(self, store, database, crash_id):
        save(store, plugin(crash_id, "\U0001f600" * 10_000, "\U0001f601" * 10_000))

        row = database.row("plugins_reports", crash_id)
        assert database.execute("SELECT filename FROM plugins WHERE id = %s", row["plugin_id"]) == ["\U0001f600" * 255]


class TestMissingSymbols:
    def test_each_module_that_missed_its_symbols_is_a_row(self, store, database, crash_id):
        save(store, missing(crash_id, XUL, NTDLL))

        rows = database.rows("missing_symbols", crash_id)
        assert sorted([row[name] for name in MissedModule._fields] for row in rows) == [NTDLL, XUL]
        assert {row["crash_date"] for row in rows} == {DAY}
        assert {row["date_processed"] for row in rows} == {datetime(2016, 11, 23, 12, tzinfo=UTC)}

    def test_a_module_that_is_listed_twice_is_one_row(self, store, database, crash_id):
        save(store, missing(crash_id, XUL, XUL, [*XUL[:2], "other.dll", None]))

        assert len(database.rows("missing_symbols", crash_id)) == 1

    def test_names_of_any_length_fit_into_the_index(self, store, database, crash_id):
        save(store, missing(crash_id, ["\U0001f600" * 10_000] * 4))

        row = database.row("missing_symbols", crash_id)
        assert {row[name] for name in MissedModule._fields} == {"\U0001f600" * 255}

    def test_a_crash_of_3000_modules_without_symbols_is_saved(self, store, database, crash_id):
        modules = [
            {"filename": f"module{number}.dll", "debug_file": f"module{number}.pdb", "debug_id": f"{number:033X}"}
            for number in range(3000)
        ]
        rows = [[module["debug_file"], module["debug_id"], module["filename"], None] for module in modules]
        save(store, missing(crash_id, *rows) | {"json_dump": {"modules": modules}})

        assert len(database.rows("missing_symbols", crash_id)) == 3000
        assert len(store.get_processed(crash_id)["json_dump"]["modules"]) == 3000

    def test_the_store_lists_missed_symbols(self):
        with new_database() as database, closing(database.store()) as store:
            store.setup()
            assert list(store.missing_symbols()) == []
            crash_ids = [f"00000000-0000-4000-8000-{number:05}0{day}" for number in (1, 2) for day in (161122, 161123)]
            for crash_id in crash_ids:
                save(store, missing(crash_id, XUL, NTDLL))
            save(store, missing(new_crash_id(DAY)))

            assert dict(store.missing_symbols()).keys() == set(crash_ids)
            since = dict(store.missing_symbols(DAY))
            assert since.keys() == {crash_ids[1], crash_ids[3]}
            assert all(sorted(files) == sorted([MissedModule(*XUL), MissedModule(*NTDLL)]) for files in since.values())
            assert most_missed(store.missing_symbols(DAY)) == [(MissedModule(*NTDLL), 2), (MissedModule(*XUL), 2)]

    def test_missed_symbols_are_read_in_parts(self, store, database):
        rows = [[f"{number}.pdb", "0", None, None] for number in range(3000)]
        crash_ids = [new_crash_id(DAY) for _ in range(4)]
        for crash_id in crash_ids:
            save(store, missing(crash_id, *rows))
        reading = store.missing_symbols(DAY)
        crashes = [next(reading)]
        (query,) = database.execute(
            "SELECT query FROM pg_stat_activity WHERE datname = %s AND state = 'idle in transaction'", database.name
        )
        crashes += reading

        assert query == 'FETCH FORWARD 10000 FROM "reading"'
        assert [len(files) for crash_id, files in crashes if crash_id in crash_ids] == [3000] * 4

    def test_the_command_lists_missed_symbols(self, store, database, crash_id, capsys):
        save(store, missing(crash_id, ["asked-for.pdb", "1", None, None]))
        options = [f"--{key}={value}" for key, value in database.options.items()]
        destination = f"--destination.crashstorage_class={class_name(PostgreSQLCrashStorage)}"

        assert main(["symbols", "missing", "--json", destination, *options], environ={}) == 0
        rows = json.loads(capsys.readouterr().out)
        assert [row["crashes"] for row in rows if row["debug_file"] == "asked-for.pdb"] == [1]


class TestProcessedAgain:
    def test_a_crash_that_is_processed_again_replaces_all_its_rows(self, store, database, crash_id):
        earlier = plugin(crash_id, "old.dll", "Old") | missing(crash_id, XUL, NTDLL) | {"signature": "old", "uptime": 5}
        save(store, {**earlier, "process_type": "plugin"}, Version="1")
        save(store, missing(crash_id, NTDLL) | {"signature": "new"}, Version="2")

        row = database.row("reports", crash_id)
        assert (row["signature"], row["uptime"], row["process_type"]) == ("new", None, None)
        assert [row["debug_file"] for row in database.rows("missing_symbols", crash_id)] == ["ntdll.pdb"]
        assert database.rows("plugins_reports", crash_id) == []
        assert database.row("processed_crashes", crash_id)["processed_crash"]["signature"] == "new"
        assert database.row("raw_crashes", crash_id)["raw_crash"] == {"Version": "2"}

    def test_eight_threads_that_save_the_same_crash_leave_one(self, store, database, crash_id):
        def crash(number: int) -> dict[str, Any]:
            rows = [[f"{number}-{row}.pdb", "0", None, None] for row in range(20)]
            return plugin(crash_id, f"{number}.dll", "Same") | {
                "signature": f"{number}",
                "processing": {"missing_symbols": rows},
            }

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: save(store, crash(number), number=number), [*range(8)] * 5))

        winner = database.row("reports", crash_id)["signature"]
        files = database.rows("missing_symbols", crash_id)
        assert {file["debug_file"] for file in files} == {f"{winner}-{row}.pdb" for row in range(20)}
        assert database.row("processed_crashes", crash_id)["processed_crash"]["signature"] == winner
        assert database.row("raw_crashes", crash_id)["raw_crash"] == {"number": int(winner)}
        plugin_id = database.row("plugins_reports", crash_id)["plugin_id"]
        assert database.execute("SELECT filename FROM plugins WHERE id = %s", plugin_id) == [f"{winner}.dll"]

    def test_a_crash_that_cannot_be_saved_whole_leaves_the_earlier_one(self, store, database, crash_id):
        save(store, missing(crash_id, XUL) | {"signature": "old"}, Version="1")
        before = {table: database.rows(table, crash_id) for table in TABLES}
        database.execute("ALTER TABLE missing_symbols ADD CONSTRAINT none_of_it CHECK (debug_file <> 'refused.pdb')")
        try:
            with pytest.raises(TransientStorageError, match=f"save {crash_id} .*none_of_it"):
                save(store, missing(crash_id, ["refused.pdb", "0", None, None]) | {"signature": "new"}, Version="2")
        finally:
            database.execute("ALTER TABLE missing_symbols DROP CONSTRAINT none_of_it")

        assert {table: database.rows(table, crash_id) for table in TABLES} == before


class TestInjection:
    @pytest.mark.parametrize(
        "text", ["'); DROP TABLE reports; --", "\\'; --", "$$", "%s %(uuid)s %", '"', "{a}", "\\u0000", "\\x27"]
    )
    def test_a_value_cannot_be_taken_for_sql(self, store, database, crash_id, text):
        fields = dict.fromkeys(("signature", "url", "reason", "processor_notes"), text)
        rows = {"processing": {"missing_symbols": [[text, text, text, text]]}, "json_dump": {text: text}}
        processed_crash = plugin(crash_id, text, text, text) | fields | rows
        save(store, processed_crash, **{text: text})

        assert {name: database.row("reports", crash_id)[name] for name in fields} == fields
        assert store.get_unredacted_processed(crash_id) == processed_crash


class TestRemoval:
    def test_a_removed_crash_is_gone_from_every_table(self, store, database, crash_id):
        save(store, plugin(crash_id, "a.dll", "A") | {"processing": {"missing_symbols": [XUL]}})
        assert all(database.rows(table, crash_id) for table in TABLES)
        assert store.held(crash_id) == list(TABLES)
        store.remove(crash_id)
        assert store.held(crash_id) == []

        assert not any(database.rows(table, crash_id) for table in TABLES)
        for use in (store.get_raw_crash, store.get_processed, store.get_unredacted_processed, store.remove):
            with pytest.raises(CrashIDNotFound, match=crash_id):
                use(crash_id)

    def test_several_rows_of_a_part_are_shown_with_their_number(self, store, crash_id):
        missed = [["a", "1", None, None], ["b", "2", None, None]]
        store.save_processed({"uuid": crash_id, "processing": {"missing_symbols": missed}})
        assert store.held(crash_id) == ["reports", "processed_crashes", "missing_symbols (2)"]

    def test_an_incomplete_crash_is_removed_from_every_table(self, store, crash_id):
        store.save_raw_crash({}, {}, crash_id)
        store.remove(crash_id)

        with pytest.raises(CrashIDNotFound):
            store.get_raw_crash(crash_id)


class TestLargeCrashes:
    def test_a_processed_crash_of_20_mb_is_saved(self, store, database, crash_id):
        frames = [{"function": f"f{number}<é>\\", "file": "a'b", "line": number} for number in range(400_000)]
        processed_crash = report(crash_id, json_dump={"threads": [{"frames": frames}]})
        assert len(json.dumps(processed_crash)) > 20_000_000
        save(store, processed_crash)

        assert store.get_unredacted_processed(crash_id) == processed_crash
        assert database.row("reports", crash_id)["signature"] is None

    def test_a_crash_that_postgresql_could_not_print_again_is_refused(self, store, crash_id):
        """PostgreSQL prints 1e300 with all its digits, and cannot print a text of a gigabyte."""
        with pytest.raises(PermanentStorageError, match="once PostgreSQL has written them out"):
            save(store, report(crash_id, json_dump={"numbers": [1e300] * 3_600_000}))
        with pytest.raises(CrashIDNotFound):
            store.get_unredacted_processed(crash_id)

    def test_a_crash_of_very_many_numbers_that_can_be_printed_is_saved(self, store, crash_id):
        numbers = [1.5e300, 1.5e-7, 0.25] * 200_000
        save(store, report(crash_id, json_dump={"numbers": numbers}))
        assert len(store.get_unredacted_processed(crash_id)["json_dump"]["numbers"]) == len(numbers)

    def test_an_annotation_of_20_mb_is_saved(self, store, crash_id):
        save(store, report(crash_id, user_comments="é" * 10_000_000), Comments="é" * 10_000_000)

        assert len(store.get_raw_crash(crash_id)["Comments"]) == 10_000_000


class TestAway:
    def test_a_connection_that_was_closed_while_idle_fails_no_crash(self, store, database):
        save(store, report(new_crash_id(DAY)))
        assert database.end_connections()
        crash_id = new_crash_id(DAY)
        save(store, report(crash_id))
        database.end_connections()

        assert store.get_processed(crash_id)["uuid"] == crash_id
        store.check()

    def test_if_all_connections_were_closed_each_crash_is_still_saved_at_once(self, store, database):
        crash_ids = [new_crash_id(DAY) for _ in range(32)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda crash_id: save(store, report(crash_id)), crash_ids))
            assert database.end_connections()
            list(pool.map(lambda crash_id: save(store, report(crash_id)), crash_ids))

    def test_eight_threads_need_eight_connections_at_most_and_none_once_it_is_closed(self):
        count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with new_database() as database:
            with closing(database.store()) as store, ThreadPoolExecutor(8) as pool:
                store.setup()
                list(pool.map(lambda _: save(store, report(new_crash_id(DAY))), range(64)))
                (connections,) = database.execute(count)
            assert 1 <= connections <= 9  # one may belong to an earlier query, and be on its way out
            database.wait_for_no_connection()

    def test_a_server_that_is_away_is_the_stores_fault(self, database, crash_id):
        with closing(database.store(**{f"{SERVER}database_port": 1})) as store:
            for use in (lambda: save(store, report(crash_id)), lambda: store.get_processed(crash_id), store.check):
                with pytest.raises(TransientStorageError, match=r"127\.0\.0\.1:1: .*refused"):
                    use()

    def test_a_wrong_password_is_the_stores_fault_and_is_not_shown(self, database, crash_id):
        with closing(database.store(**{f"{USER}database_password": "hunter2"})) as store:
            with pytest.raises(TransientStorageError, match="password authentication failed") as caught:
                save(store, report(crash_id))
            assert "hunter2" not in str(caught.value)
            assert caught.value.__suppress_context__

    def test_a_database_that_is_not_there_is_the_stores_fault(self, database, crash_id):
        with (
            closing(database.store(**{f"{SERVER}database_name": "nowhere"})) as store,
            pytest.raises(TransientStorageError, match='database "nowhere" does not exist'),
        ):
            save(store, report(crash_id))

    def test_a_missing_table_is_the_stores_fault(self, crash_id):
        with new_database() as database, closing(database.store()) as store:
            with pytest.raises(TransientStorageError, match=r'"reports" does not exist .*run `socorro setup`'):
                save(store, report(crash_id))
            store.setup()
            save(store, report(crash_id))

    def test_a_read_only_server_is_the_stores_fault_until_it_can_be_written(self, crash_id):
        with new_database() as database, closing(database.store()) as store:
            store.setup()
            database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
            database.end_connections()
            with pytest.raises(
                TransientStorageError, match=r"read-only transaction .*set database_hostname to the primary server"
            ):
                save(store, report(crash_id))
            with pytest.raises(
                TransientStorageError, match="takes no changes: set database_hostname to the primary server"
            ):
                store.check()
            # As after a failover, the same name is now another server. No connection to the old one is used again.
            with closing(database.connect(options="-c default_transaction_read_only=off")) as connection:
                connection.cursor().execute(f"ALTER DATABASE {database.name} RESET default_transaction_read_only")
            save(store, report(crash_id))

    def test_a_user_who_may_not_write_is_the_stores_fault(self, database, crash_id):
        with (
            new_role(database) as role,
            closing(database.store(**role)) as store,
            pytest.raises(TransientStorageError, match=r"permission denied for table reports .*grant"),
        ):
            save(store, report(crash_id))

    def test_a_table_that_stays_locked_is_the_stores_fault(self, store, database, crash_id):
        save(store, report(new_crash_id(DAY)))
        with (
            closing(database.store(**{f"{SERVER}statement_timeout": 1}, today=lambda: DAY)) as impatient,
            closing(database.connect()) as connection,
        ):
            with connection, connection.cursor() as cursor:
                cursor.execute("LOCK TABLE reports_20161121 IN ACCESS EXCLUSIVE MODE")
                with pytest.raises(TransientStorageError, match="statement_timeout"):
                    save(impatient, report(crash_id))
            save(impatient, report(crash_id))

    def test_a_database_of_another_encoding_is_told_by_the_check(self):
        with (
            new_database("SQL_ASCII") as database,
            closing(database.store()) as store,
            pytest.raises(TransientStorageError, match="encoding SQL_ASCII"),
        ):
            store.check()


def test_no_content_of_a_crash_is_logged(store, database, crash_id, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "http://secret.example/\0\ud800"
    everywhere = dict.fromkeys((*columns.REPORT, *columns.PLUGIN, "other"), secret)
    save(store, {**everywhere, "uuid": crash_id, "process_type": "plugin", "uptime": secret}, **everywhere)

    assert caplog.messages
    assert "secret" not in caplog.text


def test_the_day_of_the_crash_id_is_the_crash_date(store, database):
    for day in (date(2016, 1, 1), date(2015, 12, 31)):
        crash_id = new_crash_id(day)
        save(store, report(crash_id))
        assert {database.row(table, crash_id)["crash_date"] for table in ("reports", "raw_crashes")} == {
            crash_date(crash_id)
        }


def test_the_password_is_not_printed_with_the_configuration(database, capsys):
    options = [f"--{key}={value}" for key, value in database.options.items()]
    destination = f"--destination.crashstorage_class={class_name(PostgreSQLCrashStorage)}"

    assert main(["processor", "--admin.print_conf=ini", destination, *options], environ={}) == 0
    printed = capsys.readouterr().out
    assert "database_password = ****" in printed
    assert database.options[f"{USER}database_password"] not in printed


def test_crashes_without_a_processed_crash_row_are_missing(store):
    saved, old, raw, unknown = (new_crash_id(day) for day in (DAY, date(2001, 1, 1), DAY, DAY))
    store.save_processed(report(saved))
    store.save_processed(report(old))
    store.save_raw_crash({}, {}, raw)
    assert store.missing_processed([saved, old, raw, unknown]) == {raw, unknown}
    assert store.missing_processed([]) == set()


def test_in_a_database_without_its_tables_no_crash_is_called_missing(crash_id):
    with (
        new_database() as empty,
        closing(empty.store()) as store,
        pytest.raises(TransientStorageError, match="socorro setup"),
    ):
        store.missing_processed([crash_id])


def test_an_invalid_crash_id_is_not_looked_for(store, crash_id):
    with pytest.raises(InvalidCrashID):
        store.missing_processed([crash_id, "x"])


OWN = '[{"name": "albums", "type": "integer", "annotations": ["AlbumCount"]}]'


def test_a_crash_of_today_has_the_fields_without_a_column_in_one_that_is_searched(database, crash_id, caplog):
    of_today = report(
        crash_id,
        processing={"algorithm": 2026},
        reason="SIGSEGV",
        cpu_arch="amd64",
        android_model="Pixel 9\0",
        thread_count="seven",
        has_mac_boot_args=False,
        albums=3,
        mdsw_stderr="not searched",
    )
    with closing(database.store(**{"resource.fields.own_fields": OWN})) as store:
        save(store, of_today)
    row = database.row("reports", crash_id)
    assert row["fields"] == {"android_model": "Pixel 9\ufffd", "has_mac_boot_args": False, "albums": 3}
    assert (row["reason"], row["cpu_name"]) == ("SIGSEGV", "amd64")
    assert (
        "left out of fields because they have another type than the table of fields says: thread_count" in caplog.text
    )
    assert database.execute("""SELECT uuid FROM reports WHERE fields @> '{"albums": 3}'""") == [crash_id]
    (index,) = database.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'reports_fields_idx'")
    assert "USING gin (fields jsonb_path_ops)" in index


def test_a_plugin_of_today_has_its_row(store, database, crash_id):
    name = f"plugin {crash_id}"
    names = {"plugin_filename": "p.dll", "plugin_name": name, "plugin_version": "1"}
    save(store, report(crash_id, process_type="plugin", processing={"algorithm": 2026}, **names))
    assert database.execute("SELECT filename FROM plugins WHERE name = %s", name) == ["p.dll"]
    assert database.row("plugins_reports", crash_id)["version"] == "1"


def test_a_crash_of_2015_has_its_columns_alone(store, database, crash_id):
    save(store, report(crash_id, android_model="Pixel 9", cpu_name="x86", cpu_arch="amd64"))
    row = database.row("reports", crash_id)
    assert (row["fields"], row["cpu_name"]) == (None, "x86")
