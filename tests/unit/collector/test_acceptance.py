"""Answers to uploads: each report is one crash, and what was answered is kept."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from socorro_processor.collector.acceptance import Answer
from socorro_processor.collector.identity import Report, other_crash_id
from socorro_processor.collector.refusal import Refused
from socorro_processor.collector.spool import SpoolFull
from socorro_processor.crash_id import crash_date
from socorro_processor.monitoring.metrics import METRICS
from tests.collector_site import MOMENT, REPORT, FailingDisk, Site

NEXT_DAY = MOMENT + timedelta(days=1)
UUID = "0bba61c5-dfc3-43e7-dead-8afd20261123"
KEY = "let me choose"


def raw_crash(site: Site, crash_id: str) -> dict:
    return site.store.get_raw_crash(crash_id)


def test_an_accepted_upload_is_stored_with_its_dumps_and_queued(site):
    dumps = {"upload_file_minidump": b"MDMP one", "upload_file_minidump_browser": b"MDMP two", "log": b"text"}
    answer = site.send(dumps, annotations={"ProductName": "Browser", "Version": "1.0"}, notes=["a note"])
    site.hand_over()
    assert answer.text() == f"CrashID=bp-{answer.crash_id}\n"
    assert answer.text(bare_id=True) == answer.crash_id
    assert site.queued() == [answer.crash_id]
    assert site.store.get_raw_dumps(answer.crash_id) == dumps
    stored = raw_crash(site, answer.crash_id)
    metadata = stored.pop("metadata")
    assert stored == {
        "ProductName": "Browser",
        "Version": "1.0",
        "uuid": answer.crash_id,
        "submitted_timestamp": "2026-11-23T12:00:00+00:00",
        "legacy_processing": 0,
    }
    assert set(metadata["dump_checksums"]) == set(dumps)
    assert metadata["throttle_rule"] == "accept_all"
    assert metadata["client"] == "crashpad"
    assert metadata["attachments"] == ["log"]
    assert metadata["collector_notes"] == ["a note"]


def test_the_same_report_again_has_the_same_answer_and_is_one_crash(site):
    first = site.send(report_id=REPORT)
    again = site.send(report_id=REPORT.upper())
    assert (again.crash_id, again.is_known, first.is_known) == (first.crash_id, True, False)
    site.hand_over()
    later = site.send(report_id=REPORT)
    assert (later.crash_id, later.is_known) == (first.crash_id, True)
    assert site.collector.status().crashes == 0
    assert site.queued() == [first.crash_id]
    assert site.store.saved == [first.crash_id]


def test_every_host_makes_the_same_id_of_a_report(site, tmp_path):
    with Site(tmp_path / "other") as other:
        assert site.send(report_id=REPORT).crash_id == other.send(report_id=REPORT).crash_id


def test_two_hosts_that_took_the_same_report_store_it_once(site, tmp_path):
    with Site(tmp_path / "other") as other:
        other.store, other.queue = site.store, site.queue
        other.restart()
        crash_id = site.send(report_id=REPORT).crash_id
        site.store.is_away = True  # so that the other host cannot know
        assert not other.send(report_id=REPORT).is_known
        site.store.is_away = False
        site.hand_over()
        other.hand_over()
    assert site.stored() == {crash_id: 1}
    assert site.store.saved == [crash_id]


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_report_of_yesterday_has_the_answer_of_yesterday(site, handed_over):
    first = site.send(report_id=REPORT)
    if handed_over:
        site.hand_over()
    again = site.send(report_id=REPORT, moment=NEXT_DAY)
    assert (again.crash_id, again.is_known) == (first.crash_id, True)
    assert crash_date(first.crash_id) == MOMENT.date()


def test_a_report_of_two_days_ago_is_a_new_crash(site):
    first = site.send(report_id=REPORT)
    later = site.send(report_id=REPORT, moment=MOMENT + timedelta(days=2))
    assert later.crash_id != first.crash_id


def test_a_report_with_another_dump_is_another_crash(site):
    first = site.send(report_id=REPORT)
    other = site.send({"upload_file_minidump": b"MDMP other"}, report_id=REPORT)
    assert other.crash_id != first.crash_id
    assert not other.is_known


def test_a_report_with_another_attachment_is_the_same_crash(site):
    first = site.send({"upload_file_minidump": b"MDMP", "log": b"short"}, report_id=REPORT)
    again = site.send({"upload_file_minidump": b"MDMP", "log": b"longer"}, report_id=REPORT)
    assert again == Answer(first.crash_id, is_known=True)


def test_without_a_report_id_each_upload_is_a_crash(site):
    assert site.send().crash_id != site.send().crash_id


def test_the_same_report_in_many_threads_at_once_is_one_crash(site):
    begin = threading.Barrier(8)
    answers = []

    def send():
        begin.wait()
        answers.append(site.send(report_id=REPORT))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer.crash_id for answer in answers}) == 1
    assert sorted(answer.is_known for answer in answers) == [False] + [True] * 7
    assert site.collector.status().crashes == 1


def test_of_two_at_once_the_second_is_kept_if_the_first_cannot_be(tmp_path):
    disk = FailingDisk()
    in_commit, go_on = threading.Event(), threading.Event()

    def step(name):
        if name == "written" and not in_commit.is_set():
            in_commit.set()
            assert go_on.wait(30)

    with Site(tmp_path, disk=disk, step=step) as site:
        answers = []

        def first():
            with pytest.raises(SpoolFull):
                site.send(report_id=REPORT)
            disk.room = None

        one = threading.Thread(target=first)
        one.start()
        assert in_commit.wait(30)
        two = threading.Thread(target=lambda: answers.append(site.send(report_id=REPORT)))
        two.start()
        # The dump of both is written, and only the first is at the end of its file.
        writing = site.directory / "spool" / "writing"
        site.wait_until(lambda: [path.stat().st_size > 0 for path in writing.iterdir()] == [True, True])
        disk.room = 0
        go_on.set()
        one.join()
        two.join()
        site.hand_over()
        assert [answer.is_known for answer in answers] == [False]
        assert site.stored() == {answers[0].crash_id: 1}


def test_while_the_store_is_away_uploads_are_accepted(site):
    site.store.is_away = True
    answer = site.send(report_id=REPORT)
    site.store.is_away = False
    site.hand_over()
    assert site.stored() == {answer.crash_id: 1}


def test_a_store_that_hangs_delays_an_answer_by_the_configured_time_only(site):
    site.restart(store_time="0.2")
    hangs = threading.Event()
    is_asked = threading.Event()
    get = site.store.get_raw_crash

    def hang(crash_id, note=None):
        is_asked.set()
        hangs.wait()
        return get(crash_id)

    site.store.get_raw_crash = hang
    try:
        assert site.send(report_id=REPORT).crash_id
        assert is_asked.is_set()
    finally:
        hangs.set()


def test_a_report_of_yesterday_that_could_not_be_known_keeps_both_promises_and_says_so(site):
    first = site.send(report_id=REPORT).crash_id
    site.hand_over()
    site.store.is_away = True
    second = site.send(report_id=REPORT, moment=NEXT_DAY).crash_id
    site.store.is_away = False
    site.hand_over()
    assert site.stored() == {first: 1, second: 1}
    assert raw_crash(site, second)["metadata"]["collector_notes"] == [
        f"the same report as {first}: the store could not be asked when it was sent again"
    ]


def test_a_damaged_file_in_the_spool_is_replaced_when_the_report_is_sent_again(site):
    first = site.send(report_id=REPORT).crash_id
    (name,) = site.files("ready")
    path = site.directory / "spool" / "ready" / name
    path.write_bytes(path.read_bytes()[:-3])
    again = site.send(report_id=REPORT)
    assert (again.crash_id, again.is_known) == (first, False)
    site.hand_over()
    assert site.stored() == {first: 1}
    assert site.store.get_raw_dump(first) == b"MDMP dump"
    assert site.files("aside") == [f"{name}.damaged", f"{name}.why"]


def test_a_report_that_was_set_aside_is_known(site):
    first = site.send(report_id=REPORT).crash_id
    spool = site.collector._spool
    spool.set_aside(spool.find(first), "a reason")
    assert site.send(report_id=REPORT) == Answer(first, is_known=True)
    site.restart()
    assert site.send(report_id=REPORT) == Answer(first, is_known=True)


def test_a_uuid_of_the_client_is_refused_without_the_key(site):
    for key in ("", "other"):
        with pytest.raises(Refused) as error:
            site.send(client_uuid=UUID, key=key)
        assert (error.value.status, error.value.code) == (401, "unauthorized_uuid")
    site.restart(uuid_keys=KEY)
    with pytest.raises(Refused):
        site.send(client_uuid=UUID, key="")
    assert site.collector.status().crashes == 0
    assert site.files("writing") == []


def test_a_uuid_of_the_client_is_taken_with_the_key_and_only_once(site):
    site.restart(uuid_keys=f"another, {KEY}")
    assert site.send(client_uuid=UUID, key=KEY) == Answer(UUID)
    assert site.send(client_uuid=UUID, key=KEY) == Answer(UUID, is_known=True)
    site.hand_over()
    assert site.send(client_uuid=UUID, key=KEY) == Answer(UUID, is_known=True)
    assert site.store.saved == [UUID]


@pytest.mark.parametrize("handed_over", [False, True])
def test_another_dump_with_a_uuid_that_is_taken_has_another_id_each_time_the_same(site, handed_over):
    site.restart(uuid_keys=KEY)
    site.send(client_uuid=UUID, key=KEY)
    if handed_over:
        site.hand_over()
    other = {"upload_file_minidump": b"MDMP other"}
    answer = site.send(other, client_uuid=UUID, key=KEY)
    assert answer.crash_id != UUID
    assert answer.crash_id[-7:] == UUID[-7:]
    assert site.send(other, client_uuid=UUID, key=KEY) == Answer(answer.crash_id, is_known=True)
    site.hand_over()
    assert site.send(other, client_uuid=UUID, key=KEY) == Answer(answer.crash_id, is_known=True)
    assert site.stored() == {UUID: 1, answer.crash_id: 1}
    assert site.store.get_raw_dump(UUID) == b"MDMP dump"
    assert raw_crash(site, answer.crash_id)["metadata"]["collector_notes"] == [
        f"sent as {UUID}, which is the id of another crash"
    ]


def test_a_uuid_that_turns_out_to_be_taken_after_the_answer_is_noted_and_nothing_is_overwritten(site):
    site.restart(uuid_keys=KEY)
    site.send(client_uuid=UUID, key=KEY)
    site.hand_over()
    site.store.is_away = True
    other = {"upload_file_minidump": b"MDMP other"}
    assert site.send(other, client_uuid=UUID, key=KEY) == Answer(UUID)
    site.store.is_away = False
    before = METRICS.snapshot().counter("collector.renamed")
    site.hand_over()
    assert METRICS.snapshot().counter("collector.renamed") == before + 1
    (other_id,) = site.stored().keys() - {UUID}
    assert site.store.get_raw_dump(UUID) == b"MDMP dump"
    assert site.store.get_raw_dump(other_id) == b"MDMP other"
    stored = raw_crash(site, other_id)
    assert stored["uuid"] == other_id
    assert stored["metadata"]["collector_notes"] == [
        f"answered as {UUID}, which is the id of another crash in the store"
    ]
    assert site.queued() == [UUID, other_id]


def test_a_crash_that_another_program_stored_is_never_taken_for_the_same(site):
    site.restart(uuid_keys=KEY)
    site.store.save_raw_crash({"uuid": UUID}, {"upload_file_minidump": b"MDMP dump"}, UUID)
    answer = site.send(client_uuid=UUID, key=KEY)
    assert answer.crash_id != UUID
    site.hand_over()
    assert raw_crash(site, UUID) == {"uuid": UUID}


def test_without_dumps_the_annotations_tell_whether_it_is_the_same(site):
    site.restart(uuid_keys=KEY)
    java = {"JavaStackTrace": "java.lang.Error: a"}
    assert site.send({}, client_uuid=UUID, key=KEY, annotations=java) == Answer(UUID)
    assert site.send({}, client_uuid=UUID, key=KEY, annotations=java) == Answer(UUID, is_known=True)
    other = site.send({}, client_uuid=UUID, key=KEY, annotations={"JavaStackTrace": "java.lang.Error: b"})
    assert other.crash_id != UUID
    site.hand_over()
    assert site.send({}, client_uuid=UUID, key=KEY, annotations=java) == Answer(UUID, is_known=True)


@pytest.mark.parametrize(
    "text",
    ["x", "../../etc/passwd", UUID.upper(), UUID[:-1], UUID[:-6] + "269999", UUID[:-6] + "261126", "0" * 10_000],
)
def test_a_uuid_that_cannot_be_a_crash_id_is_refused(site, text):
    site.restart(uuid_keys=KEY)
    with pytest.raises(Refused) as error:
        site.send(client_uuid=text, key=KEY)
    assert (error.value.status, error.value.code) == (400, "malformed_uuid")
    assert len(error.value.words) < 300


def test_a_uuid_of_the_client_keeps_its_throttle_digit(site):
    site.restart(uuid_keys=KEY, throttle_rules='[{"name": "all", "then": "reject"}]')
    deferred = UUID[:-7] + "1" + UUID[-6:]
    assert site.send(client_uuid=deferred, key=KEY) == Answer(deferred)
    site.hand_over()
    assert site.queued() == []
    assert raw_crash(site, deferred)["legacy_processing"] == 1


def test_a_product_with_keys_takes_no_crash_without_one(site):
    site.restart(product_keys=json.dumps({"Browser": ["one", "two"]}))
    for key in ("", "three"):
        with pytest.raises(Refused) as error:
            site.send(key=key)
        assert (error.value.status, error.value.code) == (401, "unauthorized_product")
    assert site.send(key="two").crash_id
    assert site.send(annotations={"prod": "Other"}).crash_id
    with pytest.raises(Refused):
        site.send(annotations={"prod": "Browser"})


def test_a_rejected_crash_is_told_so_and_nothing_is_kept(site):
    site.restart(throttle_rules='[{"name": "old versions", "when": {"version": "1.*"}, "then": "reject"}]')
    before = METRICS.snapshot().counter("collector.rejected", rule="old versions")
    answer = site.send(annotations={"Version": "1.0"})
    assert answer.text() == answer.text(bare_id=True) == "Discarded=rule_old versions\n"
    assert METRICS.snapshot().counter("collector.rejected", rule="old versions") == before + 1
    assert site.collector.status().crashes == 0
    assert site.files("writing") == site.files("ready") == []


def test_a_deferred_crash_is_stored_but_not_queued(site):
    site.restart(throttle_rules='[{"name": "all", "then": "defer"}]')
    answer = site.send()
    assert answer.crash_id[-7] == "1"
    site.hand_over()
    assert site.stored() == {answer.crash_id: 1}
    assert site.queued() == []
    assert raw_crash(site, answer.crash_id)["legacy_processing"] == 1


def test_a_report_that_was_deferred_keeps_its_answer_when_the_rules_have_changed(site):
    site.restart(throttle_rules='[{"name": "all", "then": "defer"}]')
    first = site.send(report_id=REPORT).crash_id
    site.restart(throttle_rules="[]")
    assert site.send(report_id=REPORT) == Answer(first, is_known=True)
    site.hand_over()
    assert site.send(report_id=REPORT) == Answer(first, is_known=True)
    assert site.send(report_id=REPORT, moment=NEXT_DAY) == Answer(first, is_known=True)


def test_a_share_draws_the_same_lot_for_each_sending_of_a_report():
    draws = [Report(str(uuid.UUID(int=number)), "checksum").draw() for number in range(2000)]
    assert all(0 <= draw < 100 for draw in draws)
    assert 150 < sum(draw < 10 for draw in draws) < 250
    assert Report("A", "c").draw() == Report("a", "c").draw()


def test_annotations_that_are_never_stored_and_our_own_names_are_dropped_and_noted(site):
    site.restart(never_stored="Email, Secret")
    sent = {"Email": "x@example.com", "uuid": "x", "submitted_timestamp": "1999-01-01", "metadata": "{}", "A": "1"}
    answer = site.send(annotations=sent)
    (name,) = site.files("ready")
    assert b"example.com" not in (site.directory / "spool" / "ready" / name).read_bytes()
    site.hand_over()
    stored = raw_crash(site, answer.crash_id)
    assert stored["metadata"]["dropped_fields"] == ["Email", "metadata", "submitted_timestamp", "uuid"]
    assert stored["submitted_timestamp"] == MOMENT.isoformat()
    assert (stored["uuid"], stored["A"], "Email" in stored) == (answer.crash_id, "1", False)


def test_text_that_is_not_valid_unicode_is_stored(site):
    answer = site.send(annotations={"Comments": "a \udcff b", "N": float("nan")}, report_id="\ud800")
    site.hand_over()
    assert raw_crash(site, answer.crash_id)["Comments"] == "a \ufffd b"


def test_the_day_of_the_id_is_that_in_utc(site):
    moment = datetime.fromisoformat("2026-11-24T01:00:00+02:00")
    answer = site.send(moment=moment)
    assert crash_date(answer.crash_id) == moment.astimezone(UTC).date()
    site.hand_over()
    assert raw_crash(site, answer.crash_id)["submitted_timestamp"] == "2026-11-23T23:00:00+00:00"


def test_an_upload_that_was_broken_off_leaves_nothing(site):
    file = site.collector.begin()
    file.write(b"MDMP")
    assert len(site.files("writing")) == 1
    site.collector.discard(file)
    site.collector.discard(file)
    assert site.files("writing") == []


def test_the_second_id_of_a_crash_keeps_day_and_digit():
    other = other_crash_id(UUID, "checksum")
    assert other != UUID
    assert other[-7:] == UUID[-7:]
    assert other == other_crash_id(UUID, "checksum") != other_crash_id(UUID, "other")
