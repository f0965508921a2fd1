"""`socorro serve` takes uploads whatever becomes of its queue, and hands them over when the queue is back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.multipart import body_of, request_of
from tests.system.serving import Serving, eventually
from tests.web_server import Client


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(tmp_path, new_crash_source__busy_timeout="0.2")
    yield serving
    serving.close()


def post(serving: Serving) -> str:
    with Client(serving.port) as client:
        client.send(request_of(body_of()))
        match = re.fullmatch(rb"CrashID=bp-([0-9a-f-]{36})\n", client.read_answer()[2])
    assert match
    return match[1].decode()


def pending(serving: Serving) -> str:
    done = serving.socorro("queue", "status")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_starts_without_its_queue_and_keeps_its_promises(serving, tmp_path):
    queue = tmp_path / "socorro-data" / "queue.sqlite"
    queue.mkdir(parents=True)
    serving.start("--web.processor=no")
    crash_id = post(serving)
    eventually(lambda: crash_id in serving.raw_crashes(), lambda: serving.log)
    assert serving.spooled() == 1
    assert "crashes stay in the spool until the queue can be opened" in serving.log

    queue.rmdir()
    eventually(lambda: not serving.spooled(), lambda: serving.log)
    assert re.search(r"normal +1\b", pending(serving)), pending(serving)


def test_it_opens_a_queue_again_whose_files_were_removed(serving, tmp_path):
    serving.start("--web.processor=no")
    for number in (1, 2):
        post(serving)
        eventually(lambda: not serving.spooled(), lambda: serving.log)
        if number == 1:
            for suffix in ("-wal", "-shm"):
                (tmp_path / "socorro-data" / f"queue.sqlite{suffix}").unlink()

    assert "the queue is opened again" in serving.log
    assert re.search(r"normal +2\b", pending(serving)), pending(serving)


def test_a_queue_whose_files_were_removed_is_saved_by_a_server_that_does_not_use_it_and_is_killed_then(
    serving, tmp_path
):
    serving.start("--web.processor=no")
    post(serving)
    eventually(lambda: not serving.spooled(), lambda: serving.log)
    for suffix in ("-wal", "-shm"):
        (tmp_path / "socorro-data" / f"queue.sqlite{suffix}").unlink()
    eventually(lambda: "the queue is opened again" in serving.log, lambda: serving.log)
    serving.kill()
    assert re.search(r"normal +1\b", pending(serving)), pending(serving)
