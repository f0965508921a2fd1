"""Failures and their causes: the cluster, and the crash is tried again, or the crash itself."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
import traceback

import pytest

from socorro_processor.crash_id import new_crash_id
from socorro_processor.errors import PartlyAwayError, PermanentStorageError, TransientStorageError
from tests.integration.elasticsearch_indexes import URLS, own_indexes
from tests.integration.elasticsearch_relay import Answer
from tests.ports import free_port

TIMEOUT = "resource.elasticsearch.elasticsearch_timeout"
RETRIES = "resource.elasticsearch.maximum_retries"
SECRET = "https://example.com/secret"


@pytest.fixture
def indexes():
    with own_indexes() as indexes:
        yield indexes


@pytest.fixture
def store(indexes, front, store_class):
    return indexes.store(store_class, **{URLS: front.url})


@pytest.fixture
def crash():
    return new_crash_id()


def save(store, crash_id, **processed):
    store.save_raw_and_processed({"Annotation": "x"}, {}, {"uuid": crash_id, **processed}, crash_id)


def failing(kind, reason=SECRET, status=400, cause=None):
    error = {"type": kind, "reason": reason, **({"caused_by": cause} if cause else {})}
    return Answer(status, json.dumps({"error": error, "status": status}).encode())


def answer_to_a_save(request, answer):
    """Answer like Elasticsearch: a document's error is in its item of the bulk answer."""
    if "_doc" in request:
        return answer
    if "_bulk" in request:
        item = {"index": {"status": answer.status, **json.loads(answer.body)}}
        return Answer(200, json.dumps({"errors": True, "items": [item]}).encode())
    return None


def test_a_cluster_that_is_away_is_its_own_fault_and_is_named(indexes, store_class, crash):
    url = f"http://127.0.0.1:{free_port()}"
    store = indexes.store(store_class, **{URLS: url})
    for use in (lambda: save(store, crash), lambda: store.remove(crash), store.check, store.setup):
        with pytest.raises(TransientStorageError, match=url):
            use()


def test_after_its_return_the_next_save_succeeds(indexes, store_class, crash):
    port = free_port()
    store = indexes.store(store_class, **{URLS: f"http://127.0.0.1:{port}"})
    for _ in range(3):
        with pytest.raises(TransientStorageError):
            save(store, crash)
    with socket.create_server(("127.0.0.1", port)) as listening:
        host, _, server_port = indexes.options[URLS].removeprefix("http://").partition(":")
        joined = threading.Thread(target=_join, args=(listening, host, int(server_port)))
        joined.start()
        save(store, crash)
        assert indexes.ids({"term": {"crash_id": crash}}) == {crash}
        store.close()
        joined.join()


def test_if_one_of_two_nodes_is_away_the_other_is_asked(indexes, store_class):
    urls = f"http://127.0.0.1:{free_port()}, {indexes.options[URLS]}"
    store = indexes.store(store_class, **{URLS: urls})
    saved = [new_crash_id() for _ in range(4)]
    for crash_id in saved:
        save(store, crash_id)
    assert indexes.ids({"match_all": {}}) == set(saved)


def test_a_cluster_that_hangs_is_given_up_after_the_timeout(indexes, front, store_class, crash):
    front.hangs = threading.Event()
    store = indexes.store(store_class, **{URLS: front.url, TIMEOUT: 0.3})
    started = time.monotonic()
    with pytest.raises(TransientStorageError, match=r"(?i)timed out"):
        save(store, crash)
    assert time.monotonic() - started < 5
    front.hangs.set()


def test_a_cluster_that_hangs_is_asked_once(indexes, front, store_class, crash):
    front.hangs = threading.Event()
    store = indexes.store(store_class, **{URLS: front.url, TIMEOUT: 0.3, RETRIES: 3})
    with pytest.raises(TransientStorageError):
        save(store, crash)
    assert len(front.requests) == 1
    front.hangs.set()


@pytest.mark.parametrize("part", ["header", "body"])
@pytest.mark.parametrize("requests", ["_index_template", "_doc|_bulk", "_mget"])
def test_a_cluster_whose_answer_drips_is_given_up_after_twice_the_timeout(
    indexes, front, store_class, crash, part, requests
):
    front.drips = lambda request: part if re.search(requests, request) else ""
    store = indexes.store(store_class, **{URLS: front.url, TIMEOUT: 2.0})
    with pytest.raises(TransientStorageError, match=r"no answer from .* was not done after 4(\.\d+)? s"):
        save(store, crash)
    front.drips = lambda request: ""
    save(store, crash)
    assert indexes.ids({"match_all": {}}) == {crash}


def test_a_connection_that_the_server_closed_while_idle_costs_nothing(indexes, front, store_class):
    store = indexes.store(store_class, **{URLS: front.url, RETRIES: 0})
    save(store, new_crash_id())

    def drop_after_a_save(request):
        front.drops_when_idle = "_mget" in request

    front.answer = drop_after_a_save
    saved = [new_crash_id() for _ in range(5)]
    for crash_id in saved:
        save(store, crash_id)
        _until_closed(store)
    assert indexes.ids({"match_all": {}}) >= set(saved)


def test_a_connection_that_the_server_closes_during_a_request_is_made_again(indexes, front, store):
    front.drops_when_idle = True
    saved = [new_crash_id() for _ in range(50)]
    for crash_id in saved:
        save(store, crash_id)
    indexes.refresh()
    assert indexes.client.count(index=f"{indexes.template}-*")["count"] == 50


def test_a_read_only_index_is_the_clusters_fault(indexes, store_class, crash):
    store = indexes.store(store_class)
    save(store, new_crash_id())
    for block in ("index.blocks.write", "index.blocks.read_only", "index.blocks.read_only_allow_delete"):
        indexes.client.indices.put_settings(index=f"{indexes.template}-*", settings={block: True})
        try:
            with pytest.raises(PartlyAwayError, match="cluster_block_exception") as raised:
                save(store, crash)
            assert "disk" in str(raised.value)
        finally:
            indexes.client.indices.put_settings(index=f"{indexes.template}-*", settings={block: None})
    save(store, crash)


@pytest.mark.parametrize(
    "answer",
    [
        failing("security_exception", "missing authentication credentials", 401),
        failing("security_exception", "action [indices:data/write] is unauthorized", 403),
        failing("index_not_found_exception", "no such index", 404),
        failing("cluster_block_exception", "index [x] blocked by: disk usage exceeded flood-stage watermark", 429),
        failing("es_rejected_execution_exception", "rejected execution", 429),
        failing("es_rejected_execution_exception", "[primary_operation_bytes=4, max_primary_bytes=4]", 429),
        failing("circuit_breaking_exception", "[parent] Data too large", 429),
        failing("validation_exception", "this cluster currently has [1000]/[1000] maximum normal shards open", 400),
        failing("invalid_index_name_exception", "Invalid index name", 400),
        failing("master_not_discovered_exception", SECRET, 503),
        failing("unavailable_shards_exception", "primary shard is not active", 503),
        failing("whatever_exception", SECRET, 500),
        Answer(400, b'{"error": "of another form"}'),
        Answer(502, b"<html>bad gateway</html>", is_elasticsearch=False, kind="text/html"),
        Answer(504, b"", is_elasticsearch=False),
        Answer(200, b'{"hello": 1}', is_elasticsearch=False),
        Answer(200, b"no json"),
        Answer(200, b'{"hello": 1}'),
        Answer(200, b"[]"),
        Answer(200, b'{"items": []}'),
    ],
)
def test_an_error_of_the_cluster_is_tried_again(front, store, crash, answer):
    front.answer = lambda request: answer if "_doc" in request or "_bulk" in request else None
    with pytest.raises(TransientStorageError) as raised:
        save(store, crash)
    assert SECRET not in str(raised.value)
    front.answer = lambda request: None
    save(store, crash)


@pytest.mark.parametrize(
    "answer", [failing("security_exception", "no", 401), failing("whatever", "no", 400), failing("x", "no", 413)]
)
def test_a_failure_before_a_crash_is_sent_is_tried_again(front, store, crash, answer):
    front.answer = lambda request: answer
    for use in (lambda: save(store, crash), lambda: store.remove(crash), store.check, store.setup):
        with pytest.raises(TransientStorageError):
            use()


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("document_parsing_exception", None),
        ("mapper_parsing_exception", None),
        ("document_parsing_exception", {"type": "illegal_argument_exception", "reason": SECRET}),
        ("illegal_argument_exception", {"type": "max_bytes_length_exceeded_exception", "reason": SECRET}),
    ],
)
def test_an_error_about_the_document_is_the_crashs_fault(front, store, crash, kind, cause):
    answer = failing(kind, cause=cause)
    front.answer = lambda request: answer_to_a_save(request, answer)
    with pytest.raises(PermanentStorageError, match=f"400, {kind}$"):
        save(store, crash)


FULL = "Limit of total fields [1000] has been exceeded"


@pytest.mark.parametrize(
    ("kind", "reason", "cause", "told"),
    [
        (
            "illegal_argument_exception",
            "no write index is defined for alias [crashes]. The write index may be explicitly disabled",
            None,
            ": no write index is defined for alias ... The write index may be explicitly disabled",
        ),
        ("illegal_argument_exception", f"pipeline with id [{SECRET}] does not exist", None, ": pipeline with id ..."),
        ("illegal_argument_exception", SECRET, None, ""),
        ("x_content_parse_exception", f"Unexpected character ('{SECRET}')", None, ": Unexpected character ..."),
        ("parse_exception", "request body is required", None, ": request ... is required"),
        ("index_closed_exception", "closed", None, ": closed"),
        (
            "strict_dynamic_mapping_exception",
            f"[1:12] mapping set to strict, dynamic introduction of [{SECRET}] within [processed_crash] is not allowed",
            None,
            ": mapping set to strict, ... of ... within [processed_crash] is not allowed",
        ),
        (
            "document_parsing_exception",
            f"[1:53] failed to parse: {FULL} while adding new fields [6]",
            {"type": "illegal_argument_exception", "reason": FULL},
            ": failed to parse: Limit of total fields ... has been exceeded",
        ),
    ],
)
def test_any_other_400_is_not_the_crashs_fault_and_its_reason_is_reported(
    front, store, crash, kind, reason, cause, told
):
    answer = failing(kind, reason, cause=cause)
    front.answer = lambda request: answer_to_a_save(request, answer)
    with pytest.raises(TransientStorageError) as raised:
        save(store, crash)
    assert f"Elasticsearch answers 400, {kind}{told}" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_an_alias_without_a_write_index_is_not_the_crashs_fault(indexes, store_class, crash):
    """An operator takes the write index away while a processor works."""
    store = indexes.store(store_class)
    save(store, crash)
    index = store.indexes.index_of(crash)
    indexes.client.indices.put_alias(index=index, name=f"{index}.write", is_write_index=False)
    with pytest.raises(TransientStorageError, match=r"illegal_argument_exception: no write index is defined for alias"):
        save(store, crash)
    save(store, crash)


@pytest.fixture
def unchecked(monkeypatch):
    """The document goes to the server unchecked, as if a check had been forgotten."""
    monkeypatch.setattr(
        "socorro_processor.crashstorage.elasticsearch.crashstorage.fit_to_mapping", lambda crash, *others: dict(crash)
    )


@pytest.mark.usefixtures("unchecked")
def test_a_refused_document_is_the_crashs_fault_and_only_the_field_is_named(store, crash, caplog):
    with pytest.raises(PermanentStorageError) as raised:
        save(store, crash, uptime={"url": SECRET})
    told = (
        "document_parsing_exception: failed to parse field [processed_crash.uptime] of type [long] in document with id"
    )
    assert told in str(raised.value)
    assert str(raised.value).endswith("value: ...: Cannot parse object as number")
    assert SECRET not in "".join(traceback.format_exception(raised.value))
    assert SECRET not in caplog.text


@pytest.mark.parametrize("processed", [{"": SECRET}, {"product": {"url": SECRET}}, {"processing": SECRET}])
@pytest.mark.usefixtures("unchecked")
def test_no_refusal_quotes_the_crash(store, crash, processed):
    with pytest.raises(PermanentStorageError) as raised:
        save(store, crash, **processed)
    assert SECRET not in "".join(traceback.format_exception(raised.value))


def test_a_red_cluster_says_so(front, store):
    front.answer = lambda request: Answer(200, b'{"status": "red"}') if "health" in request else None
    with pytest.raises(TransientStorageError, match="red"):
        store.check()


def test_a_server_that_speaks_no_tls_is_a_transient_failure(indexes, store_class, crash):
    store = indexes.store(store_class, **{URLS: indexes.options[URLS].replace("http:", "https:")})
    with pytest.raises(TransientStorageError, match=r"(?i)ssl"):
        save(store, crash)


def _join(listening, host, port):
    """Accept connections and copy bytes between them and a server, until the first one ends."""
    connection, _ = listening.accept()
    with connection, socket.create_connection((host, port)) as upstream:
        back = threading.Thread(target=_copy, args=(upstream, connection))
        back.start()
        _copy(connection, upstream)
        back.join()


def _copy(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def _until_closed(store):
    (node,) = store.indexes.connection.client.transport.node_pool.all()
    connection = node.pool.pool.queue[-1]
    if connection is not None and connection.sock is not None:
        assert connection.sock.recv(1) == b""
