"""Books: what is generated, and what the definitions can't say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flyte_rpc.calls.options import within_timeout
from flyte_rpc.sync.decorators import blocking

from library_sdk_api.entities.book import BookBase
from library_sdk_api.messages.library.v1.books import BookState


class Book(BookBase):
    """A snapshot of a copy of a book."""

    @property
    def state(self) -> str:
        """`shelved`, `lent` or `discarded`, or a state that only newer servers know."""
        state = self.pb2.state
        return state.name.lower() if state.name else f"unknown({int(state)})"

    @property
    def shelf(self) -> str:
        """The shelf, such as `harbour/3`; empty if it is on no shelf."""
        shelf = self.pb2.shelf
        return f"{shelf.branch}/{shelf.number}" if shelf else ""

    def discarded(self) -> bool:
        """Whether the book was discarded."""
        return self.pb2.state == BookState.DISCARDED

    def overdue(self, now: datetime | None = None) -> bool:
        """Whether the book is past its due date.

        Args:
            now: The instant to compare with, with a time zone. Default: now.
        """
        return self.due_at is not None and self.due_at < (now or datetime.now(UTC))

    @blocking
    @within_timeout
    async def lend_for_weeks(self, card: str, weeks: int, *, timeout: float | timedelta | None = None) -> Book:
        """Lend the book, and fetch it again.

        Args:
            card: Card number of the reader.
            weeks: Weeks that the reader may keep it, at least 1.
            timeout: Maximum seconds for both calls together, or a timedelta. Default: the client's for each.

        Returns:
            The updated book.

        Raises:
            ValueError: An argument is invalid; nothing was sent.
            NotFoundError: The book no longer exists.
            FailedPreconditionError: The book is not on its shelf.

        Calls `BookService.LendBook`, then `GetBook`.
        """
        if weeks < 1:
            raise ValueError(f"weeks is {weeks}; it must be at least 1")
        await self.lend.aio(card, timedelta(weeks=weeks))
        return await Book.get.aio(self.branch, self.name, client=self.client)
