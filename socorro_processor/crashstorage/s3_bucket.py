"""Keep objects in a bucket of S3, or of a compatible server, with boto3."""

from __future__ import annotations

import contextlib
import functools
import http
import io
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import boto3.session
from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
    AWSResponse,
    HeadersDict,
)
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.utils import determine_content_length
from urllib3 import HTTPResponse

from socorro_processor.configuration import DotDict, RequiredConfig
from socorro_processor.crashstorage.base import Dump
from socorro_processor.crashstorage.objects import NoSuchObject, ObjectTooLarge, local_file_errors
from socorro_processor.crashstorage.s3_errors import NO_SUCH_BUCKET, http_status, translate_s3_errors
from socorro_processor.crashstorage.s3_options import bucket_options
from socorro_processor.errors import ConfigurationError, CrashStorageError, TransientStorageError
from socorro_processor.machine.request_deadline import (
    ANY_TIME,
    LEAST_SPEED,
    Deadline,
    DeadlineConnection,
    Deadlines,
    is_here,
    is_over_here,
)

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import BlobTypeDef

_CHUNK = 1 << 20

_AHEAD = 2
"""Requests per connection that may be open, or answered but unread, while a list is worked through."""

T = TypeVar("T")
R = TypeVar("R")


class _Connection(DeadlineConnection, AWSHTTPConnection):  # type: ignore[misc] # stubs of two packages differ
    """An HTTP connection with a deadline."""


class _TLSConnection(DeadlineConnection, AWSHTTPSConnection):  # type: ignore[misc] # as above
    """An HTTPS connection with a deadline."""


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class S3Bucket(RequiredConfig):
    """Keeps objects below ``prefix`` in one bucket, with the methods of ``ObjectCrashStorage``.

    - Without ``access_key`` and ``secret_access_key`` the SDK looks for credentials on its own:
      environment, profile, role of the machine.
    - A request is tried ``number_of_tries`` times in botocore's standard mode: at once, then after fractions
      of a second, or up to a few seconds if S3 throttles. All tries together may take ``number_of_tries`` times
      both timeouts. Large objects must be sent and received at 100 KB a second or more.
    - In a bucket with versions, replaced and deleted objects stay until the bucket's lifecycle removes them.
    """

    required_config = bucket_options()

    def __init__(self, config: DotDict) -> None:
        if bool(config.access_key) != bool(config.secret_access_key):
            raise ConfigurationError(
                "only one of access_key and secret_access_key is set: set both (in resource.boto and secrets.boto), or "
                "neither, and the SDK looks for credentials itself"
            )
        if config.ca_bundle and not Path(config.ca_bundle).is_file():
            raise ConfigurationError(f"cannot use ca_bundle {config.ca_bundle}: no such file")
        self._config = config
        self._name: str = config.bucket_name
        self._prefix = "/".join(part for part in config.prefix.split("/") if part)
        self._client: S3Client | None = None
        self._answer_time: float = config.number_of_tries * (config.connection_timeout + config.read_timeout)
        self._deadlines = Deadlines()

    @property
    def client(self) -> S3Client:
        """The client, which all threads share. It is made on first use, in 0.1 s of CPU time."""
        with _MAKING_CLIENTS:
            if self._client is None:
                self._client = _new_client(self._config)
                _limit_requests(self._client, self._deadlines, self._answer_time)
            return self._client

    @property
    def place(self) -> str:
        """The place of the objects: the bucket and the prefix of their keys."""
        return f"{self._prefix}/ in {self}"

    def full_key(self, key: str) -> str:
        """Return the key with the prefix; it never begins with a slash."""
        return f"{self._prefix}/{key}" if self._prefix else key

    def put(self, key: str, content: Dump) -> None:
        if isinstance(content, bytes):
            self._put(key, content)
            return
        path = Path(content)
        with local_file_errors("read the dump", path):
            source = path.open("rb")
        with source:
            self._put(key, source)

    def get(self, key: str, maximum_size: int | None = None) -> bytes:
        return b"".join(self.chunks(key, maximum_size))

    def fetch(self, key: str, path: Path, maximum_size: int) -> None:
        chunks = self.chunks(key, maximum_size)
        # If there is no such object, no file is made.
        first = next(chunks, b"")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with (
            contextlib.closing(chunks),
            local_file_errors("write", path),
            os.fdopen(os.open(path, flags, 0o600), "wb") as target,
        ):
            target.write(first)
            target.writelines(chunks)

    def delete(self, key: str) -> bool:
        try:
            with translate_s3_errors(f"remove {self.full_key(key)} from {self}"):
                found = self._has_object(key)
                # Even if it was not found: only this answer tells a missing bucket from a missing key.
                self.client.delete_object(Bucket=self._name, Key=self.full_key(key))
                return found
        except NoSuchObject:
            return False

    def are_absent(self, keys: Iterable[str]) -> Iterator[bool]:
        with translate_s3_errors(f"look for objects in {self}"):
            checked = False
            for found in self._in_parallel(self._has_object, keys):
                if not found and not checked:
                    # S3 gives the same answer if the whole bucket is missing.
                    self.check()
                    checked = True
                yield not found

    def list_folder(self, folder: str) -> Iterator[str]:
        """Yield the names in a folder, or, with ``/*/`` in it, in many (4,096 a day), which are listed in parallel."""
        parent, wildcard, rest = folder.partition("/*/")
        if not wildcard:
            yield from self._list(f"{folder}/")
            return
        folders = (f"{parent}/{name}/{rest}/" for name in self._list(f"{parent}/", folders=True))
        yield from chain.from_iterable(self._in_parallel(lambda each: list(self._list(each)), folders))

    def check(self) -> None:
        """Raise TransientStorageError if there is no such bucket, or it cannot be reached with these credentials."""
        if not self._has_bucket():
            raise TransientStorageError(f"there is no {self}: {NO_SUCH_BUCKET}")

    def make(self) -> None:
        """Make the bucket if there is none."""
        if self._has_bucket():
            return
        with translate_s3_errors(f"make {self}"):
            region = self.client.meta.region_name
            # S3 refuses the name of its first region here.
            is_first = region in ("us-east-1", "aws-global")
            location: Any = {} if is_first else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            # Another host may have made it first.
            with contextlib.suppress(self.client.exceptions.BucketAlreadyOwnedByYou):
                self.client.create_bucket(Bucket=self._name, **location)

    def close(self) -> None:
        with _MAKING_CLIENTS:
            if self._client is not None:
                self._client.close()

    def __str__(self) -> str:
        return f"bucket {self._name} at {self._config.endpoint_url or 'Amazon S3'}"

    def _put(self, key: str, body: BlobTypeDef) -> None:
        with translate_s3_errors(f"write {self.full_key(key)} to {self}"):
            self.client.put_object(Bucket=self._name, Key=self.full_key(key), Body=body)

    def chunks(
        self, key: str, maximum_size: int | None, on_answer: Callable[[], object] = lambda: None
    ) -> Generator[bytes]:
        """Yield the content of an object. ``on_answer`` is called when its header has come.

        A deadline of the caller applies to the whole object; without one, each chunk has its own time.
        """
        if is_here():
            yield from self._chunks(key, maximum_size, on_answer)
            return
        doing = f"read {self.full_key(key)} from {self}"
        chunks = self._chunks(key, maximum_size, on_answer)
        with self._deadlines.within(ANY_TIME) as deadline, contextlib.closing(chunks), _name_deadline(deadline, doing):
            seconds = self._answer_time
            while True:
                seconds += _CHUNK / LEAST_SPEED
                deadline.step(
                    seconds,
                    f"the next part did not come within {seconds:.0f} s, at {LEAST_SPEED} bytes a second or more",
                )
                with deadline.here():
                    chunk = next(chunks, b"")
                if deadline.reason:
                    # If the answer has no length, a connection that was cut looks like the end of the object.
                    raise TransientStorageError(deadline.reason)
                # The caller may take any time over a chunk.
                deadline.step(ANY_TIME, "")
                if not chunk:
                    return
                yield chunk
                seconds = self._config.read_timeout

    def _chunks(self, key: str, maximum_size: int | None, on_answer: Callable[[], object]) -> Generator[bytes]:
        with translate_s3_errors(f"read {self.full_key(key)} from {self}"):
            answer = self.client.get_object(Bucket=self._name, Key=self.full_key(key))
            on_answer()
            # Closing a body that was not read to its end closes its connection.
            with contextlib.closing(answer["Body"]) as body:
                size = answer.get("ContentLength", 0)
                if maximum_size is not None and size > maximum_size:
                    raise ObjectTooLarge(f"{size} bytes, more than {maximum_size}")
                received = 0
                # Read up to the empty chunk: there botocore checks that everything has come.
                while chunk := body.read(_CHUNK):
                    received += len(chunk)
                    if maximum_size is not None and received > maximum_size:
                        raise ObjectTooLarge(f"at least {received} bytes, more than {maximum_size}")
                    yield chunk

    def _list(self, beginning: str, *, folders: bool = False) -> Iterator[str]:
        """Yield the names of the objects directly below ``beginning``; with ``folders``, of the folders."""
        prefix = self.full_key(beginning)
        with translate_s3_errors(f"list {prefix} in {self}"):
            # With a delimiter S3 skips all deeper keys, however many there are.
            pages = self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self._name, Prefix=prefix, Delimiter="/"
            )
            for page in pages:
                if folders:
                    yield from (each["Prefix"].removeprefix(prefix)[:-1] for each in page.get("CommonPrefixes", []))
                else:
                    yield from (each["Key"].removeprefix(prefix) for each in page.get("Contents", []))

    def _in_parallel(self, ask: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Yield the answers in the order of the items, asking for only a few ahead."""
        connections: int = self._config.maximum_connections
        with ThreadPoolExecutor(connections, "s3") as pool:
            futures: deque[Future[R]] = deque()
            try:
                for item in items:
                    futures.append(pool.submit(ask, item))
                    if len(futures) >= connections * _AHEAD:
                        yield futures.popleft().result()
                while futures:
                    yield futures.popleft().result()
            finally:
                for future in futures:
                    future.cancel()

    def _has_object(self, key: str) -> bool:
        return _is_found(lambda: self.client.head_object(Bucket=self._name, Key=self.full_key(key)))

    def _has_bucket(self) -> bool:
        with translate_s3_errors(f"reach {self}"):
            return _is_found(lambda: self.client.head_bucket(Bucket=self._name))


def _is_found(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except ClientError as error:
        if http_status(error) == 404:
            return False
        raise
    return True


_MAKING_CLIENTS = threading.Lock()
"""The lock for making clients: threads may share a client, but not a session."""


@functools.cache
def _session() -> boto3.session.Session:
    """Return the session of all clients. Its description of S3 takes 13 MB, and most of the time to make a client."""
    return boto3.session.Session()


def _new_client(config: DotDict) -> S3Client:
    client: S3Client = _session().client(
        "s3",
        region_name=config.region or None,
        endpoint_url=config.endpoint_url or None,
        aws_access_key_id=config.access_key or None,
        aws_secret_access_key=config.secret_access_key or None,
        verify=(config.ca_bundle or None) if config.verify_certificate else False,
        config=Config(
            connect_timeout=config.connection_timeout,
            read_timeout=config.read_timeout,
            max_pool_connections=config.maximum_connections,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": config.number_of_tries},
            s3={"addressing_style": config.calling_format},
            # The signature already covers the body. A second checksum costs CPU time, and not every server knows the
            # form in which it is sent.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    client.meta.events.register_last("before-call.s3", _send_at_once)
    client.meta.events.register_first("before-send.s3", _stop_retries)
    # botocore has no public way to set the classes of its connections.
    cast(Any, client)._endpoint.http_session._pool_classes_by_scheme.update(http=_Pool, https=_TLSPool)
    return client


class _TooSlow(HTTPClientError):
    fmt = "{reason}"


def _limit_requests(client: S3Client, deadlines: Deadlines, answer_time: float) -> None:
    """Give each request a deadline of ``answer_time`` seconds and the time for its body.

    A caller's deadline takes precedence. botocore's own timeouts are for single reads.
    """
    endpoint = cast(Any, client)._endpoint
    make_request: Callable[[Any, dict[str, Any]], Any] = endpoint.make_request

    def make_request_in_time(operation: Any, request: dict[str, Any]) -> Any:
        if is_here():
            return make_request(operation, request)
        seconds = answer_time + (determine_content_length(request["body"]) or 0) / LEAST_SPEED
        with deadlines.within(seconds) as deadline, deadline.here():
            try:
                answer = make_request(operation, request)
            except Exception as error:
                if deadline.reason:
                    raise _TooSlow(reason=deadline.reason) from error
                raise
            if deadline.reason:
                raise _TooSlow(reason=deadline.reason)
            return answer

    endpoint.make_request = make_request_in_time


@contextlib.contextmanager
def _name_deadline(deadline: Deadline, doing: str) -> Iterator[None]:
    """Replace the error of a connection that was cut with the reason of the deadline."""
    try:
        yield
    except CrashStorageError as error:
        if not deadline.reason:
            raise
        raise TransientStorageError(f"cannot {doing}: {deadline.reason}") from error


def _stop_retries(request: Any, **_: object) -> Any:
    """Answer in the server's place once a request's deadline is over; otherwise the SDK would keep trying."""
    if not is_over_here():
        return None
    nothing: Any = HeadersDict()
    body = HTTPResponse(io.BytesIO(), preload_content=False)
    return AWSResponse(request.url, http.HTTPStatus.BAD_REQUEST, nothing, body)


def _send_at_once(params: dict[str, Any], **_: object) -> None:
    """Send a body in memory without asking first: asking takes a round trip, and most bodies are short."""
    if isinstance(params.get("body"), io.BytesIO):
        params["headers"].pop("Expect", None)
