"""The connection to an Elasticsearch cluster."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError, UnsupportedProductError

from socorro_processor.configuration import DotDict, Namespace, RequiredConfig
from socorro_processor.crashstorage.elasticsearch.node import DeadlineNode
from socorro_processor.crashstorage.elasticsearch.refusals import LONGEST_REASON, NO_INDEX, failure
from socorro_processor.errors import ConfigurationError, TransientStorageError

logger = logging.getLogger(__name__)

# The client tells of every request, and of every retry with a traceback. What comes of them, we say.
logging.getLogger("elastic_transport").setLevel(logging.ERROR)

_CONNECTIONS = 64
"""More than there are threads: who finds none free waits without a limit. They are made when they are needed."""

_LONGEST_DEAD = 5.0
"""Seconds for which one of several nodes that failed is not asked."""

_JSON = {"accept": "application/json", "content-type": "application/json"}
_LINES = {"accept": "application/json", "content-type": "application/x-ndjson"}

_ONLY_TO_AN_ALIAS = "?require_alias=true"
"""Elasticsearch makes an index of any name that is written to. An alias it never makes."""

_BULK = f"/_bulk{_ONLY_TO_AN_ALIAS}"

_UNAVAILABLE = 503


class ElasticsearchConnection(RequiredConfig):
    """One client for all threads. Its methods raise CrashStorageErrors, and say nothing of a crash's content."""

    required_config = Namespace()
    required_config.add_option(
        "elasticsearch_urls",
        default="http://localhost:9200",
        doc="the nodes of the cluster, each as scheme://host:port, separated by commas",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "elasticsearch_timeout",
        default=30.0,
        doc="seconds in which something of an answer has to come; the whole of it has twice as long",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "maximum_retries",
        default=1,
        doc="how often a request is sent again, to another node where there is one, after a connection failed; "
        "for all else, and after that, the queue tries the crash again",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "http_compress",
        default=False,
        doc="compress requests: less network, more processor time",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "ca_certs",
        default="",
        doc="a file with the certificates of further authorities that https servers are trusted by",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "verify_certs",
        default=True,
        doc="whether an https server must show a certificate that is trusted; false is for trials only",
        reference_value_from="resource.elasticsearch",
    )
    required_config.add_option(
        "elasticsearch_user",
        default="",
        doc="the user to log in as, with elasticsearch_password (empty: none)",
        reference_value_from="secrets.elasticsearch",
    )
    required_config.add_option(
        "elasticsearch_password",
        default="",
        doc="the password of elasticsearch_user",
        secret=True,
        reference_value_from="secrets.elasticsearch",
    )
    required_config.add_option(
        "elasticsearch_api_key",
        default="",
        doc="an API key, encoded, to use instead of user and password",
        secret=True,
        reference_value_from="secrets.elasticsearch",
    )

    def __init__(self, config: DotDict) -> None:
        urls = [url.strip() for url in config.elasticsearch_urls.split(",") if url.strip()]
        for url in urls:
            if "@" in url:
                raise ConfigurationError(
                    "elasticsearch_urls holds a user or password, which would be shown: "
                    "set elasticsearch_user and elasticsearch_password in secrets.elasticsearch"
                )
            if not url.startswith(("http://", "https://")):
                raise ConfigurationError(f"elasticsearch_urls: {url} begins with neither http:// nor https://")
        if config.elasticsearch_api_key and config.elasticsearch_user:
            raise ConfigurationError("both elasticsearch_user and elasticsearch_api_key are set: one must be empty")
        if not config.elasticsearch_timeout > 0:
            raise ConfigurationError(
                f"elasticsearch_timeout is {config.elasticsearch_timeout}: seconds above 0 expected"
            )
        if config.maximum_retries < 0:
            raise ConfigurationError(f"maximum_retries is {config.maximum_retries}: 0 or more expected")
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
            raise ConfigurationError(f"the connection to Elasticsearch cannot be configured: {error}") from error
        self._nodes = ", ".join(urls)

    def save(self, alias: str, crash_id: str, document: bytes) -> None:
        """Put a document in place of the one that may be there. IndexMissing where ``alias`` is no alias."""
        what = f"save crash {crash_id} through alias {alias}"
        target = f"/{alias}/_doc/{crash_id}{_ONLY_TO_AN_ALIAS}"
        with self.sorted_errors(what, [len(document)]):
            answer = self.client.perform_request("PUT", target, headers=_JSON, body=document).body
        if not isinstance(answer, dict) or answer.get("_id") != crash_id:
            raise self._no_answer(what)

    def bulk(self, lines: bytes, documents: Sequence[int]) -> list[Mapping[str, Any]]:
        """Return the answer to each operation of a bulk request, in its order. Each must name an alias.

        ``documents`` are their sizes in bytes.
        """
        what = f"save {len(documents)} crashes in bulk"
        with self.sorted_errors(what, documents):
            answer = self.client.perform_request("POST", _BULK, headers=_LINES, body=lines).body
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list) or len(items) != len(documents):
            raise self._no_answer(what)
        return [item["index"] for item in items]

    def found(self, places: Sequence[tuple[str, str]], ignored: Collection[str] = (NO_INDEX,)) -> set[str]:
        """Return those of crash ids, each with an index, of which there is a document, also one no search finds yet.

        ``ignored`` are the kinds of errors that mean that it has none.
        """
        if not places:
            return set()  # Elasticsearch takes no empty request
        what = f"look for {len(places)} crashes"
        with self.sorted_errors(what):
            answer = self.client.mget(
                docs=[{"_index": index, "_id": crash_id} for index, crash_id in places], source=False
            ).body
        for document in answer["docs"]:
            if (error := document.get("error")) and error.get("type") not in ignored:
                raise failure(_UNAVAILABLE, document, what)
        return {document["_id"] for document in answer["docs"] if document.get("found")}

    def delete(self, index: str, crash_id: str) -> bool:
        """Remove a document; False where there is none, or no such index."""
        with self.sorted_errors(f"remove crash {crash_id} from index {index}"):
            answer = self.client.options(ignore_status=404).delete(index=index, id=crash_id)
            return bool(answer.body.get("result") == "deleted")

    @contextmanager
    def sorted_errors(self, what: str, documents: Sequence[int] = ()) -> Iterator[None]:
        """Raise the client's errors as ours. ``documents``: sizes of those in the request, in bytes."""
        try:
            yield
        except UnsupportedProductError:
            raise self._no_answer(what) from None
        except ApiError as error:
            # Its message quotes the document: it must not even be printed as the cause of ours.
            raise failure(error.meta.status, error.body, what, documents) from None
        except TransportError as error:
            raise TransientStorageError(
                f"cannot {what}: no answer from Elasticsearch at {self._nodes}: {error.message[:LONGEST_REASON]}"
            ) from error

    def close(self) -> None:
        self.client.close()

    def _no_answer(self, what: str) -> TransientStorageError:
        return TransientStorageError(f"cannot {what}: what answers at {self._nodes} is no Elasticsearch")


def _authentication(config: DotDict) -> dict[str, Any]:
    if config.elasticsearch_api_key:
        return {"api_key": config.elasticsearch_api_key.strip()}
    if config.elasticsearch_user:
        return {"basic_auth": (config.elasticsearch_user, config.elasticsearch_password)}
    return {}


def _tls(config: DotDict) -> dict[str, Any]:
    if not config.verify_certs:
        logger.warning("verify_certs is false: whoever answers in the place of Elasticsearch is believed")
        return {"verify_certs": False, "ssl_show_warn": False}
    if not config.ca_certs:
        return {"verify_certs": True}
    # The client reads the file only once it connects; a mistake is to be told now.
    ssl.create_default_context(cafile=config.ca_certs)
    return {"verify_certs": True, "ca_certs": config.ca_certs}
