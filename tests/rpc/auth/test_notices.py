"""Reaching the person at the terminal."""

from __future__ import annotations

import sys
import webbrowser

import pytest

from flyte_rpc.auth import notices


def test_text_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    notices.show("To log in, ...")
    assert capsys.readouterr() == ("", "To log in, ...\n")


def test_a_program_without_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    notices.show("nobody reads this")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    links: list[str] = []

    def open_link(link: str) -> bool:
        links.append(link)
        return True

    monkeypatch.setattr(webbrowser, "open", open_link)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    return links


def test_no_browser_takes_over_the_terminal(opened: list[str]) -> None:
    assert not notices.open_browser("http://x/") and opened == []


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_desktop(opened: list[str], monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, ":0")
    assert notices.open_browser("http://x/") and opened == ["http://x/"]


def test_a_browser_that_cannot_be_started(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(link: str) -> bool:
        raise webbrowser.Error("no browser")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", fail)
    assert not notices.open_browser("http://x/")
