"""`socorro serve` keeps its store within bounds, and says what it keeps, what it removed, and that a disk is low."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared import SAMPLES, stackwalker
from tests.system.serving import Serving, eventually

DUMP = (SAMPLES / "segfault" / "upload_file_minidump.dmp").read_bytes()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    stackwalker()
    serving = Serving(tmp_path, collector__reserve="0")
    yield serving
    serving.close()


def post(serving: Serving, product: str = "Example") -> str:
    """Return the id of a crash that was posted and processed."""
    crash_id = serving.post(DUMP, {"ProductName": product, "Version": "1.0"})
    eventually(lambda: serving.is_processed(crash_id), lambda: serving.log)
    return crash_id


def restart(serving: Serving, *arguments: str) -> None:
    assert serving.stop() == 0
    serving.start(*arguments)


def test_it_says_at_start_what_it_keeps(serving):
    serving.start("--retention.keep_bytes=50G", '--retention.product_bytes={"*": "5G"}')
    assert (
        "Crashes are kept for 90 days, at most 50 GB, with 1 bound by product; their dumps only for the newest 100 "
        "of each signature." in serving.output
    )


def test_a_crash_whose_dump_was_removed_says_so_and_keeps_its_stack_even_if_it_is_processed_again(serving):
    serving.start()
    old, new = post(serving), post(serving)
    shown = serving.get(f"/report/{old}.txt")
    restart(serving, "--retention.keep_dumps=1")
    dump = "/dump/upload_file_minidump"
    eventually(lambda: "dumps_of=1" in serving.log, lambda: serving.log)

    status, words = serving.get(f"/report/{old}{dump}")
    assert status == 410
    assert "The dump was removed: the dumps and attachments of" in words
    assert "only those of a signature's newest crash are kept (retention.keep_dumps)" in words
    page = serving.get(f"/report/{old}")[1]
    assert "The dumps and attachments of this crash were removed on" in page
    assert f"{old}{dump}" not in page
    assert f"/report/{new}{dump}" in serving.get(f"/report/{new}")[1]

    done = serving.socorro("process", "--force", old)
    assert f"{old} keeps its earlier result: there is no dump any more" in done.stderr
    assert serving.get(f"/report/{old}.txt") == shown
    assert "were removed on" in serving.socorro("fetch", old, "fetched").stderr


def test_a_noisy_product_and_the_bound_of_all_take_only_the_oldest(serving):
    serving.start()
    other, *noisy = post(serving, "Other"), post(serving, "Noisy"), post(serving, "Noisy")
    # Of three crashes of the same size, two fit.
    size = size_of_all(serving) // 3
    restart(serving, f'--retention.product_bytes={{"Noisy": "{size * 3 // 2}"}}')
    eventually(lambda: serving.get(f"/report/{noisy[0]}")[0] == 404, lambda: serving.log)
    assert [serving.get(f"/report/{crash_id}")[0] for crash_id in (other, noisy[1])] == [200, 200]
    restart(serving, f"--retention.keep_bytes={size * 3 // 2}")
    eventually(lambda: serving.get(f"/report/{other}")[0] == 404, lambda: serving.log)
    assert serving.get(f"/report/{noisy[1]}")[0] == 200
    # After the removal, at the end of the round.
    eventually(
        lambda: re.search(r"old crashes were removed .*by_bytes=1", serving.log) is not None, lambda: serving.log
    )


def size_of_all(serving: Serving) -> int:
    """Restart, and return the bytes of all crashes that a round has measured."""
    restart(serving)

    def measured() -> re.Match[str] | None:
        return re.search(r"^processor_retention_bytes (\S+)$", serving.get("/metrics")[1], re.MULTILINE)

    eventually(lambda: measured() is not None, lambda: serving.log)
    match = measured()
    assert match
    return int(float(match[1]))


def test_a_disk_that_is_low_is_said_on_every_page_and_by_the_probe_and_uploads_are_taken(serving):
    serving.start("--retention.disk_low=1000000G")
    eventually(lambda: "is low" in serving.get("/readyz")[1], lambda: serving.log)
    serving.wait_until_ready()
    state = json.loads(serving.get("/readyz")[1])
    assert state["problems"] == {}
    assert state["warnings"]["disk"].startswith("the disk of crashes, index, queue and spool is low: ")
    crash_id = post(serving)
    for path in (f"/report/{crash_id}", "/report/not-an-id"):
        assert "The disk of crashes, index, queue and spool is low: " in serving.get(path)[1]
    assert "processor_disk_low 1.0" in serving.get("/metrics")[1]
    assert serving.log.count("is low") == 1
