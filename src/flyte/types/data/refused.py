"""What is said about a value that cannot be written."""

_LONGEST = 200


class Refused(Exception):
    """A value that does not fit: why, and where inside the value."""

    def __init__(self, reason: str, *, fits_type: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fits_type = fits_type
        self.path = ""

    def inside(self, step: str) -> "Refused":
        self.path = step + self.path
        return self

    @property
    def place(self) -> str:
        """Where inside the value; what is nested very deep is left out in the middle."""
        if len(self.path) <= _LONGEST:
            return self.path
        return f"{self.path[: _LONGEST // 2]} ... {self.path[-_LONGEST // 4 :]}"


def how_to_store(kind: str) -> str:
    """What to do where a `File` or `Dir` is expected, and something else is given."""
    return f"upload what is on this machine with {kind}.from_local(path), name what is stored with {kind}(uri)"


def text(value: str) -> str:
    """Text that UTF-8 can express."""
    plain = str.__str__(value)
    try:
        plain.encode()
    except UnicodeEncodeError:
        raise Refused("the text holds half of a surrogate pair, which UTF-8 cannot express", fits_type=True) from None
    return plain
