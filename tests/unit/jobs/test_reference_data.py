"""``socorro cron reference-data`` into a file: the data that it believes, and the data that it refuses."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from socorro_processor.errors import ConfigurationError, SocorroError
from socorro_processor.jobs.reference_data import JOB
from socorro_processor.reference.file import read_tables
from socorro_processor.serialization import decode
from tests.job_run import JobRun, noon
from tests.symbol_server import Request, SymbolServer, always

BUILD = {"product": "Firefox", "release_version": "48.0", "build_type": "beta"}
ROWS = [{**BUILD, "build_id": 20160726073904 + number, "version_string": f"48.0b{number}"} for number in range(10)]
DATA = {
    "product_productid_map": [{"product_name": "Fennec", "productid": "{fennec}", "rewrite": True}],
    "windows_versions": [{"name": "Windows 7", "major": 6, "minor": 1}],
    "product_versions": ROWS,
}
NEW = {**BUILD, "build_id": 20160801000000, "version_string": "48.0b11"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "reference.json"
    noted = [DATA["product_productid_map"][0] | {"comment": "ask the mobile team"}]
    path.write_text(json.dumps(DATA | {"about": "ours", "product_productid_map": noted}))
    path.chmod(0o640)
    return path


@pytest.fixture
def job(target: Path) -> JobRun:
    return JobRun({"resource.reference.reference_file": target}, noon(2016, 11, 23))


@pytest.fixture
def server() -> Iterator[SymbolServer]:
    with SymbolServer(always(b"")) as server:
        yield server


@pytest.fixture
def come(job, tmp_path):
    """Run the job for a file with this content."""

    def come(content: object, *arguments: str, **more: object):
        file = tmp_path / "come.json"
        file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return job(JOB, f"--origin={file}", *arguments, **more)

    return come


def test_rows_are_added_changed_and_removed_and_comments_stay(come, target, job):
    changed = ROWS[1] | {"version_string": "48.0b99"}
    outcome = come(DATA | {"product_versions": [changed, *ROWS[2:], NEW]})

    assert outcome.summary == "3 rows changed; running processors use them within 300 s, or after SIGHUP"
    assert job.lines[2] == "product_versions: 1 added, 1 changed, 1 removed (10 rows before)"
    assert read_tables(target)["product_versions"] == [changed, *ROWS[2:], NEW]
    content = json.loads(target.read_text())
    assert content["about"] == "ours"
    assert content["product_productid_map"][0]["comment"] == "ask the mobile team"
    assert target.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in target.parent.iterdir() if path.name.startswith(".")] == []


def test_if_nothing_differs_nothing_is_written(come, target):
    before = target.stat()
    assert come(DATA).summary == "0 rows changed"
    assert (target.stat().st_ino, target.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_dry_run_says_what_would_change_and_changes_nothing(come, target, job):
    before = target.read_bytes()
    assert come(DATA | {"product_versions": [*ROWS, NEW]}, dry_run=True).summary == "1 rows to be changed"
    assert job.objects[2] == {"table": "product_versions", "before": 10, "added": 1, "changed": 0, "removed": 0}
    assert target.read_bytes() == before


def test_a_file_that_is_not_there_is_made(come, tmp_path):
    target = tmp_path / "new.json"
    come(DATA, resource__reference__reference_file=target)
    assert read_tables(target) == DATA


def test_the_projects_own_file_is_never_written_to(come):
    with pytest.raises(ConfigurationError, match=r"cannot change the project.s own reference data"):
        come(DATA, resource__reference__reference_file="")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not JSON"),
        (b"\n<!DOCTYPE html><html>Sign in</html>", "a page of HTML"),
        (json.dumps(DATA).encode()[:-100], "not JSON"),
        (os.urandom(1000), "not JSON"),
        (b"[" * 100_000, "not JSON"),
        ({}, "product_productid_map is missing"),
        (
            DATA | {"product_versions": ROWS[:7]},
            "3 of 10 rows of product_versions would be removed, more than --maximum-loss=20",
        ),
        (DATA | {"windows_versions": []}, "1 of 1 rows of windows_versions would be removed"),
        (DATA | {"product_versions": [*ROWS, {**NEW, "build_id": -1}]}, "row 11: build_id is below 0"),
        (DATA | {"product_versions": [*ROWS, {**NEW, "build_id": 2**63}]}, "row 11: build_id"),
        (DATA | {"product_versions": [*ROWS, {**NEW, "build_id": "1"}]}, "row 11: build_id is missing, or is not"),
        (DATA | {"product_versions": [*ROWS, {**NEW, "version_string": "\x00"}]}, "row 11: version_string is empty"),
        (DATA | {"product_versions": [*ROWS, {**NEW, "version_string": "x" * 256}]}, "row 11: version_string is empty"),
        (
            DATA | {"product_versions": [*ROWS, ROWS[3]]},
            "row 11 has the same product and release_version and .* as row 4",
        ),
    ],
)
def test_damaged_or_incomplete_data_are_refused_and_the_old_data_stay(come, target, content, expected):
    before = target.read_bytes()
    with pytest.raises(SocorroError, match=expected) as raised:
        come(content)
    assert "the reference data stay as they are" in str(raised.value)
    assert target.read_bytes() == before


def test_many_rows_are_removed_on_request(come, target):
    come(DATA | {"product_versions": []}, "--maximum-loss=100")
    assert read_tables(target)["product_versions"] == []


@pytest.mark.parametrize("place", ["pipe", "nowhere", "directory"])
def test_an_origin_that_is_not_a_file_is_refused(job, tmp_path, place):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    with pytest.raises(SocorroError, match=f"{place}: it cannot be read"):
        job(JOB, f"--origin={tmp_path / place}")


def test_a_file_that_is_too_large_is_refused(come):
    with pytest.raises(SocorroError, match="larger than 100 bytes"):
        come(DATA, cron__reference_data__maximum_size=100)


def test_data_can_come_from_a_url_compressed_or_not(job, server, target):
    for pack in (bytes, gzip.compress):
        server.answers(always(pack(json.dumps(DATA | {"product_versions": [*ROWS, NEW]}).encode())))
        job(JOB, f"--origin={server.url}/releases/all%20of%20them.json")
        assert read_tables(target)["product_versions"][-1] == NEW
    assert set(server.paths) == {"releases/all%20of%20them.json"}


def endless(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * 100_000)


def trickling(request: Request) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" ")


def half(request: Request) -> None:
    data = json.dumps(DATA).encode()
    request.send_response(200)
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    request.wfile.write(data[: len(data) // 2])
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (always(b"not here", 404), "answers 404"),
        (always(b"sorry", 500), "answers 500"),
        (always(b"<html>maintenance</html>"), "a page of HTML"),
        (always(b"", 302, Location="file:///etc/passwd"), "redirects to 'file'"),
        (always(gzip.compress(b" " * 10_000_000)), "more than 1000000 bytes"),
        (always(gzip.compress(json.dumps(DATA).encode())[:-20]), "gzip that was cut off"),
        (half, "Connection broken"),
        (endless, "more than 1000000 bytes"),
    ],
)
def test_a_malformed_answer_is_refused_and_the_old_data_stay(job, server, target, answer, expected):
    before = target.read_bytes()
    server.answers(answer)
    with pytest.raises(SocorroError, match=expected):
        job(JOB, f"--origin={server.url}/releases.json", cron__reference_data__maximum_size=1_000_000)
    assert target.read_bytes() == before


@pytest.mark.parametrize("answer", ["drip_header", "drip_body", "drip_chunk", trickling])
def test_an_answer_that_drips_has_a_deadline(job, server, answer):
    server.answers(answer if callable(answer) else getattr(server, answer))
    with pytest.raises(SocorroError, match="it takes too long"):
        job(JOB, f"--origin={server.url}/releases.json", cron__reference_data__maximum_time=1)


@pytest.mark.parametrize(
    "origin",
    ["file:///etc/passwd", "ftp://example.org/x.json", "http://", "https://example.org", "http://u:hush@h/x.json?hush"],
)
def test_an_invalid_url_is_refused_without_showing_a_secret_in_it(job, origin):
    with pytest.raises(SocorroError, match="HOST/PATH") as raised:
        job(JOB, f"--origin={origin}")
    assert "hush" not in str(raised.value)


def test_without_an_origin_there_is_nothing_to_do(job):
    outcome = job(JOB)
    assert (outcome.succeeded, outcome.summary) == (
        True,
        "nothing to do: neither cron.reference_data.origin nor --origin is set",
    )


def test_if_no_rule_uses_reference_data_there_is_nothing_to_do(job):
    rule_sets = '[["own", "", "", "apply_all_rules", "socorro_processor.rules.general.IdentifierRule"]]'
    outcome = job(JOB, "--origin=/nowhere", processor__rule_sets=rule_sets)
    assert outcome.succeeded
    assert outcome.summary == "nothing to do: no rule of the processor uses reference data"


def test_the_configuration_may_name_the_origin(job, tmp_path, target):
    (tmp_path / "come.json").write_text(json.dumps(DATA))
    assert job(JOB, cron__reference_data__origin=tmp_path / "come.json").summary == "0 rows changed"
    assert decode(target.read_bytes())["about"] == "ours"
