"""`socorro serve` in an empty directory: from a crash that is posted to its report, and to a clean end."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.multipart import MINIDUMP, body_of, request_of
from tests.shared import SAMPLES, require, stackwalker
from tests.system.daemon import DEADLINE
from tests.system.serving import Serving, eventually
from tests.web_server import Client

DUMP = SAMPLES / "segfault" / "upload_file_minidump.dmp"
ADVICE = re.compile(r"^To add symbols.*\n(?:  (?:socorro|curl) .*\n)+(?:Or upload .*\n)?", re.MULTILINE)
"""Advice about missing symbols, in a report."""


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    stackwalker()
    serving = Serving(tmp_path)
    yield serving
    serving.close()


def curl(*arguments: str) -> str:
    require(shutil.which("curl") is not None, "no curl")
    done = subprocess.run(["curl", "--silent", "--show-error", *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def curl_bytes(address: str) -> bytes:
    return subprocess.run(["curl", "--silent", "--fail", address], capture_output=True, timeout=60, check=True).stdout


def serving_origin(serving: Serving, path: str) -> str:
    return f"http://127.0.0.1:{serving.port}{path}"


def crash_id_in(answer: str) -> str:
    match = re.fullmatch(r"CrashID=bp-([0-9a-f-]{36})\n", answer)
    assert match, answer
    return match[1]


def test_the_printed_command_posts_a_crash_and_its_report_is_there_soon(serving):
    serving.start()
    (line,) = (line for line in serving.output.splitlines() if line.startswith("  curl "))
    words = shlex.split(line.replace("@PATH", f"@{DUMP}"))
    crash_id = crash_id_in(curl(*words[1:]))
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
    shown = serving.socorro("show", crash_id)
    assert re.search(r"^product +Example 1\.0$", shown.stdout, re.MULTILINE), shown.stdout + shown.stderr
    assert crash_id in serving.socorro("list").stdout
    assert serving.spooled() == 0
    assert serving.stop() == 0
    assert f"Crashes are kept in {serving.directory}/socorro-data/crashes" in serving.output


def test_the_page_of_a_crash_and_its_other_forms_say_what_show_says(serving):
    serving.start()
    crash_id = crash_id_in(
        curl(
            "-F",
            f"upload_file_minidump=@{DUMP}",
            "--form-string",
            "ProductName=<b>Example",
            serving_origin(serving, "/submit"),
        )
    )
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
    page = serving.get(f"/report/bp-{crash_id}")
    assert page[0] == 200
    assert "&lt;b&gt;Example" in page[1]
    assert "<b>Example" not in page[1]
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page[1]):
        assert serving.get(address)[0] == 200
    shown = serving.socorro("show", "--all-threads", "--modules", "--registers", crash_id).stdout
    status, text = serving.get(f"/report/{crash_id}.txt")
    assert (status, ADVICE.sub("", text)) == (200, ADVICE.sub("", shown))
    # In a terminal of the server, and for a reader of its pages, who has none.
    upload = f"  curl --fail-with-body -F symbols=@PROGRAM {serving_origin(serving, '/symbols')}\n"
    commands = (f"  socorro process {crash_id}\n", upload)
    assert [[command in each for command in commands] for each in (shown, text)] == [[True, False], [False, True]]
    assert f"again, in {serving.directory}:\n" in shown
    assert crash_id in serving.get(f"/report/{crash_id}.md")[1]
    assert json.loads(serving.get(f"/report/{crash_id}.json")[1])["uuid"] == crash_id
    assert json.loads(serving.get(f"/report/{crash_id}/raw.json")[1])["ProductName"] == "<b>Example"
    assert curl_bytes(serving_origin(serving, f"/report/{crash_id}/dump/upload_file_minidump")) == DUMP.read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/report/not-an-id",
        "/report/de1bb258-cbbf-4589-a673-34f800160918",
        "/report/de1bb258-cbbf-4589-a673-34f800160918.json",
        "/report/de1bb258-cbbf-4589-a673-34f800160918/dump/upload_file_minidump",
        "/static/nothing.css",
        "/static/..%2f..%2fservice.py",
    ],
)
def test_what_is_not_there_is_said_with_404(serving, path):
    serving.start()
    crash_id = crash_id_in(curl("-F", f"upload_file_minidump=@{DUMP}", serving_origin(serving, "/submit")))
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
    status, words = serving.get(path)
    assert status == 404
    assert words


def test_in_a_checkout_the_printed_command_names_a_sample(serving, tmp_path):
    (tmp_path / "samples").symlink_to(SAMPLES)
    serving.start("--web.processor=no")
    (line,) = (line for line in serving.output.splitlines() if line.startswith("  curl "))
    assert f"@{DUMP.relative_to(SAMPLES.parent)} " in line


def test_with_an_ini_file_everything_is_where_it_says(serving, tmp_path):
    ini = tmp_path / "own.ini"
    ini.write_text(
        "[resource]\n[[filesystem]]\nroot = elsewhere/crashes\n[new_crash_source]\npath = elsewhere/queue.sqlite\n"
        "[collector]\nspool = elsewhere/spool\n[web]\nanswer = id\n"
    )
    serving.start(f"--admin.conf={ini}")
    crash_id = curl("-F", f"upload_file_minidump=@{DUMP}", f"http://127.0.0.1:{serving.port}/submit")
    assert re.fullmatch(r"[0-9a-f-]{36}", crash_id)
    processed = tmp_path / "elsewhere" / "crashes" / "v1" / "processed_crash" / crash_id
    eventually(processed.exists, lambda: serving.log)
    assert not (tmp_path / "socorro-data").exists()


def test_a_crash_that_waits_in_the_spool_is_handed_over_by_the_next_server(serving):
    serving.start("--web.processor=no")
    serving.wait_until_ready()
    crashes = serving.directory / "socorro-data" / "crashes"
    shutil.rmtree(crashes, ignore_errors=True)
    crashes.write_text("not a directory")
    crash_id = crash_id_in(curl("-F", f"upload_file_minidump=@{DUMP}", f"http://127.0.0.1:{serving.port}/submit"))
    eventually(lambda: "handover" in serving.get("/readyz")[1], lambda: serving.get("/readyz")[1])
    eventually(lambda: serving.spool()["crashes"] == 1)
    assert serving.stop() == 0
    crashes.unlink()
    serving.start()
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)


def test_a_port_that_is_taken_is_told_with_what_to_do(serving, tmp_path_factory):
    serving.start("--web.processor=no")
    other = Serving(tmp_path_factory.mktemp("other"))
    done = other.socorro("serve", f"--web.port={serving.port}")
    assert done.returncode == 1
    assert f"port {serving.port}: Address already in use" in done.stderr
    assert f"--web.port={serving.port + 1}" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(other.directory.iterdir()) == []


def test_a_second_server_in_the_same_directory_is_refused(serving):
    serving.start("--web.processor=no")
    done = serving.socorro("serve", "--web.port=0")
    assert done.returncode == 2
    assert "collector.spool" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_that_others_reach_is_refused(serving, host):
    done = serving.socorro("serve", "--web.port=0", f"--web.host={host}")
    assert done.returncode == 2
    assert "nothing says who may what" in done.stderr


def test_without_the_extra_the_command_says_how_to_install_it(serving, tmp_path):
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "uvicorn.py").write_text("raise ModuleNotFoundError('No module', name='uvicorn')")
    serving.environment["PYTHONPATH"] = str(tmp_path / "blocked")
    done = serving.socorro("serve", "--web.port=0")
    assert done.returncode == 1
    assert "socorro serve needs uvicorn, which is not installed: pip install 'socorro-processor[web]'" in done.stderr
    assert serving.socorro("serve", "--help").returncode == 0


def test_a_killed_processor_is_seen_and_started_again(serving):
    serving.start()
    serving.wait_until_ready()
    former = serving.processor()
    os.kill(former, signal.SIGKILL)
    eventually(lambda: not serving.is_ready())
    assert serving.get("/readyz")[0] == 200
    eventually(lambda: serving.processor() not in (0, former), lambda: serving.log)
    serving.wait_until_ready()
    assert "the processor has ended (-9); it is started again in 1.0 s" in serving.log


def test_secrets_reach_the_processor_but_nobody_sees_them_there(serving):
    serving.environment |= {"SOCORRO__SECRETS__BOTO__SECRET_ACCESS_KEY": "HUSH", "AWS_SESSION_TOKEN": "HUSH"}
    serving.start("--secrets.postgresql.database_password=HUSH", "--producer_consumer.number_of_threads=3")
    serving.wait_until_ready()
    place = Path("/proc", str(serving.processor()))
    assert b"HUSH" not in (place / "cmdline").read_bytes() + (place / "environ").read_bytes()
    # One of the options that went the same way.
    assert " for 3 walks at once" in serving.log


def test_sighup_makes_the_processor_read_its_lists_again(serving):
    serving.start()
    serving.process.send_signal(signal.SIGHUP)
    eventually(lambda: "signature lists and reference data were read again" in serving.log, lambda: serving.log)
    assert serving.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_its_processor(serving, number):
    serving.start()
    serving.wait_until_ready()
    processor = serving.processor()
    assert serving.stop(number) == 0
    assert not Path(f"/proc/{processor}").exists()
    assert "the processor has ended" in serving.log
    assert "Traceback" not in serving.log


def test_a_signal_during_the_start_ends_it_too(serving):
    serving.start()
    assert serving.stop() == 0


def test_the_processor_ends_when_the_server_is_killed(serving):
    serving.start()
    serving.wait_until_ready()
    processor = serving.processor()
    serving.kill()
    eventually(lambda: not Path(f"/proc/{processor}").exists())


def test_probes_tell_of_server_spool_and_processor(serving):
    serving.start()
    serving.wait_until_ready()
    assert json.loads(serving.get("/healthz")[1]) == {"status": "ok"}
    assert json.loads(serving.get("/__version__")[1])["name"] == "socorro-processor"
    assert serving.get("/__lbheartbeat__")[0] == serving.get("/readyz")[0] == 200
    curl("-F", f"upload_file_minidump=@{DUMP}", f"http://127.0.0.1:{serving.port}/submit")
    # The first is of the server, the second of the processor.
    for sample in ('processor_web_requests_total{page="submit",status="200"} 1', 'crash_saved_total{queue="normal"} 1'):
        eventually(lambda sample=sample: sample in serving.get("/metrics")[1], lambda: serving.get("/metrics")[1])
    assert "processor_ready 1.0" in serving.get("/metrics")[1]


def test_the_log_has_no_query(serving):
    serving.start("--web.processor=no", "--logging.level=DEBUG")
    curl("-F", f"upload_file_minidump=@{DUMP}", f"http://127.0.0.1:{serving.port}/submit?key=HUSH&product=Example")
    assert serving.stop() == 0
    assert "POST /submit status=200" in serving.log
    assert "HUSH" not in serving.log


def test_an_upload_in_work_is_finished_before_the_end(serving):
    data = request_of(body_of(dump=MINIDUMP + bytes(1_000_000)))
    serving.start("--web.processor=no")
    writing = serving.directory / "socorro-data" / "spool" / "writing"
    with Client(serving.port) as client:
        client.send(data[:-1000])
        eventually(lambda: list(writing.iterdir()))
        serving.process.send_signal(signal.SIGTERM)
        eventually(lambda: "finishing the requests in work" in serving.log)
        client.send(data[-1000:])
        status, _, answer = client.read_answer()
    assert status == 200
    assert serving.process.wait(DEADLINE) == 0
    serving.start("--web.processor=no")
    eventually(lambda: crash_id_in(answer.decode()) in serving.raw_crashes())
