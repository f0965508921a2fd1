"""The connection to an Elasticsearch cluster."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig, Seconds, WholeNumber
from socorro_processor.crashstorage.elasticsearch.errors import LONGEST_REASON, NO_INDEX, translate_elasticsearch_error
from socorro_processor.crashstorage.elasticsearch.node import DeadlineNode
from socorro_processor.errors import ConfigurationError, TransientStorageError

logger = logging.getLogger(__name__)

# The client logs every request, and every retry with a traceback. We log the outcome ourselves.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

_CONNECTIONS = 64
"""Connections to a node, made when needed: more than threads, because a thread that finds none free waits for ever."""

_LONGEST_DEAD = 5.0
"""Seconds for which a node that failed is avoided if there are others."""

_JSON = {"accept": "application/json", "content-type": "application/json"}
_LINES = {"accept": "application/json", "content-type": "application/x-ndjson"}

_ONLY_TO_AN_ALIAS = "?require_alias=true"
"""A write to any name makes an index of that name, but never an alias."""

_BULK = f"/_bulk{_ONLY_TO_AN_ALIAS}"

_UNAVAILABLE = 503


def connection_options() -> Namespace:
    """Return the options of ``ElasticsearchConnection``."""
    options = Namespace()
    add = partial(options.add_option, reference_value_from="resource.elasticsearch")
    add_secret = partial(options.add_option, reference_value_from="secrets.elasticsearch")
    add(
        "elasticsearch_urls",
        "http://localhost:9200",
        "the nodes of the cluster, each as scheme://host:port, separated by commas",
    )
    add(
        "elasticsearch_timeout",
        30.0,
        "seconds in which some part of an answer must come; the whole may take twice as long",
        Seconds(above=True),
    )
    add(
        "maximum_retries",
        1,
        "how many times a request is sent again, to another node if there is one, after a connection failed; "
        "after that, and after any other failure, the crash is tried again",
        WholeNumber(0),
    )
    add("http_compress", False, "compress requests: less network, more processor time")
    add("ca_certs", "", "the file of the certificate authorities that are trusted for https")
    add(
        "verify_certs",
        True,
        "refuse an https server without a trusted certificate; false is for trials only",
    )
    add_secret("elasticsearch_user", "", "the user to log in as, with elasticsearch_password (empty: none)")
    add_secret("elasticsearch_password", "", "the password of elasticsearch_user", secret=True)
    add_secret("elasticsearch_api_key", "", "an API key, encoded, to use instead of user and password", secret=True)
    return options


class ElasticsearchConnection(RequiredConfig):
    """One client for all threads. Its methods raise CrashStorageErrors, which quote nothing of a crash's content."""

    required_config = connection_options()

    def __init__(self, config: DotDict) -> None:
        urls = [url.strip() for url in config.elasticsearch_urls.split(",") if url.strip()]
        for url in urls:
            if "@" in url:
                raise ConfigurationError(
                    "elasticsearch_urls contains a user or password, which would be shown: "
                    "set elasticsearch_user and elasticsearch_password in secrets.elasticsearch"
                )
            if not url.startswith(("http://", "https://")):
                raise ConfigurationError(f"elasticsearch_urls: {url} begins with neither http:// nor https://")
        if config.elasticsearch_api_key and config.elasticsearch_user:
            raise ConfigurationError("both elasticsearch_user and elasticsearch_api_key are set: one must be empty")
        try:
            self.client = Elasticsearch(
                urls,
                node_class=DeadlineNode,
                request_timeout=config.elasticsearch_timeout,
                max_retries=config.maximum_retries,
                retry_on_status=(),
                retry_on_timeout=False,
                http_compress=config.http_compress,
                connections_per_node=_CONNECTIONS,
                max_dead_node_backoff=_LONGEST_DEAD,
                **_authentication(config),
                **(_tls(config) if any(url.startswith("https:") for url in urls) else {}),
            )
        except (ValueError, OSError) as error:
            raise ConfigurationError(f"cannot configure the connection to Elasticsearch: {error}") from error
        self._nodes = ", ".join(urls)

    def save(self, alias: str, crash_id: str, document: bytes) -> None:
        """Save a document in place of any earlier one. Raises IndexMissing if ``alias`` is not an alias."""
        what = f"save crash {crash_id} through alias {alias}"
        target = f"/{alias}/_doc/{crash_id}{_ONLY_TO_AN_ALIAS}"
        with self.translate_errors(what, [len(document)]):
            answer = self.client.perform_request("PUT", target, headers=_JSON, body=document).body
        if not isinstance(answer, dict) or answer.get("_id") != crash_id:
            raise self._no_answer(what)

    def bulk(self, lines: bytes, documents: Sequence[int]) -> list[Mapping[str, Any]]:
        """Send a bulk request, and return the answer to each operation in order. Each must name an alias.

        ``documents`` are the sizes of the documents in bytes.
        """
        what = f"save {len(documents)} crashes in bulk"
        with self.translate_errors(what, documents):
            answer = self.client.perform_request("POST", _BULK, headers=_LINES, body=lines).body
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(documents):
            raise self._no_answer(what)
        return [item["index"] for item in items]

    def ids_with_document(self, places: Sequence[tuple[str, str]], ignored: Collection[str] = (NO_INDEX,)) -> set[str]:
        """Return the crash ids that have a document in the index beside them, even if no search finds it yet.

        ``places`` are pairs of index and crash id. Errors of the kinds in ``ignored`` mean that there is no document.
        """
        if not places:
            return set()  # Elasticsearch takes no empty request
        what = f"look for {len(places)} crashes"
        with self.translate_errors(what):
            answer = self.client.mget(
                docs=[{"_index": index, "_id": crash_id} for index, crash_id in places], source=False
            ).body
        for document in answer["docs"]:
            if (error := document.get("error")) and error.get("type") not in ignored:
                raise translate_elasticsearch_error(_UNAVAILABLE, document, what)
        return {document["_id"] for document in answer["docs"] if document.get("found")}

    def delete(self, index: str, crash_id: str) -> bool:
        """Remove a document. Return False if there is none, or no such index."""
        with self.translate_errors(f"remove crash {crash_id} from index {index}"):
            answer = self.client.options(ignore_status=404).delete(index=index, id=crash_id)
            return bool(answer.body.get("result") == "deleted")

    @contextmanager
    def translate_errors(self, what: str, documents: Sequence[int] = ()) -> Iterator[None]:
        """Raise the client's errors as CrashStorageErrors. ``documents`` are the sizes of those in the request."""
        try:
            yield
        except UnsupportedProductError:
            raise self._no_answer(what) from None
        except ApiError as error:
            # Its message quotes the document, so it must not even be printed as the cause of ours.
            raise translate_elasticsearch_error(error.meta.status, error.body, what, documents) from None
        except TransportError as error:
            raise TransientStorageError(
                f"cannot {what}: no answer from Elasticsearch at {self._nodes}: {error.message[:LONGEST_REASON]}"
            ) from error

    def close(self) -> None:
        self.client.close()

    def _no_answer(self, what: str) -> TransientStorageError:
        return TransientStorageError(f"cannot {what}: what answers at {self._nodes} is not Elasticsearch")


def _authentication(config: DotDict) -> dict[str, Any]:
    if config.elasticsearch_api_key:
        return {"api_key": config.elasticsearch_api_key.strip()}
    if config.elasticsearch_user:
        return {"basic_auth": (config.elasticsearch_user, config.elasticsearch_password)}
    return {}


def _tls(config: DotDict) -> dict[str, Any]:
    if not config.verify_certs:
        logger.warning("verify_certs is false: any server that answers in place of Elasticsearch is trusted")
        return {"verify_certs": False, "ssl_show_warn": False}
    if not config.ca_certs:
        return {"verify_certs": True}
    # The client reads the file only when it connects, but a mistake should be reported now.
    ssl.create_default_context(cafile=config.ca_certs)
    return {"verify_certs": True, "ca_certs": config.ca_certs}
