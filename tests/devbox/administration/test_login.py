"""What a devbox says about log-ins and callers."""

from __future__ import annotations

import base64
import json

import pytest

import flyte.devbox
from devbox.calls import Calls, shell
from flyte.access.discovery import NoLogInError, discover
from flyte.errors import UnauthenticatedError, UnimplementedError
from flyte.remote import AuthMetadata, PublicClient, User, auth_metadata
from flyte_api.messages.flyteidl2.auth.auth_service import GetOAuth2MetadataRequest, GetPublicClientConfigRequest
from flyte_api.messages.flyteidl2.auth.identity import UserInfoRequest, UserInfoResponse
from flyte_api.services.flyteidl2.auth.auth_metadata_service import AuthMetadataService
from flyte_api.services.flyteidl2.auth.identity_service import IdentityService
from flyte_rpc.calls import call_path
from flyte_rpc.calls.client import Client
from flyte_rpc.http.client import HttpClient
from flyte_rpc.transports.endpoint import parse_endpoint
from flyte_rpc.transports.network.settings import Network

WELL_KNOWN = "/.well-known/oauth-authorization-server"


def jwt(**claims: object) -> str:
    """A token without a signature, which nobody checks."""
    parts = (json.dumps(part).encode() for part in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "x"])


def http() -> HttpClient:
    return HttpClient(Network(), sleep=lambda seconds: None)


async def who(calls: Calls, *headers: tuple[str, str]) -> UserInfoResponse:
    with auth_metadata(*headers):
        return await calls.unary(IdentityService.USER_INFO, UserInfoRequest())


async def test_the_public_classes_work(calls: Calls) -> None:
    client = await PublicClient.get.aio(client=calls.client)
    assert (client.pb2.authorization_metadata_key, client.pb2.dataplane_domain) == (
        "authorization",
        calls.client.endpoint,
    )
    assert (client.client_id, client.pb2.redirect_uri, list(client.scopes), client.audience) == ("", "", [], "")
    with pytest.raises(UnimplementedError, match="no authorization server"):
        await AuthMetadata.get.aio(client=calls.client)


async def test_questions_about_the_log_in_need_no_token(box: flyte.devbox.Devbox) -> None:
    async with Client(box.endpoint) as anonymous:
        config = await call_path.unary(
            anonymous, AuthMetadataService.GET_PUBLIC_CLIENT_CONFIG, GetPublicClientConfigRequest()
        )
        assert config.dataplane_domain == box.endpoint
        with pytest.raises(UnimplementedError):
            await call_path.unary(anonymous, AuthMetadataService.GET_O_AUTH2_METADATA, GetOAuth2MetadataRequest())
        with pytest.raises(UnauthenticatedError):
            await call_path.unary(anonymous, IdentityService.USER_INFO, UserInfoRequest())


def test_the_document_is_not_implemented(box: flyte.devbox.Devbox) -> None:
    reply = http().get(box.endpoint + WELL_KNOWN)
    assert reply.status == 501
    assert reply.json()["code"] == "unimplemented" and "token" in reply.json()["message"]


def test_a_log_in_says_that_there_is_none(box: flyte.devbox.Devbox) -> None:
    with pytest.raises(NoLogInError, match="answers with status 501"):
        discover(parse_endpoint(box.endpoint), Network(), http())


async def test_claims_come_before_the_subject(calls: Calls) -> None:
    claims = jwt(sub="ada", given_name="Ada", family_name="Lovelace", email="ada@example.com")
    found = await who(calls, ("x-amzn-oidc-data", claims), ("x-amzn-oidc-identity", "other"))
    assert found == UserInfoResponse(
        subject="ada", name="Ada Lovelace", given_name="Ada", family_name="Lovelace", email="ada@example.com"
    )
    partly = await who(calls, ("x-amzn-oidc-data", jwt(sub="ada", family_name="Lovelace", given_name=7)))
    assert (partly.name, partly.given_name) == ("Lovelace", "")


@pytest.mark.parametrize("claims", ["x", "a.b.c", "a.b", jwt(), jwt(sub=""), jwt(sub=1), "e30.W10.x", "e30.%%%.x"])
async def test_claims_without_a_subject_are_ignored(calls: Calls, claims: str) -> None:
    found = await who(calls, ("x-amzn-oidc-data", claims), ("x-amzn-oidc-identity", "ada"))
    assert found == UserInfoResponse(subject="ada")


async def test_a_token_with_claims_names_the_caller() -> None:
    with flyte.devbox.start(memory=True, token=jwt(sub="ada", given_name="Ada")) as box:
        async with Client(box.endpoint, token=box.token) as client:
            user = await User.get.aio(client=client)
            assert (user.subject(), user.name()) == ("ada", "Ada")


async def test_runs_show_who_has_started_them(calls: Calls) -> None:
    with auth_metadata(("x-amzn-oidc-data", jwt(sub="ada", given_name="Ada"))):
        details = await calls.run(shell("true"))
    assert details.metadata is not None and details.metadata.executed_by is not None
    user = details.metadata.executed_by.user
    assert user is not None and user.id is not None and user.spec is not None
    assert (user.id.subject, user.spec.first_name) == ("ada", "Ada")
