"""What generated code and the overlay run on: calls, paging, watching, messages."""
