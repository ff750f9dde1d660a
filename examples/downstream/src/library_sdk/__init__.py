"""A client for libraries: list, fetch, watch, lend and discard books, and list readers."""

from flyte_rpc.calls.client import Client
from flyte_rpc.entities.filters import TimeFilter

from library_sdk_api.entities.reader import ReaderBase as Reader
from library_sdk_api.messages.library.v1.books import BookState, ShelfId
from library_sdk_api.registry import registry

from ._book import Book

__all__ = ["Book", "BookState", "Client", "Reader", "ShelfId", "TimeFilter", "use_client"]

use_client = registry.use
registry.configure(missing="No library is set. Pass client= to this call, or use library_sdk.use_client().")
