"""The error of values that cannot be stored or read."""


class FrameError(ValueError):
    """A data frame or an array cannot be stored or read. What a library raised is the cause."""
