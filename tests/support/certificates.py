"""A certificate authority for tests, and certificates that it has signed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


class Authority:
    """Signs certificates with openssl."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate = folder / "authority.pem"
        self.key = folder / "authority.key"
        self._openssl(
            *[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=tests",
                # Python 3.13 wants this of an authority.
                "-addext",
                "keyUsage=critical,keyCertSign,cRLSign",
            ],
            *("-keyout", self.key, "-out", self.certificate),
        )

    def issue(self, name: str, *hosts: str) -> Path:
        """A PEM file with a certificate for host names and addresses, and its key."""
        request, made, key = (self._folder / f"{name}.{end}" for end in ("csr", "crt", "key"))
        self._openssl(
            *["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *("-subj", f"/CN={name}", "-keyout", key, "-out", request),
        )
        extensions = self._folder / f"{name}.ext"
        names = f"subjectAltName={','.join(hosts)}\n" if hosts else ""
        extensions.write_text(f"authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n{names}")
        self._openssl(
            *["x509", "-req", "-days", "2", "-CAcreateserial"],
            *("-in", request, "-CA", self.certificate, "-CAkey", self.key, "-out", made, "-extfile", extensions),
        )
        both = self._folder / f"{name}.pem"
        both.write_text(key.read_text() + made.read_text())
        return both

    @staticmethod
    def _openssl(*arguments: object) -> None:
        try:
            subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl is needed to make certificates")
