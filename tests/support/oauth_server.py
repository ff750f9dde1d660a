"""An authorization server on loopback: the grants are those of oauthlib, the faults are ours."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode, urlsplit

from oauthlib.oauth2 import DeviceApplicationServer, RequestValidator, Server
from oauthlib.oauth2.rfc8628.grant_types import DeviceCodeGrant

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECRET = "s3cret/with+signs and:colon"
"""The secret of the client `robot`."""

Reply = tuple[int, str, str]
"""Status, content type and body."""

HTML = (200, "text/html", "<html><body>Please sign in</body></html>")


class _Client:
    def __init__(self, client_id: str) -> None:
        self.client_id = client_id


class _Rules(RequestValidator):
    """What clients may do: `people` is a public client, `robot` has a secret."""

    def __init__(self, state: OAuthServer) -> None:
        self._state = state

    def validate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        return client_id in ("people", "others")

    def client_authentication_required(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        return "Authorization" in request.headers

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        pair = f"robot:{quote_plus(self._state.secret)}"
        expected = "Basic " + b64encode(pair.encode()).decode()
        request.client = _Client("robot")
        return bool(request.headers.get("Authorization") == expected)

    def authenticate_client_id(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        request.client = _Client(client_id)
        return client_id in ("people", "others")

    def validate_redirect_uri(self, client_id: str, redirect_uri: str, request: Any, *args: Any, **kwargs: Any) -> bool:
        return urlsplit(redirect_uri).hostname in ("127.0.0.1", "localhost")

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Any, request: Any, *args: Any, **kw: Any
    ) -> bool:
        return set(scopes) <= {"all", "offline"}

    def get_default_scopes(self, client_id: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return ["all"]

    def validate_response_type(self, client_id: str, response_type: str, *args: Any, **kwargs: Any) -> bool:
        return response_type == "code"

    def validate_grant_type(self, client_id: str, grant_type: str, client: Any, *args: Any, **kwargs: Any) -> bool:
        return (grant_type == "client_credentials") == (client.client_id == "robot")

    def is_pkce_required(self, client_id: str, request: Any) -> bool:
        return True

    def save_authorization_code(self, client_id: str, code: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        challenge = (request.code_challenge, request.code_challenge_method)
        self._state.codes[code["code"]] = (client_id, request.redirect_uri, request.scopes, *challenge)
        self._state.issued.add(code["code"])

    def validate_code(self, client_id: str, code: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        found = self._state.codes.get(code)
        if found is None or found[0] != client_id:
            return False
        request.scopes, request.user = found[2], "ada"
        return True

    def get_code_challenge(self, code: str, request: Any) -> str:
        return str(self._state.codes[code][3])

    def get_code_challenge_method(self, code: str, request: Any) -> str:
        return str(self._state.codes[code][4])

    def confirm_redirect_uri(self, client_id: str, code: str, redirect_uri: str, *args: Any, **kwargs: Any) -> bool:
        return bool(self._state.codes[code][1] == redirect_uri)

    def invalidate_authorization_code(self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any) -> None:
        del self._state.codes[code]

    def validate_refresh_token(self, refresh_token: str, client: Any, request: Any, *args: Any, **kwargs: Any) -> bool:
        return self._state.refresh_tokens.get(refresh_token) == client.client_id

    def get_original_scopes(self, refresh_token: str, request: Any, *args: Any, **kwargs: Any) -> list[str]:
        return ["all", "offline"]

    def save_bearer_token(self, token: Any, request: Any, *args: Any, **kwargs: Any) -> None:
        state = self._state
        state.valid.add(token["access_token"])
        state.issued.add(token["access_token"])
        if "refresh_token" in token:
            if request.grant_type == "refresh_token":
                state.refresh_tokens.pop(request.refresh_token, None)
            state.refresh_tokens[token["refresh_token"]] = request.client.client_id
            state.issued.add(token["refresh_token"])

    def validate_device_code(self, client_id: str, code: str, request: Any, *args: Any, **kwargs: Any) -> str | None:
        if code not in self._state.device_codes:
            return None
        answers = self._state.device_answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        request.user, request.scopes = "ada", ["all"]
        return status


class OAuthServer:
    """The state of the server, which tests read and change."""

    def __init__(self) -> None:
        self.codes: dict[str, tuple[Any, ...]] = {}
        self.valid: set[str] = set()
        """Access tokens that were issued and not revoked."""
        self.refresh_tokens: dict[str, str] = {}
        """Refresh tokens that are accepted, with their client."""
        self.device_codes: set[str] = set()
        self.device_answers: list[str] = [DeviceCodeGrant.DEVICE_CODE_AUTHORIZED]
        """Answers to polls; the last one is repeated."""
        self.issued: set[str] = set()
        """Everything that must appear nowhere: tokens, codes, verifiers."""
        self.grants: Counter[str] = Counter()
        """Requests to the token endpoint by grant type."""
        self.requests: list[dict[str, str]] = []
        """The forms of these requests."""
        self.deny = ""
        """The error that the log-in page reports; empty for none."""
        self.fault: Callable[[str, dict[str, str]], Reply | None] = lambda path, form: None
        """May answer a request in place of the server."""
        self.lifetime = 3600
        self.interval: float = 5
        """Seconds between polls for a device code."""
        self.device_lifetime: float = 1800
        self.secret = SECRET
        self.url = ""
        self._rules = _Rules(self)
        self._oauth = Server(self._rules, token_expires_in=lambda request: self.lifetime)

    def revoke(self) -> None:
        """Reject all access tokens from now on."""
        self.valid.clear()

    def metadata(self) -> dict[str, str]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "device_authorization_endpoint": f"{self.url}/device",
        }

    def handle(self, method: str, target: str, headers: dict[str, str], body: str) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(target)
        form = {name: values[0] for name, values in parse_qs(body).items()}
        for name in ("code_verifier", "refresh_token", "device_code"):
            if name in form:
                self.issued.add(form[name])
        if parts.path == "/token":
            self.grants[form.get("grant_type", "")] += 1
            self.requests.append(form)
        replaced = self.fault(parts.path, form)
        if replaced is not None:
            return replaced[0], {"Content-Type": replaced[1]}, replaced[2]
        # oauthlib refuses cleartext, and queries of requests for tokens.
        url = f"https://localhost{target if parts.path == '/authorize' else parts.path}"
        match parts.path:
            case "/.well-known/oauth-authorization-server":
                return 200, {"Content-Type": "application/json"}, json.dumps(self.metadata())
            case "/authorize":
                return self._authorize(url)
            case "/token":
                found, text, status = self._oauth.create_token_response(url, method, body, headers)
                return status, found, text
            case "/device":
                return self._device(url, method, body, headers)
        return 404, {"Content-Type": "text/plain"}, "not found"

    def _device(self, url: str, method: str, body: str, headers: dict[str, str]) -> tuple[int, dict[str, str], str]:
        device = DeviceApplicationServer(self._rules, f"{self.url}/activate", interval=self.interval)
        found, data, status = device.create_device_authorization_response(url, method, body, headers)
        reply = json.loads(data) if isinstance(data, str) else data
        if status == 200:
            reply["expires_in"] = self.device_lifetime
            self.device_codes.add(reply["device_code"])
            self.issued.add(reply["device_code"])
        return status, {**found, "Content-Type": "application/json"}, json.dumps(reply)

    def _authorize(self, url: str) -> tuple[int, dict[str, str], str]:
        scopes, request = self._oauth.validate_authorization_request(url)
        if self.deny:
            query = urlencode({"error": self.deny, "state": request["state"]})
            return 302, {"Location": f"{request['redirect_uri']}?{query}"}, ""
        credentials = {key: value for key, value in request.items() if key != "request"}
        found, text, status = self._oauth.create_authorization_response(url, scopes=scopes, credentials=credentials)
        return status, found, text or ""


@contextmanager
def oauth_server() -> Generator[OAuthServer]:
    """Run a server."""
    state = OAuthServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length).decode()
            status, headers, text = state.handle(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            data = text.encode()
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that gave up have closed their connections."""

    with Listener(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
