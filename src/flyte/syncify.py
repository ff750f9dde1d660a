"""Methods that block, and await under the same name: `Run.get(...)` waits, `await Run.get.aio(...)` does not."""

from flyte_rpc.entities.listing import listing
from flyte_rpc.sync.decorators import Blocking, Streaming, blocking, blocking_function, fetching, streaming

__all__ = ["Blocking", "Streaming", "blocking", "blocking_function", "fetching", "listing", "streaming"]
