"""Escape text from the definitions. All such text reaches generated code through these functions."""

from __future__ import annotations

import itertools
import re

_ITEM = re.compile(r"^\s*(?:[-*+•]|\d+[.)])\s+", re.MULTILINE)
_LAST_SENTENCE = re.compile(r"(?:^|(?<=[.!?])\s+)[^.!?]*:$")


def literal(value: object) -> str:
    """Return a value as a Python literal. The formatter chooses the quotes."""
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
    """Return the first paragraph as one line. A list belongs to the paragraph that announces it with a colon.

    >>> sentence("Sorts the list. The fields are:\\n\\n- name\\n- size, in bytes\\n\\nMore.")
    'Sorts the list. The fields are: name; size, in bytes'
    >>> sentence("A filter. For example:\\n\\n    name = 1")
    'A filter.'
    """
    first, *rest = [paragraph for paragraph in text.split("\n\n") if paragraph.strip()] or [""]
    if first.rstrip().endswith(":"):
        items = list(itertools.takewhile(_ITEM.match, rest))
        if items:
            first = "\n".join([first, *items])
        else:  # an example or a table, which does not fit into a line
            line = " ".join(first.split())
            first = _LAST_SENTENCE.sub("", line) or f"{line[:-1]}."
    head, *points = (" ".join(part.split()) for part in _ITEM.split(first))
    return " ".join([head, "; ".join(point.rstrip(";,") for point in points)]).strip()
