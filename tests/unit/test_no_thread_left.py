"""On a machine without free threads, whatever wanted a thread goes on without it, and gets one later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socorro_processor.app.processor_app import ProcessorApp
from socorro_processor.configuration import defaults
from socorro_processor.crashqueue.rabbitmq.connection import BrokerConnection
from socorro_processor.crashqueue.rabbitmq.crashqueue import RabbitMQCrashQueue
from socorro_processor.crashstorage.statsd import StatsdCounter
from socorro_processor.errors import CrashQueueError
from socorro_processor.monitoring.statsd import LOOK_UP_INTERVAL, Address, StatsdClient
from socorro_processor.reference.provider import provider_for, refresh_providers
from socorro_processor.rules.raw_transform import ProductRewrite

FILE = Path(__file__).parents[2] / "config" / "reference_data.json"


@pytest.fixture
def no_thread_left() -> Iterator[Callable[[], None]]:
    """Let no thread start until the returned function is called."""
    patch = pytest.MonkeyPatch()

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    patch.setattr(threading.Thread, "start", start)
    yield patch.undo
    patch.undo()


def test_without_a_thread_the_parts_are_checked_later(no_thread_left, tmp_path: Path, caplog):
    rules = '[["own", "", "", "apply_all_rules", "socorro_processor.rules.general.IdentifierRule"]]'
    options = {
        "resource.filesystem.root": str(tmp_path / "crashes"),
        "app.temporary_directory": str(tmp_path / "temporary"),
        "processor.rule_sets": rules,
        "new_crash_source.path": str(tmp_path / "queue.sqlite"),
    }
    app = ProcessorApp(defaults(ProcessorApp, **options))
    try:
        assert app._check_in_thread() is None
        assert "the parts cannot be checked now: can't start new thread" in caplog.text
        no_thread_left()
        thread = app._check_in_thread()
        assert thread is not None
        thread.join()
        assert "start" not in app.health.problems()
    finally:
        app.close()


def test_without_a_thread_reference_data_are_read_again_later(no_thread_left, caplog):
    now = 0.0
    provider = provider_for(defaults(ProductRewrite, reference_file=str(FILE), reference_refresh=300))
    refresh_providers(lambda: now)
    now += 300
    refresh_providers(lambda: now)
    assert f"cannot reload {provider} now, the old data stay in use: can't start new thread" in caplog.text


def test_without_a_thread_statsd_is_looked_up_later(no_thread_left, caplog):
    now = 0.0
    config = defaults(StatsdCounter, statsd_host="localhost")
    looked_up = threading.Event()

    def look_up(host: str, port: int) -> Address:
        looked_up.set()
        raise OSError("no such host")

    client = StatsdClient(config, lambda: now, look_up)
    client.increment("crashes")
    assert "cannot look up localhost, will try again: can't start new thread" in caplog.text
    no_thread_left()
    now += LOOK_UP_INTERVAL
    client.increment("crashes")
    assert looked_up.wait(60)
    client.close()


def test_a_connection_to_rabbitmq_is_an_error_now_and_made_later(no_thread_left):
    opened = threading.Event()
    config = defaults(RabbitMQCrashQueue, host="127.0.0.1", port=1)
    connection = BrokerConnection(config, "tests", on_opened=opened.set, on_lost=lambda reason: opened.set())
    with pytest.raises(CrashQueueError, match=r"127\.0\.0\.1:1/: can't start new thread"):
        connection.start()
    no_thread_left()
    connection.start()
    assert opened.wait(60)
    connection.close()
