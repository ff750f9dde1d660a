"""The secret of an OAuth client: a value, a file or an environment variable."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import attrs

from flyte.errors import AuthenticationError


@attrs.frozen(kw_only=True)
class ClientSecret:
    """Where the secret is. At most one of the fields is set."""

    value: str = attrs.field(default="", repr=False)
    location: str = ""
    """A file."""
    variable: str = ""
    """An environment variable."""

    def read(self) -> str:
        """Return the secret. Files and variables are read anew for each log-in.

        Raises:
            AuthenticationError: The file or variable has none.
        """
        if self.value:
            return self.value
        if self.location:
            return _from_file(Path(self.location).expanduser())
        found = os.environ.get(self.variable, "").strip()
        if not found:
            raise AuthenticationError(f"The environment variable {self.variable} with the client secret is not set.")
        return found

    @property
    def digest(self) -> tuple[str, ...]:
        """Tells secrets apart without repeating them."""
        return tuple(hashlib.sha256(text.encode()).hexdigest() for text in (self.value, self.location, self.variable))


def _from_file(path: Path) -> str:
    problem, found = "", ""
    try:
        found = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        problem = f"cannot be read ({error.strerror or type(error).__name__})"
    except UnicodeDecodeError:
        problem = "is not a text file"
    if not found:
        raise AuthenticationError(
            f"The file of the client secret, {path}, {problem or 'is empty'}. Check client_secret_location."
        )
    return found
