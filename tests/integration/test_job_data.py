"""Jobs that write data to a real PostgreSQL, or from there to a real bucket."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import date, timedelta

import pytest

from socorro_processor.configuration import class_name, defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.postgresql.crashstorage import PostgreSQLCrashStorage
from socorro_processor.crashstorage.s3_bucket import S3Bucket
from socorro_processor.errors import SocorroError, TransientStorageError
from socorro_processor.jobs import missing_symbols, reference_data
from socorro_processor.reference.postgresql import PostgreSQLReferenceData
from tests.integration.postgresql_database import SERVER, new_database
from tests.integration.s3_bucket import bucket_options, get_object, no_bucket_options, object_keys
from tests.job_run import JobRun, noon

DAY = date(2016, 11, 23)
BUILD = {"product": "Firefox", "release_version": "48.0", "build_type": "beta"}
ROWS = [{**BUILD, "build_id": 20160726073904 + number, "version_string": f"48.0b{number}"} for number in range(20)]

WINDOWS_12 = {"name": "Windows 12", "major": 12, "minor": 0}


@pytest.fixture
def database():
    with new_database() as database:
        with closing(database.store(today=lambda: DAY)) as store:
            store.setup()
        yield database


class TestReferenceData:
    @pytest.fixture
    def job(self, database):
        PostgreSQLReferenceData.setup(defaults(PostgreSQLReferenceData, **database.options))
        options = {"resource.reference.reference_class": class_name(PostgreSQLReferenceData)}
        return JobRun({**database.options, **options}, noon(2016, 11, 24))

    @pytest.fixture
    def come(self, job, database, tmp_path):
        """Run the job with the existing tables, except for these."""

        def come(*arguments: str, dry_run: bool = False, **tables: object):
            content = {table: rows(database, table) for table in ("product_productid_map", "windows_versions")}
            file = tmp_path / "come.json"
            file.write_text(json.dumps({**content, "product_versions": rows(database, "product_versions")} | tables))
            return job(reference_data.JOB, f"--origin={file}", *arguments, dry_run=dry_run)

        return come

    def test_only_rows_that_differ_are_written(self, come, database):
        come(product_versions=ROWS)
        before = versions_of_rows(database)

        changed = ROWS[1] | {"version_string": "48.0b99"}
        assert come(product_versions=[changed, *ROWS[2:]]).summary.startswith("2 rows changed; ")
        after = versions_of_rows(database)
        assert len(after) == 19
        assert {build for build in after if before[build] != after[build]} == {changed["build_id"]}
        reference = PostgreSQLReferenceData(defaults(PostgreSQLReferenceData, **database.options))
        assert reference.released_version("Firefox", "48.0", "beta", changed["build_id"]) == "48.0b99"
        assert reference.windows_name(6, 1) == "Windows 7"

    def test_a_dry_run_changes_nothing(self, come, database):
        assert come(product_versions=ROWS, dry_run=True).summary == "20 rows to be changed"
        assert rows(database, "product_versions") == []

    def test_a_change_of_half_the_rows_is_refused_and_all_tables_stay(self, come, database):
        come(product_versions=ROWS)
        with pytest.raises(SocorroError, match="10 of 20 rows of product_versions would be removed"):
            come(product_versions=ROWS[:10], windows_versions=[WINDOWS_12, *rows(database, "windows_versions")])
        assert len(rows(database, "product_versions")) == 20
        assert len(rows(database, "windows_versions")) == 8

    def test_a_failure_halfway_leaves_all_tables_as_they_were(self, come, database):
        database.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'away'; END $$;"
            "CREATE TRIGGER fail BEFORE INSERT ON product_versions FOR EACH ROW EXECUTE FUNCTION fail()"
        )
        more = [WINDOWS_12, *rows(database, "windows_versions")]
        with pytest.raises(SocorroError, match="change the reference data"):
            come(windows_versions=more, product_versions=ROWS)
        assert len(rows(database, "windows_versions")) == 8

    def test_a_database_that_is_away_is_an_error(self, come, job):
        job.options[f"{SERVER}database_port"] = "1"
        with pytest.raises(TransientStorageError, match="change the reference data"):
            come()


class TestMissingSymbols:
    @pytest.fixture
    def job(self, database):
        options = {
            "destination.crashstorage_class": class_name(PostgreSQLCrashStorage),
            "cron.missing_symbols.target_class": class_name(S3Bucket),
        }
        return JobRun({**database.options, **bucket_options(), **options}, noon(2016, 11, 24))

    @pytest.fixture
    def crash(self, database):
        def crash(*files: tuple[str, str, str | None, str | None], day: date = DAY) -> None:
            crash_id = new_crash_id(day)
            processed = {"uuid": crash_id, "processing": {"missing_symbols": [list(file) for file in files]}}
            with closing(database.store(today=lambda: DAY)) as store:
                store.save_processed(processed)

        return crash

    def test_the_days_distinct_rows_are_in_the_bucket(self, job, crash):
        xul, odd = ("xul.pdb", "83CF1", "xul.dll", "5b8"), ('a,"b"', "0A", None, None)
        crash(xul, odd)
        crash(xul)
        crash(("of another day", "1", None, None), day=DAY - timedelta(days=1))
        crash(("two\nlines", "1", None, None))

        summary = job(missing_symbols.JOB).summary
        assert summary.startswith(
            f"2 symbol files that crashes of {DAY} missed written to missing_symbols/20161123.csv"
        )
        assert summary.endswith(", 1 with impossible names left out")
        assert get_object(job.options, "missing_symbols/20161123.csv").decode() == (
            'debug_file,debug_id,code_file,code_id\n"a,""b""",0A,,\nxul.pdb,83CF1,xul.dll,5b8\n'
        )

    def test_a_day_that_is_written_again_is_as_it_is_now(self, job, crash):
        job(missing_symbols.JOB)
        crash(("xul.pdb", "83CF1", "xul.dll", "5b8"))
        job(missing_symbols.JOB, "--date=2016-11-23")
        assert get_object(job.options, "missing_symbols/20161123.csv").count(b"\n") == 2

    def test_a_dry_run_counts_and_writes_nothing(self, job, crash):
        crash(("xul.pdb", "83CF1", "xul.dll", "5b8"))
        assert job(missing_symbols.JOB, dry_run=True).summary.startswith("1 symbol files that crashes of 2016-11-23")
        assert object_keys(job.options) == []

    def test_a_bucket_that_is_not_there_is_an_error_that_says_what_to_do(self, job):
        name = no_bucket_options()["resource.boto.bucket_name"]
        with pytest.raises(TransientStorageError, match="bucket"):
            job(missing_symbols.JOB, resource__boto__bucket_name=name)


def rows(database, table: str) -> list[dict[str, object]]:
    return database.execute(f"SELECT to_jsonb({table}) FROM {table}")


def versions_of_rows(database) -> dict[int, object]:
    """Return the transaction that wrote each row."""
    return dict(database.execute("SELECT build_id, xmin::text FROM product_versions"))
