"""Every command as a process, with good and bad input: exit codes, and errors without a traceback."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from socorro_processor.cli.commands import all_commands
from tests.integration.s3_bucket import as_symbol_bucket, bucket_options, object_keys
from tests.shared import REPOSITORY, SAMPLES, stackwalker
from tests.system.daemon import Installation, eventually, variables
from tests.system.symbol_cache import SymbolCache

SAMPLE = SAMPLES / "segfault"
LIGHTBOX = "lightbox/561F144541602F969DC91FFDB6C2F1E30"
SYMBOLS_PATH = "processor.raw_to_processed_transform.BreakpadStackwalkerRule2015.symbols_path"
UNKNOWN = "0bba61c5-dfc3-43e7-dead-8afd20161123"

ELSEWHERE = {
    "processor": "system/test_processing",
    "serve": "system/test_serve",
    "symbols manage": "system/test_symbol_cache",
}
"""Commands that end only when they are told to, with the tests that run them for their work."""
BELOW = {"symbols status", "symbols upload", "token remove"}
"""Commands with tests of their own below, because they need more than a crash."""

GOOD = {
    "process": (["process", "CRASH"], "CRASH lightbox::exif::Directory::find"),
    "reprocess": (["reprocess", "CRASH"], "1 queued as reprocessing"),
    "submit": (["submit", str(SAMPLE / "upload_file_minidump.dmp")], r"[0-9a-f-]{36}"),
    "list": (["list", "--product=Lightbox"], "CRASH .*lightbox::exif::Directory::find"),
    "search": (["search", "product=Lightbox", "frame~find"], "CRASH .*lightbox::exif::Directory::find"),
    "search index": (["search", "index"], "has 1 crash: 0 added, 0 removed"),
    "top": (["top", "product=Lightbox", "--date=2026-11-24"], "lightbox::exif::Directory::find"),
    "show": (["show", "CRASH", "--all-threads", "--modules"], r"(?s)crash +CRASH.*\nThread 0.*\nModules"),
    "fetch": (["fetch", "CRASH", "there"], "upload_file_minidump"),
    "queue status": (["queue", "status"], "normal"),
    "queue parked": (["queue", "parked"], "^$"),
    "queue rejected": (["queue", "rejected"], "^$"),
    "queue requeue": (["queue", "requeue", "--all"], "0"),
    "queue reject": (["queue", "reject", "--all"], "0 parked crashes were rejected"),
    "queue purge": (["queue", "purge", "rejected", "--yes"], "0"),
    "remove": (["remove", "CRASH", "--dry-run"], "CRASH"),
    "signature": (["signature", "CRASH", "--explain"], "CRASH lightbox::exif::Directory::find"),
    "siglists check": (["siglists", "check"], "siglists"),
    "siglists preview": (["siglists", "preview", str(REPOSITORY / "siglists"), "CRASH"], "0"),
    "symbols add": (["symbols", "add", "SYMBOLS", f"--{SYMBOLS_PATH}=added"], f"added, {LIGHTBOX}"),
    "symbols missing": (["symbols", "missing"], r"libc\.so\.6"),
    "symbols fetch": (
        [
            "symbols",
            "fetch",
            LIGHTBOX,
            "--resource.symbols.sources=SYMBOLS",
            "--resource.symbols.symbol_cache_path=cache",
        ],
        ".",
    ),
    "symbols index": (["symbols", "index"], "3 of 3 symbol files have an index"),
    "cron reference-data": (["cron", "reference-data", f"--origin={REPOSITORY}/config/reference_data.json"], "rows"),
    "cron partitions": (["cron", "partitions"], "nothing to do: neither source nor destination"),
    "cron elasticsearch-cleanup": (["cron", "elasticsearch-cleanup"], "nothing to do: the destination"),
    "cron missing-symbols": (["cron", "missing-symbols"], "0 symbol files"),
    "cron late-symbols": (["cron", "late-symbols"], "nothing to do: there are no sources of symbols"),
    "cron filesystem-cleanup": (["cron", "filesystem-cleanup"], "0 crashes removed"),
    "cron reprocessing-jobs": (["cron", "reprocessing-jobs"], "nothing to do: the configuration has no PostgreSQL"),
    "cron verify-processed": (["cron", "verify-processed"], "0 missing"),
    "cron status": (["cron", "status", "--cron.directory=other"], "partitions +never"),
    "token add": (["token", "add", "ada", "--may=public", "--web.token_file=added.json"], r"^socorro_[0-9a-f]{8}_\S+$"),
    "token list": (["token", "list", "--web.token_file=none.json"], "no token in none.json"),
    "setup": (["setup"], "."),
    "doctor": (["doctor"], "."),
    "completion": (["completion", "bash"], "complete"),
}

BAD = [
    # The words, the exit code, the message.
    (["nothing"], 2, "there is no command 'nothing'"),
    (["processor", "x"], 2, "unrecognized arguments: x"),
    (["serve", "x"], 2, "unrecognized arguments: x"),
    (["serve", "--web.host=0.0.0.0"], 2, "0.0.0.0 is not a loopback address"),
    (["search", "--limit=0"], 2, "'0' is not a whole number"),
    (["search", "index", "x"], 2, "unrecognized arguments: x"),
    (["top", "--limit=0"], 2, "'0' is not a whole number"),
    (["process"], 2, "required: CRASH_ID"),
    (["process", "no-id"], 1, "'no-id' is not a crash id"),
    (["process", "absent.dmp"], 1, "'absent.dmp' is not a crash id"),
    (
        ["process", "CRASH", str(SAMPLE / "upload_file_minidump.dmp")],
        2,
        "cannot process crash ids and minidumps at once: ",
    ),
    (["process", "CRASH", "--symbols=."], 2, "--symbols is for minidumps"),
    (["process", str(SAMPLE / "upload_file_minidump.dmp"), "--force"], 2, "--force is for crash ids"),
    (["process", str(SAMPLE / "upload_file_minidump.dmp"), "--symbols=absent"], 2, "there is no such directory"),
    (["process", str(SAMPLE / "raw_crash.json")], 1, "raw_crash.json is not a minidump: it begins with"),
    (["reprocess"], 2, "no crashes to reprocess: "),
    (["reprocess", "no-id"], 1, "'no-id' is not a crash id"),
    (["reprocess", "CRASH", "--rate=0"], 2, "'0' is not a number above 0"),
    (["submit"], 2, "required: DUMP"),
    (["submit", "absent"], 1, "cannot read absent: no such file"),
    (["submit", str(SAMPLE / "raw_crash.json")], 1, "raw_crash.json is not a minidump: it begins with"),
    (["search", "nothing=1"], 2, "there is no such field"),
    (["search", "email=x"], 2, "it is protected"),
    (["search", "index", "--limit=1"], 2, "unrecognized arguments: --limit=1"),
    (["top", "product<1"], 2, "takes is, contains, begins, exists"),
    (["list", "--limit=0"], 2, "'0' is not a whole number of at least 1"),
    (["show", "no-id"], 1, "'no-id' is not a crash id"),
    (["show", UNKNOWN], 1, f"no processed crash {UNKNOWN} was found"),
    (["fetch", "CRASH"], 2, "required: DIR"),
    (["fetch", UNKNOWN, "there"], 1, UNKNOWN),
    (["queue"], 2, "queue needs a command: status, parked"),
    (["queue", "nothing"], 2, "there is no command 'queue nothing'; there are status, parked"),
    (["queue", "status", "--watch=0"], 2, "'0' is not"),
    (["queue", "parked", "--no"], 2, "unrecognized arguments: --no"),
    (["queue", "rejected", "--no"], 2, "unrecognized arguments: --no"),
    (["queue", "requeue"], 2, "no crashes to put back: "),
    (["queue", "reject"], 2, "no crashes to reject: "),
    (["queue", "purge", "nothing", "--yes"], 2, "invalid choice: 'nothing'"),
    (["remove"], 2, "no crashes to remove: "),
    (["remove", "no-id"], 1, "'no-id' is not a crash id"),
    (["signature", "no-id"], 1, "no-id: neither a crash id nor a file"),
    (["siglists"], 2, "siglists needs a command: check, preview"),
    (["siglists", "check", "absent"], 1, "cannot read signature lists absent: No such file"),
    (["siglists", "preview", "absent"], 2, "cannot read signature lists absent: No such file"),
    (["symbols"], 2, "symbols needs a command: add, missing"),
    (["symbols", "nothing"], 2, "there is no command 'symbols nothing'; there are add, missing"),
    (["symbols", "missing", "--since=x"], 2, "'x' is not a date such as 2016-11-23"),
    (["symbols", "fetch", "CRASH"], 2, "there are no sources of symbols: set resource.symbols.sources"),
    (["symbols", "add"], 2, "required: FILE"),
    (["symbols", "add", "absent"], 1, "absent is neither a file nor a directory"),
    (["symbols", "upload", "absent"], 1, "absent is neither a file nor a directory"),
    (["symbols", "index", "--since=x"], 2, "'x' is not a date"),
    (["symbols", "status"], 2, "there is no symbol cache: set companion_process.symbol_cache_path"),
    (["symbols", "manage"], 2, "companion_process.symbol_cache_path"),
    (["cron"], 2, "cron needs a command: reference-data, partitions"),
    (["cron", "nothing"], 2, "there is no command 'cron nothing'; there are reference-data, partitions"),
    (["cron", "reference-data", "--origin=absent"], 1, "absent: it cannot be read: No such file"),
    (["cron", "partitions", "--maximum=0"], 2, "'0' is not a whole number of at least 1"),
    (["cron", "elasticsearch-cleanup", "--maximum=0"], 2, "'0' is not a whole number of at least 1"),
    (["cron", "missing-symbols", "--date=2999-01-01"], 2, "that day is not over"),
    (["cron", "late-symbols", "--days=0"], 2, "'0' is not a whole number of at least 1"),
    (["cron", "filesystem-cleanup", "--maximum=0"], 2, "'0' is not a whole number of at least 1"),
    (["cron", "reprocessing-jobs", "--no"], 2, "unrecognized arguments: --no"),
    (["cron", "verify-processed", "--date=x"], 2, "'x' is not a date such as 2016-11-23"),
    (["cron", "status", "--no"], 2, "unrecognized arguments: --no"),
    (["token"], 2, "token needs a command: add, list, remove"),
    (["token", "add", "ada", "--may=x"], 2, "argument --may: "),
    (["token", "list", "x"], 2, "unrecognized arguments: x"),
    (["token", "remove", "0"], 1, "there is no token 0"),
    (["setup", "--new_crash_source.path=/dev/null/x"], 1, "/dev/null/x"),
    (["doctor", "--no"], 2, "unrecognized arguments: --no"),
    (["completion", "tcsh"], 2, "invalid choice: 'tcsh'"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, str]]:
    """An installation with one processed crash, and its id."""
    stackwalker()
    installation = Installation(tmp_path_factory.mktemp("commands"), SAMPLES / "symbols")
    installation.environment |= variables(
        {"resource.reference.reference_file": str(installation.directory / "reference.json")}
    )
    (installation.directory / "reference.json").write_bytes((REPOSITORY / "config/reference_data.json").read_bytes())
    crash_id = installation.submit(SAMPLE / "upload_file_minidump.dmp", "--raw-crash", SAMPLE / "raw_crash.json")
    assert installation.socorro("process", crash_id).returncode == 0
    yield installation, crash_id
    installation.close()


def words(site: tuple[Installation, str], arguments: list[str]) -> subprocess.CompletedProcess[str]:
    installation, crash_id = site
    replaced = (each.replace("CRASH", crash_id).replace("SYMBOLS", str(SAMPLES / "symbols")) for each in arguments)
    return installation.socorro(*replaced)


@pytest.mark.parametrize("command", GOOD)
def test_a_command_does_its_work_and_ends_with_0(site, command):
    arguments, expected = GOOD[command]
    done = words(site, arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(expected.replace("CRASH", site[1]), done.stdout), done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "told"), BAD, ids=lambda value: " ".join(value) if type(value) is list else ""
)
def test_an_error_is_printed_on_standard_error_without_a_traceback(site, arguments, code, told):
    done = words(site, arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = [line for line in done.stderr.splitlines() if told in line]
    assert line.startswith("socorro")


@pytest.mark.parametrize("command", ["show", "fetch", "queue", "siglists", "cron", "doctor"])
def test_each_command_reports_a_missing_configuration(site, command):
    arguments = {"show": ["show", "CRASH"], "fetch": ["fetch", "CRASH", "d"], "queue": ["queue", "status"]}
    arguments |= {"siglists": ["siglists", "check"], "cron": ["cron", "status"], "doctor": ["doctor"]}
    done = words(site, [*arguments[command], "--admin.conf=absent.ini"])
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "socorro: cannot read absent.ini: No such file or directory\n"


FORMS = ("bp-CRASH", "https://crash-stats.example.com/report/index/CRASH?page=1#frames")
TAKES_CRASH_IDS = {
    "process": "CRASH lightbox::",
    "reprocess": "1 queued as reprocessing",
    "show": "crash +CRASH",
    "fetch": "CRASH.upload_file_minidump.dump",
    "remove": "CRASH\n +source +has: raw crash",
    "signature": "CRASH lightbox::",
    "siglists preview": "1 crash",
    "symbols fetch": "lightbox",
    "queue parked": "^$",
    "queue rejected": "^$",
}
"""The output of each command for the crash, whose id is given in another form."""


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("command", TAKES_CRASH_IDS)
def test_a_crash_id_may_be_written_as_in_clients_and_in_urls_of_reports(site, command, form):
    arguments = [form if word in ("CRASH", LIGHTBOX) else word for word in GOOD[command][0]]
    done = words(site, arguments if form in arguments else [*arguments, form])
    # There are no symbols of the system's libraries.
    assert done.returncode == (command == "symbols fetch"), done.stdout + done.stderr
    assert re.search(TAKES_CRASH_IDS[command].replace("CRASH", site[1]), done.stdout), done.stdout


def test_a_missing_crash_is_reported_with_the_stores_that_were_asked(site):
    place = f"FileSystemCrashStorage in {site[0].crashes}"
    for arguments in (["show", UNKNOWN], ["fetch", UNKNOWN, "there"], ["process", UNKNOWN], ["signature", UNKNOWN]):
        done = words(site, arguments)
        assert done.returncode == 1
        assert place in done.stderr, arguments
    assert f"{UNKNOWN} is not in {place}\n" in words(site, ["remove", UNKNOWN, "--dry-run"]).stderr
    index = f"search index {site[0].crashes}/search"
    assert f"there is no such crash in {index}\n" in words(site, ["list", "--product=None"]).stderr
    preview = ["siglists", "preview", str(REPOSITORY / "siglists"), "--date=2016-11-23"]
    assert f"there is no processed crash of 2016-11-23 to 2016-11-23 in {place}" in words(site, preview).stderr
    verify = ["cron", "verify-processed", "--date=2016-11-23"]
    assert f"0 missing: {place} has no raw crashes of these days\n" in words(site, verify).stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", UNKNOWN],
        ["fetch", UNKNOWN, "there"],
        ["process", UNKNOWN],
        ["signature", UNKNOWN],
        ["remove", UNKNOWN, "--dry-run"],
        ["symbols", "missing"],
        ["siglists", "preview", str(REPOSITORY / "siglists")],
        ["cron", "verify-processed"],
        ["cron", "filesystem-cleanup", "--cron.filesystem_cleanup.retention_days=9"],
    ],
    ids=" ".join,
)
def test_without_a_store_the_message_says_where_it_was_looked_for(tmp_path, arguments):
    installation = Installation(tmp_path)
    done = installation.socorro(*arguments)
    assert "Traceback" not in done.stderr
    assert str(installation.crashes) in done.stdout + done.stderr


def test_symbols_are_uploaded_to_the_bucket(site):
    bucket = bucket_options()
    options = [f"--{key}={value}" for key, value in as_symbol_bucket(bucket).items()]
    done = words(site, ["symbols", "upload", "SYMBOLS", *options])
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{LIGHTBOX}: uploaded" in done.stdout
    assert f"{LIGHTBOX}/lightbox.sym" in object_keys(bucket)


def test_the_symbol_cache_shows_how_full_it_is(site, tmp_path):
    cache = SymbolCache(tmp_path, size=100)
    status = ["symbols", "status", f"--companion_process.symbol_cache_path={cache.path}"]
    try:
        cache.write("a", 50)
        assert words(site, status).returncode == 1
        cache.manage()
        cache.wait_for_log("1 files")
        eventually(lambda: "50.0k of 100.0k" in words(site, status).stdout)
        assert words(site, status).returncode == 0
    finally:
        cache.close()


def test_a_token_is_removed(site):
    file = "--web.token_file=removed.json"
    token_id = words(site, ["token", "add", "ada", "--may=public", file]).stdout.split("_")[1]
    assert words(site, ["token", "remove", token_id, file]).stdout == f"{token_id} removed, of ada\n"
    assert words(site, ["token", "list", file]).stdout == "no token in removed.json\n"


def test_each_command_is_tested_with_good_and_bad_input():
    names = {command.name for command in all_commands()}
    groups = {"queue", "siglists", "symbols", "cron", "token"}
    assert names - groups == GOOD.keys() | ELSEWHERE.keys() | BELOW
    bad = {" ".join(arguments[:length]) for arguments, *_ in BAD for length in (1, 2)}
    assert names - bad == set()
    for file in ELSEWHERE.values():
        assert (REPOSITORY / "tests" / f"{file}.py").exists()


def test_output_for_programs_is_json_and_nothing_else(site):
    for arguments in (
        ["show", "CRASH"],
        ["queue", "status"],
        ["signature", "CRASH"],
        ["doctor"],
        ["cron", "partitions"],
    ):
        json.loads(words(site, [*arguments, "--json"]).stdout)
