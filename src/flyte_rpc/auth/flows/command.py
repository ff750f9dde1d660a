"""Commands that print a token."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Sequence

from flyte_rpc.auth.tokens import Tokens
from flyte_rpc.errors import AuthenticationError
from flyte_rpc.redaction import SHORTEST_SECRET, redact

_TIMEOUT = 30.0
_LINE = 200
"""Maximum characters of a command's complaint in an error."""

_SECRET = re.compile(r"[\w.~+/=-]{24,}")
"""What may be a token in the output of a command."""


class TokenCommand:
    """A command that prints a token to its standard output. It runs without a shell."""

    name = "ExternalCommand"
    interactive = False

    def __init__(
        self,
        command: Sequence[str],
        *,
        argument: str = "command",
        header: str = "authorization",
        timeout: float = _TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe the command.

        Args:
            command: The program and its arguments.
            argument: How errors call the command.
            header: The request header that carries the token.
            timeout: Seconds that the command may take.
            clock: The monotonic clock.
        """
        self._command = list(command)
        self._argument = argument
        self._header = header
        self._timeout = timeout
        self._clock = clock

    def log_in(self) -> Tokens:
        started = self._clock()
        token, problem = self._run()
        # Raised outside of the handlers: the errors of subprocess have arguments and output in them.
        if problem:
            raise AuthenticationError(f"{self._argument} gave no token: {self._command[0]!r} {problem}.")
        return Tokens(access_token=token, received=started, header=self._header)

    def refresh(self, refresh_token: str) -> Tokens:
        return self.log_in()

    def _run(self) -> tuple[str, str]:
        """The token, and what went wrong."""
        try:
            done = subprocess.run(
                self._command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._timeout, check=False
            )
        except subprocess.TimeoutExpired:
            return "", f"did not end within {self._timeout:g} s"
        except FileNotFoundError:
            return "", "does not exist; write its full path, or add its folder to PATH"
        except OSError as error:
            return "", f"cannot be run ({error.strerror or type(error).__name__})"
        except ValueError:
            return "", "has an argument that cannot be passed to a program"
        output = done.stdout.decode("utf-8", "replace").strip()
        if done.returncode:
            said = _first_line(done.stderr.decode("utf-8", "replace"), output)
            return "", f"failed with exit code {done.returncode}" + (f" ({said})" if said else "")
        if not output:
            return "", "printed nothing to its standard output"
        if not (output.isascii() and output.isprintable()) or " " in output:
            return "", "printed something other than a single token to its standard output"
        return output, ""


def _first_line(text: str, output: str) -> str:
    """What a command complains of, without anything that may be a token."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    words = (word for word in output.split() if len(word) >= SHORTEST_SECRET)
    line = _SECRET.sub("***", redact(line, *words))[:_LINE]
    return "".join(c for c in line if c.isprintable()).rstrip(".")
