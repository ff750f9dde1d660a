"""Escape text from the definitions. All such text reaches generated code through these functions."""

from __future__ import annotations

import re


def literal(value: object) -> str:
    """Return a value as a Python literal; strings in double quotes."""
    if isinstance(value, str):
        plain = repr(value)[1:-1].replace("\\'", "'")
        return '"' + plain.replace('"', '\\"') + '"' if '\\"' not in plain else repr(value)
    return repr(value)


def docstring(text: str, indent: int = 0) -> str:
    """Return text as a docstring, with quotes and backslashes escaped so that it can't end early."""
    pad = " " * indent
    safe = text.strip().replace("\\", "\\\\")
    safe = re.sub(r'"(?=""|\Z)', r"\"", safe)  # no three quotes in a row, and none before the closing quotes
    safe = "".join(c if c == "\n" or c.isprintable() else f"\\U{ord(c):08x}" for c in safe)
    if "\n" not in safe:
        return f'"""{safe}"""'
    first, *rest = (line.rstrip() for line in safe.split("\n"))
    return "\n".join([f'"""{first}', *(pad + line if line else "" for line in rest), f'{pad}"""'])


def comment(text: str) -> str:
    """Return text as a one-line comment."""
    return "# " + "".join(c if c.isprintable() else " " for c in text)


def sentence(text: str) -> str:
    """Return the first paragraph as one line."""
    return " ".join(text.split("\n\n")[0].split())
