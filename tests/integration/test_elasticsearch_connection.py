"""The connection: which servers it trusts, which credentials it uses, and that no secret is shown."""

from __future__ import annotations

import base64
import ssl

import pytest

from socorro_processor.configuration import Configuration, Source, as_ini
from socorro_processor.configuration.sources import SourcedValue
from socorro_processor.crash_id import new_crash_id
from socorro_processor.crashstorage.elasticsearch.crashstorage import ESCrashStorage
from socorro_processor.errors import ConfigurationError, TransientStorageError
from tests.certificates import Authority
from tests.integration.elasticsearch_indexes import URLS
from tests.integration.elasticsearch_relay import relay

COMPRESS = "resource.elasticsearch.http_compress"
CA_CERTS = "resource.elasticsearch.ca_certs"
VERIFY = "resource.elasticsearch.verify_certs"
USER = "secrets.elasticsearch.elasticsearch_user"
PASSWORD = "secrets.elasticsearch.elasticsearch_password"
API_KEY = "secrets.elasticsearch.elasticsearch_api_key"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_front(indexes, authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign())
    with relay(indexes.options[URLS], context) as front:
        yield front


def save(store):
    crash_id = new_crash_id()
    store.save_raw_and_processed({}, {}, {"uuid": crash_id}, crash_id)
    return crash_id


def test_a_server_is_trusted_by_the_authority_that_is_named(indexes, tls_front, authority):
    crash_id = save(indexes.store(**{URLS: tls_front.url, CA_CERTS: str(authority.certificate)}))
    assert indexes.ids({"term": {"crash_id": crash_id}}) == {crash_id}


def test_a_server_without_a_trusted_certificate_gets_no_crash(indexes, tls_front):
    with pytest.raises(TransientStorageError, match=r"(?i)certificate"):
        save(indexes.store(**{URLS: tls_front.url}))
    assert tls_front.requests == []


def test_skipping_the_check_of_certificates_is_logged(indexes, tls_front, caplog):
    save(indexes.store(**{URLS: tls_front.url, VERIFY: False}))
    assert "verify_certs is false" in caplog.text


def test_user_and_password_are_sent(indexes, front):
    save(indexes.store(**{URLS: front.url, USER: "socorro", PASSWORD: "hush"}))
    expected = "Basic " + base64.b64encode(b"socorro:hush").decode()
    assert {headers["authorization"] for headers in front.headers} == {expected}


def test_an_api_key_is_sent(indexes, front):
    save(indexes.store(**{URLS: front.url, API_KEY: "aHVzaA=="}))
    assert {headers["authorization"] for headers in front.headers} == {"ApiKey aHVzaA=="}


def test_requests_are_compressed_only_if_configured(indexes, front):
    save(indexes.store(**{URLS: front.url}))
    assert all("content-encoding" not in headers for headers in front.headers)
    front.headers.clear()
    crash_id = save(indexes.store(**{URLS: front.url, COMPRESS: True}))
    assert "gzip" in {headers.get("content-encoding") for headers in front.headers}
    assert indexes.ids({"term": {"crash_id": crash_id}}) == {crash_id}


@pytest.mark.parametrize("url", ["http://user:hush@127.0.0.1:9200", "https://:hush@127.0.0.1:9200"])
def test_a_password_in_the_address_is_refused_and_not_shown(indexes, url):
    with pytest.raises(ConfigurationError, match=r"secrets\.elasticsearch") as raised:
        indexes.store(**{URLS: url})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "values",
    [
        {URLS: ""},
        {URLS: "127.0.0.1"},
        {URLS: "http://127.0.0.1"},
        {URLS: "http://[127.0.0.1:9200"},
        {URLS: "ftp://127.0.0.1:9200"},
        {URLS: "https://127.0.0.1:9200", CA_CERTS: "/no/such/file"},
        {"resource.elasticsearch.elasticsearch_timeout": "0.0"},
        {"resource.elasticsearch.maximum_retries": "-1"},
        {USER: "socorro", PASSWORD: "hush", API_KEY: "hush"},
    ],
)
def test_unusable_connection_options_are_a_configuration_error(indexes, values):
    with pytest.raises(ConfigurationError) as raised:
        indexes.store(**values)
    assert "hush" not in str(raised.value)


def test_secrets_are_masked_where_the_configuration_is_shown():
    values = {name: SourcedValue("hush", "x") for name in (PASSWORD, API_KEY)}
    shown = as_ini(Configuration(ESCrashStorage.get_required_config(), [Source(values)]))
    assert "elasticsearch_password = ***" in shown
    assert "elasticsearch_api_key = ***" in shown
    assert "hush" not in shown
