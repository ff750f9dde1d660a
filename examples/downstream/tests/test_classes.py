"""Messages shared by the library and Flyte are the same classes, so either client accepts the other's objects."""

from __future__ import annotations

import sys
from typing import assert_type

import flyte_api.messages.flyteidl2.common.list as flyte_list
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_rpc.entities.pager import Pager
from flyte_rpc.v1 import resolve

from library_sdk import Book, Client, Reader
from library_sdk_api.exports import EXPORTS
from library_sdk_api.messages.library.v1.books import Book as BookMessage
from library_sdk_api.messages.library.v1.books import BookId, ListBooksRequest


def test_messages_of_flyte_are_those_of_its_client() -> None:
    request = ListBooksRequest(request=flyte_list.ListRequest(limit=5), branch="hill")
    again = ListBooksRequest.parse(bytes(request))
    assert type(again.request) is flyte_list.ListRequest
    assert again == request
    assert type(BookMessage.parse(bytes(BookMessage(acquired_at=Timestamp(seconds=1)))).acquired_at) is Timestamp
    assert not [
        name
        for name in sys.modules
        if name.startswith(("library_sdk_api.messages.flyteidl2", "library_sdk_api.messages.google"))
    ]


def test_classes_are_found_by_name() -> None:
    assert {name: resolve(path) for name, path in EXPORTS.items()} == {"Book": Book, "Reader": Reader}


def test_editors_know_what_methods_return(stocked: Client) -> None:
    book = Book.get("hill", "b0", client=stocked)
    assert_type(book, Book)
    assert_type(Book.listall(client=stocked), Pager[Book])
    assert_type(book.labels, dict[str, str])
    assert_type(book.pb2.id, BookId | None)
    assert book.to_dict()["title"] == "Emma"
