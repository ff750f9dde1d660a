"""Task functions that the tests deploy."""
