"""Each flow against an authorization server: success, denial, and what goes wrong on the way."""

from __future__ import annotations

import base64
import json
import socket
import sys
import threading
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

import pytest

from flyte_rpc.auth.flows.command import TokenCommand
from flyte_rpc.auth.token_endpoint import TokenRequestError
from flyte_rpc.errors import AuthenticationError, InitializationError
from rpc.auth.conftest import Flows, fetch
from support.oauth_server import DEVICE_GRANT, HTML, OAuthServer


def query_of(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


class TestPkce:
    def test_success(self, flows: Flows, oauth: OAuthServer) -> None:
        tokens = flows.pkce().log_in()
        assert tokens.access_token in oauth.valid
        assert oauth.refresh_tokens[tokens.refresh_token or ""] == "people"
        assert (tokens.lifetime, tokens.header) == (3600.0, "authorization")
        flows.browser.join()
        [(status, page)] = flows.browser.pages
        assert status == 200 and "You are logged in" in page
        link = query_of(flows.browser.opened[0])
        digest = sha256(oauth.requests[0]["code_verifier"].encode()).digest()
        assert link["code_challenge"] == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert (link["code_challenge_method"], link["scope"]) == ("S256", "all offline")

    def test_state_and_verifier_are_fresh(self, flows: Flows, oauth: OAuthServer) -> None:
        flow = flows.pkce()
        flow.log_in()
        flow.log_in()
        states = {query_of(link)["state"] for link in flows.browser.opened}
        assert len(states) == len({form["code_verifier"] for form in oauth.requests}) == 2

    def test_refresh(self, flows: Flows, oauth: OAuthServer) -> None:
        flow = flows.pkce()
        first = flow.log_in()
        second = flow.refresh(first.refresh_token or "")
        assert second.access_token != first.access_token
        assert second.refresh_token not in (None, first.refresh_token)
        with pytest.raises(TokenRequestError, match="invalid_grant") as raised:
            flow.refresh(first.refresh_token or "")
        assert raised.value.code == "invalid_grant"

    def test_other_requests_do_not_end_the_wait(self, flows: Flows) -> None:
        answers: list[tuple[int, str]] = []

        def stray(link: str) -> None:
            back = query_of(link)["redirect_uri"]
            origin = back.removesuffix("/callback")
            port = urlsplit(back).port or 0
            idle.append(socket.create_connection(("127.0.0.1", port)))  # as browsers do in advance
            state = query_of(link)["state"]
            for url in (
                f"{origin}/favicon.ico",
                f"{back}?code=other&state=wrong",
                f"{back}?error=access_denied&state=wrong",
                f"{back}?code=other",
                f"{back}?state={state}",
                back,
            ):
                answers.append(fetch(url))

        idle: list[socket.socket] = []
        flows.browser.before = stray
        tokens = flows.pkce().log_in()
        for connection in idle:
            connection.close()
        assert tokens.access_token
        assert [status for status, _ in answers] == [404, 400, 400, 400, 400, 400]

    def test_denial(self, flows: Flows, oauth: OAuthServer) -> None:
        oauth.deny = "access_denied"
        with pytest.raises(AuthenticationError, match="The log-in was denied on the log-in page"):
            flows.pkce().log_in()
        flows.browser.join()
        assert flows.browser.pages[0][0] == 400 and "denied" in flows.browser.pages[0][1]

    def test_errors_are_escaped(self, flows: Flows, oauth: OAuthServer) -> None:
        oauth.deny = "<script>alert(1)</script>"
        with pytest.raises(AuthenticationError) as raised:
            flows.pkce().log_in()
        flows.browser.join()
        page = flows.browser.pages[0][1]
        assert "<script" not in str(raised.value) + page
        assert "http" not in page.replace("http-equiv", "")  # nothing from elsewhere

    def test_a_refused_exchange_is_shown_in_the_browser(self, flows: Flows, oauth: OAuthServer) -> None:
        oauth.fault = lambda path, form: HTML if path == "/token" else None
        with pytest.raises(AuthenticationError, match="answers with an HTML page"):
            flows.pkce().log_in()
        flows.browser.join()
        assert flows.browser.pages[0][0] == 400 and "HTML page" in flows.browser.pages[0][1]

    def test_nobody_comes(self, flows: Flows) -> None:
        with pytest.raises(AuthenticationError, match=r"Nobody logged in within 0\.05 s"):
            flows.pkce(headless=True, timeout=0.05).log_in()
        assert flows.browser.opened == []
        assert "open this link" in flows.shown[0]

    def test_the_link_is_shown_if_no_browser_opens(self, flows: Flows) -> None:
        flow = flows.pkce(timeout=0.05)
        flow._open_browser = lambda link: False
        with pytest.raises(AuthenticationError):
            flow.log_in()
        assert flows.oauth.url + "/authorize?" in flows.shown[0]

    def test_a_port_in_use(self, flows: Flows) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(AuthenticationError, match=f"Port {port} .* cannot be listened on"):
                flows.pkce(redirect_uri=f"http://127.0.0.1:{port}/callback").log_in()

    @pytest.mark.parametrize(
        "uri", ["", "https://localhost:1/x", "http://0.0.0.0:1/x", "http://example.com:80/", "http://localhost/x", "::"]
    )
    def test_redirect_uris_elsewhere(self, flows: Flows, uri: str) -> None:
        with pytest.raises(InitializationError, match="must have the form http://localhost:port/path"):
            flows.pkce(redirect_uri=uri).log_in()

    def test_no_log_in_page(self, flows: Flows) -> None:
        with pytest.raises(InitializationError, match="no log-in page"):
            flows.pkce(authorization_endpoint="").log_in()


class TestDevice:
    def test_success_after_waiting(self, flows: Flows, oauth: OAuthServer) -> None:
        oauth.device_answers = ["authorization_pending", "slow_down", "authorization_pending", "authorized"]
        tokens = flows.device().log_in()
        assert tokens.access_token in oauth.valid and tokens.refresh_token
        assert flows.clock.slept == [5, 5, 10, 10]
        assert f"open {oauth.url}/activate" in flows.shown[0]

    def test_a_busy_server_is_ridden_out(self, flows: Flows, oauth: OAuthServer) -> None:
        faults = [(500, "text/plain", "oops"), (502, "text/html", "<html>"), (429, "application/json", "{}")]

        def fault(path: str, form: dict[str, str]) -> tuple[int, str, str] | None:
            return faults.pop(0) if path == "/token" and faults else None

        oauth.fault = fault
        assert flows.device().log_in().access_token in oauth.valid

    @pytest.mark.parametrize("interval", [0.0001, 0.5, 0, -1, "0.01"])
    def test_the_server_cannot_make_it_poll_without_a_pause(
        self, flows: Flows, oauth: OAuthServer, interval: object
    ) -> None:
        oauth.device_answers = ["authorization_pending", "authorization_pending", "authorized"]
        oauth.interval = interval  # type: ignore[assignment]  # servers send what they like
        flows.device().log_in()
        assert len(flows.clock.slept) == 3 and min(flows.clock.slept) >= 1

    @pytest.mark.parametrize("code", ["p", "pend", "authorization_pending", "error", "refused"])
    def test_a_device_code_that_is_part_of_an_error_code(self, flows: Flows, oauth: OAuthServer, code: str) -> None:
        started = {"device_code": code, "user_code": "AB", "verification_uri": "http://x", "interval": 5}
        errors = ["authorization_pending", "slow_down", "access_denied"]

        def answer(path: str, form: dict[str, str]) -> tuple[int, str, str]:
            if path == "/device":
                return 200, "application/json", json.dumps(started)
            return 400, "application/json", json.dumps({"error": errors.pop(0)})

        oauth.fault = answer
        with pytest.raises(AuthenticationError, match="was denied on the other device"):
            flows.device().log_in()
        assert flows.clock.slept == [5, 5, 10]

    def test_a_device_code_in_place_of_an_error_code_is_not_shown(self, flows: Flows, oauth: OAuthServer) -> None:
        def answer(path: str, form: dict[str, str]) -> tuple[int, str, str] | None:
            code = form.get("device_code")
            return None if code is None else (400, "application/json", json.dumps({"error": f"bad {code}"}))

        oauth.fault = answer
        with pytest.raises(AuthenticationError, match=r"refuses: bad \*\*\*") as raised:
            flows.device().log_in()
        assert not any(code in str(raised.value) + raised.value.code for code in oauth.device_codes)  # type: ignore[attr-defined]

    @pytest.mark.parametrize(("answer", "message"), [("access_denied", "denied"), ("expired_token", "has expired")])
    def test_refusals(self, flows: Flows, oauth: OAuthServer, answer: str, message: str) -> None:
        oauth.device_answers = [answer]
        with pytest.raises(AuthenticationError, match=message):
            flows.device().log_in()

    def test_nobody_enters_the_code(self, flows: Flows, oauth: OAuthServer) -> None:
        oauth.device_answers = ["authorization_pending"]
        with pytest.raises(AuthenticationError, match="Nobody entered the code in time"):
            flows.device().log_in()
        assert sum(flows.clock.slept) == 1800

    def test_a_server_without_it(self, flows: Flows) -> None:
        with pytest.raises(InitializationError, match="offers no device log-in"):
            flows.device(device_authorization_endpoint="").log_in()

    def test_escape_sequences_are_not_shown(self, flows: Flows, oauth: OAuthServer) -> None:
        reply = {"device_code": "d", "user_code": "A\x1b[2J", "verification_uri": "http://x", "expires_in": 9}
        oauth.fault = lambda path, form: (200, "application/json", json.dumps(reply))
        with pytest.raises(AuthenticationError, match="cannot be shown"):
            flows.device().log_in()
        assert flows.shown == []

    def test_grant(self, flows: Flows, oauth: OAuthServer) -> None:
        flows.device().log_in()
        assert oauth.grants == {DEVICE_GRANT: 1}


class TestClientSecret:
    def test_success(self, flows: Flows, oauth: OAuthServer) -> None:
        tokens = flows.robot(scopes=("all",), audience="flyte").log_in()
        assert tokens.access_token in oauth.valid and tokens.refresh_token is None
        assert (oauth.requests[0]["scope"], oauth.requests[0]["audience"]) == ("all", "flyte")

    def test_a_wrong_secret(self, flows: Flows) -> None:
        with pytest.raises(TokenRequestError, match=r"/token refuses: invalid_client") as raised:
            flows.robot("wrong-secret").log_in()
        assert "wrong-secret" not in str(raised.value) and not raised.value.transient

    @pytest.mark.parametrize(
        ("reply", "message"),
        [
            (HTML, "HTML page"),
            ((200, "application/json", "[]"), "not JSON"),
            ((200, "application/json", "{}"), "no usable access token"),
            ((200, "application/json", '{"access_token": "a\\nb"}'), "no usable access token"),
            ((200, "application/json", '{"access_token": "a", "token_type": "mac"}'), "another type than Bearer"),
            ((302, "text/plain", ""), "redirects to"),
            ((500, "text/plain", "x" * 2_000_000), "more than 1 MiB"),
        ],
    )
    def test_unusable_replies(
        self, flows: Flows, oauth: OAuthServer, reply: tuple[int, str, str], message: str
    ) -> None:
        oauth.fault = lambda path, form: reply
        with pytest.raises(AuthenticationError, match=message):
            flows.robot().log_in()

    def test_what_a_server_repeats_is_redacted(self, flows: Flows, oauth: OAuthServer) -> None:
        said = {"error": "invalid_client", "error_description": "secret hush-hush-1 is\nwrong, bearer abcdefghijkl"}
        oauth.fault = lambda path, form: (401, "application/json", json.dumps(said))
        with pytest.raises(TokenRequestError) as raised:
            flows.robot("hush-hush-1").log_in()
        assert "refuses: invalid_client (secret *** is wrong, bearer ***)." in str(raised.value)

    def test_a_slow_token_endpoint(self, flows: Flows, oauth: OAuthServer) -> None:
        release = threading.Event()

        def fault(path: str, form: dict[str, str]) -> None:
            release.wait(30)

        oauth.fault = fault
        flows.http._timeout = 0.2
        with pytest.raises(TokenRequestError, match=r"no reply within 0\.2 s") as raised:
            flows.robot().log_in()
        release.set()
        assert raised.value.transient

    def test_a_server_that_is_not_there(self, flows: Flows) -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            url = f"http://127.0.0.1:{gone.getsockname()[1]}/token?key=abc"
        with pytest.raises(TokenRequestError, match="Connection refused") as raised:
            flows.robot(token_endpoint=url).log_in()
        assert "key=abc" not in str(raised.value)


class TestCommand:
    def run(self, code: str, **settings: float) -> str:
        return TokenCommand([sys.executable, "-c", code], **settings).log_in().access_token  # type: ignore[arg-type]

    def test_success(self) -> None:
        assert self.run("print('  token-1\\n')") == "token-1"

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("pass", "printed nothing"),
            ("print('two words')", "other than a single token"),
            ("print('a'); print('b')", "other than a single token"),
            ("import sys; sys.exit('log in first\\nsecond line')", r"exit code 1 \(log in first\)"),
            ("import sys; sys.exit(3)", r"exit code 3\."),
            ("import sys; print('abc123'); sys.exit('bad token abc123')", r"\(bad token \*\*\*\)"),
            (f"import sys; sys.exit('bad {'x1' * 20}')", r"\(bad \*\*\*\)"),
        ],
    )
    def test_failures(self, code: str, message: str) -> None:
        with pytest.raises(AuthenticationError, match=message):
            self.run(code)

    def test_it_does_not_end(self) -> None:
        with pytest.raises(AuthenticationError, match=r"did not end within 0\.2 s"):
            self.run("import threading; threading.Event().wait()", timeout=0.2)

    def test_it_does_not_exist(self) -> None:
        with pytest.raises(AuthenticationError, match="'/no/such/program' does not exist"):
            TokenCommand(["/no/such/program", "secret-argument"]).log_in()

    def test_no_shell(self) -> None:
        command = [sys.executable, "-c", "import sys; print(sys.argv[1])", "$HOME;`id`"]
        assert TokenCommand(command).log_in().access_token == "$HOME;`id`"
