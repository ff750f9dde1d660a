"""The version of this release. The build reads it, so that vendored and frozen programs need no package metadata."""

import sys

VERSION = "0.1.0"

USER_AGENT = f"flyte-rpc/{VERSION} (python {sys.version_info[0]}.{sys.version_info[1]})"
"""The default `user-agent` header."""
