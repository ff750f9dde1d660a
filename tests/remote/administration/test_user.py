"""Who the caller is, and how callers log in."""

from __future__ import annotations

import asyncio
import json

import pytest

from flyte.errors import UnauthenticatedError, UnimplementedError
from flyte.remote import AuthMetadata, PublicClient, User, auth_metadata
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import serve
from remote.planes.auth import Identity, Login


async def test_the_caller() -> None:
    async with await serve([Identity()]) as server, Client(server.endpoint, token="u1", timeout=20) as client:
        user = await User.get.aio(client=client)
        assert (user.subject, user.name, user.email) == ("u1", "Ada Lovelace", "ada@example.com")
        assert (user.subject(), user.name()) == ("u1", "Ada Lovelace"), "they are methods in the official SDK"
        assert (user.given_name, user.family_name, user.preferred_username) == ("Ada", "Lovelace", "ada")
        assert (user.picture, user.additional_claims) == (
            "https://example.com/ada.png",
            {"groups": ["analysts"], "level": 3},
        )
        assert repr(user) == "User(subject='u1', name='Ada Lovelace', email='ada@example.com')"
        assert json.loads(user.to_json())["givenName"] == "Ada"
        with auth_metadata(("authorization", "Bearer u2")):
            other = await asyncio.to_thread(User.get, client=client)
        assert other.subject == "u2" and other != user


async def test_nobody() -> None:
    async with await serve([Identity()]) as server, Client(server.endpoint, timeout=20) as client:
        with pytest.raises(UnauthenticatedError, match="UserInfo failed with UNAUTHENTICATED"):
            await User.get.aio(client=client)


async def test_a_server_without_identities() -> None:
    async with await serve([Login()]) as server, Client(server.endpoint, timeout=20) as client:
        with pytest.raises(UnimplementedError, match="UserInfo"):
            await User.get.aio(client=client)


async def test_how_to_log_in() -> None:
    login = Login("https://id.example.com")
    async with await serve([login]) as server, Client(server.endpoint, timeout=20) as client:
        found = await AuthMetadata.get.aio(client=client)
        assert (found.issuer, found.token_endpoint) == ("https://id.example.com", "https://id.example.com/token")
        assert (list(found.scopes), found.device_authorization_endpoint) == (["openid"], "")
        public = await PublicClient.get.aio(client=client)
        assert (public.client_id, list(public.scopes), public.audience) == ("flytectl", ["all"], "flyte")
        login.issuer = ""
        with pytest.raises(UnimplementedError, match="no authorization server"):
            await AuthMetadata.get.aio(client=client)
