"""The authorization server of a control plane, and the OAuth client to log in as."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class AuthServer:
    """Where and as which client to log in."""

    token_endpoint: str
    """URL that issues tokens."""
    authorization_endpoint: str = ""
    """URL of the page where people log in; empty if there is none."""
    device_authorization_endpoint: str = ""
    """URL that starts a log-in on another device; empty if there is none."""
    client_id: str = ""
    redirect_uri: str = ""
    """URL on this machine that the log-in page redirects to."""
    scopes: tuple[str, ...] = ()
    audience: str = ""
    header: str = "authorization"
    """The request header that carries the token."""
