"""What is said about data that is not of the type that is asked for."""

from __future__ import annotations


class Misfit(Exception):
    """Data that is not of the annotated type: what it is instead, and where inside the value."""

    def __init__(self, found: str, expected: str, path: str = "") -> None:
        super().__init__(found)
        self.found = found
        self.expected = expected
        self.path = path

    def inside(self, step: str) -> Misfit:
        return Misfit(self.found, self.expected, step + self.path)

    def __str__(self) -> str:
        return f"{self.path or 'it'} is {self.found}, expected {self.expected}"
