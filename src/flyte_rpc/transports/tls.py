"""TLS settings of connections for which the user gives none."""

from __future__ import annotations

import ssl


def default_context() -> ssl.SSLContext:
    """The system's trust store, and TLS 1.2 or newer."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
