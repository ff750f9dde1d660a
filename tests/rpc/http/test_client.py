"""The HTTP client: retries, redirects, limits, and what its errors and logs say."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from flyte_rpc.http.client import HttpClient
from flyte_rpc.http.errors import HttpError
from flyte_rpc.http.retry_after import retry_after
from flyte_rpc.transports.network.settings import Network
from support.certificates import Authority
from support.proxies.http_proxy import http_proxy

Answer = tuple[int, dict[str, str], bytes]


class Site:
    """A web server that answers as a test says, and remembers what it was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.seen: list[tuple[str, str, dict[str, str], str]] = []
        self.answer: Callable[[str], Answer] = lambda path: (200, {"Content-Type": "application/json"}, b'{"a": 1}')


def run_site(certificate: Path | None = None) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            site.seen.append((self.command, self.path, headers, body))
            status, extra, data = site.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that gave up have closed their connections."""

    with Listener(("127.0.0.1", 0), Handler) as server:
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
            scheme = "https"
        site = Site(f"{scheme}://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    yield from run_site()


@pytest.fixture
def other_site() -> Iterator[Site]:
    yield from run_site()


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def http(slept: list[float]) -> HttpClient:
    return HttpClient(Network(), timeout=20, sleep=slept.append)


def test_a_form(http: HttpClient, site: Site) -> None:
    reply = http.post_form(f"{site.url}/token?key=k", {"a": "1 2", "b": "ü"}, headers=[("authorization", "Basic x")])
    assert (reply.status, reply.json(), reply.url) == (200, {"a": 1}, f"{site.url}/token")
    [(method, path, headers, body)] = site.seen
    assert (method, path, body) == ("POST", "/token?key=k", "a=1+2&b=%C3%BC")
    assert headers["content-type"] == "application/x-www-form-urlencoded" and headers["authorization"] == "Basic x"
    assert headers["user-agent"].startswith("flyte-rpc/")


class TestBusyServers:
    @pytest.mark.parametrize(
        ("status", "header", "waits"), [(503, "2", [2, 2]), (429, "9999", [10, 10]), (503, "soon", [0.5, 1])]
    )
    def test_asked_again(
        self, http: HttpClient, site: Site, slept: list[float], status: int, header: str, waits: list[float]
    ) -> None:
        site.answer = lambda path: (status, {"Retry-After": header}, b"")
        http._timeout = 60
        assert http.post_form(site.url, {}).status == status
        assert (len(site.seen), slept) == (3, waits)

    def test_other_failures_are_not(self, http: HttpClient, site: Site) -> None:
        site.answer = lambda path: (502, {}, b"")
        assert http.post_form(site.url, {}).status == 502
        assert len(site.seen) == 1

    def test_a_connection_that_breaks_is_not(self, http: HttpClient, site: Site) -> None:
        site.answer = lambda path: (200, {"Content-Length": "100"}, b"short")
        with pytest.raises(HttpError, match="the connection broke") as raised:
            http.post_form(site.url, {})
        assert len(site.seen) == 1 and not raised.value.unsent

    def test_a_port_where_nobody_listens_is(self, http: HttpClient, slept: list[float]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        with pytest.raises(HttpError, match=r"no connection \(Connection refused\)") as raised:
            http.post_form(f"http://127.0.0.1:{port}/", {})
        assert raised.value.unsent and slept == [0.5, 1.0]

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0.0),
            ("7", 7.0),
            (" 12 ", 10.0),
            ("Thu, 01 Jan 1970 00:00:05 GMT", 4.0),
            ("Thu, 01 Jan 1970 01:00:00 GMT", 10.0),
            ("Wed, 31 Dec 1969 00:00:00 GMT", 0.0),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            (None, None),
            ("²", None),
            ("Fri, 31 Dec 9999 99:99:99 GMT", None),
        ],
    )
    def test_retry_after(self, value: str | None, seconds: float | None) -> None:
        assert retry_after(value, longest=10.0, now=lambda: 1.0) == seconds


class TestRedirects:
    def test_headers_stay_with_their_origin(self, http: HttpClient, site: Site, other_site: Site) -> None:
        targets = {"/a": "/b", "/b": f"{other_site.url}/c"}
        site.answer = lambda path: (302, {"Location": targets[path]}, b"")
        assert http.get(f"{site.url}/a", headers=[("authorization", "secret")]).status == 200
        assert [seen[2].get("authorization") for seen in site.seen] == ["secret", "secret"]
        assert "authorization" not in other_site.seen[0][2]

    def test_forms_are_not_sent_on(self, http: HttpClient, site: Site, other_site: Site) -> None:
        site.answer = lambda path: (307, {"Location": f"{other_site.url}/steal?x=1"}, b"")
        with pytest.raises(HttpError, match=r"redirects to .*/steal; credentials are not sent on"):
            http.post_form(f"{site.url}/token", {"client_secret": "x"})
        assert other_site.seen == []

    def test_loops_end(self, http: HttpClient, site: Site) -> None:
        site.answer = lambda path: (302, {"Location": path}, b"")
        with pytest.raises(HttpError, match="redirects too often"):
            http.get(site.url)


class TestLimits:
    def test_the_size_of_a_reply(self, http: HttpClient, site: Site) -> None:
        site.answer = lambda path: (200, {}, b"x" * ((1 << 20) + 1))
        with pytest.raises(HttpError, match="more than 1 MiB"):
            http.get(site.url)

    def test_a_reply_that_takes_too_long(self, site: Site) -> None:
        now = [0.0]

        def clock() -> float:
            now[0] += 6
            return now[0]

        with pytest.raises(HttpError, match="has not sent its whole reply within 10 s"):
            HttpClient(Network(), timeout=10, clock=clock).get(site.url)

    @pytest.mark.parametrize("url", ["ftp://x/y", "http://", "file:///etc/passwd", "x"])
    def test_other_urls(self, http: HttpClient, url: str) -> None:
        with pytest.raises(HttpError, match="is not an http:// or https:// URL"):
            http.get(url)


class TestJson:
    @pytest.mark.parametrize(
        ("content_type", "body", "message"),
        [
            ("text/html", b"{}}", "answers with an HTML page"),
            ("text/plain", b" <html>secret-content", "answers with an HTML page"),
            ("application/json", b"secret-content", "not JSON"),
            ("application/json", b'["secret-content"]', "not JSON"),
            ("application/json", b"\xff\xfe", "not JSON"),
        ],
    )
    def test_something_else(self, http: HttpClient, site: Site, content_type: str, body: bytes, message: str) -> None:
        site.answer = lambda path: (200, {"Content-Type": content_type}, body)
        with pytest.raises(HttpError, match=message) as raised:
            http.get(site.url).json()
        assert "secret-content" not in str(raised.value)


def test_logs_and_errors_have_no_queries(http: HttpClient, site: Site, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        http.get(f"{site.url}/x?key=hush")
        site.answer = lambda path: (302, {"Location": "http://user:hush@localhost:1/y?key=hush"}, b"")
        with pytest.raises(HttpError) as raised:
            http.get(f"{site.url}/x?key=hush")
    assert "localhost:1/y" in str(raised.value) and raised.value.__context__ is None
    assert "hush" not in caplog.text + str(raised.value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


class TestNetwork:
    def test_trust(self, authority: Authority) -> None:
        for site in run_site(authority.issue("server", "IP:127.0.0.1")):
            assert HttpClient(Network(ca_file=str(authority.certificate))).get(site.url).status == 200
            with pytest.raises(HttpError, match="its TLS certificate is not accepted"):
                HttpClient(Network(), sleep=lambda seconds: None).get(site.url)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    def test_no_trust(self, authority: Authority) -> None:
        for site in run_site(authority.issue("other", "DNS:elsewhere.example.com")):
            assert HttpClient(Network(verify=False)).get(site.url).status == 200

    def test_a_proxy_with_a_password(self, authority: Authority, tmp_path: Path) -> None:
        with http_proxy(tmp_path, credentials="ada:p@ss") as port:
            for site in run_site(authority.issue("proxied", "IP:127.0.0.1")):
                for credentials, works in (("ada:p%40ss", True), ("ada:wrong", False)):
                    proxy = f"http://{credentials}@127.0.0.1:{port}"
                    network = Network(ca_file=str(authority.certificate), proxy=proxy)
                    http = HttpClient(network, sleep=lambda seconds: None)
                    if works:
                        assert http.get(site.url).status == 200
                    else:
                        with pytest.raises(HttpError, match=r"the proxy refuses .*407") as raised:
                            http.get(site.url)
                        assert "wrong" not in str(raised.value)
