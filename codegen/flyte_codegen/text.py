"""The only way for text of the definitions into generated code."""

from __future__ import annotations

import textwrap


def literal(value: object) -> str:
    """A value as a Python literal, double-quoted where it is text."""
    if isinstance(value, str):
        plain = repr(value)[1:-1].replace("\\'", "'")
        return '"' + plain.replace('"', '\\"') + '"' if '\\"' not in plain else repr(value)
    return repr(value)


def docstring(text: str, indent: int = 0) -> str:
    """Text as a docstring that can't end early, whatever quotes and backslashes it holds."""
    pad = " " * indent
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').strip()
    safe = "".join(c if c == "\n" or c.isprintable() else f"\\u{ord(c):04x}" for c in safe)
    if safe.endswith('"'):
        safe = safe[:-1] + '\\"'
    if not safe:
        return '""""""'
    if "\n" not in safe:
        return f'"""{safe}"""'
    lines = [line.rstrip() for line in safe.split("\n")]
    return '"""' + ("\n").join([lines[0], *(pad + line if line else "" for line in lines[1:])]) + f'\n{pad}"""'


def comment(text: str, indent: int = 0, width: int = 110) -> str:
    """Text as comment lines."""
    pad = " " * indent
    out: list[str] = []
    for line in text.splitlines():
        printable = "".join(c if c.isprintable() else " " for c in line)
        out.extend(textwrap.wrap(printable, width - indent - 2) or [""])
    return "\n".join(f"{pad}# {line}".rstrip() for line in out)


def sentence(text: str) -> str:
    """The first paragraph, on one line."""
    return " ".join(text.split("\n\n")[0].split())
