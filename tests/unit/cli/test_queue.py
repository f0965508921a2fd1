"""``socorro queue``, over the embedded queue."""

import json
import re

import pytest

from socorro_processor.cli.main import main
from socorro_processor.configuration import defaults
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashqueue.base import Delivery, this_process
from socorro_processor.crashqueue.history import FORCE
from socorro_processor.crashqueue.sqlite.crashqueue import SQLiteCrashQueue

LARGE, SLOW = new_crash_id(), new_crash_id()


@pytest.fixture
def queue(tmp_path):
    queue = SQLiteCrashQueue(
        defaults(SQLiteCrashQueue, path=str(tmp_path / "queue.sqlite"), idle_delay=0.0, retry_delays=(60.0,))
    )
    yield queue
    queue.close()


def take(queue) -> Delivery:
    delivery = next(delivery for delivery in queue.new_crashes() if delivery)
    queue.begin(delivery)
    return delivery


@pytest.fixture
def socorro(tmp_path, capsys, queue):
    """Run the command with two parked crashes and a rejected one; return its exit code and output."""
    queue.submit(LARGE)
    queue.park(take(queue), "the document is too large")
    queue.submit(SLOW, "priority")
    queue.park(take(queue), "timed out\x1b[31m")
    queue.submit("no id")
    queue.reject(take(queue), "it is not a crash id")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["queue", *arguments, f"--new_crash_source.path={tmp_path}/queue.sqlite"], environ={})
        return code, *capsys.readouterr()

    return run


def waiting(queue) -> dict[str, int]:
    return {name: depth.waiting for name, depth in queue.depths().queues.items() if depth.waiting}


def test_the_status_counts_what_was_set_aside(socorro):
    code, out, _ = socorro("status")
    assert code == 0
    assert "parked: 2, rejected: 1" in out


@pytest.fixture
def in_an_outage(queue) -> tuple[str, str]:
    """A crash that is delayed because a store is away, and one in work."""
    delayed, in_work = new_crash_id(), new_crash_id()
    queue.submit(delayed, "priority")
    queue.retry(take(queue), "S3 is away\x1b[31m", transient=True)
    queue.submit(in_work)
    take(queue)
    return delayed, in_work


def test_the_crashes_in_work_and_delayed_are_listed_with_where_since_when_and_why(socorro, in_an_outage):
    delayed, in_work = in_an_outage
    code, out, _ = socorro("status", "--ids")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["queue", "waiting", "delayed", "in", "work"]
    assert [line.split() for line in lines[1:4]] == [
        ["priority", "0", "1", "0"],
        ["normal", "0", "0", "1"],
        ["reprocessing", "0", "0", "0"],
    ]
    assert lines[6].split() == ["crash", "id", "queue", "since", "process", "why"]
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(rf"{in_work} +normal +{time} +{re.escape(this_process())} +in work", lines[7])
    assert re.fullmatch(rf"{delayed} +priority +\? +\? +delayed until {time}: S3 is away\\x1b\[31m", lines[8])
    assert len(lines) == 9


def test_the_crashes_in_work_and_delayed_are_listed_for_programs(socorro, in_an_outage):
    delayed, in_work = in_an_outage
    status = json.loads(socorro("status", "--ids", "--json")[1])
    normal = status["queues"]["normal"]
    assert (normal["waiting"], normal["delayed"], normal["in_flight"]) == (0, 0, 1)
    first, second = status["crashes"]
    assert (first["crash_id"], first["state"], first["process"]) == (in_work, "in work", this_process())
    assert first["since"] < second["due"]
    assert (second["crash_id"], second["state"], second["reason"]) == (delayed, "delayed", "S3 is away\x1b[31m")
    assert [each["in_flight"]["normal"] for each in status["processes"]] == [1]


def test_without_ids_no_crash_is_listed(socorro, in_an_outage):
    assert len(socorro("status")[1].splitlines()) == 5
    assert "crashes" not in json.loads(socorro("status", "--json")[1])


def test_if_there_is_nothing_to_list_the_command_says_so(socorro):
    assert socorro("status", "--ids")[1].splitlines()[5:] == ["", "no crash is in flight or delayed"]


def test_parked_crashes_are_listed_with_their_reasons_and_cannot_paint_the_terminal(socorro):
    code, out, _ = socorro("parked")
    assert code == 0
    lines = out.splitlines()
    assert lines[1].split() == [LARGE, lines[1].split()[1], "normal", "1", "the", "document", "is", "too", "large"]
    assert r"timed out\x1b[31m" in lines[2]


def test_a_crash_is_put_back_by_any_form_of_its_id_and_a_rejected_body_as_it_is(socorro, queue):
    address = f"https://crashes.example.com/report/index/{SLOW}"
    assert socorro("requeue", f"bp-{LARGE}", address)[:2] == (0, "2 parked crashes were put back\n")
    assert socorro("requeue", "--rejected", "no id")[:2] == (0, "1 rejected crash was put back\n")
    assert socorro("requeue", f"bp-{LARGE}") == (1, f"0 parked crashes were put back\nbp-{LARGE} is not parked\n", "")


def test_rejected_crashes_are_listed_for_programs(socorro):
    _, out, _ = socorro("rejected", "--json")
    (rejected,) = map(json.loads, out.splitlines())
    assert (rejected["crash_id"], rejected["reason"], rejected["queue"]) == ("no id", "it is not a crash id", "normal")


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--reason=too large"], [LARGE]),
        (["--queue=priority"], [SLOW]),
        ([SLOW], [SLOW]),
        ([f"bp-{SLOW}"], [SLOW]),
        ([f"https://crashes.example.com/report/index/{SLOW}", "nothing"], [SLOW]),
        (["--since=2016-11-23"], [LARGE, SLOW]),
        (["--since=2999-01-01"], []),
        (["--reason=too large", "--queue=priority"], []),
    ],
)
def test_the_list_can_be_filtered(socorro, filters, found):
    _, out, _ = socorro("parked", "--json", *filters)
    assert [json.loads(line)["crash_id"] for line in out.splitlines()] == found


def test_the_chosen_crashes_are_put_back_and_the_others_stay(socorro, queue):
    assert socorro("requeue", "--reason=timed out")[:2] == (0, "1 parked crash was put back\n")
    assert waiting(queue) == {"priority": 1}
    assert [crash.crash_id for crash in queue.set_aside("parked")] == [LARGE]


def test_a_forced_crash_is_shown_and_put_back_as_forced(socorro, queue):
    queue.submit(crash_id := new_crash_id(), "reprocessing", FORCE)
    delivery = next(each for each in queue.new_crashes() if each)
    queue.begin(delivery)
    queue.park(delivery, "for a reason")
    _, out, _ = socorro("parked", crash_id, "--json")
    assert json.loads(out)["work"] == FORCE
    _, out, _ = socorro("parked", crash_id)
    assert "reprocessing force" in out
    assert socorro("requeue", crash_id)[0] == 0
    assert next(each for each in queue.new_crashes() if each).history.work == FORCE


def test_all_crashes_are_put_back_only_on_request(socorro, queue):
    code, _, err = socorro("requeue")
    assert code == 2
    assert "give --all" in err
    assert waiting(queue) == {}
    assert socorro("requeue", "--all")[0] == 0
    assert waiting(queue) == {"normal": 1, "priority": 1}


def test_a_dry_run_puts_nothing_back(socorro, queue):
    assert socorro("requeue", "--all", "--dry-run")[:2] == (0, "2 parked crashes would be put back\n")
    assert waiting(queue) == {}


def test_rejected_crashes_can_be_put_back_too(socorro, queue):
    assert socorro("requeue", "--all", "--rejected", "--json")[0] == 0
    assert waiting(queue) == {"normal": 1}


def test_a_crash_id_that_is_not_parked_is_reported(socorro):
    code, out, _ = socorro("requeue", LARGE, "nowhere")
    assert code == 1
    assert "1 parked crash was put back" in out
    assert "nowhere is not parked" in out


# reject


def test_parked_crashes_with_a_reason_are_rejected_and_the_rest_stays(socorro, queue):
    assert socorro("reject", "--reason=too large")[:2] == (0, "1 parked crash was rejected\n")
    assert [crash.crash_id for crash in queue.set_aside("parked")] == [SLOW]
    assert [crash.crash_id for crash in queue.set_aside("rejected")] == ["no id", LARGE]


def test_without_a_selection_nothing_is_rejected(socorro, queue):
    code, _, err = socorro("reject")
    assert (code, "name crash ids" in err) == (2, True)
    assert queue.depths().parked == 2


def test_a_dry_run_rejects_nothing(socorro, queue):
    assert socorro("reject", "--all", "--dry-run", "--json")[:2] == (0, '{"rejected": 2, "dry_run": true}\n')
    assert queue.depths().parked == 2


def test_a_crash_id_that_is_not_parked_is_not_rejected_and_named(socorro):
    assert socorro("reject", "nowhere")[:2] == (1, "0 parked crashes were rejected\nnowhere is not parked\n")


def test_a_rejection_is_recorded_with_who_did_it(socorro, tmp_path):
    audit = tmp_path / "audit"
    assert socorro("reject", "--all", f"--logging.audit_file={audit}")[0] == 0
    (line,) = audit.read_text().splitlines()
    assert re.search(r" INFO 2 parked crashes were rejected by=\S+ .*host=\S+ rejected=2$", line)


def test_an_unknown_subcommand_is_refused(socorro):
    code, _, err = socorro()
    assert code == 2
    assert err == "socorro: queue needs a command: status, parked, rejected, requeue, reject, purge\n"


# purge


@pytest.mark.parametrize(("name", "count"), [("parked", 2), ("rejected", 1), ("normal", 2), ("priority", 0)])
def test_purging_says_how_many_and_what_is_lost_and_leaves_the_rest(socorro, queue, name, count):
    for crash_id in (new_crash_id(), new_crash_id()):
        queue.submit(crash_id)
    code, out, _ = socorro("purge", name, "--yes")
    assert code == 0
    assert out.startswith(f"{count} crash id{' was' if count == 1 else 's were'} purged from {name}\n")
    assert ("are lost: " in out) == (count > 0)
    depths = queue.depths()
    left = {"parked": depths.parked, "rejected": depths.rejected, "normal": depths.queues["normal"].waiting}
    assert left == {"parked": 2, "rejected": 1, "normal": 2} | ({name: 0} if name in left else {})


@pytest.mark.parametrize("interval", ["0", "-1", "soon", "nan"])
def test_an_invalid_interval_is_refused(socorro, interval, capsys):
    with pytest.raises(SystemExit) as ended:
        socorro("status", f"--watch={interval}")
    assert ended.value.code == 2
    assert "is not a number of seconds, more than 0" in capsys.readouterr().err


def test_without_a_terminal_nothing_is_purged_unless_confirmed(socorro, queue):
    code, out, err = socorro("purge", "parked")
    assert (code, out) == (2, "")
    assert err == "socorro: nothing is purged: there is no terminal to ask at; give --yes, or --dry-run\n"
    assert queue.depths().parked == 2


def test_a_dry_run_of_a_purge_purges_nothing_and_is_not_recorded(socorro, queue, tmp_path):
    audit = tmp_path / "audit"
    code, out, _ = socorro("purge", "parked", "--dry-run", f"--logging.audit_file={audit}")
    assert code == 0
    assert out.startswith("2 crash ids would be purged from parked\nwould be lost: ")
    assert queue.depths().parked == 2
    assert not audit.exists()


def test_a_purge_is_recorded_with_who_did_it(socorro, tmp_path):
    audit = tmp_path / "audit"
    assert socorro("purge", "parked", "--yes", "--json", f"--logging.audit_file={audit}")[:2] == (
        0,
        '{"queue": "parked", "purged": 2, "dry_run": false}\n',
    )
    (line,) = audit.read_text().splitlines()
    assert re.search(r" INFO 2 crash ids were purged from parked by=\S+ .*host=\S+ queue=parked purged=2$", line)


def test_if_a_purge_cannot_be_recorded_nothing_is_purged(socorro, queue, tmp_path):
    code, _, err = socorro("purge", "parked", "--yes", f"--logging.audit_file={tmp_path}")
    assert code == 2
    assert "cannot write logging.audit_file" in err
    assert "nothing was done" in err
    assert queue.depths().parked == 2


def test_an_unknown_queue_is_not_purged(socorro, capsys):
    with pytest.raises(SystemExit) as ended:
        socorro("purge", "everything", "--yes")
    assert ended.value.code == 2
    assert "invalid choice: 'everything'" in capsys.readouterr().err
