"""``socorro cron``: everything around a job."""

import json
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from socorro_processor.cli import cron
from socorro_processor.cli.main import main
from socorro_processor.errors import CrashQueueError
from socorro_processor.jobs.job import DayRefused, Job, JobOutcome
from socorro_processor.jobs.ledger import FileLedger, JobRecord
from socorro_processor.jobs.retention import NotRemoved
from socorro_processor.monitoring.metrics import METRICS

NAMES = [job.name for job in cron.JOBS]


class Run:
    """The job of these tests, and the arguments that it received."""

    def __init__(self) -> None:
        self.does = lambda work: JobOutcome(True, "12 partitions made")
        self.given = []

    def __call__(self, work):
        self.given.append(work)
        return self.does(work)


@pytest.fixture
def job(monkeypatch):
    run = Run()
    job = Job("sweep", "Sweep.", "socorro cron sweep", run)
    monkeypatch.setattr(cron, "JOBS", (*cron.JOBS, job))
    monkeypatch.setitem(cron.COMMAND.subcommands, "sweep", cron.job_command(job))
    return run


@pytest.fixture
def ledger(tmp_path):
    with closing(FileLedger(tmp_path / "jobs")) as ledger:
        yield ledger


@pytest.fixture
def socorro_cron(tmp_path, capsys):
    def run(*arguments):
        code = main(["cron", *arguments, f"--cron.directory={tmp_path / 'jobs'}"], environ={})
        return code, *capsys.readouterr()

    return run


def test_a_job_that_ends_well_is_recorded_and_shown(socorro_cron, job, ledger):
    assert socorro_cron("sweep")[0] == 0
    (record,) = ledger.records()
    assert (record.name, record.host, record.succeeded) == ("sweep", socket.gethostname(), True)
    assert record.started <= record.ended
    code, out, _ = socorro_cron("status")
    assert code == 0
    (line,) = (line for line in out.splitlines() if line.startswith("sweep"))
    assert line.split()[4:] == ["succeeded", "12", "partitions", "made"]


def test_a_job_that_never_ran_is_shown_too(socorro_cron):
    code, out, _ = socorro_cron("status")
    assert code == 0
    assert [line.split() for line in out.splitlines()[1:]] == [[name, "never"] for name in sorted(NAMES)]


def test_a_job_that_does_not_succeed_ends_with_1_and_so_does_the_status(socorro_cron, job):
    job.does = lambda work: JobOutcome(False, "3 are missing")
    assert socorro_cron("sweep")[0] == 1
    code, out, _ = socorro_cron("status")
    assert code == 1
    assert "failed  3 are missing" in out


def test_a_job_that_fails_is_recorded_with_the_reason(socorro_cron, job, ledger):
    def fail(work):
        raise CrashQueueError("the broker is away")

    job.does = fail
    code, _, err = socorro_cron("sweep")
    assert (code, err) == (1, "socorro: the broker is away\n")
    (record,) = ledger.records()
    assert (record.succeeded, record.summary) == (False, "the broker is away")


def test_the_record_of_a_bug_quotes_nothing(socorro_cron, job, ledger):
    def fail(work):
        raise ValueError("a crash's secret")

    job.does = fail
    with pytest.raises(ValueError, match="secret"):
        socorro_cron("sweep")
    assert ledger.records()[0].summary == "a bug: ValueError"


def test_a_job_that_runs_or_died_has_not_ended(socorro_cron, job):
    said = []
    job.does = lambda work: said.append(socorro_cron("status")[1]) or JobOutcome(True, "")
    socorro_cron("sweep")
    assert "at work, or died" in said[0]


def test_an_interrupted_job_is_recorded_as_such(socorro_cron, job, ledger):
    def interrupt(work):
        raise KeyboardInterrupt

    job.does = interrupt
    assert socorro_cron("sweep")[0] == 130
    assert (ledger.records()[0].succeeded, ledger.records()[0].summary) == (False, "interrupted")


def test_a_job_that_runs_elsewhere_is_not_started(socorro_cron, job, ledger):
    with ledger.locked("sweep"):
        assert socorro_cron("sweep")[:2] == (0, "sweep is running elsewhere\n")
    assert (job.given, ledger.records()) == ([], [])


def test_a_dry_run_leaves_no_trace_and_waits_for_nobody(socorro_cron, job, ledger):
    job.does = lambda work: work.remember({"a": 1}) or JobOutcome(True, "")
    with ledger.locked("sweep"):
        assert socorro_cron("sweep", "--dry-run")[0] == 0
    assert job.given[0].dry_run
    assert ledger.records() == []


def test_a_job_gets_what_it_remembered_even_from_a_failed_run(socorro_cron, job):
    def remember_and_fail(work):
        work.remember({"made": ["20161121"]})
        raise CrashQueueError("the broker is away")

    job.does = remember_and_fail
    socorro_cron("sweep")
    job.does = lambda work: JobOutcome(True, "")
    socorro_cron("sweep")
    socorro_cron("sweep")
    assert [work.memory for work in job.given] == [{}, {"made": ["20161121"]}, {"made": ["20161121"]}]


def test_output_of_a_job_is_safe_to_print_and_json_on_request(socorro_cron, job):
    job.does = lambda work: work.say("made \x1b[31m", {"made": "\x1b[31m"}) or JobOutcome(True, "")
    assert socorro_cron("sweep")[1] == "made \\x1b[31m\n"
    assert json.loads(socorro_cron("sweep", "--json")[1]) == {"made": "\x1b[31m"}


def test_how_jobs_end_is_counted(socorro_cron, job):
    def counts():
        snapshot = METRICS.snapshot()
        return [snapshot.counter("job.ended", job="sweep", outcome=outcome) for outcome in ("succeeded", "failed")]

    before = counts()
    socorro_cron("sweep")
    job.does = lambda work: JobOutcome(False, "")
    socorro_cron("sweep")
    assert [after - earlier for after, earlier in zip(counts(), before, strict=True)] == [1, 1]


@pytest.mark.parametrize(("hours", "overdue"), [(35, False), (37, True)])
def test_a_job_that_has_not_begun_for_one_and_a_half_intervals_is_overdue(socorro_cron, job, ledger, hours, overdue):
    started = datetime.now(UTC) - timedelta(hours=hours)
    with ledger.locked("sweep"):
        ledger.record(JobRecord("sweep", "host", started, started, True, "12 partitions made"))
    code, out, _ = socorro_cron("status")
    assert (code, "succeeded, overdue  12 partitions made" in out) == ((1, True) if overdue else (0, False))
    _, out, _ = socorro_cron("status", "--json")
    assert json.loads(out)["overdue"] is overdue


def refuse(work):
    work.remember({"seen": 1})
    raise NotRemoved("nothing is removed: the clock is wrong\nuse --trust-clock")


def test_a_refused_job_does_not_fail_the_status(socorro_cron, job, ledger):
    job.does = refuse
    code, _, err = socorro_cron("sweep")
    assert (code, "the clock is wrong" in err) == (1, True)
    code, out, _ = socorro_cron("status")
    assert (code, "refused  refused: nothing is removed: the clock is wrong" in out) == (0, True)
    (record,) = ledger.records()
    assert record.memory == {"seen": 1}


@pytest.mark.parametrize("succeeded", [True, False])
def test_after_a_refusal_the_status_is_still_that_of_the_run_before(socorro_cron, job, ledger, succeeded):
    job.does = lambda work: JobOutcome(succeeded, "12 partitions")
    socorro_cron("sweep")
    (before,) = ledger.records()
    job.does = refuse
    for _ in range(2):
        socorro_cron("sweep")
    (record,) = ledger.records()
    assert (record.started, record.ended, record.succeeded) == (before.started, before.ended, succeeded)
    code, out, _ = socorro_cron("status")
    assert code == (0 if succeeded else 1)
    (line,) = (line for line in out.splitlines() if line.startswith("sweep"))
    assert line.count("refused on") == 1
    assert "12 partitions; refused on " in line
    assert line.endswith("nothing is removed: the clock is wrong")


def test_a_job_that_is_always_refused_is_overdue_in_the_end(socorro_cron, job, ledger):
    started = datetime.now(UTC) - timedelta(hours=37)
    with ledger.locked("sweep"):
        ledger.record(JobRecord("sweep", "host", started, started, True, "12 partitions made"))
    job.does = refuse
    socorro_cron("sweep")
    assert socorro_cron("status")[0] == 1


def test_a_day_that_is_refused_is_a_wrong_argument_and_nothing_more(socorro_cron, job):
    def refuse_the_day(work):
        raise DayRefused("--date 2999-01-01: that day has not begun")

    job.does = refuse_the_day
    assert socorro_cron("sweep")[0] == 2
    assert socorro_cron("status")[0] == 0


def test_a_long_running_job_is_not_overdue_and_one_that_died_is(socorro_cron, job, ledger):
    started = datetime.now(UTC) - timedelta(hours=37)
    with ledger.locked("sweep"):
        ledger.record(JobRecord("sweep", "host", started))
        assert socorro_cron("sweep")[0] == 0
        assert socorro_cron("status")[0] == 0
    assert socorro_cron("status")[0] == 1


def test_programs_get_the_status_as_json(socorro_cron, job):
    socorro_cron("sweep")
    _, out, _ = socorro_cron("status", "--json")
    record = json.loads(out)
    assert (record["name"], record["state"], record["summary"]) == ("sweep", "well", "12 partitions made")


def test_an_unknown_job_is_refused_with_the_known_ones(socorro_cron):
    code, _, err = socorro_cron()
    assert code == 2
    assert err.startswith("socorro: cron needs a command: reference-data, partitions, ")
    code, _, err = socorro_cron("nothing")
    assert code == 2
    assert err.startswith("socorro: there is no command 'cron nothing'; there are reference-data, partitions, ")


def test_the_help_lists_the_jobs_and_each_has_its_own(socorro_cron):
    assert "--reprocess" in socorro_cron("verify-processed", "--help")[1]
    overview = socorro_cron("--help")[1]
    for each in cron.JOBS:
        assert f"  {each.name} " in overview
        out = socorro_cron(each.name, "--help")[1]
        assert "example:\n  " + each.example.replace("\n", "\n  ") in out
        assert "--dry-run" in out


def test_if_the_records_cannot_be_written_the_job_is_not_begun(socorro_cron, job, tmp_path):
    (tmp_path / "jobs").write_text("in the way")
    code, _, err = socorro_cron("sweep")
    assert code == 1
    assert "(see cron.directory)" in err
    assert job.given == []


DAMAGED = [
    "",
    "{",
    "[]",
    "[" * 100_000,
    "\0" * 100,
    '{"name": "sweep", "host": "h", "started": "2016-11-24T04:00:00", "ended": null}',
    '{"name": "sweep", "host": "h", "started": "2016-11-24T04:00:00+00:00", "ended": null, "summary": 5}',
    '{"name": "sweep", "host": "h", "started": "2016-11-24T04:00:00+00:00", "ended": null, "memory": []}',
    '{"name": "another", "host": "h", "started": "2016-11-24T04:00:00+00:00", "ended": null}',
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_counts_as_a_failure_until_the_next_run(socorro_cron, job, tmp_path, text):
    (tmp_path / "jobs").mkdir()
    record = tmp_path / "jobs" / "sweep.json"
    record.write_text(text)
    code, out, _ = socorro_cron("status", "--json")
    assert code == 1
    assert json.loads(out)["state"] == "badly"
    assert f"its record {record} is damaged" in json.loads(out)["summary"]
    assert socorro_cron("sweep")[0] == 0
    assert len(job.given) == 1
    assert socorro_cron("status")[0] == 0


def test_a_damaged_record_of_one_job_keeps_no_other_from_its_work(socorro_cron, job, tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "another.json").write_text("")
    assert socorro_cron("sweep")[0] == 0
    assert len(job.given) == 1
