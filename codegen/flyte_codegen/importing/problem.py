"""The one exception of this package."""


class ImportProblem(Exception):
    """An import failed. The message is one line with the error and a remedy."""
