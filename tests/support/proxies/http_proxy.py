"""An HTTP proxy in a process of its own: the package proxy.py."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from support.certificates import Authority

# It writes its port into a file once it listens.
_SECONDS = 30.0


@contextmanager
def http_proxy(
    folder: Path, *, credentials: str = "", certificate: Path | None = None, authority: Authority | None = None
) -> Generator[int]:
    """Run a proxy. Gives its port.

    Args:
        folder: An empty folder for its files.
        credentials: `user:password` that it wants.
        certificate: PEM file with key and certificate, for a proxy that is reached over TLS.
        authority: Signs the certificates of a proxy that decrypts TLS. It also is what the proxy trusts.
    """
    port_file, log = folder / "port", folder / "log"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0", "--num-workers", "1"]
    command += ["--num-acceptors", "1", "--port-file", str(port_file), "--log-file", str(log), "--threadless"]
    command += ["--data-dir", str(folder)]
    if credentials:
        command += ["--basic-auth", credentials]
    if certificate is not None:
        command += ["--cert-file", str(certificate), "--key-file", str(certificate)]
    if authority is not None:
        signing = folder / "signing.key"
        subprocess.run(["openssl", "genrsa", "-out", str(signing), "2048"], check=True, capture_output=True)
        command += ["--ca-cert-file", str(authority.certificate), "--ca-key-file", str(authority.key)]
        command += ["--ca-signing-key-file", str(signing), "--ca-cert-dir", str(folder / "certificates")]
        command += ["--ca-file", str(authority.certificate)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + _SECONDS
        while not (port_file.exists() and port_file.read_text().strip()):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the proxy did not start: {log.read_text() if log.exists() else ''}")
            time.sleep(0.02)
        yield int(port_file.read_text().split()[0])
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
