"""The options of a bucket of S3, in a file that does not import the SDK, which takes a quarter of a second."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlsplit

from socorro_processor.configuration import Namespace, Seconds, WholeNumber

_CALLING_FORMATS = {
    "auto": "auto",
    "path": "path",
    "virtual": "virtual",
    "boto.s3.connection.OrdinaryCallingFormat": "path",
    "boto.s3.connection.SubdomainCallingFormat": "virtual",
}


def parse_endpoint(text: str) -> str:
    """Parse the address of a server; empty stands for Amazon's own. Raises ValueError."""
    text = text.strip()
    # A password before an @ would appear in messages.
    if text and not (text.startswith(("http://", "https://")) and urlsplit(text).hostname and "@" not in text):
        raise ValueError("http://HOST:PORT or https://HOST:PORT was expected, without user or password")
    return text


def parse_calling_format(text: str) -> str:
    """Parse botocore's addressing style, or boto's class for it. Raises ValueError."""
    if (style := _CALLING_FORMATS.get(text.strip())) is None:
        raise ValueError(f"one of these was expected: {', '.join(_CALLING_FORMATS)}")
    return style


def bucket_options() -> Namespace:
    """Return the options of ``S3Bucket``."""
    options = Namespace()
    add = partial(options.add_option, reference_value_from="resource.boto")
    add("bucket_name", "crashstats", "the name of the bucket")
    add("prefix", "", "the beginning of all keys in the bucket, to which a slash is added")
    add("region", "us-west-2", "the region of the bucket (empty: from the SDK's environment or profile)")
    add(
        "endpoint_url",
        "",
        "the address of a server other than Amazon's that speaks S3, such as http://HOST:PORT",
        parse_endpoint,
    )
    add(
        "calling_format",
        "auto",
        "where the bucket's name is in an address: path (http://HOST/BUCKET), virtual (http://BUCKET.HOST), "
        "auto (the SDK decides)",
        parse_calling_format,
    )
    add("access_key", "", "the access key (empty: the SDK looks for credentials itself)")
    options.add_option(
        "secret_access_key", "", "the secret of the access key", secret=True, reference_value_from="secrets.boto"
    )
    add("verify_certificate", True, "refuse an https server without a trusted certificate")
    add(
        "ca_bundle",
        "",
        "the file (PEM) of trusted certificate authorities (empty: those that the SDK knows)",
    )
    add("connection_timeout", 5.0, "seconds in which a connection must be made", Seconds(above=True))
    add("read_timeout", 20.0, "seconds in which the server must send something", Seconds(above=True))
    add("number_of_tries", 3, "how many times a request is sent before it fails", WholeNumber(1))
    add(
        "maximum_connections",
        20,
        "connections that are kept open; threads beyond them make a new one for each request",
        WholeNumber(1),
    )
    return options
