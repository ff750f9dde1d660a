"""Books: what is generated, and what the definitions can't say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flyte_rpc.sync.decorators import blocking

from library_sdk_api.entities.book import BookBase
from library_sdk_api.messages.library.v1.books import BookState


class Book(BookBase):
    """A copy of a book, as it was when it was read."""

    @property
    def state(self) -> str:
        """`shelved`, `lent`, `discarded`, or what a newer server calls it."""
        state = self.pb2.state
        return state.name.lower() if state.name else f"unknown({int(state)})"

    @property
    def shelf(self) -> str:
        """Where it stands, such as `harbour/3`; empty while it stands nowhere."""
        shelf = self.pb2.shelf
        return f"{shelf.branch}/{shelf.number}" if shelf else ""

    def discarded(self) -> bool:
        """Whether it is gone for good."""
        return self.pb2.state == BookState.DISCARDED

    def overdue(self, now: datetime | None = None) -> bool:
        """Whether its reader should have brought it back.

        Args:
            now: The instant to judge by, with a time zone. Default: now.
        """
        return self.due_at is not None and self.due_at < (now or datetime.now(UTC))

    @blocking
    async def lend_for_weeks(self, card: str, weeks: int) -> Book:
        """Lend the book, and read it again.

        Args:
            card: Card number of the reader.
            weeks: Weeks that the reader may keep it, at least 1.

        Returns:
            The book as it is now.

        Raises:
            ValueError: An argument is not usable; nothing was sent.
            NotFoundError: There is no such book any more.
            FailedPreconditionError: The book is not on its shelf.

        Calls `BookService.LendBook`, then `GetBook`.
        """
        if weeks < 1:
            raise ValueError(f"weeks is {weeks}; a book is lent for at least one")
        await self.lend.aio(card, timedelta(weeks=weeks))
        return await Book.get.aio(self.branch, self.name, client=self.client)
