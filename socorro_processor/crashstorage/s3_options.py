"""The options of a bucket of S3, in a file without the SDK, which takes a quarter of a second to load."""

from __future__ import annotations

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
    """Read the address of a server; empty stands for Amazon's own. Raises ValueError."""
    text = text.strip()
    # A password before an @ would appear in messages.
    if text and not (text.startswith(("http://", "https://")) and urlsplit(text).hostname and "@" not in text):
        raise ValueError("http://HOST:PORT or https://HOST:PORT was expected, without user or password")
    return text


def parse_calling_format(text: str) -> str:
    """Read botocore's addressing style, or boto's class for it. Raises ValueError."""
    if (style := _CALLING_FORMATS.get(text.strip())) is None:
        raise ValueError(f"one of these was expected: {', '.join(_CALLING_FORMATS)}")
    return style


def bucket_options() -> Namespace:
    """Return the options of ``S3Bucket``."""
    options = Namespace()
    options.add_option(
        "bucket_name", default="crashstats", doc="the name of the bucket", reference_value_from="resource.boto"
    )
    options.add_option(
        "prefix",
        default="",
        doc="what all keys in the bucket begin with; a slash is put between",
        reference_value_from="resource.boto",
    )
    options.add_option(
        "region",
        default="us-west-2",
        doc="the region of the bucket; empty: as the SDK finds it in environment and profile",
        reference_value_from="resource.boto",
    )
    options.add_option(
        "endpoint_url",
        default="",
        doc="the address of a server other than Amazon's that speaks S3, such as http://HOST:PORT",
        from_string_converter=parse_endpoint,
        reference_value_from="resource.boto",
    )
    options.add_option(
        "calling_format",
        default="auto",
        doc="where the bucket's name stands in an address: path (http://HOST/BUCKET), virtual (http://BUCKET.HOST), "
        "auto (as the SDK thinks)",
        from_string_converter=parse_calling_format,
        reference_value_from="resource.boto",
    )
    options.add_option(
        "access_key",
        default="",
        doc="the access key; empty: the SDK looks for credentials itself",
        reference_value_from="resource.boto",
    )
    options.add_option(
        "secret_access_key",
        default="",
        doc="the secret of the access key",
        secret=True,
        reference_value_from="secrets.boto",
    )
    options.add_option(
        "verify_certificate",
        default=True,
        doc="whether the certificate of a server with https has to be one that is trusted",
        reference_value_from="resource.boto",
    )
    options.add_option(
        "ca_bundle",
        default="",
        doc="the file (PEM) of the certificate authorities that are trusted; empty: those that the SDK knows",
        reference_value_from="resource.boto",
    )
    options.add_option(
        "connection_timeout",
        default=5.0,
        doc="seconds for a connection to be made",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.boto",
    )
    options.add_option(
        "read_timeout",
        default=20.0,
        doc="seconds in which the server has to send something",
        from_string_converter=Seconds(above=True),
        reference_value_from="resource.boto",
    )
    options.add_option(
        "number_of_tries",
        default=3,
        doc="how often a request is sent in all before it has failed",
        from_string_converter=WholeNumber(1),
        reference_value_from="resource.boto",
    )
    options.add_option(
        "maximum_connections",
        default=20,
        doc="connections that are kept open; threads beyond them make a new one for each request",
        from_string_converter=WholeNumber(1),
        reference_value_from="resource.boto",
    )
    return options
