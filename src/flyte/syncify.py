"""Methods with a blocking and an async form: `Run.get(...)` blocks, `await Run.get.aio(...)` does not."""

from flyte_rpc.entities.listing import listing
from flyte_rpc.sync.decorators import Blocking, Streaming, blocking, blocking_function, fetching, streaming

__all__ = ["Blocking", "Streaming", "blocking", "blocking_function", "fetching", "listing", "streaming"]
