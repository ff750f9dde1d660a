"""A provider of OpenTelemetry for some tests. A process can set it only once, so the tests put it back themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.util._once import Once


@contextmanager
def own_provider() -> Iterator[None]:
    """Let the code in a block set a provider, and forget it afterwards, so that later tests record no spans."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", None)
        patch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())
        yield
