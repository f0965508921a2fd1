"""Translate boto's exceptions, and decide who is at fault for an error of S3.

Nearly always it is the service, the network or the configuration, and not a crash.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from socorro_processor.crashstorage.objects import NoSuchObject
from socorro_processor.errors import PermanentStorageError, TransientStorageError

_OBJECT_ERRORS = frozenset(("EntityTooLarge", "InvalidObjectState", "KeyTooLongError", "MaxMessageLengthExceeded"))
"""The error codes of S3 that are about one object; all others are about S3, the bucket or the credentials."""

_TOO_LARGE = 413
"""The status with which a proxy in front of S3 refuses an object."""

NO_SUCH_BUCKET = "make it with `socorro setup`, or correct bucket_name"
_OTHER_REGION = "correct region: the bucket is in another one"
_OTHER_CREDENTIALS = "correct access_key and secret_access_key"
_MISSING_RIGHTS = (
    "let this access key list the bucket, and get, put and delete its objects (without the right to list, S3 says "
    "this of missing objects too)"
)
_ADVICE = {
    "NoSuchBucket": NO_SUCH_BUCKET,
    "BucketAlreadyExists": "somebody else has a bucket of this name: choose another bucket_name",
    "InvalidAccessKeyId": _OTHER_CREDENTIALS,
    "SignatureDoesNotMatch": _OTHER_CREDENTIALS,
    "ExpiredToken": "give the processor new credentials",
    "AccessDenied": _MISSING_RIGHTS,
    # The answer to HEAD, which looks at a bucket, has no error code.
    "400": f"{_OTHER_CREDENTIALS}, or region",
    "403": f"{_OTHER_CREDENTIALS}, or {_MISSING_RIGHTS}",
    "AuthorizationHeaderMalformed": _OTHER_REGION,
    "IllegalLocationConstraintException": _OTHER_REGION,
    "PermanentRedirect": _OTHER_REGION,
    "301": _OTHER_REGION,
    "RequestTimeTooSkewed": "set this machine's clock",
    "InvalidObjectState": "it was moved to an archive: restore it",
}
_ADVICE_WITHOUT_ANSWER: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError),
        "set access_key and secret_access_key, or give the SDK credentials through environment, profile or role",
    ),
    ((SSLError,), "name the file of the certificate authority of that server in ca_bundle"),
    ((ConnectionError, HTTPClientError, HTTPError), "check that this server runs, and can be reached from here"),
)

_LONGEST_REASON = 300


@contextlib.contextmanager
def translate_s3_errors(doing: str) -> Iterator[None]:
    """Raise NoSuchObject, TransientStorageError or PermanentStorageError for boto's exceptions.

    ``doing`` is what was tried, with which key and bucket: ``"write v1/dump/... to bucket crashes"``.
    """
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = answer.get("Code", "")
        if code == "NoSuchKey":
            raise NoSuchObject(doing) from None
        is_object_error = code in _OBJECT_ERRORS or http_status(error) == _TOO_LARGE
        kind = PermanentStorageError if is_object_error else TransientStorageError
        raise kind(_message(doing, f"{code} {answer.get('Message', '')}", _ADVICE.get(code))) from error
    except (BotoCoreError, ResponseParserError, HTTPError) as error:
        # An HTTPError comes as it is if the connection is lost within a short answer: boto does not translate it.
        advice = next((text for classes, text in _ADVICE_WITHOUT_ANSWER if isinstance(error, classes)), None)
        raise TransientStorageError(_message(doing, str(error), advice)) from error


def http_status(error: ClientError) -> int:
    """Return the status of the answer; 0 if it is not known."""
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _message(doing: str, reason: str, advice: str | None) -> str:
    message = f"cannot {doing}: {' '.join(reason.split())[:_LONGEST_REASON].rstrip('.')}"
    return f"{message}: {advice}" if advice else message
