"""Certificates for servers and clients of tests, by authorities that only those trust who are given them."""

from __future__ import annotations

from pathlib import Path

import trustme


class Authority:
    """Signs certificates; all files are in ``directory``."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._authority = trustme.CA(organization_name=name)
        self.certificate = directory / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.certificate))

    def sign(self, name: str = "127.0.0.1") -> tuple[Path, Path]:
        """A certificate and its key, for a host or a client."""
        issued = self._authority.issue_cert(name)
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        return certificate, key
