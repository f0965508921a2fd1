"""/queues over RabbitMQ: what a broker cannot tell is said, and the page keeps nothing from others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from socorro_processor.collector.collector import CollectorStatus
from socorro_processor.crash_id import new_crash_id
from socorro_processor.errors import CrashQueueError
from socorro_processor.web.minute_rates import MinuteRates
from socorro_processor.web.pages.rendering import Pages
from socorro_processor.web.pages.viewer import ALL
from socorro_processor.web.queues.component_checks import ComponentChecks
from socorro_processor.web.queues.queue_sources import QueueSources
from socorro_processor.web.queues.queues_page import QueuesRequest, act, queues_page
from socorro_processor.web.queues.set_aside import Selection, kind_of
from socorro_processor.web.server_parts import ProcessorState
from tests.integration.rabbitmq_broker import Broker, Processor
from tests.unit.web.html_tree import Element, read_html

PARKED = [new_crash_id() for _ in range(3)]
NO_SPOOL = CollectorStatus(0, 0, 0.0, 0, 0, 0, "", "")
LATER = 10**17


@pytest.fixture
def processor(broker: Broker) -> Processor:
    processor = broker.start()
    for crash_id in PARKED:
        processor.queue.submit(crash_id)
        processor.queue.begin(delivery := processor.take())
        processor.queue.park(delivery, "too large: 3 bytes")
    return processor


def sources_of(connect: Callable[[], object]) -> QueueSources:
    return QueueSources(
        connect,  # type: ignore[arg-type]  # a queue, or an error
        "RabbitMQCrashQueue",
        lambda: NO_SPOOL,
        MinuteRates(),
        lambda: ProcessorState(False),
        ComponentChecks({}),
        lambda words, fields: None,
    )


@pytest.fixture
def sources(broker: Broker) -> QueueSources:
    return sources_of(lambda: broker.start().queue)


def page_of(sources: QueueSources) -> Element:
    return read_html(queues_page(Pages(), sources, QueuesRequest(), ALL).html)


def test_the_page_lists_parked_crashes_and_says_that_ages_are_not_known(sources, processor):
    # Otherwise the broker would give it the next crash at once.
    processor.queue.close()
    sources.connect().submit(new_crash_id(), "priority")
    page = page_of(sources)
    rows = [row.text.split() for row in page.one("table", class_="numbers").one("tbody").all("tr")]
    assert (rows[0][:2], rows[0][-1]) == (["priority", "1"], "?")
    assert "A broker does not tell how old" in page.text
    assert all(crash_id in page.text for crash_id in PARKED)


def test_after_the_page_another_reader_can_list_the_parked_crashes(sources, processor):
    page_of(sources)
    assert [crash.crash_id for crash in processor.queue.set_aside("parked")] == PARKED


def test_while_another_reader_has_the_parked_crashes_the_page_says_so(sources, processor):
    assert len(list(processor.queue.set_aside("parked"))) == 3
    assert "another process reads them" in page_of(sources).text


def test_crashes_are_put_back_and_rejected(sources, processor):
    selection = Selection("parked", kind=kind_of("too large: 3 bytes"), until=LATER)
    act(sources, "reject", selection, "a key", ALL)
    assert (processor.queue.depths().parked, processor.queue.depths().rejected) == (0, 3)
    act(sources, "put back", Selection("rejected", kind=selection.kind, until=LATER), "a key", ALL)
    assert processor.queue.depths().rejected == 0
    assert sorted(processor.take().crash_id for _ in PARKED) == sorted(PARKED)


def test_a_broker_that_is_away_is_said():
    def away() -> object:
        raise CrashQueueError("cannot reach RabbitMQ")

    assert "cannot reach RabbitMQ" in page_of(sources_of(away)).text
