"""docs/build-your-own-sdk.md, followed to the letter: its files are written, and its commands run, in their order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from downstream.conftest import REPO, Place

GUIDE = REPO / "docs/build-your-own-sdk.md"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
# The first line of a block that is a file names it.
PATH = re.compile(r"(?:#|//|\{#) (?P<path>[\w./%-]+)(?: #\})?\n")
# What the place has done already (an environment with the wheel), what other tests here do to such a project (both
# type checkers), and what goes out into the world.
LEFT_OUT = re.compile(r"(python3 -m venv|\. tools|pip |export |twine |\./ci\.sh|make check)")


def steps() -> Iterator[tuple[str, str]]:
    for block in BLOCK.finditer(GUIDE.read_text("utf-8")):
        named = PATH.match(block["text"])
        if block["kind"] == "sh":
            yield from (("", line) for line in block["text"].splitlines() if not LEFT_OUT.match(line))
        elif named:
            whole = block["text"] if block["kind"] != "jinja" else block["text"][named.end() :]
            yield named["path"], whole


def test_the_guide_leads_to_a_client(place: Place, tmp_path: Path) -> None:
    at = tmp_path
    said = ""
    for path, text in steps():
        if path:
            (at / path).parent.mkdir(parents=True, exist_ok=True)
            (at / path).write_text(text, encoding="utf-8")
        elif text.startswith("cd "):
            at = place.settle(at / text.removeprefix("cd "))
        else:
            said += place.run("sh", "-ec", text, cwd=at)
    assert said.count(" passed") == 3
    assert "method     Parcel.listall(cls, *, city: str" in said
    assert "def url(self)" in (at / "generated/parcels_sdk_api/entities/parcel.py").read_text("utf-8")
    for tool in ("check", "format"):
        place.run(place.python, "-m", "ruff", tool, *(["--check"] if tool == "format" else []), ".", cwd=at)
