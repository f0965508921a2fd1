"""Certificates for servers on loopback, of an authority that nobody knows but who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificate:
    chain: Path
    """The certificate of 127.0.0.1 with its key."""
    authority: Path
    """That of the authority that issued it."""


def issue(directory: Path) -> Certificate:
    authority = trustme.CA()
    certificate = Certificate(directory / "certificate.pem", directory / "authority.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate.chain))
    authority.cert_pem.write_to_path(str(certificate.authority))
    return certificate
