"""The only way for text of the definitions into generated code."""

from __future__ import annotations

import re


def literal(value: object) -> str:
    """A value as a Python literal, double-quoted where it is text."""
    if isinstance(value, str):
        plain = repr(value)[1:-1].replace("\\'", "'")
        return '"' + plain.replace('"', '\\"') + '"' if '\\"' not in plain else repr(value)
    return repr(value)


def docstring(text: str, indent: int = 0) -> str:
    """Text as a docstring that can't end early, whatever quotes and backslashes it holds."""
    pad = " " * indent
    safe = text.strip().replace("\\", "\\\\")
    safe = re.sub(r'"(?=""|\Z)', r"\"", safe)  # no three in a row, and none before the closing ones
    safe = "".join(c if c == "\n" or c.isprintable() else f"\\U{ord(c):08x}" for c in safe)
    if "\n" not in safe:
        return f'"""{safe}"""'
    first, *rest = (line.rstrip() for line in safe.split("\n"))
    return "\n".join([f'"""{first}', *(pad + line if line else "" for line in rest), f'{pad}"""'])


def comment(text: str) -> str:
    """Text as a comment on one line."""
    return "# " + "".join(c if c.isprintable() else " " for c in text)


def sentence(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.split("\n\n")[0].split())
