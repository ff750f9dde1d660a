from __future__ import annotations

import pytest

from flyte_rpc.transports.endpoint import parse_endpoint


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("http://flyte.example:8090", "http://flyte.example:8090"),
        ("http://flyte.example", "http://flyte.example:80"),
        ("https://flyte.example", "https://flyte.example:443"),
        ("https://flyte.example:8443/", "https://flyte.example:8443"),
        ("HTTPS://Flyte.Example", "https://flyte.example:443"),
        ("dns:///flyte.example", "https://flyte.example:443"),
        ("dns:///flyte.example:80", "https://flyte.example:80"),
        ("flyte.example:8090", "https://flyte.example:8090"),
        ("flyte.example", "https://flyte.example:443"),
        (" flyte.example\n", "https://flyte.example:443"),
        ("flyte_backend:80", "https://flyte_backend:80"),
        # Without a scheme, this machine is spoken to in clear text.
        ("localhost:8090", "http://localhost:8090"),
        ("dns:///localhost:8090", "http://localhost:8090"),
        ("127.0.0.1:8090", "http://127.0.0.1:8090"),
        ("[::1]:8090", "http://[::1]:8090"),
        ("[2001:db8::7]:8090", "https://[2001:db8::7]:8090"),
        ("https://[::1]:8090", "https://[::1]:8090"),
    ],
)
def test_forms(text: str, meaning: str) -> None:
    assert str(parse_endpoint(text)) == meaning


@pytest.mark.parametrize(
    ("text", "insecure", "meaning"),
    [
        ("flyte.example:80", True, "http://flyte.example:80"),
        ("flyte.example:80", False, "https://flyte.example:80"),
        ("localhost:80", False, "https://localhost:80"),
        ("dns:///flyte.example:80", True, "http://flyte.example:80"),
        ("http://flyte.example", True, "http://flyte.example:80"),
    ],
)
def test_insecure_decides_where_the_text_does_not(text: str, insecure: bool, meaning: str) -> None:
    assert str(parse_endpoint(text, insecure=insecure)) == meaning


@pytest.mark.parametrize(("text", "insecure"), [("http://h:1", False), ("https://h:1", True)])
def test_insecure_may_not_contradict_the_text(text: str, insecure: bool) -> None:
    with pytest.raises(ValueError, match=f"insecure={insecure} contradicts"):
        parse_endpoint(text, insecure=insecure)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "grpc://h:1",
        "dns://h:1",
        "dns:////h:1",
        "ftp://h",
        "http://",
        "http://h:x",
        "h:99999",
        "h:0",
        "::1:80",
        "https://h/path",
        "https://h?x=1",
        "https://h#x",
        "a b:1",
        "-h:1",
        "http://[::zz]:1",
        "h:1:2",
        "http://[h]:1",
    ],
)
def test_anything_else_is_refused_and_the_forms_are_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"http://host\[:port\]"):
        parse_endpoint(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    for text in ("https://user:hunter2@h:1", "user:hunter2@h:1", "ftp://user:hunter2@h"):
        with pytest.raises(ValueError) as refused:
            parse_endpoint(text)
        assert "hunter2" not in str(refused.value)
