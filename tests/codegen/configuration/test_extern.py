"""An SDK that builds on ours: its own services and entities, over message classes that are the same as ours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import pytest

from flyte_api.messages.flyteidl2.common.identifier import ProjectIdentifier
from flyte_api.messages.google.protobuf.timestamp import Timestamp
from flyte_codegen.diagnostics import Diagnostic
from flyte_rpc.calls.client import Client
from flyte_rpc.serving.server import ServerCall, serve
from support.fragments import Fragment, proto

FLYTE = 'import "flyteidl2/common/identifier.proto";\nimport "google/protobuf/timestamp.proto";\n'
BODY = f"""{FLYTE}
message Quota {{ flyteidl2.common.ProjectIdentifier id = 1; int64 cores = 2; google.protobuf.Timestamp since = 3; }}
message GetQuotaRequest {{ flyteidl2.common.ProjectIdentifier id = 1; }}
message GetQuotaResponse {{ Quota quota = 1; }}
service Quotas {{ rpc GetQuota(GetQuotaRequest) returns (GetQuotaResponse); }}
"""
TOML = """
[input]
protos = ["protos"]
include = ["@flyte"]

[extern]
flyteidl2 = "flyte_api"
"google.protobuf" = "flyte_api"
"google.rpc" = "flyte_api"

[scope."flyteidl2.common.ProjectIdentifier"]
organization = "org"
domain = "domain"
name = "project"

[entities.Quota]
message = "acme.Quota"
service = "acme.Quotas"
identity = "id"
overlay = "acme_sdk:Quota"

[entities.Quota.properties]
cores = "cores"
since = "since"

[entities.Quota.methods]
GetQuota = {}
"""


@pytest.fixture
def acme(fragment: Callable[..., Fragment]) -> Fragment:
    return fragment({"acme/quota.proto": proto(BODY, package="acme")}, TOML).generate()


def test_only_what_is_theirs_is_generated(acme: Fragment) -> None:
    assert {p.relative_to(acme.path).as_posix() for p in acme.path.rglob("*.py") if p.stat().st_size} == {
        "messages/acme/quota.py",
        "services/acme/quotas.py",
        "clients/acme/quotas.py",
        "choices.py",
        "sorting.py",
        "registry.py",
        "entities/quota.py",
        "exports.py",
    }
    assert acme.get("exports:EXPORTS") == {"Quota": "acme_sdk:Quota"}


async def test_messages_are_the_same_classes(acme: Fragment) -> None:
    types = acme.load("messages.acme.quota")

    class Quotas(acme.get("services.acme.quotas:QuotasBase")):  # type: ignore[misc]
        async def get_quota(self, request: Any, call: ServerCall) -> Any:
            assert type(request.id) is ProjectIdentifier
            return types.GetQuotaResponse(quota=types.Quota(id=request.id, cores=8, since=Timestamp(seconds=60)))

    async for client in _connected(Quotas()):
        quota = await acme.get("entities.quota:QuotaBase").get.aio(client=client)
        assert quota.pb2.id == ProjectIdentifier(organization="acme", name="p", domain="d")
        assert type(quota.pb2.since) is Timestamp
        assert (quota.cores, quota.since.minute) == (8, 1)


def test_what_the_other_package_does_not_have_is_generated(fragment: Callable[..., Fragment]) -> None:
    body = 'import "google/protobuf/empty.proto";\nimport "google/protobuf/timestamp.proto";\n'
    body += "message Tick { google.protobuf.Timestamp at = 1; google.protobuf.Empty nothing = 2; }"
    made = fragment(proto(body), '[extern]\n"google.protobuf" = "flyte_api"\n').generate()
    assert made.load("messages.google.protobuf.empty").Empty.__module__.startswith(made.package)
    assert not (made.path / "messages/google/protobuf/timestamp.py").exists()
    tick = made.get("messages.test.test:Tick")(at=Timestamp(seconds=1))
    assert type(tick.at) is Timestamp


def test_a_package_that_is_not_installed(
    fragment: Callable[..., Fragment], mistakes: Callable[[Fragment], list[Diagnostic]]
) -> None:
    (found,) = mistakes(fragment(proto("message A {}"), '[extern]\nacme = "no_such_api"\n'))
    assert found.message == "[extern] names the package no_such_api, which is not installed here"


def test_folders_to_import_from(
    fragment: Callable[..., Fragment], mistakes: Callable[[Fragment], list[Diagnostic]], tmp_path: Path
) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor/used.proto").write_text(proto("message Used {}", package="used"))
    (tmp_path / "vendor/unused.proto").write_text("this is not even a definition")
    body = 'import "used.proto";\nmessage A { used.Used a = 1; }'
    made = fragment(proto(body), '[input]\ninclude = ["vendor"]\n').generate()
    assert made.get("messages.used:Used").FULL_NAME == "used.Used"
    assert not (made.path / "messages/unused.py").exists()
    (found,) = mistakes(fragment(proto(body), '[input]\ninclude = ["nowhere"]\n'))
    assert found.message == "no such folder of .proto files"


async def _connected(service: Any) -> AsyncGenerator[Client, None]:
    async with (
        await serve([service]) as running,
        Client(running.endpoint, org="acme", project="p", domain="d", timeout=20) as client,
    ):
        yield client
