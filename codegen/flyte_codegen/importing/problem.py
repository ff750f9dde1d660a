"""The one exception of this package."""


class ImportProblem(Exception):
    """An import that cannot go on: one line that says what is wrong and what to do about it."""
